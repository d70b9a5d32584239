//! Reads partitions of several dimensions.

use std::collections::HashMap;

use jiff::Timestamp;

use super::Diagnostic;
use super::asset::{NAME_RULE, is_name};
use super::fields::Problems;
use super::known::NamedPartitions;
use super::partitions::of_dimension;
use super::tree::{Entry, Tree};
use super::variables::dimension_name;
use crate::partition::{Dimension, PARTITIONS, PartitionsDefinition, refuse_dimension_key};

/// Dimensions, at most.
const DIMENSIONS: usize = 8;

/// The partitions that the dimensions of `[partitions.NAME]` name.
pub(super) fn named(entry: &Entry) -> Vec<String> {
    let dimensions = entry.node.get("dimensions").and_then(|dimensions| dimensions.node.entries());
    let name = |dimension: &Entry| match &dimension.node.tree {
        Tree::Text(name) => Some(name.clone()),
        _ => None,
    };
    dimensions.unwrap_or_default().iter().filter_map(name).collect()
}

/// Reads `dimensions` of partitions: each names partitions of `known`, which have one dimension, or says what it has.
pub(super) fn read(entry: &Entry, known: &[NamedPartitions], problems: &Problems) -> Option<Vec<Dimension>> {
    let Some(entries) = entry.node.entries() else {
        problems.wrong_kind(&entry.node, "`dimensions`", "a table of partitions by the names of the dimensions");
        return None;
    };
    if !(2..=DIMENSIONS).contains(&entries.len()) {
        let help = "each is the name of partitions, or says what it has: \
                    `dimensions = { day = \"days\", region = { static = [\"eu\", \"us\"] } }`";
        let message = format!("`dimensions` has 2 to {DIMENSIONS} of them");
        problems.push(Diagnostic::at(&entry.position, message).help(help));
    }
    check_names(entries, problems);
    // Every mistake is told, so one does not end it.
    let dimensions: Vec<Option<Dimension>> = entries.iter().map(|entry| dimension(entry, known, problems)).collect();
    let dimensions = dimensions.into_iter().collect::<Option<Vec<_>>>()?;
    let lens = dimensions.iter().map(|dimension| dimension.partitions.partitions("", Timestamp::now()).len());
    if lens.fold(1, usize::saturating_mul) > PARTITIONS {
        let message = format!("there are more than {PARTITIONS} partitions of these dimensions together");
        problems.at(&entry.position, message);
    }
    Some(dimensions)
}

fn dimension(entry: &Entry, known: &[NamedPartitions], problems: &Problems) -> Option<Dimension> {
    let partitions = match &entry.node.tree {
        Tree::Text(name) => {
            let Some(found) = known.iter().find(|partitions| partitions.name == *name) else {
                let names = known.iter().map(|partitions| &*partitions.name);
                let message = format!("there are no partitions `{name}` of one dimension");
                problems.unknown(&entry.node.position, message, name, names);
                return None;
            };
            // That it is a mistake was told.
            found.definition.clone()?
        }
        Tree::Table(_) => of_dimension(entry, problems)?,
        _ => {
            let what = format!("the dimension `{}`", entry.key);
            problems.wrong_kind(&entry.node, &what, "the name of partitions, or a table that says what they are");
            return None;
        }
    };
    if let Some((key, reason)) = refused(&partitions) {
        problems.at(&entry.node.position, format!("a key of the dimension `{}`, {key:?}, {reason}", entry.key));
    }
    Some(Dimension { name: entry.key.clone(), partitions })
}

/// A key that the partitions of a dimension cannot have.
fn refused(partitions: &PartitionsDefinition) -> Option<(&str, &'static str)> {
    let keys = match partitions {
        PartitionsDefinition::Static(keys) => keys.as_slice(),
        PartitionsDefinition::Time(time) => std::slice::from_ref(&time.calendar.format),
        // Those that are dynamic are refused when they are added.
        PartitionsDefinition::Dynamic(_) | PartitionsDefinition::Dimensions(_) => &[],
    };
    keys.iter().find_map(|key| Some((key.as_str(), refuse_dimension_key(key)?)))
}

/// What a command is told of every partition of time.
const OF_TIME: [&str; 2] = ["START", "END"];

