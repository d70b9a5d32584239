//! Partitions that are windows of time.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::PARTITIONS;
use super::calendar::Calendar;
use super::keys::{self, Keys};
use super::schedule::Tick;

/// Partitions that are windows of time, each from one moment of a schedule to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimePartitions {
    /// When partitions begin, and how they are written.
    #[serde(flatten)]
    pub calendar: Calendar,
    /// The first partition begins at the first moment of the schedule that is not before it.
    pub start: Timestamp,
    /// The last partition does not end after it; absent, it grows with time.
    pub end: Option<Timestamp>,
}

/// How far ahead keys are looked at for two that are the same: more than a year.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 400);

impl TimePartitions {
    /// That there can be partitions of this definition at `now`, and for a year after it with keys of their own.
    ///
    /// # Errors
    /// [`TimeMistake`] where there cannot.
    pub fn check(&self, now: Timestamp) -> Result<(), TimeMistake> {
        let end = self.end.unwrap_or(Timestamp::MAX);
        let ahead = now.max(self.start).checked_add(AHEAD).unwrap_or(Timestamp::MAX).min(end);
        let ticks = self.ticks(ahead, PARTITIONS.saturating_add(2));
        if ticks.get(PARTITIONS.saturating_add(1)).is_some_and(|tick| tick.at <= now.min(end)) {
            return Err(TimeMistake::TooMany);
        }
        let (keys, twice) = self.keys(&ticks);
        let key = |index: usize| keys.get(index).unwrap_or_default().to_owned();
        if let Some(twice) = twice {
            let [first, second] = [twice.first, twice.second].map(|index| {
                let at = ticks.get(index).map_or(self.start, |tick| tick.at);
                self.calendar.time_zone.to_datetime(at)
            });
            return Err(TimeMistake::SameKey { key: key(twice.first), first, second });
        }
        let refused = (0..keys.len()).find_map(|index| keys::refuse_key(keys.get(index)?).zip(Some(index)));
        refused.map_or(Ok(()), |(reason, index)| Err(TimeMistake::Key { key: key(index), reason }))
    }

    /// The keys of the partitions that there are at `now`, and where they begin and end.
    pub(super) fn at(&self, now: Timestamp) -> (Keys, Vec<Timestamp>) {
        let mut ticks = self.ticks(self.end.unwrap_or(now).min(now), PARTITIONS.saturating_add(1));
        let (keys, _) = self.keys(&ticks);
        ticks.truncate(keys.len().saturating_add(1));
        (keys, ticks.into_iter().map(|tick| tick.at).collect())
    }

    fn ticks(&self, until: Timestamp, limit: usize) -> Vec<Tick> {
        self.calendar.ticks(self.start, until, limit)
    }

    /// The keys of the windows between `ticks`; they end before a key that is there already, so that no partition is
    /// taken for another.
    fn keys(&self, ticks: &[Tick]) -> (Keys, Option<keys::Twice>) {
        let starts = ticks.split_last().map_or(&[][..], |(_, starts)| starts);
        Keys::new(starts, |tick, keys| self.calendar.write_key(*tick, keys))
    }
}

/// Why there cannot be partitions as they are defined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeMistake {
    /// There are more than [`PARTITIONS`].
    #[error("there are more than {PARTITIONS} partitions")]
    TooMany,
    /// Two partitions have one key.
    #[error("two partitions have the key {key:?}: those that begin at {first} and at {second}")]
    SameKey {
        /// The key.
        key: String,
        /// When one of them begins, in local time.
        first: DateTime,
        /// When the other one begins.
        second: DateTime,
    },
    /// What the format writes cannot be a key.
    #[error("the key {key:?} {reason}")]
    Key {
        /// The key.
        key: String,
        /// Why not.
        reason: String,
    },
}
