//! The partitions that there are at one moment.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::definitions::{Asset, Definitions};
use crate::partition::{DynamicKeys, PARTITIONS, PartitionSet};

/// The partitions of the definitions at one moment, by the name of their definition. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct PartitionSets(Arc<HashMap<String, Arc<PartitionSet>>>);

/// Partitions of one name are more than [`PARTITIONS`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are more than {PARTITIONS} partitions of `{name}`")]
pub struct TooManyPartitions {
    /// Their name.
    pub name: String,
}

impl PartitionSets {
    /// Those of `definitions` at `now`, with `added` as the keys of dynamic ones.
    ///
    /// # Errors
    /// [`TooManyPartitions`] where dimensions together have too many by then.
    pub fn new(definitions: &Definitions, now: Timestamp, added: &DynamicKeys) -> Result<Self, TooManyPartitions> {
        let mut sets = HashMap::new();
        for (name, definition) in definitions.partitions() {
            let set = definition.partitions_with(name, now, added);
            if set.len() > PARTITIONS {
                return Err(TooManyPartitions { name: name.clone() });
            }
            sets.insert(name.clone(), Arc::new(set));
        }
        Ok(Self(Arc::new(sets)))
    }

    /// The partitions that are defined as `name`.
    pub fn named(&self, name: &str) -> Option<&Arc<PartitionSet>> {
        self.0.get(name)
    }

    /// The partitions of `asset`; none where it is not partitioned.
    pub fn of(&self, asset: &Asset) -> Option<&Arc<PartitionSet>> {
        self.named(asset.partitions.as_deref()?)
    }
}
