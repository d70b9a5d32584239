//! Steps that only need to be done: every name looked up, everything that the environment has resolved.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::context::RunContext;
use super::lend::Lent;
use crate::definitions::{Asset, Input, Output, OutputReference, ValueType};
use crate::event::EventLogError;
use crate::partition::PartitionSet;
use crate::plan::PlannedStep;

/// A step that only needs to be done.
#[derive(Debug)]
pub(super) struct ReadyStep<'a> {
    pub planned: PlannedStep,
    pub of: Arc<ReadyTask<'a>>,
}

/// What the steps of one asset, or of one step of a job, have in common.
#[derive(Debug)]
pub(super) struct ReadyTask<'a> {
    /// The parts of its name: of the key of the asset, the multi-asset, or the job and its step.
    pub name: Vec<String>,
    /// Its partitions; none where it has none.
    pub set: Option<Arc<PartitionSet>>,
    /// Whether a step computes any number of them, each a part with its key.
    pub is_keyed: bool,
    /// The asset that is made from the graph whose step it is; absent where it is none.
    pub graph_of: Option<&'a Asset>,
    pub op: ReadyOp,
    pub inputs: Vec<ReadyInput<'a>>,
    /// The steps of the job that must have been done, beside those that it loads from.
    pub deps: &'a [String],
    pub outputs: Vec<ReadyOutput<'a>>,
}

impl<'a> ReadyTask<'a> {
    /// The asset that it computes, where it computes one alone.
    pub fn asset(&self) -> Option<&'a Asset> {
        match self.outputs.as_slice() {
            [only] => only.asset,
            _ => None,
        }
    }
}

/// What computes it.
#[derive(Debug)]
pub(super) enum ReadyOp {
    Command(ReadyCommand),
    Component(Arc<Lent>),
}

/// A program and its arguments.
#[derive(Debug)]
pub(super) struct ReadyCommand {
    pub program: String,
    pub arguments: Vec<String>,
    /// As it is shown: one line, without what the environment has.
    pub shown: String,
}

/// An input of an op.
#[derive(Debug)]
pub(super) struct ReadyInput<'a> {
    pub input: &'a Input,
    pub source: ReadySource<'a>,
    pub config: Value,
}

/// Where the value of an input comes from.
#[derive(Debug)]
pub(super) enum ReadySource<'a> {
    /// An asset.
    Asset {
        asset: &'a Asset,
        /// The partitions of the asset; none where it has none.
        set: Option<Arc<PartitionSet>>,
        /// Whether the op gets keyed parts, be they none, one or many.
        is_many: bool,
        loaded_with: Loader,
    },
    /// Outputs of other steps of the job, in order.
    Outputs { outputs: Vec<ReadyReference<'a>>, how: Gathering },
    /// What the manager finds by itself.
    Unconnected { manager: Arc<Lent>, value_type: ValueType },
    /// A JSON document.
    Value(String),
}

/// An output of another step.
#[derive(Debug)]
pub(super) struct ReadyReference<'a> {
    pub reference: &'a OutputReference,
    pub output: &'a Output,
    /// The dynamic output for each of whose elements the step that gives it is done.
    pub mapped_over: Option<&'a OutputReference>,
    pub loaded_with: Loader,
}

/// How what several steps gave becomes an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gathering {
    /// One value.
    One,
    /// The one of the element that the step is done for.
    Each,
    /// All elements, as keyed parts.
    All,
    /// One of each output, as parts whose keys are the outputs.
    Several,
}

/// Who loads a value, and who stored it.
#[derive(Clone, Debug)]
pub(super) struct Loader {
    pub manager: Arc<Lent>,
    pub stored_with: Arc<Lent>,
}

impl Loader {
    /// Who loads `asset`, of which the partitions with `keys` are needed: where not all of them were stored by the manager
    /// that stores it now, its parent, and so on.
    pub fn branch<'k, Keys: Iterator<Item = Option<Cow<'k, str>>>>(
        &self,
        run: &RunContext<'_>,
        asset: &Asset,
        keys: impl Fn() -> Keys,
    ) -> Result<Self, EventLogError> {
        let mut chosen = self.clone();
        while chosen.manager.name == chosen.stored_with.name
            && let Some(parent) = &chosen.stored_with.parent
        {
            let store = chosen.stored_with.store();
            let mut is_whole = true;
            for key in keys() {
                if run.latest(&asset.name, key.as_deref(), &store)?.is_none() {
                    is_whole = false;
                    break;
                }
            }
            if is_whole {
                break;
            }
            chosen = Self { manager: Arc::clone(parent), stored_with: Arc::clone(parent) };
        }
        Ok(chosen)
    }
}

impl ReadyInput<'_> {
    /// What kind of value it is.
    pub fn value_type(&self) -> ValueType {
        match &self.source {
            ReadySource::Asset { asset, .. } => asset.output.value_type,
            ReadySource::Outputs { outputs, .. } => {
                outputs.first().map_or(ValueType::Bytes, |output| output.output.value_type)
            }
            ReadySource::Unconnected { value_type, .. } => *value_type,
            ReadySource::Value(_) => ValueType::Json,
        }
    }
}

/// An output to store.
#[derive(Debug)]
pub(super) struct ReadyOutput<'a> {
    /// The asset that it is; none of a step of a job.
    pub asset: Option<&'a Asset>,
    pub output: &'a Output,
    /// Who stores it; none where there is no value.
    pub manager: Option<Arc<Lent>>,
    pub config: Value,
    /// Of what computes the asset; known once a step was done.
    pub code_version: OnceLock<String>,
}
