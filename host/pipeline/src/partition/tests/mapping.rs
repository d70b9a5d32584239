//! What loads what.

use super::*;

const OWN: PartitionMapping = PartitionMapping::TimeWindow { start_offset: 0, end_offset: 0 };

fn window(start_offset: i64, end_offset: i64) -> PartitionMapping {
    PartitionMapping::TimeWindow { start_offset, end_offset }
}

/// The keys that the partition `key` of `downstream` loads.
fn loaded<'a>(
    mapping: &PartitionMapping,
    downstream: &PartitionSet,
    key: &str,
    upstream: &'a PartitionSet,
) -> Vec<Cow<'a, str>> {
    let index = downstream.index(key).unwrap();
    let selected = mapping.upstream(Some((downstream, index)), upstream).unwrap_or_else(|error| panic!("{error}"));
    selected.iter().map(|index| upstream.key(index).unwrap()).collect()
}

#[test]
fn a_day_loads_its_hours_and_an_hour_its_day() {
    let days = daily("America/Los_Angeles", "2024-03-01", "2024-12-01");
    let hours = hourly("America/Los_Angeles", "2024-03-01-00:00", "2024-12-01-00:00");
    for (day, expected) in [("2024-03-09", 24), ("2024-03-10", 23), ("2024-11-03", 25)] {
        assert_eq!(loaded(&OWN, &days, day, &hours).len(), expected);
    }
    assert_eq!(loaded(&OWN, &hours, "2024-11-03-01:00-0800", &days), ["2024-11-03"]);
}

#[test]
fn windows_of_other_zones_and_schedules_load_what_they_overlap() {
    let utc = daily("UTC", "2024-01-01", "2024-12-31");
    let berlin = daily("Europe/Berlin", "2024-01-02", "2024-12-30");
    assert_eq!(loaded(&OWN, &berlin, "2024-06-02", &utc), ["2024-06-01", "2024-06-02"]);
    let weeks = set(&time("0 0 * * 1", "UTC", "2024-01-01", "2024-12-30", None));
    assert_eq!(loaded(&OWN, &weeks, "2024-01-29", &utc).len(), 7);
    let months = set(&time("0 0 1 * *", "UTC", "2024-01-01", "2024-12-30", None));
    assert_eq!(loaded(&OWN, &weeks, "2024-01-29", &months), ["2024-01-01", "2024-02-01"]);
}

#[test]
fn offsets_count_downstream_partitions_and_load_less_at_the_ends() {
    let days = daily("UTC", "2024-01-01", "2024-01-11");
    assert_eq!(loaded(&window(-1, -1), &days, "2024-01-01", &days), [""; 0]);
    assert_eq!(loaded(&window(-1, -1), &days, "2024-01-02", &days), ["2024-01-01"]);
    assert_eq!(loaded(&window(-2, 0), &days, "2024-01-02", &days), ["2024-01-01", "2024-01-02"]);
    assert_eq!(loaded(&window(1, 3), &days, "2024-01-09", &days), ["2024-01-10"]);
    assert_eq!(loaded(&window(i64::MIN, i64::MAX), &days, "2024-01-05", &days).len(), 10);
    let hours = hourly("UTC", "2024-01-01-00:00", "2024-01-11-00:00");
    assert_eq!(loaded(&window(-1, 0), &days, "2024-01-02", &hours).len(), 48);
}

#[test]
fn offsets_reach_upstream_partitions_from_before_the_first_downstream_one() {
    let all = daily("UTC", "2024-01-01", "2024-02-01");
    let later = daily("UTC", "2024-01-10", "2024-01-15");
    assert_eq!(loaded(&window(-2, 0), &later, "2024-01-10", &all), ["2024-01-08", "2024-01-09", "2024-01-10"]);
    assert_eq!(loaded(&window(-99, -9), &later, "2024-01-11", &all), ["2024-01-01", "2024-01-02"]);
    assert_eq!(loaded(&window(0, 2), &later, "2024-01-14", &all), ["2024-01-14", "2024-01-15", "2024-01-16"]);
}

