//! Finds out what a mapping says of dimensions, given those that there are.

use super::fields::Problems;
use super::partition_mapping::Written;
use super::tree::Entry;
use super::{Diagnostic, Position};
use crate::partition::{Dimension, DimensionMapping, PartitionMapping, PartitionsDefinition};

/// The partitions of an asset that loads, and of the one that is loaded; absent where it has none.
#[derive(Clone, Copy)]
pub(super) struct Sides<'a> {
    pub downstream: Option<&'a PartitionsDefinition>,
    pub upstream: Option<&'a PartitionsDefinition>,
}

/// What is said of dimensions, each with its entry.
type Said<'a> = Vec<(&'a Entry, Written<'a>)>;

impl<'a> Sides<'a> {
    /// What `written` means between these two; none where that is a mistake.
    pub fn resolve(self, written: Written<'_>, problems: &Problems) -> Option<PartitionMapping> {
        let (mapping, position) = match written {
            Written::Whole(mapping, position) => {
                let checked = mapping.check(self.downstream, self.upstream);
                (checked.map(|()| mapping), position)
            }
            Written::Dimension(name, position) => {
                (PartitionMapping::by_dimension(name, self.downstream, self.upstream), position)
            }
            Written::Dimensions(said, position) => return self.dimensions(said, position, problems),
        };
        mapping.map_err(|reason| problems.at(position, reason)).ok()
    }

    /// The mapping between these two where none is given at `position`; none where that is a mistake.
    pub fn inferred(self, position: &Position, problems: &Problems) -> Option<PartitionMapping> {
        let inferred = PartitionMapping::inferred(self.downstream, self.upstream);
        let help =
            "say what is loaded: `partition_mapping = \"all\"`, `{ dimension = \"…\" }` or `{ dimensions = { … } }`";
        inferred.map_err(|reason| problems.push(Diagnostic::at(position, reason).help(help))).ok()
    }

    fn dimensions(self, said: Said<'_>, position: &Position, problems: &Problems) -> Option<PartitionMapping> {
        let dimensions =
            |side: Option<&'a PartitionsDefinition>| side.map_or(&[][..], PartitionsDefinition::dimensions);
        match (dimensions(self.downstream), dimensions(self.upstream)) {
            ([], []) => {
                problems.at(position, "`dimensions` is of several dimensions, and neither of the two assets has any");
                None
            }
            (ours, []) => self.of_ours(ours, said, position, problems),
            (_, theirs) => self.of_theirs(theirs, said, position, problems),
        }
    }

    /// What is loaded of an asset with one dimension, which one of `ours` decides.
    fn of_ours(
        self,
        ours: &[Dimension],
        said: Said<'_>,
        position: &Position,
        problems: &Problems,
    ) -> Option<PartitionMapping> {
        let Ok([(entry, written)]) = <[_; 1]>::try_from(said) else {
            let message =
                "the asset that is loaded has one dimension, so one of the dimensions of the asset that loads decides";
            problems.at(position, message);
            return None;
        };
        let dimension = named(ours, entry, "loads", problems)?;
        let sides = Sides { downstream: Some(&dimension.partitions), ..self };
        let mapping = sides.resolve(written, problems)?;
        let downstream = Some(dimension.name.clone());
        Some(PartitionMapping::Dimensions(vec![DimensionMapping { upstream: None, downstream, mapping }]))
    }

    /// What is loaded of each of `theirs`.
    fn of_theirs(
        self,
        theirs: &[Dimension],
        said: Said<'_>,
        position: &Position,
        problems: &Problems,
    ) -> Option<PartitionMapping> {
        let mut mappings: Vec<Option<DimensionMapping>> = Vec::new();
        for (entry, written) in said {
            let dimension = named(theirs, entry, "is loaded", problems);
            mappings.push(dimension.and_then(|dimension| self.of_one(dimension, entry, written, problems)));
        }
        let mut mappings = mappings.into_iter().collect::<Option<Vec<_>>>()?;
        let mut ordered = Vec::new();
        for dimension in theirs {
            let Some(place) = mappings.iter().position(|of| of.upstream.as_ref() == Some(&dimension.name)) else {
                let message = format!("`dimensions` does not say what is loaded of the dimension `{}`", dimension.name);
                let help = format!("say it: `{} = \"identity\"`, or `\"all\"`, or another mapping", dimension.name);
                problems.push(Diagnostic::at(position, message).help(help));
                return None;
            };
            ordered.push(mappings.swap_remove(place));
        }
        Some(PartitionMapping::Dimensions(ordered))
    }

