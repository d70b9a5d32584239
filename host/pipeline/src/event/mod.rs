//! What was done: the events of runs, and the log that keeps them.

mod dynamic;
mod log;
mod reader;
mod store;
#[cfg(test)]
mod tests;

use std::time::Duration;

use airlock_sandbox::context::MetadataEntry;
use airlock_sandbox::report::Receipt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use dynamic::{DynamicError, DynamicPartitions};
pub(crate) use log::EventLog;
pub use reader::{
    EventReader, Materialization, RecordedEvent, RecordedPartition, RunFilter, RunSearch, RunStatus, RunSummary,
};

use crate::run::StepFailure;

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The run.
    pub run_id: String,
    /// When, UTC.
    pub time: Timestamp,
    /// The step, where it is about one.
    pub step_key: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What happened. In JSON its `kind` is as Dagster writes it: `STEP_START`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventBody {
    /// A run began.
    RunStart {
        /// What was selected; empty: all.
        selection: Vec<String>,
        /// The keys of the steps, in order.
        steps: Vec<String>,
        /// The profile.
        profile: Option<String>,
        /// The partitions that were asked for, as they were named.
        #[serde(default)]
        partition: Option<String>,
        /// The job; absent where assets were selected.
        #[serde(default)]
        job: Option<String>,
        /// The run that it goes on from.
        #[serde(default)]
        parent: Option<String>,
    },
    /// All steps of a run succeeded.
    RunSuccess {},
    /// A step of a run failed.
    RunFailure {
        /// The keys of the steps that failed, in order.
        failed: Vec<String>,
    },
    /// A run was interrupted.
    RunCanceled {},
    /// A step began.
    StepStart {},
    /// A manager could not load an input, or a part of one, and will be asked again.
    LoadInputRetry {
        /// The input.
        input: String,
        /// The asset; absent where it is none.
        asset: Option<String>,
        /// The partition, or the element of a dynamic output; absent where it is one value.
        partition: Option<String>,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// Why it failed.
        message: String,
        /// How long the next one waits; as data in seconds.
        #[serde(with = "airlock_sandbox::report::seconds")]
        delay: Duration,
    },
    /// A manager loaded an input.
    LoadedInput {
        /// The input.
        input: String,
        /// The asset; absent where it is none.
        asset: Option<String>,
        /// Which of its partitions, or of the elements of a dynamic output; absent where it is one value.
        #[serde(default)]
        partitions: Option<LoadedPartitions>,
        /// The manager.
        manager: ManagerUse,
        /// The run that stored it, where that is known of one value.
        upstream_run_id: Option<String>,
        /// The step that gave it, where it is an output of a step of a job.
        #[serde(default)]
        upstream_step_key: Option<String>,
        /// What the step calls it.
        #[serde(default)]
        upstream_output: Option<String>,
        /// Of the input: its definition's and the manager's.
        metadata: Vec<MetadataEntry>,
        /// What the call read and was denied.
        receipt: Receipt,
    },
    /// The op got an input; of partitions that it asked for one by one, once it has ended.
    StepInput {
        /// The input.
        input: String,
        /// Of the value, or of the first part.
        media_type: Option<String>,
        /// Bytes of all that it asked for.
        size: u64,
    },
    /// The op gave an output; of size 0 and without a media type where a component only did something.
    StepOutput {
        /// The output.
        output: String,
        /// Of an element of a dynamic output.
        #[serde(default)]
        mapping_key: Option<String>,
        /// Of the value; of several partitions of the first.
        media_type: Option<String>,
        /// Bytes of the value; of several partitions of all.
        size: u64,
        /// What the op recorded of it; of a dynamic output it stands with the first element.
        metadata: Vec<MetadataEntry>,
        /// What the op recorded of this element of a dynamic output alone.
        #[serde(default)]
        part_metadata: Vec<MetadataEntry>,
        /// The component that computed it; absent where a command did.
        computed_by: Option<OpUse>,
    },
    /// A manager could not store an output, and will be asked again.
    HandleOutputRetry {
        /// The output.
        output: String,
        /// Of the partitions that the step computes the one that was to be stored, where there are several.
        #[serde(default)]
        partition: Option<String>,
        /// Of an element of a dynamic output.
        #[serde(default)]
        mapping_key: Option<String>,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// Why it failed.
        message: String,
        /// How long the next one waits; as data in seconds.
        #[serde(with = "airlock_sandbox::report::seconds")]
        delay: Duration,
    },
    /// A manager stored an output.
    HandledOutput {
        /// The output.
        output: String,
        /// Of the partitions that the step computes the one that was stored; absent where there is one, or the manager took
        /// all in one call.
        #[serde(default)]
        partition: Option<String>,
        /// Of an element of a dynamic output.
        #[serde(default)]
        mapping_key: Option<String>,
        /// Which attempt succeeded, from 1.
        #[serde(default = "first_attempt")]
        attempt: u32,
        /// The manager.
        manager: ManagerUse,
        /// What the manager recorded.
        metadata: Vec<MetadataEntry>,
        /// The version of the content: as the manager set it, and otherwise its digest.
        #[serde(default)]
        data_version: Option<String>,
        /// What the call wrote and was denied.
        receipt: Receipt,
    },
    /// An asset is there anew.
    AssetMaterialization(AssetMaterialization),
    /// Something was learned about an asset.
    AssetObservation {
        /// The asset.
        asset: String,
        /// The partition.
        partition: Option<String>,
        /// In words.
        description: Option<String>,
        /// The facts.
        metadata: Vec<MetadataEntry>,
    },
    /// What was stored of an asset was removed.
    AssetWiped(AssetWiped),
    /// What a run of a job had stored was removed.
    RunWiped {},
    /// A step succeeded.
    StepSuccess {},
    /// A step failed.
    StepFailure(Box<StepFailure>),
    /// A step was not begun, since what is stored was computed by the same code from the same inputs.
    StepUnchanged {},
    /// A step was not begun, since one that it depends on did not succeed or did not give what it loads.
    StepSkipped {
        /// The key of the first such step, in order.
        because: String,
        /// The output that it did not give although it succeeded; absent where it did not succeed.
        #[serde(default)]
        output: Option<String>,
    },
    /// A step was interrupted, or not begun since the run was.
    StepCanceled {},
}

