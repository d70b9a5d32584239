//! What a manager stores or loads, and where it lies.

use std::borrow::Cow;
use std::ops::Range;

use airlock_sandbox::context::AssetKey;
use airlock_sandbox::layout::Location;
use airlock_sandbox::partition::{PartitionKey, Partitions};

use crate::definitions::{Asset, Output, OutputReference};
use crate::partition::{PartitionSet, value_name};

/// What a manager stores or loads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'a> {
    /// An asset, or partitions of it.
    Asset { asset: &'a Asset, partitions: Option<Places<'a>> },
    /// An output of a step of a job, as the run `run_id` stores it; of a dynamic one an element.
    Output { run_id: &'a str, step_key: &'a str, output: &'a Output, mapping_key: Option<&'a str> },
    /// What a manager finds by itself for an input, of what the parts name.
    Unconnected { of: &'a [String], input: &'a str },
}

/// Partitions of a set that follow one another; mostly one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    set: &'a PartitionSet,
    first: usize,
    count: usize,
}

impl<'a> Places<'a> {
    /// The partition at `place` of `set`.
    pub fn one(set: &'a PartitionSet, place: usize) -> Self {
        Self { set, first: place, count: 1 }
    }

    /// The partitions at `places` of `set`.
    pub fn several(set: &'a PartitionSet, places: &Range<usize>) -> Self {
        Self { set, first: places.start, count: places.len() }
    }

    fn range(self) -> Range<usize> {
        self.first..self.first.saturating_add(self.count)
    }

    /// Each by itself, with its key.
    pub fn each(self) -> impl Iterator<Item = (Self, Cow<'a, str>)> {
        self.range().filter_map(move |place| Some((Self::one(self.set, place), self.set.key(place)?)))
    }

    /// The key of the only one.
    fn key(self) -> Option<Cow<'a, str>> {
        self.set.key(self.first).filter(|_| self.count == 1)
    }

    /// As a call is told of them.
    pub fn partitions(self) -> Partitions {
        let key = |place: usize| {
            let dimensions = self.set.dimension_keys(place).into_iter();
            let dimensions = dimensions.map(|(name, key)| (name.to_owned(), key.to_owned())).collect();
            Some(PartitionKey { key: self.set.key(place)?.into_owned(), dimensions })
        };
        let zone = self.set.time_zone().map(str::to_owned);
        Partitions::new(self.range().filter_map(key).collect(), self.set.window_of(self.range()), zone)
    }

    /// What they are called together: the key, or the first and the last one.
    fn name(self) -> Option<String> {
        self.set.range_name(&self.range())
    }
}

impl<'a> Subject<'a> {
    /// What it is called: an asset, an output of a step, or what an input finds; of a part its key in brackets.
    pub fn name(&self) -> String {
        match self {
            Self::Asset { asset, partitions } => value_name(&asset.name, partitions.and_then(Places::name).as_deref()),
            Self::Output { step_key, output, mapping_key, .. } => {
                let reference = OutputReference { step: (*step_key).to_owned(), output: output.name.clone() };
                value_name(&reference.to_string(), *mapping_key)
            }
            Self::Unconnected { input, .. } => (*input).to_owned(),
        }
    }

    /// The key of its only partition, or of an element of a dynamic output.
    pub fn key(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Asset { partitions, .. } => partitions.and_then(Places::key),
            Self::Output { mapping_key, .. } => mapping_key.map(Cow::Borrowed),
            Self::Unconnected { .. } => None,
        }
    }

    /// The asset, where it is one.
    pub fn asset(&self) -> Option<&'a Asset> {
        match self {
            Self::Asset { asset, .. } => Some(asset),
            Self::Output { .. } | Self::Unconnected { .. } => None,
        }
    }

    pub fn asset_key(&self) -> Option<AssetKey> {
        self.asset().map(|asset| asset.key.clone())
    }

    /// Where it lies below a mount; a part of it lies below that.
    pub fn location(&self) -> Location {
        match self {
            Self::Asset { asset, .. } => Location::asset(&asset.key),
            Self::Output { run_id, step_key, output, .. } => Location::output(run_id, step_key, &output.name),
            Self::Unconnected { of, input } => Location::input(of, input),
        }
    }

    /// The part of it that is meant, as a call is told of it.
    pub fn partitions(&self) -> Partitions {
        match self {
            Self::Asset { partitions: Some(places), .. } => places.partitions(),
            Self::Output { mapping_key: Some(key), .. } => {
                Partitions::new(vec![PartitionKey::of_mapping_key(key)], None, None)
            }
            _ => Partitions::default(),
        }
    }
}
