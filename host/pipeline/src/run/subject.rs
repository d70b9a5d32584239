//! What a manager stores or loads, and where it lies.

use std::borrow::Cow;

use airlock_sandbox::context::AssetKey;
use airlock_sandbox::layout::Location;
use airlock_sandbox::partition::{PartitionKey, Partitions};

use crate::definitions::{Asset, Output, OutputReference};
use crate::partition::{PartitionSet, value_name};

/// What a manager stores or loads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'a> {
    /// An asset, or the partition at a place of the set that has it.
    Asset { asset: &'a Asset, partition: Option<(&'a PartitionSet, usize)> },
    /// An output of a step of a job, as the run `run_id` stores it; of a dynamic one an element.
    Output { run_id: &'a str, step_key: &'a str, output: &'a Output, mapping_key: Option<&'a str> },
    /// What a manager finds by itself for an input, of what the parts name.
    Unconnected { of: &'a [String], input: &'a str },
}

/// The partition at `place` of `set`, as a call is told of it.
pub(super) fn partitions(set: &PartitionSet, place: usize) -> Partitions {
    let key = set.key(place).map(|key| {
        let dimensions = set.dimension_keys(place).into_iter();
        let dimensions = dimensions.map(|(name, key)| (name.to_owned(), key.to_owned())).collect();
        PartitionKey { key: key.into_owned(), dimensions }
    });
    Partitions::new(key.into_iter().collect(), set.window(place), set.time_zone().map(str::to_owned))
}

impl<'a> Subject<'a> {
    /// What it is called: an asset, an output of a step, or what an input finds; of a part its key in brackets.
    pub fn name(&self) -> String {
        match self {
            Self::Asset { asset, .. } => value_name(&asset.name, self.key().as_deref()),
            Self::Output { step_key, output, mapping_key, .. } => {
                let reference = OutputReference { step: (*step_key).to_owned(), output: output.name.clone() };
                value_name(&reference.to_string(), *mapping_key)
            }
            Self::Unconnected { input, .. } => (*input).to_owned(),
        }
    }

    /// The key of its partition, or of an element of a dynamic output.
    pub fn key(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Asset { partition, .. } => partition.and_then(|(set, place)| set.key(place)),
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
            Self::Asset { partition: Some((set, place)), .. } => partitions(set, *place),
            Self::Output { mapping_key: Some(key), .. } => {
                Partitions::new(vec![PartitionKey::of_mapping_key(key)], None, None)
            }
            _ => Partitions::default(),
        }
    }
}
