//! Reads how partitions are defined.

use std::collections::HashMap;

use super::asset::{NAME_RULE, is_name};
use super::fields::{Fields, Problems};
use super::known::NamedPartitions;
use super::tree::{Entry, Tree};
use super::{Diagnostic, Position, dimensions, keys, time_partitions};
use crate::partition::{PARTITIONS, PartitionsDefinition, refuse_key};

/// Reads `[partitions]`: those of one dimension first, since those of several may name them.
pub(super) fn read(entries: &[Entry], problems: &Problems) -> Vec<NamedPartitions> {
    let (several, one): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| entry.node.get("dimensions").is_some());
    let mut all: Vec<NamedPartitions> = Vec::new();
    let named = |entry: &Entry, definition| {
        let (name, position) = (entry.key.clone(), entry.position.clone());
        NamedPartitions { name, position, definition, of: dimensions::named(entry) }
    };
    all.extend(one.into_iter().map(|entry| named(entry, defined(entry, &[], problems))));
    let several: Vec<NamedPartitions> =
        several.into_iter().map(|entry| named(entry, defined(entry, &all, problems))).collect();
    all.extend(several);
    let place = |name: &str| entries.iter().position(|entry| entry.key == name);
    all.sort_by_key(|partitions| place(&partitions.name));
    all
}

/// Reads `[partitions.NAME]`, which may name those of `known` as its dimensions.
fn defined(entry: &Entry, known: &[NamedPartitions], problems: &Problems) -> Option<PartitionsDefinition> {
    if !is_name(&entry.key) {
        problems.at(&entry.position, format!("the name of the partitions {:?} {NAME_RULE}", entry.key));
    }
    let what = format!("the partitions `{}`", entry.key);
    let fields = Fields::new(&entry.node, &entry.position, &what, keys::PARTITIONS, problems);
    let kind = kind(&fields, entry, keys::PARTITIONS, problems)?;
    match kind.key.as_str() {
        "dimensions" => dimensions::read(kind, known, problems).map(PartitionsDefinition::Dimensions),
        "dynamic" => {
            let (is_dynamic, position) = fields.boolean("dynamic")?;
            if !is_dynamic {
                problems.at(position, "`dynamic` is true, or left out");
            }
            is_dynamic.then(|| PartitionsDefinition::Dynamic(entry.key.clone()))
        }
        _ => one_dimension(&fields, kind, problems),
    }
}

/// Reads the partitions of one of several dimensions, which stand where it is defined.
pub(super) fn of_dimension(entry: &Entry, problems: &Problems) -> Option<PartitionsDefinition> {
    let what = format!("the dimension `{}`", entry.key);
    let fields = Fields::new(&entry.node, &entry.position, &what, keys::DIMENSION, problems);
    one_dimension(&fields, kind(&fields, entry, keys::DIMENSION, problems)?, problems)
}

fn one_dimension(fields: &Fields<'_>, kind: &Entry, problems: &Problems) -> Option<PartitionsDefinition> {
    match kind.key.as_str() {
        "static" => static_keys(fields, kind, problems).map(PartitionsDefinition::Static),
        _ => time_partitions::read(kind, problems).map(PartitionsDefinition::Time),
    }
}

/// The only one of `known` that `entry` has.
fn kind<'a>(fields: &Fields<'a>, entry: &Entry, known: &[&str], problems: &Problems) -> Option<&'a Entry> {
    let entries = entry.node.entries()?;
    let kinds: Vec<&Entry> = known.iter().filter_map(|key| fields.get(key)).collect();
    match kinds.as_slice() {
        [kind] => Some(kind),
        // A key that is none was told.
        [] if !entries.is_empty() => None,
        [] => {
            let help = "say what they are: `daily = { start = \"2024-01-01\" }`, or `static = [\"…\"]`";
            fields.missing("daily", help);
            None
        }
        [first, others @ ..] => {
            for other in others {
                let message =
                    format!("{} are both `{}` and `{}`: they are one of them", fields.what, first.key, other.key);
                problems.at(&other.position, message);
            }
            None
        }
    }
}

