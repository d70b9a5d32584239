//! Calendars: a schedule in a time zone, and how its moments are written.

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

use super::keys;
use super::schedule::{Schedule, Tick, turned};

/// How a partition of a day or more is written.
const DATE_FORMAT: &str = "%Y-%m-%d";
/// How a partition of less than a day is written.
const TIME_FORMAT: &str = "%Y-%m-%d-%H:%M";
/// What tells the second of two equal local times from the first.
const OFFSET: &str = "%z";

/// A schedule in a time zone, and how its moments are written as keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Calendar {
    /// When a partition begins.
    pub schedule: Schedule,
    /// Whose local time the schedule and the keys are in.
    #[serde(serialize_with = "serialize_time_zone")]
    pub time_zone: TimeZone,
    /// How keys are written, as `strftime` does; of an hour that comes twice, the second gets the offset from UTC
    /// unless that is in the format.
    pub format: String,
}

/// The time zone `name`, such as `Europe/Berlin`; always that of the database that is part of the program.
pub fn time_zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

impl Calendar {
    /// The format of a schedule for which none is given.
    pub fn default_format(schedule: &Schedule) -> &'static str {
        if schedule.is_finer_than_a_day() { TIME_FORMAT } else { DATE_FORMAT }
    }

    /// Whether its partitions have the windows that those of `other` have.
    pub fn has_windows_of(&self, other: &Self) -> bool {
        self.schedule == other.schedule && self.time_zone.primary_iana_name() == other.time_zone.primary_iana_name()
    }

    /// What is wrong with the format, in words that follow it.
    ///
    /// # Errors
    /// Where it cannot be written, or what it writes cannot be a key.
    pub fn check_format(&self) -> Result<(), String> {
        let mut key = String::new();
        let time = BrokenDownTime::from(&Timestamp::UNIX_EPOCH.to_zoned_datetime(self.time_zone.clone()));
        time.format(&self.format, &mut key).map_err(|error| format!("is no format of a time: {error}"))?;
        keys::refuse_key(&key).map_or(Ok(()), |reason| Err(format!("writes a key that {reason}")))
    }

    /// The moment that `text` means: a date or time as ISO 8601 has it, or a key in the format. A local time that
    /// comes twice is the first, and one that is skipped is when the clock is turned.
    pub fn moment(&self, text: &str) -> Option<Timestamp> {
        let formatted = |format: &str| self.broken_down(BrokenDownTime::parse(format, text).ok()?);
        let iso = text.parse().ok().or_else(|| self.local(text.parse().ok()?));
        // A date means itself also where keys have their day before their month.
        iso.or_else(|| formatted(&self.format)).or_else(|| formatted(&format!("{}{OFFSET}", self.format)))
    }

    fn broken_down(&self, mut time: BrokenDownTime) -> Option<Timestamp> {
        if time.timestamp().is_some() {
            return time.timestamp();
        }
        let date = time.to_date().ok().or_else(|| {
            // `%Y-%m` means the first day.
            time.set_month(time.month().or(Some(1))).ok()?;
            time.set_day(time.day().or(Some(1))).ok()?;
            time.to_date().ok()
        })?;
        let local = date.to_datetime(time.to_time().ok()?);
        match time.offset() {
            Some(offset) => offset.to_timestamp(local).ok(),
            None => self.local(local),
        }
    }

    fn local(&self, local: DateTime) -> Option<Timestamp> {
        match self.time_zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
            AmbiguousOffset::Gap { before, after } => turned(&self.time_zone, local, before, after),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
        }
    }

    /// The first `limit` moments between `from` and `to`, both included.
    pub(super) fn ticks(&self, from: Timestamp, to: Timestamp, limit: usize) -> Vec<Tick> {
        self.schedule.ticks(&self.time_zone, from, to, limit)
    }

    /// The last `count` moments at or after `from` and before `to`, in order.
    pub(super) fn ticks_before(&self, from: Timestamp, to: Timestamp, count: usize) -> Vec<Tick> {
        let Ok(to) = to.checked_sub(SignedDuration::from_nanos(1)) else { return Vec::new() };
        let mut reach = SignedDuration::from_hours(48);
        loop {
            let begin = to.checked_sub(reach).unwrap_or(Timestamp::MIN).max(from);
            let mut ticks = if begin <= to { self.ticks(begin, to, usize::MAX) } else { Vec::new() };
            if ticks.len() >= count || begin == from {
                ticks.drain(..ticks.len().saturating_sub(count));
                return ticks;
            }
            reach = reach.saturating_mul(4);
        }
    }

    /// Writes the key of the partition that begins at `tick` after `keys`.
    pub(super) fn write_key(&self, tick: Tick, keys: &mut String) {
        let time = BrokenDownTime::from(&tick.at.to_zoned_datetime(self.time_zone.clone()));
        // That the format can be written was checked when it was read, and writing to a string does not fail.
        let _ = time.format(&self.format, &mut *keys);
        if tick.is_repeated && !self.format.contains(OFFSET) {
            let _ = time.format(OFFSET, keys);
        }
    }
}

fn serialize_time_zone<S: Serializer>(zone: &TimeZone, serializer: S) -> Result<S::Ok, S::Error> {
    zone.iana_name().serialize(serializer)
}
