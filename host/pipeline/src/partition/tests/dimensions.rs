//! Partitions of several dimensions: which there are, how they are named, and what loads what.

use super::*;

fn listed(keys: &[&str]) -> PartitionsDefinition {
    PartitionsDefinition::Static(keys.iter().map(|key| (*key).to_owned()).collect())
}

fn days(start: &str, end: &str) -> PartitionsDefinition {
    time("0 0 * * *", "UTC", start, end, None)
}

fn several(dimensions: &[(&str, PartitionsDefinition)]) -> PartitionsDefinition {
    let of = |(name, partitions): &(&str, PartitionsDefinition)| Dimension {
        name: (*name).to_owned(),
        partitions: partitions.clone(),
    };
    PartitionsDefinition::Dimensions(dimensions.iter().map(of).collect())
}

/// Three days of two regions.
fn both() -> PartitionsDefinition {
    several(&[("day", days("2024-01-01", "2024-01-04")), ("region", listed(&["eu", "us"]))])
}

fn selected_keys(set: &PartitionSet, text: &str) -> Vec<String> {
    let selected = set.select(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    selected.iter().filter_map(|index| set.key(index)).map(Cow::into_owned).collect()
}

#[test]
fn partitions_of_several_dimensions_are_told_each_of_them_and_the_only_window() {
    let set = set(&both());
    assert_eq!(keys(&set)[1..4], ["2024-01-01|us", "2024-01-02|eu", "2024-01-02|us"]);
    assert_eq!(set.dimension_keys(2), [("day", "2024-01-02"), ("region", "eu")]);
    let window = set.window(2).unwrap();
    assert_eq!(
        [window.start_ms, window.end_ms],
        ["2024-01-02T00:00Z", "2024-01-03T00:00Z"].map(|text| at(text).as_millisecond())
    );
    assert_eq!((set.time_zone(), set.window(6)), (Some("UTC"), None));
    let two = self::set(&several(&[("a", days("2024-01-01", "2024-01-04")), ("b", days("2024-01-01", "2024-01-04"))]));
    assert_eq!((two.len(), two.window(0), two.time_zone()), (9, None, None), "both are of time");
}

#[test]
fn each_dimension_is_selected_by_itself() {
    let set = set(&both());
    for (text, expected) in [
        ("2024-01-02|eu", &["2024-01-02|eu"][..]),
        ("2024-01-02|*", &["2024-01-02|eu", "2024-01-02|us"]),
        ("2024-01-02..2024-01-03|us", &["2024-01-02|us", "2024-01-03|us"]),
        ("*|eu", &["2024-01-01|eu", "2024-01-02|eu", "2024-01-03|eu"]),
    ] {
        assert_eq!(selected_keys(&set, text), expected, "{text}");
    }
    assert_eq!(set.select("all").unwrap(), set.select("*|*").unwrap());
    // The order of the names is that of a key, whichever dimension is defined first.
    let turned = self::set(&several(&[("z", listed(&["1", "2"])), ("a", listed(&["x"]))]));
    assert_eq!(selected_keys(&turned, "x|1..2"), ["x|1", "x|2"]);
}

#[test]
fn what_names_no_partition_of_several_dimensions_says_what_is_wrong() {
    let set = set(&both());
    let error = |text: &str| set.select(text).unwrap_err().to_string();
    assert_eq!(
        error("2024-01-01|ue"),
        "`region` has no partition \"ue\": its partitions are \"eu\" to \"us\"; did you mean `eu`?"
    );
    assert_eq!(set.find("2024-01-01|ue").unwrap_err().to_string(), error("2024-01-01|ue"));
    assert_eq!(error("2024-01-01|us..eu"), "in `region`, \"us\" comes after \"eu\": write eu..us");
    let expected = |text: &str| {
        format!(
            "{text:?} is no partition of `days`, which has the dimensions `day` and `region`: write a key of each as in \
             \"2024-01-01|eu\", or for a key a range A..B of it, or * for all"
        )
    };
    for text in ["2024-01-01", "2024-01-01|eu..2024-01-03|eu"] {
        assert_eq!(error(text), expected(text));
        assert_eq!(set.find(text).unwrap_err().to_string(), expected(text));
    }
    let none = several(&[("day", days("2024-01-01", "")), ("region", listed(&["eu"]))])
        .partitions("x", at("2023-01-01T00:00Z"));
    assert_eq!(none.select("*|eu").unwrap_err().to_string(), "`day` has no partitions yet");
}

#[test]
fn what_is_selected_is_named_so_that_it_can_be_selected_again() {
    let set = set(&both());
    let named = |indices: &[usize]| set.named(&Selected::of_indices(indices.iter().copied()));
    assert_eq!(named(&[]), [""; 0]);
    assert_eq!(named(&[0, 1, 2, 3, 4, 5]), ["*|*"]);
    assert_eq!(named(&[0, 2, 4]), ["*|eu"]);
    assert_eq!(named(&[1, 2, 3, 5]), ["2024-01-01|us", "2024-01-03|us", "2024-01-02|*"]);
    assert_eq!(named(&[0, 1, 2, 3, 4]), ["2024-01-01..2024-01-02|*", "2024-01-03|eu"]);
    let regions = regions(&["eu", "us", "asia"]);
    assert_eq!(regions.named(&Selected::of_indices([0, 1])), ["eu..us"]);
    assert_eq!(regions.named(&Selected::of_indices([0, 2])), ["eu", "asia"]);
}

/// The keys that the partition `key` of `downstream` loads, where the definitions say no more.
fn loaded(
    mapping: &PartitionMapping,
    (downstream, key): (&PartitionsDefinition, &str),
    upstream: &PartitionsDefinition,
) -> Vec<String> {
    let (ours, theirs) = (set(downstream), set(upstream));
    let selected = mapping.upstream(Some((&ours, ours.index(key).unwrap())), &theirs);
    let selected = selected.unwrap_or_else(|error| panic!("{error}"));
    selected.iter().filter_map(|index| theirs.key(index)).map(Cow::into_owned).collect()
}

#[test]
fn one_dimension_of_several_is_inferred_in_both_directions() {
    let (both, regions) = (both(), listed(&["eu", "us"]));
    let inferred = |ours, theirs| {
        let mapping = PartitionMapping::inferred(Some(ours), Some(theirs)).unwrap();
        let is_many = mapping.is_many(Some(ours), Some(theirs));
        (mapping, is_many)
    };
    let (to_all, is_many) = inferred(&regions, &both);
    assert!(is_many);
    assert_eq!(loaded(&to_all, (&regions, "us"), &both), ["2024-01-01|us", "2024-01-02|us", "2024-01-03|us"]);
    let (to_one, is_many) = inferred(&both, &regions);
    assert!(!is_many);
    assert_eq!(loaded(&to_one, (&both, "2024-01-02|us"), &regions), ["us"]);
    // Windows of time of another length go with the only dimension of time.
    let hours = time("0 * * * *", "UTC", "2024-01-01", "2024-01-04", None);
    let (to_hours, is_many) = inferred(&both, &hours);
    assert!(is_many);
    assert_eq!(loaded(&to_hours, (&both, "2024-01-02|us"), &hours).len(), 24);
    let (to_day, is_many) = inferred(&hours, &both);
    assert!(is_many, "all regions of the day");
    assert_eq!(loaded(&to_day, (&hours, "2024-01-02-13:00"), &both), ["2024-01-02|eu", "2024-01-02|us"]);
    assert_eq!(inferred(&both, &both), (PartitionMapping::Identity, false));
}

#[test]
fn dimensions_of_the_same_names_are_mapped_one_by_one() {
    let hours = several(&[
        ("region", listed(&["us", "eu", "asia"])),
        ("day", time("0 * * * *", "UTC", "2024-01-01", "2024-01-05", None)),
    ]);
    let mapping = PartitionMapping::inferred(Some(&both()), Some(&hours)).unwrap();
    assert!(mapping.is_many(Some(&both()), Some(&hours)));
    let keys = loaded(&mapping, (&both(), "2024-01-02|eu"), &hours);
    assert_eq!((keys.len(), &*keys[0], &*keys[23]), (24, "2024-01-02-00:00|eu", "2024-01-02-23:00|eu"));
    let lacking = several(&[("day", days("2024-01-02", "2024-01-04")), ("region", listed(&["eu"]))]);
    let mapping = PartitionMapping::inferred(Some(&both()), Some(&lacking)).unwrap();
    let (ours, theirs) = (set(&both()), set(&lacking));
    let error = |index| mapping.upstream(Some((&ours, index)), &theirs).unwrap_err().to_string();
    assert_eq!(
        error(3),
        "the partition \"2024-01-02|us\" of `days` needs the same one of `region`, whose partitions are \"eu\""
    );
    assert!(error(0).starts_with("the partition \"2024-01-01|eu\" of `days` needs all of its window of `day`"));
}

#[test]
fn a_mapping_that_cannot_be_told_says_why() {
    let (cities, both) = (listed(&["oslo"]), both());
    let inferred = |ours, theirs| PartitionMapping::inferred(Some(ours), Some(theirs)).unwrap_err();
    assert_eq!(
        inferred(&cities, &both),
        "the asset that is loaded has the dimensions `day` and `region`, and none of them has the partitions of the asset that loads"
    );
    let twice = several(&[("from", cities.clone()), ("to", cities.clone())]);
    assert_eq!(
        inferred(&twice, &cities),
        "each of the dimensions `from` and `to` of the asset that loads goes with the asset that is loaded"
    );
    assert_eq!(
        inferred(&twice, &both),
        "the asset that loads has the dimensions `from` and `to`, and the asset that is loaded `day` and `region`"
    );
    let by = |name, ours, theirs| PartitionMapping::by_dimension(name, ours, theirs);
    assert_eq!(
        by("x", Some(&twice), Some(&cities)).unwrap_err(),
        "the asset that loads has no dimension `x`, but `from` and `to`"
    );
    for (ours, theirs) in [(Some(&both), Some(&twice)), (Some(&cities), Some(&cities)), (None, Some(&both))] {
        assert!(by("day", ours, theirs).is_err());
    }
    let to = by("to", Some(&twice), Some(&cities)).unwrap();
    assert_eq!(loaded(&to, (&twice, "oslo|oslo"), &cities), ["oslo"]);
    assert_eq!(
        PartitionMapping::Identity.check(Some(&both), Some(&cities)).unwrap_err(),
        "`identity` is between partitions of the same dimensions"
    );
    let specific = |key: &str| PartitionMapping::Specific(MappedKeys::One(key.to_owned())).check(None, Some(&both));
    assert_eq!(specific("2024-01-01|us"), Ok(()));
    assert_eq!(
        [specific("2024-01-01|asia"), specific("us")].map(Result::unwrap_err),
        ["2024-01-01|asia", "us"].map(|key| format!("`specific`: {key:?} is no partition of the asset that is loaded"))
    );
}

fn of(upstream: &str, downstream: &str, mapping: PartitionMapping) -> DimensionMapping {
    let name = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    DimensionMapping { upstream: name(upstream), downstream: name(downstream), mapping }
}

const BEFORE: PartitionMapping = PartitionMapping::TimeWindow { start_offset: -1, end_offset: -1 };

#[test]
fn what_is_earlier_in_the_first_dimension_that_differs_is_earlier() {
    let is_earlier = |mappings: &[DimensionMapping]| PartitionMapping::Dimensions(mappings.to_vec()).is_earlier();
    let (same, all) = (PartitionMapping::Identity, PartitionMapping::All);
    assert!(is_earlier(&[of("day", "day", BEFORE), of("region", "region", all.clone())]));
    assert!(is_earlier(&[of("region", "region", same.clone()), of("day", "day", BEFORE)]));
    assert!(!is_earlier(&[of("region", "region", all), of("day", "day", BEFORE)]), "it may be of a later region");
    assert!(!is_earlier(&[of("region", "region", same.clone()), of("day", "day", same)]));
    assert!(!is_earlier(&[of("from", "to", BEFORE), of("to", "to", BEFORE)]));
}

#[test]
fn mappings_of_dimensions_are_shown_by_their_names() {
    let mapping = PartitionMapping::Dimensions(vec![of("day", "", PartitionMapping::Identity)]);
    let expected = serde_json::json!({
        "dimensions": [{ "upstream": "day", "downstream": null, "mapping": "identity" }],
    });
    assert_eq!(serde_json::to_value(mapping).unwrap(), expected);
}

/// Up to four of the keys `0` to `4`, in any order.
fn any_listed() -> impl Strategy<Value = PartitionsDefinition> {
    prop::sample::subsequence(vec!["0", "1", "2", "3", "4"], 1..=4).prop_shuffle().prop_map(|keys| listed(&keys))
}

fn any_mapping() -> impl Strategy<Value = PartitionMapping> {
    let keys = prop::sample::subsequence(vec!["0".to_owned(), "3".to_owned()], 0..=2);
    prop_oneof![
        Just(PartitionMapping::Identity),
        Just(PartitionMapping::All),
        Just(PartitionMapping::Last),
        keys.prop_map(|keys| PartitionMapping::Specific(MappedKeys::Many(keys))),
    ]
}

proptest! {
    #[test]
    fn what_loads_is_the_inverse_of_what_is_loaded_of_dimensions(
        ours in [any_listed(), any_listed(), any_listed()],
        theirs in [any_listed(), any_listed(), any_listed()],
        mappings in prop::collection::vec((any_mapping(), 0..3_usize), 0..=3),
        picked: std::collections::BTreeSet<u8>,
        is_one in 0..3_u8,
    ) {
        let names = ["b", "a", "c"];
        let dimensions = |of: [PartitionsDefinition; 3]| {
            several(&names.into_iter().zip(of).collect::<Vec<_>>())
        };
        let (mut downstream, mut upstream) = (dimensions(ours.clone()), dimensions(theirs.clone()));
        let mut mappings: Vec<DimensionMapping> =
            mappings.into_iter().zip(names).map(|((mapping, place), name)| of(name, names[place], mapping)).collect();
        if is_one == 1 {
            downstream = ours[0].clone();
            for of in &mut mappings {
                of.downstream = None;
            }
        } else if is_one == 2 {
            upstream = theirs[0].clone();
            mappings.truncate(1);
            for of in &mut mappings {
                of.upstream = None;
            }
        }
        let (downstream, upstream) = (set(&downstream), set(&upstream));
        let mapping = PartitionMapping::Dimensions(mappings);
        let selected = picked.into_iter().map(usize::from).filter(|index| *index < upstream.len());
        let selected = Selected::of_indices(selected);
        let loads = |index: &usize| {
            let loaded = mapping.upstream(Some((&downstream, *index)), &upstream);
            loaded.is_ok_and(|loaded| !loaded.intersect(&selected).is_empty())
        };
        let expected = Selected::of_indices((0..downstream.len()).filter(loads));
        prop_assert_eq!(mapping.downstream(&upstream, &selected, &downstream), expected, "{:?}", mapping);
    }

    #[test]
    fn named_partitions_are_those_that_are_selected(
        dimensions in [any_listed(), any_listed(), any_listed()],
        picked: std::collections::BTreeSet<u8>,
    ) {
        let [a, b, c] = dimensions;
        let set = set(&several(&[("b", b), ("c", c), ("a", a)]));
        let selected = Selected::of_indices(picked.into_iter().map(usize::from).filter(|index| *index < set.len()));
        let named = set.named(&selected);
        let again = named.iter().fold(Selected::default(), |all, text| all.union(&set.select(text).unwrap()));
        prop_assert_eq!(again, selected, "{:?}", named);
    }
}
