//! How partitions are named by a person: a key, a range, all of them; and of several dimensions each of these in each.

use std::ops::Range;

use super::product::Product;
use super::selected::Selected;
use super::set::PartitionSet;
use crate::graph::likely;
use crate::suggest;

/// Keys on either side of an unknown one that are looked at for what was meant.
const NEIGHBOURS: usize = 500;

/// What means all of a dimension.
const WHOLE: &str = "*";

impl PartitionSet {
    /// The partitions that `text` means: one key, `FIRST..LAST` with both included, or `all`. A key that reads like
    /// one of the latter is a key. Of several dimensions each part of it may be a range too, or `*`.
    ///
    /// # Errors
    /// [`PartitionError`] where it means none, or more than one thing.
    pub fn select(&self, text: &str) -> Result<Selected, PartitionError> {
        if self.is_empty() {
            return Err(self.none());
        }
        if text == "all" && self.index(text).is_none() {
            return Ok(Selected::all(self.len()));
        }
        match self.product() {
            Some(product) => {
                let of_each = |(set, part): (&Self, &str)| match part {
                    WHOLE => Ok(Selected::all(set.len())),
                    part => set.select(part),
                };
                let parts = product.parts(text).ok_or_else(|| self.not_written(product, text))?;
                let selected: Result<Vec<_>, _> = parts.into_iter().map(of_each).collect();
                Ok(product.combined(&selected?))
            }
            None => self.select_range(text),
        }
    }

    /// As [`select`](Self::select), of one key, or of two with those between them in the order of the definition, also
    /// where there are several dimensions.
    pub(crate) fn select_range(&self, text: &str) -> Result<Selected, PartitionError> {
        if let Some(index) = self.index(text) {
            return Ok(Selected::of_indices([index]));
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
                let [first, last] = [*first, *last].map(|index| self.key_or_empty(index));
                Err(PartitionError::Backwards { first, last, name: self.name().to_owned() })
            }
            [] => {
                // Of a range, the end that is no key is what is wrong.
                let unknown =
                    splits.clone().map(|(first, last)| if self.index(first).is_none() { first } else { last });
                Err(self.unknown(unknown.min_by_key(|key| key.len()).unwrap_or(text)))
            }
            _ => Err(PartitionError::Ambiguous { text: text.to_owned(), name: self.name().to_owned() }),
        }
    }

    /// The partition that has `key`.
    ///
    /// # Errors
    /// [`PartitionError`] where none has.
    pub fn find(&self, key: &str) -> Result<usize, PartitionError> {
        if self.is_empty() {
            return Err(self.none());
        }
        if let Some(index) = self.index(key) {
            return Ok(index);
        }
        let Some(product) = self.product() else { return Err(self.unknown(key)) };
        let parts = product.parts(key).ok_or_else(|| self.not_written(product, key))?;
        let wrong = parts.into_iter().find_map(|(set, part)| set.find(part).err());
        Err(wrong.unwrap_or_else(|| self.unknown(key)))
    }

    /// `selected` in words that [`select`](Self::select) reads, one for each group of partitions that can be named
    /// together: a key, `A..B`, or of several dimensions one of these or `*` in each.
    pub fn named(&self, selected: &Selected) -> Vec<String> {
        let dimensions = self.dimensions();
        let name = |set: &Self, range: &Range<usize>| {
            if dimensions.len() > 1 && range.len() == set.len() && range.len() > 1 {
                WHOLE.to_owned()
            } else {
                set.range_name(range).unwrap_or_default()
            }
        };
        let mut all = Vec::new();
        for group in self.groups(selected) {
            // Each range of one dimension with each of the others.
            let mut named: Vec<Vec<String>> = vec![Vec::new()];
            for (set, selected) in dimensions.iter().zip(&group) {
                let with =
                    |before: &Vec<String>, range| before.iter().cloned().chain([name(set, range)]).collect::<Vec<_>>();
                named = named
                    .iter()
                    .flat_map(|before| selected.ranges().iter().map(move |range| with(before, range)))
                    .collect();
            }
            all.extend(named.into_iter().map(|of| match self.product() {
                Some(product) => product.written(&of),
                None => of.concat(),
            }));
        }
        all
    }

    /// What the partitions `indices` are called together, as [`select_range`](Self::select_range) reads it: the key of the only
    /// one, or `FIRST..LAST`. None where there are none.
    pub(crate) fn range_name(&self, indices: &Range<usize>) -> Option<String> {
        let first = self.key(indices.start).filter(|_| !indices.is_empty())?;
        let last = self.key(indices.end.checked_sub(1)?)?;
        Some(if indices.len() == 1 { first.into_owned() } else { format!("{first}..{last}") })
    }

    fn key_or_empty(&self, index: usize) -> String {
        self.key(index).unwrap_or_default().into_owned()
    }

    fn none(&self) -> PartitionError {
        // Of several dimensions one has none.
        let empty = self.dimensions().iter().find(|dimension| dimension.is_empty()).unwrap_or(self);
        PartitionError::None { name: empty.name().to_owned() }
    }

    fn unknown(&self, key: &str) -> PartitionError {
        let (first, last) = (self.key_or_empty(0), self.key_or_empty(self.len().saturating_sub(1)));
        let suggestion = suggest::closest(key, self.around(key, NEIGHBOURS));
        PartitionError::Unknown { key: key.to_owned(), name: self.name().to_owned(), first, last, suggestion }
    }

    fn not_written(&self, product: &Product, text: &str) -> PartitionError {
        PartitionError::Dimensions {
            text: text.to_owned(),
            name: self.name().to_owned(),
            dimensions: product.names().into_iter().map(str::to_owned).collect(),
            first: self.key_or_empty(0),
        }
    }
}

/// A text that means no partitions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// There are no partitions at all.
    #[error("`{name}` has no partitions yet")]
    None {
        /// The name of the partitions.
        name: String,
    },
    /// No partition has the key.
    #[error("`{name}` has no partition {key:?}: its partitions are {}{}", range(first, last), likely(suggestion.as_deref()))]
    Unknown {
        /// The key.
        key: String,
        /// The name of the partitions.
        name: String,
        /// The first key that there is.
        first: String,
        /// The last key that there is.
        last: String,
        /// The key that was probably meant.
        suggestion: Option<String>,
    },
    /// A range that ends before it begins.
    #[error("in `{name}`, {first:?} comes after {last:?}: write {last}..{first}")]
    Backwards {
        /// The key that was named first.
        first: String,
        /// The key that was named last.
        last: String,
        /// The name of the partitions.
        name: String,
    },
    /// Several ranges that are written the same.
    #[error("{text:?} means more than one range of `{name}`: name its partitions one by one")]
    Ambiguous {
        /// The text.
        text: String,
        /// The name of the partitions.
        name: String,
    },
    /// It does not say something of each dimension.
    #[error(
        "{text:?} is no partition of `{name}`, which has the dimensions `{}`: write a key of each as in {first:?}, or \
         for a key a range A..B of it, or * for all",
        dimensions.join("` and `")
    )]
    Dimensions {
        /// The text.
        text: String,
        /// The name of the partitions.
        name: String,
        /// The names of the dimensions, in the order in which a key has them.
        dimensions: Vec<String>,
        /// The first key that there is.
        first: String,
    },
}

/// `"a"`, or `"a" to "b"`.
pub(super) fn range(first: &str, last: &str) -> String {
    if first == last { format!("{first:?}") } else { format!("{first:?} to {last:?}") }
}
