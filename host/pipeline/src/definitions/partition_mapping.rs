//! Reads which partitions an input loads.

use super::fields::{Fields, Problems, text};
use super::time_partitions::integer;
use super::tree::{Entry, Tree};
use super::{Diagnostic, Position, keys};
use crate::partition::{MappedKeys, PartitionMapping};

const MAPPINGS: &[&str] = &["identity", "all", "time_window", "last"];

/// A mapping as it is written: what it says of dimensions is found once it is known which there are.
pub(super) enum Written<'a> {
    /// One that says nothing of dimensions.
    Whole(PartitionMapping, &'a Position),
    /// By the dimension of this name.
    Dimension(&'a str, &'a Position),
    /// Of each dimension what is loaded, by its name.
    Dimensions(Vec<(&'a Entry, Self)>, &'a Position),
}

/// Reads `partition_mapping` of an input.
pub(super) fn read<'a>(entry: &'a Entry, problems: &Problems) -> Option<Written<'a>> {
    let node = &entry.node;
    let what = format!("`{}`", entry.key);
    match &node.tree {
        Tree::Text(name) => {
            let mapping = match name.as_str() {
                "identity" => PartitionMapping::Identity,
                "all" => PartitionMapping::All,
                "time_window" => PartitionMapping::TimeWindow { start_offset: 0, end_offset: 0 },
                "last" => PartitionMapping::Last,
                _ => {
                    let message = format!("{name:?} is not one of the values of {what}");
                    problems.unknown(&node.position, message, name, MAPPINGS.iter().copied());
                    return None;
                }
            };
            Some(Written::Whole(mapping, &entry.position))
        }
        Tree::Table(_) => {
            // Tells of keys that are none.
            Fields::new(node, &entry.position, &what, keys::PARTITION_MAPPING, problems);
            let mut given = keys::PARTITION_MAPPING.iter().filter_map(|key| node.get(key));
            let (Some(given), None) = (given.next(), given.next()) else {
                let message =
                    format!("{what} has one of `time_window`, `specific`, `static`, `dimension` and `dimensions`");
                let help = "write it like `{ time_window = { start_offset = -1 } }`";
                problems.push(Diagnostic::at(&entry.position, message).help(help));
                return None;
            };
            let mapping = match given.key.as_str() {
                "dimension" => {
                    let name = text(&given.node, "`dimension`", problems);
                    return name.map(|(name, position)| Written::Dimension(name, position));
                }
                "dimensions" => return by_dimension(given, problems),
                "specific" => mapped_keys(given, problems).map(PartitionMapping::Specific),
                "static" => by_key(given, problems),
                _ => time_window(given, problems),
            };
            mapping.map(|mapping| Written::Whole(mapping, &entry.position))
        }
        _ => {
            let wanted = "\"identity\", \"all\", \"time_window\", \"last\" or a table";
            problems.wrong_kind(node, &what, wanted);
            None
        }
    }
}

fn by_dimension<'a>(entry: &'a Entry, problems: &Problems) -> Option<Written<'a>> {
    let Tree::Table(entries) = &entry.node.tree else {
        problems.wrong_kind(&entry.node, "`dimensions`", "a table of what is loaded, by the names of dimensions");
        return None;
    };
    let mappings: Vec<Option<_>> = entries.iter().map(|entry| Some((entry, read(entry, problems)?))).collect();
    mappings.into_iter().collect::<Option<_>>().map(|mappings| Written::Dimensions(mappings, &entry.position))
}

fn time_window(entry: &Entry, problems: &Problems) -> Option<PartitionMapping> {
    let fields = Fields::new(&entry.node, &entry.position, "`time_window`", keys::TIME_WINDOW, problems);
    entry.node.entries()?;
    let offset = |key| fields.get(key).map_or(Some(0), |entry| integer(&entry.node, key, problems));
    let (start_offset, end_offset) = (offset("start_offset"), offset("end_offset"));
    Some(PartitionMapping::TimeWindow { start_offset: start_offset?, end_offset: end_offset? })
}

fn by_key(entry: &Entry, problems: &Problems) -> Option<PartitionMapping> {
    let Tree::Table(entries) = &entry.node.tree else {
        let wanted = "a table of what is loaded, by the key of the partition that loads";
        problems.wrong_kind(&entry.node, "`static`", wanted);
        return None;
    };
    // Every mistake is told, so one does not end it.
    let loaded: Vec<Option<_>> =
        entries.iter().map(|entry| Some((entry.key.clone(), mapped_keys(entry, problems)?))).collect();
    loaded.into_iter().collect::<Option<_>>().map(PartitionMapping::Static)
}