/// That every dimension has a name that a command can be told it by.
fn check_names(entries: &[Entry], problems: &Problems) {
    let mut variables: HashMap<String, &Entry> = HashMap::new();
    for entry in entries {
        if !is_name(&entry.key) {
            problems.at(&entry.position, format!("the name of the dimension {:?} {NAME_RULE}", entry.key));
        }
        let variable = dimension_name(&entry.key);
        if OF_TIME.iter().any(|of_time| variable == dimension_name(of_time)) {
            let message = format!(
                "a command would find the key of the dimension `{}` in {variable}, which has the time of a partition",
                entry.key
            );
            problems.push(Diagnostic::at(&entry.position, message).help("call it otherwise"));
        } else if let Some(other) = variables.get(&variable) {
            let message =
                format!("a command would find the dimensions `{}` and `{}` both in {variable}", other.key, entry.key);
            problems.push(Diagnostic::at(&entry.position, message).help("call one of them otherwise"));
        }
        variables.entry(variable).or_insert(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{definitions, messages};

    const HEAD: &str = "partitions.days.daily = { start = \"2024-01-01\", end = \"2024-02-01\" }\npartitions.odd.static = [\"a|b\", \"c\"]\n\
                        partitions.both.dimensions = { day = \"days\", region = { static = [\"eu\"] } }\n";

    fn mistakes(dimensions: &str) -> Vec<String> {
        messages(&format!("{HEAD}partitions.x.dimensions = {dimensions}\n"))
    }

    #[test]
    fn dimensions_name_partitions_or_say_what_they_are() {
        let text = format!("{HEAD}assets.a = {{ command = [\"x\"], type = \"none\", partitions = \"both\" }}\n");
        let definitions = definitions(&text);
        let both = definitions.partitions_definition("both").unwrap().dimensions();
        assert_eq!(both.iter().map(|dimension| dimension.name.as_str()).collect::<Vec<_>>(), ["day", "region"]);
        assert_eq!(Some(&both[0].partitions), definitions.partitions_definition("days"));
        let warnings: Vec<&str> = definitions.warnings().iter().map(|warning| warning.message.as_str()).collect();
        assert_eq!(warnings, ["no asset has the partitions `odd`"], "a dimension uses `days`");
    }

    #[test]
    fn dimensions_that_cannot_be_are_mistakes() {
        for (dimensions, expected) in [
            (
                "[\"days\"]",
                "`dimensions` is a table of partitions by the names of the dimensions, and this is an array",
            ),
            ("{ day = \"days\" }", "`dimensions` has 2 to 8 of them"),
            ("{ day = \"days\", b = \"day\" }", "there are no partitions `day` of one dimension"),
            ("{ day = \"days\", b = \"both\" }", "there are no partitions `both` of one dimension"),
            (
                "{ day = \"days\", b = 1 }",
                "the dimension `b` is the name of partitions, or a table that says what they are, and this is an integer",
            ),
            ("{ day = \"days\", b = {} }", "the dimension `b` lacks `daily`"),
            ("{ day = \"days\", b = { dimensions = {} } }", "the dimension `b` has no key `dimensions`"),
            ("{ day = \"days\", b = { static = [\"\"] } }", "a partition key is empty"),
            (
                "{ day = \"days\", b = { static = [\"*\"] } }",
                "a key of the dimension `b`, \"*\", is `*`, which means all of a dimension",
            ),
            (
                "{ day = \"days\", b = \"odd\" }",
                "a key of the dimension `b`, \"a|b\", holds a `|`, which separates the keys of dimensions",
            ),
            (
                "{ day = \"days\", b = { daily = { start = \"2024-01-01\", format = \"%F|%A\" } } }",
                "a key of the dimension `b`, \"%F|%A\", holds a `|`, which separates the keys of dimensions",
            ),
            (
                "{ \"a/b\" = \"days\", b = \"days\" }",
                "the name of the dimension \"a/b\" has other characters than letters, digits, `_`, `-` and `.`",
            ),
            (
                "{ start = \"days\", b = \"days\" }",
                "a command would find the key of the dimension `start` in AIRLOCK_PARTITION_START, which has the time of a partition",
            ),
            (
                "{ a-b = \"days\", a_B = \"days\" }",
                "a command would find the dimensions `a-b` and `a_B` both in AIRLOCK_PARTITION_A_B",
            ),
            (
                "{ a = { cron = { start = \"2023-01-01\", end = \"2023-01-03\", schedule = \"* * * * *\" } }, b = { cron = { start = \"2023-01-01\", end = \"2023-01-03\", schedule = \"* * * * *\" } } }",
                "there are more than 1000000 partitions of these dimensions together",
            ),
        ] {
            assert_eq!(mistakes(dimensions), [expected], "{dimensions}");
        }
    }

    #[test]
    fn partitions_that_are_a_mistake_are_no_mistake_of_a_dimension() {
        let found = messages(
            "partitions.days.daily.start = \"soon\"\npartitions.x.dimensions = { a = \"days\", b = \"days\" }\n",
        );
        assert!(matches!(found.as_slice(), [only] if only.starts_with("`start` is \"soon\"")), "{found:?}");
    }

    #[test]
    fn a_value_has_room_for_a_directory_of_each_dimension() {
        let name = vec!["a"; 15].join("/");
        let asset = |partitions: &str| {
            format!(
                "{HEAD}assets.\"{name}\" = {{ command = [\"x\"], type = \"none\", partitions = \"{partitions}\" }}\n"
            )
        };
        assert_eq!(messages(&asset("both")), ["15 parts of a name and 2 dimensions are more than 16 together"]);
        assert!(definitions(&asset("days")).asset(&name).is_some());
    }
}