/// An asset is there anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssetMaterialization {
    /// The asset.
    pub asset: String,
    /// The partition.
    pub partition: Option<String>,
    /// In words.
    pub description: Option<String>,
    /// That of the asset's definition, then the op's, then the manager's; of entries with one label the last.
    pub metadata: Vec<MetadataEntry>,
    /// The manager that stored it; absent where nothing was stored.
    pub manager: Option<ManagerUse>,
    /// The configuration of the output as it is written: references to the environment stay references.
    pub output_config: serde_json::Value,
    /// The version of the content: as the manager set it, and otherwise its digest.
    pub data_version: Option<String>,
    /// The version of what computed and stored it: of its op, with the configuration and the inputs as they are defined,
    /// and of the configuration by which it was stored.
    #[serde(default)]
    pub code_version: Option<String>,
    /// The versions of its inputs that it was computed from; absent where one of them had none.
    #[serde(default)]
    pub inputs: Option<Vec<LoadedVersions>>,
    /// Where it was stored: what differs between profiles, and from I/O manager to I/O manager.
    #[serde(default)]
    pub store: Option<String>,
    /// Whether the manager logged it beside the one that the host records.
    pub logged: bool,
}

/// What was stored of an asset was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetWiped {
    /// The asset.
    pub asset: String,
    /// The partition.
    pub partition: Option<String>,
    /// The name of the I/O manager that had stored it.
    pub manager: String,
    /// Where it was stored; as of a materialization.
    pub store: String,
}

/// Which versions of an input were loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedVersions {
    /// The input.
    pub input: String,
    /// How many values the op was given.
    pub count: usize,
    /// Whether these are all that there were, and the op asked for no fewer.
    pub whole: bool,
    /// The digest of their partitions and versions in order; absent where there was none.
    pub digest: Option<String>,
}