/// The keys of partitions that are loaded: one, or a list.
fn mapped_keys(entry: &Entry, problems: &Problems) -> Option<MappedKeys> {
    let what = format!("`{}`", entry.key);
    match &entry.node.tree {
        Tree::Text(key) => Some(MappedKeys::One(key.clone())),
        Tree::List(nodes) => {
            let key = |node| text(node, &format!("an entry of {what}"), problems).map(|(key, _)| key.to_owned());
            let keys: Vec<Option<String>> = nodes.iter().map(key).collect();
            keys.into_iter().collect::<Option<_>>().map(MappedKeys::Many)
        }
        _ => {
            problems.wrong_kind(&entry.node, &what, "the key of a partition, or an array of them");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::partitions::tests::parsed;
    use super::*;

    fn whole(entry: &Entry, problems: &Problems) -> Option<PartitionMapping> {
        match read(entry, problems)? {
            Written::Whole(mapping, _) => Some(mapping),
            _ => None,
        }
    }

    #[test]
    fn a_mapping_is_a_name_or_a_table() {
        let window = |start_offset, end_offset| PartitionMapping::TimeWindow { start_offset, end_offset };
        let many = |keys: &[&str]| MappedKeys::Many(keys.iter().map(|key| (*key).to_owned()).collect());
        let eu = MappedKeys::One("eu".to_owned());
        for (text, expected) in [
            ("x = \"identity\"", PartitionMapping::Identity),
            ("x = \"all\"", PartitionMapping::All),
            ("x = \"last\"", PartitionMapping::Last),
            ("x = \"time_window\"", window(0, 0)),
            ("x = { time_window = {} }", window(0, 0)),
            ("x = { time_window = { start_offset = -1 } }", window(-1, 0)),
            ("x = { time_window = { start_offset = -7, end_offset = -1 } }", window(-7, -1)),
            ("x = { specific = \"eu\" }", PartitionMapping::Specific(eu.clone())),
            ("x = { specific = [\"eu\", \"us\"] }", PartitionMapping::Specific(many(&["eu", "us"]))),
            (
                "x = { static = { oslo = \"eu\", here = [] } }",
                PartitionMapping::Static([("oslo".to_owned(), eu), ("here".to_owned(), many(&[]))].into()),
            ),
        ] {
            assert_eq!(parsed(text, whole), (Some(expected), Vec::new()));
        }
        for (text, expected) in [
            ("x = \"idenity\"", "\"idenity\": \"idenity\" is not one of the values of `x` (did you mean `identity`?)"),
            (
                "x = {}",
                "x: `x` has one of `time_window`, `specific`, `static`, `dimension` and `dimensions` (write it like `{ time_window = { start_offset = -1 } }`)",
            ),
            (
                "x = { specific = \"eu\", static = {} }",
                "x: `x` has one of `time_window`, `specific`, `static`, `dimension` and `dimensions` (write it like `{ time_window = { start_offset = -1 } }`)",
            ),
            ("x = 1", "1: `x` is \"identity\", \"all\", \"time_window\", \"last\" or a table, and this is an integer"),
            ("x = { time_window = { start_offset = 1.5 } }", "1.5: `start_offset` is an integer, and this is a number"),
            (
                "x = { specific = 1 }",
                "1: `specific` is the key of a partition, or an array of them, and this is an integer",
            ),
            ("x = { specific = [1] }", "1: an entry of `specific` is a text, and this is an integer"),
            (
                "x = { static = [] }",
                "[]: `static` is a table of what is loaded, by the key of the partition that loads, and this is an array",
            ),
            (
                "x = { static = { a = 1 } }",
                "1: `a` is the key of a partition, or an array of them, and this is an integer",
            ),
            (
                "x = { dimensions = \"days\" }",
                "\"days\": `dimensions` is a table of what is loaded, by the names of dimensions, and this is a text",
            ),
            ("x = { dimension = 1 }", "1: `dimension` is a text, and this is an integer"),
        ] {
            assert_eq!(parsed(text, whole), (None, vec![expected.to_owned()]));
        }
    }
}
