//! Reads how partitions are defined.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::asset::{NAME_RULE, is_name};
use super::fields::{Fields, Problems, text};
use super::known::NamedPartitions;
use super::tree::{Entry, Node, Tree};
use super::{Diagnostic, Position, dimensions, keys};
use crate::partition::{
    Calendar, PARTITIONS, PartitionsDefinition, Schedule, TimeMistake, TimePartitions, refuse_key, time_zone,
};
use crate::suggest;

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
    if kind.key == "dimensions" {
        return dimensions::read(kind, known, problems).map(PartitionsDefinition::Dimensions);
    }
    one_dimension(&fields, kind, problems)
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
        _ => time(kind, problems).map(PartitionsDefinition::Time),
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

/// Reads `daily = { start = … }` and its like.
fn time(entry: &Entry, problems: &Problems) -> Option<TimePartitions> {
    let what = format!("`{}`", entry.key);
    let known = match entry.key.as_str() {
        "hourly" => keys::MINUTE_PARTITIONS,
        "weekly" | "monthly" => keys::DAY_PARTITIONS,
        "cron" => keys::CRON_PARTITIONS,
        _ => keys::HOUR_PARTITIONS,
    };
    let fields = Fields::new(&entry.node, &entry.position, &what, known, problems);
    entry.node.entries()?;
    if fields.get("start").is_none() {
        fields.missing("start", "say when the first partition begins: `start = \"2024-01-01\"`");
    }
    let schedule = schedule(entry, &fields, problems);
    let time_zone = zone(&fields, problems);
    let format = optional(fields.get("format"), |_| fields.text("format"));
    let start = fields.get("start").and_then(|entry| written(entry, problems));
    let end = optional(fields.get("end"), |entry| written(entry, problems));
    let (schedule, time_zone, format) = (schedule?, time_zone?, format.ok()?);
    let written = format.map_or_else(|| Calendar::default_format(&schedule), |(format, _)| format).to_owned();
    let calendar = Calendar { schedule, time_zone, format: written };
    if let (Some((format, position)), Err(reason)) = (format, calendar.check_format()) {
        problems.at(position, format!("the format {format:?} {reason}"));
        return None;
    }
    let start = start.and_then(|start| moment("start", start, &calendar, problems));
    let end = optional(end.ok()?, |end| moment("end", end, &calendar, problems).zip(Some(end.1)));
    let (start, end) = (start?, end.ok()?);
    if let Some((_, position)) = end.filter(|(end, _)| *end < start) {
        problems.at(position, "`end` is before `start`");
        return None;
    }
    let partitions = TimePartitions { calendar, start, end: end.map(|(end, _)| end) };
    if let Err(mistake) = partitions.check(Timestamp::now()) {
        let (place, help) = match mistake {
            TimeMistake::TooMany => (None, "let them begin later, end sooner, or be longer"),
            TimeMistake::SameKey { .. } | TimeMistake::Key { .. } => {
                (format, "a key is when its partition begins, as `format` writes it: write all of it that differs")
            }
        };
        let place = place.map_or(&entry.position, |(_, position)| position);
        problems.push(Diagnostic::at(place, mistake.to_string()).help(help));
    }
    Some(partitions)
}

/// That there is a mistake, which is told.
struct Told;

/// What `read` makes of `value`, where it is there.
fn optional<T, V>(value: Option<T>, read: impl FnOnce(T) -> Option<V>) -> Result<Option<V>, Told> {
    value.map(|value| read(value).ok_or(Told)).transpose()
}