/// Which partitions of an input were loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedPartitions {
    /// How many.
    pub count: usize,
    /// The first of them, in order.
    pub first: Option<String>,
    /// The last of them, in order.
    pub last: Option<String>,
    /// How many were absent and left out.
    pub missing: usize,
}

fn first_attempt() -> u32 {
    1
}

/// Which manager, and which code it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagerUse {
    /// Its name in the definitions.
    pub name: String,
    /// Of its component: `sha256:…`.
    pub digest: String,
}

/// Which code of an op it was, and what it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpUse {
    /// Of its component: `sha256:…`.
    pub digest: String,
    /// What the call read, wrote and was denied.
    pub receipt: Receipt,
}

impl EventBody {
    /// The kind as it stands in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RunStart { .. } => "RUN_START",
            Self::RunSuccess {} => "RUN_SUCCESS",
            Self::RunFailure { .. } => "RUN_FAILURE",
            Self::RunCanceled {} => "RUN_CANCELED",
            Self::StepStart {} => "STEP_START",
            Self::LoadInputRetry { .. } => "LOAD_INPUT_RETRY",
            Self::LoadedInput { .. } => "LOADED_INPUT",
            Self::StepInput { .. } => "STEP_INPUT",
            Self::StepOutput { .. } => "STEP_OUTPUT",
            Self::HandleOutputRetry { .. } => "HANDLE_OUTPUT_RETRY",
            Self::HandledOutput { .. } => "HANDLED_OUTPUT",
            Self::AssetMaterialization(_) => "ASSET_MATERIALIZATION",
            Self::AssetObservation { .. } => "ASSET_OBSERVATION",
            Self::AssetWiped(_) => "ASSET_WIPED",
            Self::RunWiped {} => "RUN_WIPED",
            Self::StepSuccess {} => "STEP_SUCCESS",
            Self::StepFailure(_) => "STEP_FAILURE",
            Self::StepUnchanged {} => "STEP_UNCHANGED",
            Self::StepSkipped { .. } => "STEP_SKIPPED",
            Self::StepCanceled {} => "STEP_CANCELED",
        }
    }

    /// The receipt of the call of a component that went well.
    pub fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::LoadedInput { receipt, .. } | Self::HandledOutput { receipt, .. } => Some(receipt),
            Self::StepOutput { computed_by, .. } => computed_by.as_ref().map(|used| &used.receipt),
            _ => None,
        }
    }

    /// The asset and partition that it is about.
    pub fn asset(&self) -> Option<(&str, Option<&str>)> {
        match self {
            Self::LoadedInput { asset, partitions, .. } => {
                let only = partitions.as_ref().filter(|partitions| partitions.count == 1);
                Some((asset.as_deref()?, only.and_then(|partitions| partitions.first.as_deref())))
            }
            Self::LoadInputRetry { asset, partition, .. } => Some((asset.as_deref()?, partition.as_deref())),
            Self::AssetMaterialization(made) => Some((&made.asset, made.partition.as_deref())),
            Self::AssetObservation { asset, partition, .. } => Some((asset, partition.as_deref())),
            Self::AssetWiped(wiped) => Some((&wiped.asset, wiped.partition.as_deref())),
            _ => None,
        }
    }
}

/// The event log cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventLogError {
    /// It was written by a later version.
    #[error("the event log {path} has version {found}; this program knows version {known}: use a newer airlock")]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        found: i64,
        /// The version that is known.
        known: i64,
    },
    /// Someone else holds it.
    #[error(
        "the event log {path} is locked by another program: {reason}; try again when that has ended, or set AIRLOCK_HOME \
         to another directory"
    )]
    Locked {
        /// The file.
        path: String,
        /// In the words of the database.
        reason: String,
    },
    /// It is not a sound database.
    #[error("the event log {path} is damaged: {reason}; move it away to begin a new one (stored values stay loadable)")]
    Damaged {
        /// The file.
        path: String,
        /// In the words of the database.
        reason: String,
    },
    /// It cannot be read or written.
    #[error("cannot use the event log {path}: {reason}")]
    Unusable {
        /// The file.
        path: String,
        /// In the words of the database.
        reason: String,
    },
}