fn static_keys(fields: &Fields<'_>, entry: &Entry, problems: &Problems) -> Option<Vec<String>> {
    let listed = fields.texts("static");
    match &entry.node.tree {
        Tree::List(nodes) if nodes.is_empty() => problems.at(&entry.node.position, "`static` lists at least one key"),
        Tree::List(nodes) if nodes.len() > PARTITIONS => {
            problems.at(&entry.node.position, format!("there are more than {PARTITIONS} partitions"));
        }
        _ => {}
    }
    let mut places: HashMap<&str, &Position> = HashMap::new();
    for (key, position) in &listed {
        if let Some(reason) = refuse_key(key) {
            problems.at(position, format!("a partition key {reason}"));
        }
        if let Some(first) = places.insert(key, position) {
            let problem = Diagnostic::at(position, format!("the partition {key:?} is listed twice"));
            problems.push(problem.help(format!("it is listed first at {first}")));
        }
    }
    (!listed.is_empty()).then(|| listed.into_iter().map(|(key, _)| key.to_owned()).collect())
}

#[cfg(test)]
pub(super) mod tests {
    use std::borrow::Cow;

    use super::super::{SourceFile, tree};
    use super::*;

    /// What `read` makes of the only entry of `text`, and what is wrong with it.
    pub fn parsed<T>(text: &str, read: impl Fn(&Entry, &Problems) -> Option<T>) -> (Option<T>, Vec<String>) {
        let source = SourceFile::new("airlock.toml".into(), text.to_owned());
        let node = tree::parse(&source.into()).unwrap();
        let problems = Problems::default();
        let value = read(node.entries().unwrap().first().unwrap(), &problems);
        let shown = |problem: Diagnostic| {
            let position = problem.position.unwrap();
            let place = position.source.text.get(position.start..position.end).unwrap().to_owned();
            let help = problem.help.map(|help| format!(" ({help})")).unwrap_or_default();
            format!("{place}: {}{help}", problem.message)
        };
        (value, problems.into_list().into_iter().map(shown).collect())
    }

    fn read_one(entry: &Entry, problems: &Problems) -> Option<PartitionsDefinition> {
        read(std::slice::from_ref(entry), problems).pop()?.definition
    }

    /// The partitions `text`, which have no mistakes, in the year 2024.
    fn keys_of(text: &str) -> Vec<String> {
        let (definition, mistakes) = parsed(text, read_one);
        assert_eq!(mistakes, [""; 0], "{text}");
        let now = "2024-12-31T00:00Z".parse().unwrap();
        definition.unwrap().partitions("x", now).keys().map(Cow::into_owned).collect()
    }

    fn mistakes(text: &str) -> Vec<String> {
        parsed(text, read_one).1
    }

    #[test]
    fn every_kind_of_partitions_is_read() {
        for (text, expected) in [
            ("x.hourly = { start = 2024-01-01, end = 2024-01-01T02:00:00Z }", ["2024-01-01-00:00", "2024-01-01-01:00"]),
            (
                "x.hourly = { start = \"2024-01-01-00:00\", end = \"2024-01-01-03:00\", minute_offset = 15 }",
                ["2024-01-01-00:15", "2024-01-01-01:15"],
            ),
            ("x.daily = { start = \"2024-01-01\", end = \"2024-01-03\" }", ["2024-01-01", "2024-01-02"]),
            ("x.weekly = { start = 2024-01-01, end = 2024-01-16, day_offset = 1 }", ["2024-01-01", "2024-01-08"]),
            ("x.weekly = { start = 2024-01-01, end = 2024-01-21 }", ["2024-01-07", "2024-01-14"]),
            ("x.monthly = { start = 2024-01-01, end = 2024-03-01, format = \"%Y-%m\" }", ["2024-01", "2024-02"]),
            (
                "x.monthly = { start = 2024-01-01, end = 2024-03-28, day_offset = 28, hour_offset = 0 }",
                ["2024-01-28", "2024-02-28"],
            ),
            ("x.yearly = { start = 2021-06-01, end = 2024-01-01 }", ["2022-01-01", "2023-01-01"]),
            (
                "x.cron = { start = 2024-01-01, end = 2024-01-02, schedule = \"0 */12 * * *\" }",
                ["2024-01-01-00:00", "2024-01-01-12:00"],
            ),
            ("x.static = [\"eu\", \"a..b/ü\"]", ["eu", "a..b/ü"]),
        ] {
            assert_eq!(keys_of(text), expected, "{text}");
        }
    }

    #[test]
    fn a_start_is_in_the_time_zone_of_the_partitions() {
        let text = "x.daily = { start = 2024-01-01, end = \"2024-01-02\", time_zone = \"Europe/Berlin\" }";
        let (definition, _) = parsed(text, read_one);
        let partitions = definition.unwrap().partitions("x", "2024-01-01T23:00Z".parse().unwrap());
        assert_eq!((partitions.len(), partitions.time_zone()), (1, Some("Europe/Berlin")));
        assert_eq!(partitions.window(0).unwrap().start_ms, 1_704_063_600_000);
    }