#[test]
fn a_window_that_upstream_partitions_do_not_cover_is_an_error_that_names_it() {
    let days = daily("UTC", "2024-01-01", "2024-01-11");
    let later = daily("UTC", "2024-01-03", "2024-01-09");
    let error =
        |mapping: &PartitionMapping, index| mapping.upstream(Some((&days, index)), &later).unwrap_err().to_string();
    assert_eq!(
        error(&OWN, 1),
        "the partition \"2024-01-02\" of `days` needs all of its window of `days`, whose partitions are \"2024-01-03\" to \"2024-01-08\""
    );
    assert!(error(&window(-1, 0), 9).contains("2024-01-10"));
    assert_eq!(window(-1, 0).upstream(Some((&days, 1)), &later), Ok(Selected::default()));
    let none = daily("UTC", "2024-01-03", "2024-01-03");
    let error = OWN.upstream(Some((&days, 1)), &none).unwrap_err().to_string();
    assert!(error.ends_with("which has no partitions yet"), "{error}");
}

#[test]
fn the_same_key_or_all_are_loaded() {
    let (ours, theirs) = (regions(&["eu", "us", "asia"]), regions(&["us", "eu"]));
    assert_eq!(loaded(&PartitionMapping::Identity, &ours, "eu", &theirs), ["eu"]);
    let error = PartitionMapping::Identity.upstream(Some((&ours, 2)), &theirs).unwrap_err().to_string();
    assert_eq!(
        error,
        "the partition \"asia\" of `regions` needs the same one of `regions`, whose partitions are \"us\" to \"eu\""
    );
    let (us, all) = (Selected::of_indices([0]), Selected::all(3));
    assert_eq!(PartitionMapping::Identity.downstream(&theirs, &us, &ours), Selected::of_indices([1]));
    assert_eq!(PartitionMapping::All.upstream(None, &theirs), Ok(Selected::all(2)));
    assert_eq!(PartitionMapping::All.downstream(&theirs, &us, &ours), all);
    assert_eq!(PartitionMapping::All.downstream(&theirs, &Selected::default(), &ours), Selected::default());
}

fn many(keys: &[&str]) -> MappedKeys {
    MappedKeys::Many(keys.iter().map(|key| (*key).to_owned()).collect())
}

#[test]
fn the_last_one_is_loaded_by_all() {
    let (ours, theirs) = (regions(&["eu", "us"]), daily("UTC", "2024-01-01", "2024-01-11"));
    assert_eq!(loaded(&PartitionMapping::Last, &ours, "us", &theirs), ["2024-01-10"]);
    assert_eq!(PartitionMapping::Last.upstream(None, &theirs), Ok(Selected::of_indices([9])));
    let error = PartitionMapping::Last.upstream(None, &regions(&[])).unwrap_err().to_string();
    assert_eq!(error, "it needs the last one of `regions`, which has no partitions yet");
    let load = |places: &[usize]| {
        PartitionMapping::Last.downstream(&theirs, &Selected::of_indices(places.iter().copied()), &ours)
    };
    assert_eq!((load(&[0, 8]), load(&[8, 9])), (Selected::default(), Selected::all(2)));
}

#[test]
fn specific_ones_are_loaded_by_all_in_the_order_of_their_definition() {
    let (ours, theirs) = (regions(&["eu", "us"]), daily("UTC", "2024-01-01", "2024-01-11"));
    let mapping = PartitionMapping::Specific(many(&["2024-01-03", "2024-01-01"]));
    assert_eq!(loaded(&mapping, &ours, "us", &theirs), ["2024-01-01", "2024-01-03"]);
    let load = |place| mapping.downstream(&theirs, &Selected::of_indices([place]), &ours);
    assert_eq!((load(1), load(2)), (Selected::default(), Selected::all(2)));
    let gone = PartitionMapping::Specific(MappedKeys::One("2025-01-01".to_owned()));
    assert_eq!(
        gone.upstream(Some((&ours, 0)), &theirs).unwrap_err().to_string(),
        "the partition \"eu\" of `regions` needs the partition \"2025-01-01\" of `days`, whose partitions are \"2024-01-01\" to \"2024-01-10\""
    );
    assert_eq!(gone.downstream(&theirs, &Selected::all(10), &ours), Selected::default());
}

