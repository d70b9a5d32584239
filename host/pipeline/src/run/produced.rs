//! What the steps of a job gave: in this run, and in the runs that it goes on from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use airlock_sandbox::context::MetadataEntry;

/// An output of a step as it was stored; of a dynamic one an element.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Produced {
    /// The run that stored it, under which it lies.
    pub run_id: String,
    pub step_key: String,
    pub mapping_key: Option<String>,
    /// The op's and the manager's.
    pub metadata: Vec<MetadataEntry>,
    pub data_version: Option<String>,
    /// The name of the manager that stored it.
    pub manager: String,
}

/// An output that a step did not give although it succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotGiven {
    pub step_key: String,
    pub output: String,
}

/// What one step gave, by its outputs: an optional one that was not given is absent, a dynamic one may be empty.
pub(super) type StepOutputs = HashMap<String, Vec<Arc<Produced>>>;

/// What the steps gave, by their keys.
#[derive(Debug, Default)]
pub(super) struct ProducedOutputs(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    given: HashMap<String, StepOutputs>,
    passed_over: HashMap<String, NotGiven>,
}

impl ProducedOutputs {
    /// What was given and passed over before.
    pub fn new(given: HashMap<String, StepOutputs>, passed_over: HashMap<String, NotGiven>) -> Self {
        Self(Mutex::new(State { given, passed_over }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what the step `step_key`, which succeeded, gave.
    pub fn give(&self, step_key: &str, outputs: StepOutputs) {
        self.lock().given.insert(step_key.to_owned(), outputs);
    }

    /// Takes note that the step `step_key` was not done, since what it loads was not given.
    pub fn pass_over(&self, step_key: &str, because: NotGiven) {
        self.lock().passed_over.insert(step_key.to_owned(), because);
    }

    /// Why the step `step_key` was not done, where that is since what it loads was not given.
    pub fn passed_over(&self, step_key: &str) -> Option<NotGiven> {
        self.lock().passed_over.get(step_key).cloned()
    }

    /// The elements of `output` of the step `step_key`, or its only value; none where it was not given.
    pub fn of(&self, step_key: &str, output: &str) -> Vec<Arc<Produced>> {
        self.lock().given.get(step_key).and_then(|outputs| outputs.get(output)).cloned().unwrap_or_default()
    }

    /// The mapping keys of the dynamic `output` of the step `step_key`; none where that did not succeed yet.
    pub fn mapping_keys(&self, step_key: &str, output: &str) -> Option<Vec<String>> {
        let state = self.lock();
        let outputs = state.given.get(step_key)?;
        let elements = outputs.get(output).into_iter().flatten();
        Some(elements.filter_map(|element| element.mapping_key.clone()).collect())
    }
}