    #[test]
    fn every_mistake_is_told_at_its_place() {
        for (text, expected) in [
            (
                "x = {}",
                "x: the partitions `x` lacks `daily` (say what they are: `daily = { start = \"2024-01-01\" }`, or `static = [\"…\"]`)",
            ),
            (
                "\"a/b\".static = [\"x\"]",
                "\"a/b\": the name of the partitions \"a/b\" has other characters than letters, digits, `_`, `-` and `.`",
            ),
            (
                "x = { daily = { start = 2024-01-01 }, static = [\"a\"] }",
                "static: the partitions `x` are both `daily` and `static`: they are one of them",
            ),
            (
                "x.daily = {}",
                "daily: `daily` lacks `start` (say when the first partition begins: `start = \"2024-01-01\"`)",
            ),
            ("x.dynamic = false", "false: `dynamic` is true, or left out"),
            ("x.dynamic = []", "[]: `dynamic` is true or false, and this is an array"),
            ("x.static = []", "[]: `static` lists at least one key"),
            ("x.static = [\"a\", \"\"]", "\"\": a partition key is empty"),
            ("x.static = [\"a\\nb\"]", "\"a\\nb\": a partition key holds a control character"),
            (
                "x.static = [\"a\", \"a\"]",
                "\"a\": the partition \"a\" is listed twice (it is listed first at airlock.toml:1:13)",
            ),
            (
                "x.daily = { start = \"2024-02-30\" }",
                "\"2024-02-30\": `start` is \"2024-02-30\", which is no date or time, nor a key in the format \"%Y-%m-%d\" (write it like `start = \"2024-01-31\"`)",
            ),
            (
                "x.daily = { start = 07:30:00 }",
                "07:30:00: `start` is \"07:30:00\", which is no date or time, nor a key in the format \"%Y-%m-%d\" (write it like `start = \"2024-01-31\"`)",
            ),
            (
                "x.daily = { start = 2024-01-02, end = 9999-12-31 }",
                "9999-12-31: `end` is \"9999-12-31\", which is not before 9999-12-30T22:00:00Z, where time ends here (write an earlier one)",
            ),
            ("x.daily = { start = 2024 }", "2024: `start` is a date or time, and this is an integer"),
            ("x.daily = { start = 2024-01-02, end = 2024-01-01 }", "2024-01-01: `end` is before `start`"),
            ("x.daily = { start = 2024-01-02, hour_offset = 24 }", "24: `hour_offset` is 0 to 23"),
            ("x.monthly = { start = 2024-01-02, day_offset = 31 }", "31: `day_offset` is 1 to 28"),
            (
                "x.daily = { start = 2024-01-02, time_zone = \"Europe/Berln\" }",
                "\"Europe/Berln\": there is no time zone \"Europe/Berln\" (did you mean `Europe/Berlin`?)",
            ),
            (
                "x.cron = { start = 2024-01-02, schedule = \"0 0 * *\" }",
                "\"0 0 * *\": the schedule \"0 0 * *\": a cron expression has five fields (minute, hour, day of the month, month, day of the week), and this has 4",
            ),
            (
                "x.daily = { start = 2024-01-02, format = \"%Y-%m\" }",
                "\"%Y-%m\": two partitions have the key \"2024-01\": those that begin at 2024-01-02T00:00:00 and at 2024-01-03T00:00:00 (a key is when its partition begins, as `format` writes it: write all of it that differs)",
            ),
            (
                "x.cron = { start = 2000-01-01, schedule = \"* * * * *\" }",
                "cron: there are more than 1000000 partitions (let them begin later, end sooner, or be longer)",
            ),
        ] {
            assert_eq!(mistakes(text), [expected], "{text}");
        }
    }

    #[test]
    fn mistakes_are_told_all_at_once() {
        let found = mistakes(
            "x.cron = { start = 7, schedule = \"61 * * * *\", time_zone = \"Mars\", format = 3, hour_offset = 1 }",
        );
        assert_eq!(found.len(), 5, "{found:#?}");
        let offsets =
            mistakes("x.weekly = { start = 2024-01-01, day_offset = 7, hour_offset = \"1\", minute_offset = -1 }");
        assert_eq!(offsets.len(), 3, "{offsets:#?}");
    }
}