#[test]
fn each_key_loads_those_that_are_listed_for_it() {
    let (ours, theirs) = (regions(&["eu", "us", "asia"]), regions(&["oslo", "rome", "nyc"]));
    let listed = [("eu", many(&["rome", "oslo"])), ("us", many(&["nyc", "rome"])), ("asia", many(&[]))];
    let mapping = PartitionMapping::Static(listed.map(|(key, keys)| (key.to_owned(), keys)).into());
    assert_eq!(loaded(&mapping, &ours, "eu", &theirs), ["oslo", "rome"]);
    assert_eq!(loaded(&mapping, &ours, "asia", &theirs), [""; 0]);
    let load = |place| mapping.downstream(&theirs, &Selected::of_indices([place]), &ours);
    assert_eq!(
        [0, 1, 2].map(load),
        [&[0][..], &[0, 1], &[1]].map(|places| Selected::of_indices(places.iter().copied()))
    );
}

#[test]
fn a_mapping_by_keys_that_names_what_is_not_there_says_what() {
    let defined = |keys: &[&str]| PartitionsDefinition::Static(keys.iter().map(|key| (*key).to_owned()).collect());
    let (ours, theirs) = (defined(&["eu", "us"]), defined(&["oslo", "nyc"]));
    let days = time("0 0 * * *", "UTC", "2024-01-01", "", None);
    let check = |mapping: PartitionMapping| mapping.check(Some(&ours), Some(&theirs)).unwrap_err();
    let by_key = |entries: &[(&str, &[&str])]| {
        PartitionMapping::Static(entries.iter().map(|(key, keys)| ((*key).to_owned(), many(keys))).collect())
    };
    let specific = |keys: &[&str]| PartitionMapping::Specific(many(keys));
    assert_eq!(check(specific(&["rome"])), "`specific`: \"rome\" is no partition of the asset that is loaded");
    assert_eq!(check(specific(&["nyc", "nyc"])), "`specific`: \"nyc\" is listed twice");
    assert_eq!(
        check(by_key(&[("eu", &[])])),
        "`static` does not say what \"us\" loads; where that is nothing, write `\"us\" = []`"
    );
    assert_eq!(
        check(by_key(&[("eu", &[]), ("us", &["la"])])),
        "`static`: \"la\" is no partition of the asset that is loaded"
    );
    assert_eq!(check(by_key(&[("mars", &[])])), "`static`: \"mars\" is no partition of the asset that loads");
    assert_eq!(
        by_key(&[]).check(Some(&ours), Some(&days)),
        Err("`static` is between partitions that are listed".to_owned())
    );
    assert_eq!(specific(&["whenever"]).check(None, Some(&days)), Ok(()));
    assert_eq!(
        PartitionMapping::Last.check(Some(&days), None),
        Err("`last` is of partitions, and the asset that is loaded has none".to_owned())
    );
}

#[test]
fn a_mapping_is_inferred_from_both_sides() {
    let days = time("0 0 * * *", "UTC", "2024-01-01", "", None);
    let same = time("00 0 * * *", "Etc/UTC", "2020-01-01", "", Some("%d.%m.%Y"));
    let hours = time("0 * * * *", "UTC", "2024-01-01", "", Some("%FT%H"));
    let regions = PartitionsDefinition::Static(vec!["eu".to_owned()]);
    let inferred = |a, b| {
        let mapping = PartitionMapping::inferred(a, b).unwrap();
        let is_many = mapping.is_many(a, b);
        (mapping, is_many)
    };
    assert_eq!(inferred(Some(&days), Some(&same)), (OWN, false));
    assert_eq!(inferred(Some(&days), Some(&hours)), (OWN, true));
    assert_eq!(inferred(Some(&days), Some(&regions)), (PartitionMapping::Identity, false));
    assert_eq!(inferred(None, Some(&days)), (PartitionMapping::All, true));
    assert_eq!(inferred(Some(&days), None), (PartitionMapping::All, false));
    assert!(!window(-1, -1).is_many(Some(&days), Some(&same)));
    assert!(window(-2, -1).is_many(Some(&days), Some(&days)) && window(-1, -1).is_many(Some(&days), Some(&hours)));
}

