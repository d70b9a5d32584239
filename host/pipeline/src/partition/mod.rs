//! Partitions of assets: which there are at a moment, and which of one asset a partition of another loads.
//!
//! A definition ([`PartitionsDefinition`]) is text that an author wrote; the partitions that it has at a moment are a
//! [`PartitionSet`], in which a partition is its index; several of them are [`Selected`].

mod calendar;
mod keys;
mod mapping;
mod schedule;
mod selected;
mod set;
mod time;
mod windows;

pub use airlock_sandbox::partition::TimeWindow;
use jiff::Timestamp;
use serde::Serialize;

pub use calendar::{Calendar, time_zone};
pub use mapping::{MappedKeys, MappingError, PartitionMapping};
pub use schedule::Schedule;
pub use selected::Selected;
pub use set::{PartitionError, PartitionSet};
pub use time::{TimeMistake, TimePartitions};

pub(crate) use keys::refuse_key;

/// Partitions of one definition, at most.
pub const PARTITIONS: usize = 1_000_000;

/// What a stored value is called: the name of its asset, and of a partition its key in brackets,
/// `daily_weather[2012-01-01]`.
pub fn value_name(asset: &str, key: Option<&str>) -> String {
    key.map_or_else(|| asset.to_owned(), |key| format!("{asset}[{key}]"))
}

/// How the partitions of assets are defined: `[partitions.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionsDefinition {
    /// Windows of time.
    Time(TimePartitions),
    /// Keys that are listed, all different.
    Static(Vec<String>),
}

impl PartitionsDefinition {
    /// The partitions that there are at `now`; `dimension` is the name under which they are defined.
    ///
    /// Those of time are the windows that have ended by then.
    pub fn partitions(&self, dimension: &str, now: Timestamp) -> PartitionSet {
        let dimension = dimension.to_owned();
        match self {
            Self::Time(time) => {
                let (keys, boundaries) = time.at(now);
                let windows = windows::Windows::new(time.calendar.clone(), boundaries);
                PartitionSet { dimension, keys, windows: Some(windows) }
            }
            Self::Static(keys) => {
                let (keys, _) = keys::Keys::new(keys, |key, all| all.push_str(key));
                PartitionSet { dimension, keys, windows: None }
            }
        }
    }

    fn time(&self) -> Option<&TimePartitions> {
        match self {
            Self::Time(time) => Some(time),
            Self::Static(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