fn zone(fields: &Fields<'_>, problems: &Problems) -> Option<TimeZone> {
    let Some((name, position)) = optional(fields.get("time_zone"), |_| fields.text("time_zone")).ok()? else {
        return Some(TimeZone::UTC);
    };
    let zone = time_zone(name);
    if zone.is_none() {
        let names = TimeZoneDatabase::bundled();
        let names: Vec<String> = names.available().map(|name| name.as_str().to_owned()).collect();
        let help = suggest::closest(name, names.iter().map(String::as_str)).map_or_else(
            || "name it as the IANA database does: \"Europe/Berlin\"".to_owned(),
            |name| format!("did you mean `{name}`?"),
        );
        problems.push(Diagnostic::at(position, format!("there is no time zone {name:?}")).help(help));
    }
    zone
}

/// The schedule that the kind of partitions `entry` has with its offsets, or the one that it names.
fn schedule(entry: &Entry, fields: &Fields<'_>, problems: &Problems) -> Option<Schedule> {
    if entry.key == "cron" {
        if fields.get("schedule").is_none() {
            fields.missing("schedule", "say when partitions begin: `schedule = \"0 */6 * * *\"`");
        }
        let (text, position) = fields.text("schedule")?;
        let schedule = Schedule::cron(text);
        return schedule.map_err(|reason| problems.at(position, format!("the schedule {text:?}: {reason}"))).ok();
    }
    let (first_day, last_day) = if entry.key == "monthly" { (1, 28) } else { (0, 6) };
    let minute = offset(fields, "minute_offset", 0, 59, problems);
    let hour = offset(fields, "hour_offset", 0, 23, problems);
    let day = offset(fields, "day_offset", first_day, last_day, problems);
    let (minute, hour, day) = (minute?, hour?, day?);
    let cron = match entry.key.as_str() {
        "hourly" => format!("{minute} * * * *"),
        "daily" => format!("{minute} {hour} * * *"),
        "weekly" => format!("{minute} {hour} * * {day}"),
        "monthly" => format!("{minute} {hour} {day} * *"),
        _ => format!("{minute} {hour} 1 1 *"),
    };
    Schedule::cron(&cron).ok()
}

/// An integer of `least` to `most`, which is `least` where it is absent.
fn offset(fields: &Fields<'_>, key: &str, least: i64, most: i64, problems: &Problems) -> Option<i64> {
    let Some(entry) = fields.get(key) else { return Some(least) };
    let value = integer(&entry.node, key, problems)?;
    if !(least..=most).contains(&value) {
        problems.at(&entry.node.position, format!("`{key}` is {least} to {most}"));
        return None;
    }
    Some(value)
}

/// The integer that `node`, the value of `key`, is.
pub(super) fn integer(node: &Node, key: &str, problems: &Problems) -> Option<i64> {
    if let Tree::Integer(value) = node.tree {
        return Some(value);
    }
    problems.wrong_kind(node, &format!("`{key}`"), "an integer");
    None
}

/// The text of a moment, which may be written as a date or time of TOML.
fn written<'a>(entry: &'a Entry, problems: &Problems) -> Option<(&'a str, &'a Position)> {
    let node = &entry.node;
    match &node.tree {
        Tree::Datetime(written) => Some((written, &node.position)),
        Tree::Text(_) => text(node, &format!("`{}`", entry.key), problems),
        _ => {
            problems.wrong_kind(node, &format!("`{}`", entry.key), "a date or time");
            None
        }
    }
}

/// The moment that `written` means: a key in the format, or a date or time.
fn moment(
    key: &str,
    (written, position): (&str, &Position),
    calendar: &Calendar,
    problems: &Problems,
) -> Option<Timestamp> {
    let moment = calendar.moment(written);
    if moment.is_none() {
        let (reason, help) = if written.parse::<Date>().is_ok() {
            (
                format!("which is not before {:.0}, where time ends here", Timestamp::MAX),
                "write an earlier one".to_owned(),
            )
        } else {
            let reason = format!("which is no date or time, nor a key in the format {:?}", calendar.format);
            (reason, format!("write it like `{key} = \"2024-01-31\"`"))
        };
        problems.push(Diagnostic::at(position, format!("`{key}` is {written:?}, {reason}")).help(help));
    }
    moment
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
