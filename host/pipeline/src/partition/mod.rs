//! Partitions of assets: which there are at a moment, and which of one asset a partition of another loads.
//!
//! A definition ([`PartitionsDefinition`]) is text that an author wrote; the partitions that it has at a moment are a
//! [`PartitionSet`], in which a partition is its index; several of them are [`Selected`].

mod calendar;
mod keys;
mod mapping;
mod mapping_rules;
mod offsets;
mod product;
mod schedule;
mod select;
mod selected;
mod set;
mod time;
mod windows;

use std::collections::HashMap;

pub use airlock_sandbox::partition::TimeWindow;
use jiff::Timestamp;
use serde::Serialize;

pub use calendar::{Calendar, time_zone};
pub use mapping::{DimensionMapping, MappedKeys, MappingError, PartitionMapping};
pub use schedule::Schedule;
pub use select::PartitionError;
pub use selected::Selected;
pub use set::PartitionSet;
pub use time::{TimeMistake, TimePartitions};

pub use keys::refuse_dynamic_key;
pub(crate) use keys::{refuse_dimension_key, refuse_key};

/// Partitions of one definition, at most.
pub const PARTITIONS: usize = 1_000_000;

/// What a stored value is called: the name of its asset, and of a partition its key in brackets,
/// `daily_weather[2012-01-01]`.
pub fn value_name(asset: &str, key: Option<&str>) -> String {
    key.map_or_else(|| asset.to_owned(), |key| format!("{asset}[{key}]"))
}

/// Keys of dynamic partitions by the name of these, in the order in which they were added.
pub type DynamicKeys = HashMap<String, Vec<String>>;

/// How the partitions of assets are defined: `[partitions.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionsDefinition {
    /// Windows of time.
    Time(TimePartitions),
    /// Keys that are listed, all different.
    Static(Vec<String>),
    /// Keys that are added and removed by command, kept under this name.
    Dynamic(String),
    /// One for each combination of the partitions of several dimensions.
    Dimensions(Vec<Dimension>),
}

/// One of several dimensions of partitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dimension {
    /// Its name.
    pub name: String,
    /// How the partitions of it are defined, which have no dimensions of their own.
    pub partitions: PartitionsDefinition,
}

impl PartitionsDefinition {
    /// The partitions that there are at `now`, called `name`, where no dynamic ones were added.
    ///
    /// Those of time are the windows that have ended by then.
    pub fn partitions(&self, name: &str, now: Timestamp) -> PartitionSet {
        self.partitions_with(name, now, &DynamicKeys::new())
    }

    /// As [`partitions`](Self::partitions), with `added` as the keys of dynamic partitions.
    pub fn partitions_with(&self, name: &str, now: Timestamp, added: &DynamicKeys) -> PartitionSet {
        match self {
            Self::Time(time) => {
                let (keys, boundaries) = time.at(now);
                PartitionSet::of_time(name, keys, windows::Windows::new(time.calendar.clone(), boundaries))
            }
            Self::Static(keys) => PartitionSet::of_keys(name, keys),
            Self::Dynamic(kept) => PartitionSet::of_keys(name, added.get(kept).map_or(&[][..], Vec::as_slice)),
            Self::Dimensions(dimensions) => {
                let set = |of: &Dimension| of.partitions.partitions_with(&of.name, now, added);
                let sets = dimensions.iter().map(set);
                PartitionSet::of_dimensions(name, sets.collect())
            }
        }
    }

    /// The dimensions, in the order of their definition; none where there is only one.
    pub fn dimensions(&self) -> &[Dimension] {
        match self {
            Self::Dimensions(dimensions) => dimensions,
            Self::Time(_) | Self::Static(_) | Self::Dynamic(_) => &[],
        }
    }

    /// The definition of the dimension `name`, or this one where no dimension is named.
    fn dimension(&self, name: Option<&str>) -> Option<&Self> {
        let Some(name) = name else { return Some(self) };
        let found = self.dimensions().iter().find(|dimension| dimension.name == name);
        found.map(|dimension| &dimension.partitions)
    }

    fn time(&self) -> Option<&TimePartitions> {
        match self {
            Self::Time(time) => Some(time),
            Self::Static(_) | Self::Dynamic(_) | Self::Dimensions(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
