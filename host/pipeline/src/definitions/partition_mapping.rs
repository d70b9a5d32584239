//! Reads which partitions an input loads.

use super::fields::{Fields, Problems, text};
use super::partitions::integer;
use super::tree::{Entry, Tree};
use super::{Diagnostic, keys};
use crate::partition::{MappedKeys, PartitionMapping};

const MAPPINGS: &[&str] = &["identity", "all", "time_window", "last"];

/// Reads `partition_mapping` of an input.
pub(super) fn read(entry: &Entry, problems: &Problems) -> Option<PartitionMapping> {
    let node = &entry.node;
    let what = format!("`{}`", entry.key);
    match &node.tree {
        Tree::Text(name) => match name.as_str() {
            "identity" => Some(PartitionMapping::Identity),
            "all" => Some(PartitionMapping::All),
            "time_window" => Some(PartitionMapping::TimeWindow { start_offset: 0, end_offset: 0 }),
            "last" => Some(PartitionMapping::Last),
            _ => {
                let message = format!("{name:?} is not one of the values of {what}");
                problems.unknown(&node.position, message, name, MAPPINGS.iter().copied());
                None
            }
        },
        Tree::Table(_) => {
            let fields = Fields::new(node, &entry.position, &what, keys::PARTITION_MAPPING, problems);
            let mut given = keys::PARTITION_MAPPING.iter().filter_map(|key| fields.get(key));
            match (given.next(), given.next()) {
                (Some(given), None) if given.key == "specific" => {
                    mapped_keys(given, problems).map(PartitionMapping::Specific)
                }
                (Some(given), None) if given.key == "static" => by_key(given, problems),
                (Some(given), None) => time_window(given, problems),
                _ => {
                    let message = format!("{what} has one of `time_window`, `specific` and `static`");
                    let help = "write it like `{ time_window = { start_offset = -1 } }`";
                    problems.push(Diagnostic::at(&entry.position, message).help(help));
                    None
                }
            }
        }
        _ => {
            let wanted = "\"identity\", \"all\", \"time_window\", \"last\" or a table";
            problems.wrong_kind(node, &what, wanted);
            None
        }
    }
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
            assert_eq!(parsed(text, read), (Some(expected), Vec::new()));
        }
        for (text, expected) in [
            ("x = \"idenity\"", "\"idenity\": \"idenity\" is not one of the values of `x` (did you mean `identity`?)"),
            (
                "x = {}",
                "x: `x` has one of `time_window`, `specific` and `static` (write it like `{ time_window = { start_offset = -1 } }`)",
            ),
            (
                "x = { specific = \"eu\", static = {} }",
                "x: `x` has one of `time_window`, `specific` and `static` (write it like `{ time_window = { start_offset = -1 } }`)",
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
        ] {
            assert_eq!(parsed(text, read), (None, vec![expected.to_owned()]));
        }
    }
}
