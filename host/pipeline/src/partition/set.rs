//! The partitions that there are at one moment.

use std::borrow::Cow;
use std::ops::Range;

use super::TimeWindow;
use super::keys::Keys;
use super::product::Product;
use super::selected::Selected;
use super::windows::Windows;

/// The partitions that there are at one moment, in the order of their definition.
#[derive(Debug)]
pub struct PartitionSet {
    name: String,
    partitions: Partitions,
}

#[derive(Debug)]
enum Partitions {
    /// Of one dimension; those of time have windows.
    One { keys: Keys, windows: Option<Box<Windows>> },
    /// Of several.
    Several(Product),
}

impl PartitionSet {
    pub(super) fn of_time(name: &str, keys: Keys, windows: Windows) -> Self {
        Self { name: name.to_owned(), partitions: Partitions::One { keys, windows: Some(windows.into()) } }
    }

    pub(super) fn of_keys(name: &str, keys: &[String]) -> Self {
        let (keys, _) = Keys::new(keys, |key, all| all.push_str(key));
        Self { name: name.to_owned(), partitions: Partitions::One { keys, windows: None } }
    }

    /// The combinations of `dimensions`, of which each has the partitions of one dimension.
    pub(super) fn of_dimensions(name: &str, dimensions: Vec<Self>) -> Self {
        Self { name: name.to_owned(), partitions: Partitions::Several(Product::new(dimensions)) }
    }

    /// The name under which the partitions are defined; of a dimension its own.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The dimensions, in the order of their definition; where there is one, the partitions themselves.
    pub fn dimensions(&self) -> &[Self] {
        match &self.partitions {
            Partitions::One { .. } => std::slice::from_ref(self),
            Partitions::Several(product) => product.dimensions(),
        }
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        match &self.partitions {
            Partitions::One { keys, .. } => keys.len(),
            Partitions::Several(product) => product.len(),
        }
    }

    /// Whether there is none (yet).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key of the partition `index`; of several dimensions their keys in the order of their names, `2026-01-01|eu`.
    pub fn key(&self, index: usize) -> Option<Cow<'_, str>> {
        match &self.partitions {
            Partitions::One { keys, .. } => keys.get(index).map(Cow::Borrowed),
            Partitions::Several(product) => product.key(index).map(Cow::Owned),
        }
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = Cow<'_, str>> {
        (0..self.len()).map(|index| self.key(index).unwrap_or_default())
    }

    /// The names of the dimensions and the keys that the partition `index` has in them, in the order of the names.
    pub fn dimension_keys(&self, index: usize) -> Vec<(&str, &str)> {
        match &self.partitions {
            Partitions::One { keys, .. } => keys.get(index).map(|key| (&*self.name, key)).into_iter().collect(),
            Partitions::Several(product) => product.keys(index),
        }
    }

    /// The partition that has `key`.
    pub fn index(&self, key: &str) -> Option<usize> {
        match &self.partitions {
            Partitions::One { keys, .. } => keys.find(key),
            Partitions::Several(product) => product.find(key),
        }
    }

    /// The place of the partition `index` in each dimension.
    pub(super) fn places(&self, index: usize) -> Vec<usize> {
        match &self.partitions {
            Partitions::One { .. } => vec![index],
            Partitions::Several(product) => product.places(index),
        }
    }

    /// The partition that has these places in the dimensions.
    pub(crate) fn at(&self, places: &[usize]) -> usize {
        match &self.partitions {
            Partitions::One { .. } => places.first().copied().unwrap_or_default(),
            Partitions::Several(product) => product.at(places),
        }
    }

    /// The partitions that have in each dimension one of those that are selected there.
    pub(crate) fn combined(&self, selected: &[Selected]) -> Selected {
        match &self.partitions {
            Partitions::One { .. } => selected.first().cloned().unwrap_or_default(),
            Partitions::Several(product) => product.combined(selected),
        }
    }

    /// What `selected` consists of: groups that have in each dimension one of those that are selected there, and of
    /// which no two have a partition in common.
    pub(super) fn groups(&self, selected: &Selected) -> Vec<Vec<Selected>> {
        match &self.partitions {
            Partitions::One { .. } if selected.is_empty() => Vec::new(),
            Partitions::One { .. } => vec![vec![selected.clone()]],
            Partitions::Several(product) => product.groups(selected),
        }
    }

    pub(super) fn product(&self) -> Option<&Product> {
        match &self.partitions {
            Partitions::One { .. } => None,
            Partitions::Several(product) => Some(product),
        }
    }

    pub(super) fn windows(&self) -> Option<&Windows> {
        match &self.partitions {
            Partitions::One { windows, .. } => windows.as_deref(),
            Partitions::Several(_) => None,
        }
    }

    /// Keys that stand next to `key` in the order of keys; of several dimensions none.
    pub(super) fn around(&self, key: &str, count: usize) -> impl Iterator<Item = &str> + Clone {
        let keys = match &self.partitions {
            Partitions::One { keys, .. } => Some(keys.around(key, count)),
            Partitions::Several(_) => None,
        };
        keys.into_iter().flatten()
    }

    /// The window of the partition `index`, where the partitions are of time in one dimension and no other.
    pub fn window(&self, index: usize) -> Option<TimeWindow> {
        self.window_of(index..index.checked_add(1)?)
    }

    /// The window of the partitions `indices` together, where their windows adjoin; as [`window`](Self::window).
    pub fn window_of(&self, indices: Range<usize>) -> Option<TimeWindow> {
        let (dimension, windows) = self.time()?;
        if indices.end > self.len() {
            return None;
        }
        let places = Selected::of_indices(indices.filter_map(|index| self.places(index).get(dimension).copied()));
        let [Range { start, end }] = places.ranges() else { return None };
        let boundaries = windows.boundaries();
        Some(TimeWindow { start_ms: *boundaries.get(*start)?, end_ms: *boundaries.get(*end)? })
    }

    /// The time zone of the partitions, where they are of time in one dimension and no other: `Europe/Berlin`.
    pub fn time_zone(&self) -> Option<&str> {
        self.time()?.1.calendar().time_zone.iana_name()
    }

    /// The only dimension that is of time.
    fn time(&self) -> Option<(usize, &Windows)> {
        let windows = self.dimensions().iter().map(Self::windows).enumerate();
        let mut of_time = windows.filter_map(|(place, windows)| Some((place, windows?)));
        of_time.next().filter(|_| of_time.next().is_none())
    }
}
