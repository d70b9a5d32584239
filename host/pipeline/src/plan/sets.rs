//! The partitions that there are at one moment.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::definitions::{Asset, Definitions};
use crate::partition::PartitionSet;

/// The partitions of the definitions at one moment, by the name of their definition. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct PartitionSets(Arc<HashMap<String, Arc<PartitionSet>>>);

impl PartitionSets {
    /// Those of `definitions` at `now`.
    pub fn new(definitions: &Definitions, now: Timestamp) -> Self {
        let sets = definitions.partitions().iter();
        let sets = sets.map(|(name, definition)| (name.clone(), Arc::new(definition.partitions(name, now))));
        Self(Arc::new(sets.collect()))
    }

    /// The partitions of `asset`; none where it is not partitioned.
    pub fn of(&self, asset: &Asset) -> Option<&Arc<PartitionSet>> {
        self.0.get(asset.partitions.as_deref()?)
    }
}
