//! Reads partitions that are windows of time.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::fields::{Fields, Problems, text};
use super::tree::{Entry, Node, Tree};
use super::{Diagnostic, Position, keys};
use crate::partition::{Calendar, Schedule, TimeMistake, TimePartitions, time_zone};
use crate::suggest;

/// Reads `daily = { start = … }` and its like.
pub(super) fn read(entry: &Entry, problems: &Problems) -> Option<TimePartitions> {
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