    /// What is loaded of `theirs`: it follows from the dimension of the same name of the asset that loads, where it names
    /// no other.
    fn of_one(
        self,
        theirs: &Dimension,
        entry: &Entry,
        written: Written<'_>,
        problems: &Problems,
    ) -> Option<DimensionMapping> {
        let upstream = Some(theirs.name.clone());
        let whole = Sides { upstream: Some(&theirs.partitions), ..self };
        let Written::Whole(mapping, position) = written else {
            let PartitionMapping::Dimensions(mut of) = whole.resolve(written, problems)? else { return None };
            let DimensionMapping { downstream, mapping, .. } = of.pop()?;
            return Some(DimensionMapping { upstream, downstream, mapping });
        };
        let ours = self.downstream.map_or(&[][..], PartitionsDefinition::dimensions);
        let same = ours.iter().find(|ours| ours.name == theirs.name);
        if same.is_none() && !ours.is_empty() && mapping.follows_what_loads() {
            let message = format!("the asset that loads has no dimension `{}` that could decide it", theirs.name);
            let example = ours.first().map_or("", |ours| &ours.name);
            let help = format!("name the one that does: `{} = {{ dimension = \"{example}\" }}`", theirs.name);
            problems.push(Diagnostic::at(&entry.position, message).help(help));
            return None;
        }
        let downstream = match same {
            Some(same) => Some(&same.partitions),
            None if ours.is_empty() => self.downstream,
            None => None,
        };
        let mapping = Sides { downstream, ..whole }.resolve(Written::Whole(mapping, position), problems)?;
        Some(DimensionMapping { upstream, downstream: same.map(|same| same.name.clone()), mapping })
    }
}

