//! The partitions that there are at one moment.

use super::TimeWindow;
use super::keys::Keys;
use super::selected::Selected;
use super::windows::Windows;
use crate::graph::likely;
use crate::suggest;

/// The partitions that there are at one moment, in the order of their definition.
#[derive(Debug)]
pub struct PartitionSet {
    pub(super) dimension: String,
    pub(super) keys: Keys,
    /// Those of time.
    pub(super) windows: Option<Windows>,
}

impl PartitionSet {
    /// The name under which the partitions are defined.
    pub fn dimension(&self) -> &str {
        &self.dimension
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none (yet).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key of the partition `index`.
    pub fn key(&self, index: usize) -> Option<&str> {
        self.keys.get(index)
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|index| self.key(index).unwrap_or_default())
    }

    /// The partition that has `key`.
    pub fn index(&self, key: &str) -> Option<usize> {
        self.keys.find(key)
    }

    /// The window of the partition `index`, where the partitions are of time.
    pub fn window(&self, index: usize) -> Option<TimeWindow> {
        self.span_of(index, index.checked_add(1)?)
    }

    /// The time zone of the partitions, where they are of time: `Europe/Berlin`.
    pub fn time_zone(&self) -> Option<&str> {
        self.windows.as_ref()?.calendar().time_zone.iana_name()
    }

    /// The window of `selected`, where the partitions are of time and those selected adjoin.
    pub fn span(&self, selected: &Selected) -> Option<TimeWindow> {
        match selected.ranges() {
            [range] => self.span_of(range.start, range.end),
            _ => None,
        }
    }

    fn span_of(&self, start: usize, end: usize) -> Option<TimeWindow> {
        let boundaries = self.windows.as_ref()?.boundaries();
        Some(TimeWindow { start_ms: *boundaries.get(start)?, end_ms: *boundaries.get(end)? })
    }

    /// The partitions that `text` means: one key, `FIRST..LAST` with both included, or `all`. A key that reads like
    /// one of the latter is a key.
    ///
    /// # Errors
    /// [`PartitionError`] where it means none, or more than one thing.
    pub fn select(&self, text: &str) -> Result<Selected, PartitionError> {
        if self.is_empty() {
            return Err(PartitionError::None { dimension: self.dimension.clone() });
        }
        if let Some(index) = self.index(text) {
            return Ok(Selected::of_indices([index]));
        }
        if text == "all" {
            return Ok(Selected::all(self.len()));
        }
        let splits =
            text.match_indices("..").filter_map(|(at, _)| Some((text.get(..at)?, text.get(at.checked_add(2)?..)?)));
        let ranges: Vec<_> =
            splits.clone().filter_map(|(first, last)| Some((self.index(first)?, self.index(last)?))).collect();
        match ranges.as_slice() {
            [(first, last)] if first <= last => {
                Ok(Selected::of_ranges(std::iter::once(*first..last.saturating_add(1))))
            }
            [(first, last)] => {
                let [first, last] = [*first, *last].map(|index| self.key(index).unwrap_or_default().to_owned());
                Err(PartitionError::Backwards { first, last, dimension: self.dimension.clone() })
            }
            [] => {
                // Of a range, the end that is no key is what is wrong.
                let unknown =
                    splits.clone().map(|(first, last)| if self.index(first).is_none() { first } else { last });
                Err(self.unknown(unknown.min_by_key(|key| key.len()).unwrap_or(text)))
            }
            _ => Err(PartitionError::Ambiguous { text: text.to_owned(), dimension: self.dimension.clone() }),
        }
    }

    /// The partition that has `key`.
    ///
    /// # Errors
    /// [`PartitionError`] where none has.
    pub fn find(&self, key: &str) -> Result<usize, PartitionError> {
        if self.is_empty() {
            return Err(PartitionError::None { dimension: self.dimension.clone() });
        }
        self.index(key).ok_or_else(|| self.unknown(key))
    }

    fn unknown(&self, key: &str) -> PartitionError {
        let [first, last] = [Some(0), self.len().checked_sub(1)]
            .map(|index| index.and_then(|index| self.key(index)).unwrap_or_default().to_owned());
        let suggestion = suggest::closest(key, self.keys.around(key, NEIGHBOURS));
        PartitionError::Unknown { key: key.to_owned(), dimension: self.dimension.clone(), first, last, suggestion }
    }
}

/// Keys on either side of an unknown one that are looked at for what was meant.
const NEIGHBOURS: usize = 500;

/// A text that means no partitions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// There are no partitions at all.
    #[error("`{dimension}` has no partitions yet")]
    None {
        /// The name of the partitions.
        dimension: String,
    },
    /// No partition has the key.
    #[error("`{dimension}` has no partition {key:?}: its partitions are {}{}", range(first, last), likely(suggestion.as_deref()))]
    Unknown {
        /// The key.
        key: String,
        /// The name of the partitions.
        dimension: String,
        /// The first key that there is.
        first: String,
        /// The last key that there is.
        last: String,
        /// The key that was probably meant.
        suggestion: Option<String>,
    },
    /// A range that ends before it begins.
    #[error("in `{dimension}`, {first:?} comes after {last:?}: write {last}..{first}")]
    Backwards {
        /// The key that was named first.
        first: String,
        /// The key that was named last.
        last: String,
        /// The name of the partitions.
        dimension: String,
    },
    /// Several ranges that are written the same.
    #[error("{text:?} means more than one range of `{dimension}`: name its partitions one by one")]
    Ambiguous {
        /// The text.
        text: String,
        /// The name of the partitions.
        dimension: String,
    },
}

/// `"a"`, or `"a" to "b"`.
pub(super) fn range(first: &str, last: &str) -> String {
    if first == last { format!("{first:?}") } else { format!("{first:?} to {last:?}") }
}