#[test]
fn a_mapping_that_makes_no_sense_says_why() {
    let days = time("0 0 * * *", "UTC", "2024-01-01", "", None);
    let regions = PartitionsDefinition::Static(vec!["eu".to_owned()]);
    assert_eq!(OWN.check(Some(&days), Some(&days)), Ok(()));
    assert_eq!(PartitionMapping::All.check(None, None), Ok(()));
    for (mapping, downstream, upstream, reason) in [
        (
            OWN,
            Some(&days),
            Some(&regions),
            "`time_window` is between partitions of time, and those of the asset that is loaded are not",
        ),
        (OWN, None, Some(&days), "`time_window` is between partitions of time, and the asset that loads has none"),
        (window(-1_000_001, 0), Some(&days), Some(&days), "an offset is -1000000 to 1000000 partitions"),
        (
            PartitionMapping::Identity,
            Some(&days),
            None,
            "`identity` is between partitions, and the asset that is loaded has none",
        ),
        (
            window(1, 0),
            Some(&days),
            Some(&days),
            "`start_offset` (1) is after `end_offset` (0), so nothing would be loaded",
        ),
    ] {
        assert_eq!(mapping.check(downstream, upstream).unwrap_err(), reason);
    }
}

#[test]
fn mappings_are_shown_as_they_are_written() {
    let expected = serde_json::json!({ "time_window": { "start_offset": -1, "end_offset": 0 } });
    assert_eq!(serde_json::to_value(window(-1, 0)).unwrap(), expected);
    assert_eq!(serde_json::to_value(PartitionMapping::All).unwrap(), "all");
}

proptest! {
    #[test]
    fn what_loads_is_the_inverse_of_what_is_loaded(
        (downstream, upstream) in any_two(),
        offsets in (-4..=4_i64, 0..=4_i64),
        picked in prop::collection::vec(0..4000_usize, 0..4),
    ) {
        let selected = Selected::of_indices(picked.into_iter().filter(|index| *index < upstream.len()));
        for mapping in [window(offsets.0, offsets.0 + offsets.1), OWN, PartitionMapping::Identity, PartitionMapping::All] {
            let loads = |index: &usize| {
                let loaded = mapping.upstream(Some((&downstream, *index)), &upstream);
                loaded.is_ok_and(|loaded| !loaded.intersect(&selected).is_empty())
            };
            let expected = Selected::of_indices((0..downstream.len()).filter(loads));
            prop_assert_eq!(mapping.downstream(&upstream, &selected, &downstream), expected, "{:?}", mapping);
        }
    }

    #[test]
    fn a_window_loads_exactly_what_it_overlaps((downstream, upstream) in any_two()) {
        for index in 0..downstream.len() {
            let own = downstream.window(index).unwrap();
            if let Ok(loaded) = OWN.upstream(Some((&downstream, index)), &upstream) {
                let [range] = loaded.ranges() else { panic!("{loaded:?}") };
                let (first, last) = (upstream.window(range.start).unwrap(), upstream.window(range.end - 1).unwrap());
                prop_assert!(first.start_ms <= own.start_ms && own.end_ms <= last.end_ms);
                for index in loaded.iter() {
                    let window = upstream.window(index).unwrap();
                    prop_assert!(window.start_ms < own.end_ms && own.start_ms < window.end_ms);
                }
            }
        }
    }
}