/// The one of `dimensions` that `entry` is of; that there is none is a problem.
fn named<'a>(dimensions: &'a [Dimension], entry: &Entry, side: &str, problems: &Problems) -> Option<&'a Dimension> {
    let found = dimensions.iter().find(|dimension| dimension.name == entry.key);
    if found.is_none() {
        let names = dimensions.iter().map(|dimension| &*dimension.name);
        let message = format!("the asset that {side} has no dimension `{}`", entry.key);
        problems.unknown(&entry.position, message, &entry.key, names);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::{definitions, messages};
    use crate::partition::PartitionMapping;

    const HEAD: &str = r#"
        defaults.io = "lake"
        io.lake.component = "builtin:files"
        partitions.days.daily = { start = "2024-01-01" }
        partitions.cities.static = ["oslo", "rome"]
        partitions.sales.dimensions = { day = "days", region = { static = ["eu", "us"] } }
        partitions.trips.dimensions = { from = "cities", to = "cities" }
        assets.raw = { command = ["x"], type = "json" }
        assets.daily = { command = ["x"], type = "json", partitions = "days" }
        assets.city = { command = ["x"], type = "json", partitions = "cities" }
        assets.sale = { command = ["x"], type = "json", partitions = "sales" }
        assets.trip = { command = ["x"], type = "json", partitions = "trips" }
    "#;

    fn asset(partitions: &str, input: &str, mapping: &str) -> String {
        let mapping = if mapping.is_empty() { String::new() } else { format!(", partition_mapping = {mapping}") };
        let partitions = if partitions.is_empty() { String::new() } else { format!("partitions = \"{partitions}\", ") };
        format!(
            "{HEAD}\nassets.a = {{ command = [\"x\"], type = \"none\", {partitions}inputs.i = {{ asset = \"{input}\"{mapping} }} }}\n"
        )
    }

    #[test]
    fn what_is_said_of_dimensions_is_found_in_both_assets() {
        let window = "{ time_window = { start_offset = -1, end_offset = -1 } }";
        for (partitions, input, mapping, expected) in [
            ("days", "sale", String::new(), &[("day", "", "time_window")][..]),
            ("sales", "daily", "{ dimension = \"day\" }".to_owned(), &[("", "day", "time_window")]),
            ("trips", "city", "{ dimension = \"to\" }".to_owned(), &[("", "to", "identity")]),
            ("sales", "daily", format!("{{ dimensions = {{ day = {window} }} }}"), &[("", "day", "time_window")]),
            (
                "days",
                "sale",
                format!("{{ dimensions = {{ region = \"all\", day = {window} }} }}"),
                &[("day", "", "time_window"), ("region", "", "all")],
            ),
            (
                "trips",
                "trip",
                "{ dimensions = { from = { dimension = \"to\" }, to = { specific = \"oslo\" } } }".to_owned(),
                &[("from", "to", "identity"), ("to", "to", "specific")],
            ),
            (
                "sales",
                "trip",
                "{ dimensions = { from = \"last\", to = \"all\" } }".to_owned(),
                &[("from", "", "last"), ("to", "", "all")],
            ),
            (
                "",
                "trip",
                "{ dimensions = { from = \"last\", to = \"all\" } }".to_owned(),
                &[("from", "", "last"), ("to", "", "all")],
            ),
        ] {
            let definitions = definitions(&asset(partitions, input, &mapping));
            let PartitionMapping::Dimensions(found) = &definitions.asset("a").unwrap().inputs[0].partition_mapping
            else {
                panic!("{mapping}")
            };
            let found: Vec<_> = found
                .iter()
                .map(|of| {
                    let shown = serde_json::to_value(&of.mapping).unwrap();
                    let kind = shown.as_object().and_then(|entries| entries.keys().next().cloned());
                    let kind = kind.unwrap_or_else(|| shown.as_str().unwrap_or_default().to_owned());
                    (of.upstream.clone().unwrap_or_default(), of.downstream.clone().unwrap_or_default(), kind)
                })
                .collect();
            let expected: Vec<_> =
                expected.iter().map(|(a, b, c)| (a.to_string(), b.to_string(), c.to_string())).collect();
            assert_eq!(found, expected, "{partitions} {input} {mapping}");
        }
    }

    #[test]
    fn what_does_not_go_with_the_dimensions_is_a_mistake() {
        for (partitions, input, mapping, expected) in [
            (
                "days",
                "city",
                "{ dimensions = { x = \"all\" } }",
                "`dimensions` is of several dimensions, and neither of the two assets has any",
            ),
            (
                "days",
                "city",
                "{ dimension = \"x\" }",
                "`dimension` is of several dimensions, and neither of the two assets has any",
            ),
            (
                "",
                "sale",
                "{ dimension = \"day\" }",
                "`dimension` is between partitions, and one of the two assets has none",
            ),
            (
                "sales",
                "daily",
                "{ dimension = \"dai\" }",
                "the asset that loads has no dimension `dai`, but `day` and `region`",
            ),
            (
                "sales",
                "trip",
                "{ dimension = \"day\" }",
                "both assets have several dimensions: say by `dimensions` what is loaded of each",
            ),
            ("days", "sale", "{ dimensions = { dai = \"all\" } }", "the asset that is loaded has no dimension `dai`"),
            (
                "days",
                "sale",
                "{ dimensions = { day = \"identity\" } }",
                "`dimensions` does not say what is loaded of the dimension `region`",
            ),
            (
                "sales",
                "daily",
                "{ dimensions = { day = \"time_window\", region = \"all\" } }",
                "the asset that is loaded has one dimension, so one of the dimensions of the asset that loads decides",
            ),
            (
                "sales",
                "trip",
                "{ dimensions = { from = \"identity\", to = \"all\" } }",
                "the asset that loads has no dimension `from` that could decide it",
            ),
            (
                "sales",
                "sale",
                "{ dimensions = { day = \"time_window\", region = \"time_window\" } }",
                "`time_window` is between partitions of time, and those of the asset that loads are not",
            ),
            (
                "sales",
                "city",
                "",
                "the asset that loads has the dimensions `day` and `region`, and none of them has the partitions of the asset that is loaded",
            ),
            (
                "trips",
                "city",
                "",
                "each of the dimensions `from` and `to` of the asset that loads goes with the asset that is loaded",
            ),
            (
                "sales",
                "sale",
                "\"time_window\"",
                "`time_window` is between partitions of time, and those of the asset that loads are not",
            ),
            ("sales", "sale", "{ static = {} }", "`static` is between partitions that are listed"),
        ] {
            assert_eq!(messages(&asset(partitions, input, mapping)), [expected], "{partitions} {input} {mapping}");
        }
        let waits = format!(
            "{HEAD}\nassets.a = {{ command = [\"x\"], type = \"none\", partitions = \"trips\", deps = [\"city\"] }}\n"
        );
        assert_eq!(
            messages(&waits),
            ["each of the dimensions `from` and `to` of the asset that loads goes with the asset that is loaded"]
        );
    }
}
