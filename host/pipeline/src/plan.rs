//! The steps of a run, in order.

use serde::Serialize;

use crate::definitions::Definitions;
use crate::graph::SelectionError;

/// The steps of a run, each after all that it depends on.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// In order.
    pub steps: Vec<PlannedStep>,
}

/// One execution of an op.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// Its key: the name of the asset.
    pub key: String,
    /// The asset that it computes.
    pub asset: String,
    /// The steps of this run that must succeed first, by key.
    pub after: Vec<String>,
    /// The assets that it loads, by the op's name for them.
    pub loads: Vec<PlannedLoad>,
    /// The I/O manager that stores the value; absent where there is none.
    pub stores_with: Option<String>,
}

/// A load of one input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedLoad {
    /// The op's name for it.
    pub input: String,
    /// The asset.
    pub asset: String,
    /// The I/O manager that loads it.
    pub with: String,
    /// Whether a step of this run stores it; otherwise an earlier run did.
    pub computed_here: bool,
}

impl Plan {
    /// The plan of what `selection` means, as [`Graph::select`](crate::graph::Graph::select) reads it.
    ///
    /// # Errors
    /// [`SelectionError`]
    pub fn new(definitions: &Definitions, selection: &[String]) -> Result<Self, SelectionError> {
        let _ = (definitions, selection);
        todo!()
    }
}
