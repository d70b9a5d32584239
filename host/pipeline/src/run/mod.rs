//! Does the steps of a plan.

mod failure;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use airlock_sandbox::context::MetadataEntry;
use airlock_sandbox::report::Receipt;
use airlock_sandbox::value::Value;
use airlock_sandbox::{Interrupt, Sandbox};
use serde::Serialize;

pub use failure::{FailureClass, Stage, StepFailure};

use crate::definitions::{Builtins, Definitions, UnresolvedSetting};
use crate::event::{Event, EventLogError, RunStatus};
use crate::graph::likely;
use crate::home::{Home, HomeError};
use crate::plan::Plan;

/// Memory that the values of a run may take together before they go to files.
pub const VALUE_MEMORY: u64 = 32 << 20;

/// Does runs and loads values by the definitions. Cheap to clone.
#[derive(Clone)]
pub struct Runner {
    definitions: Arc<Definitions>,
    home: Home,
    sandbox: Sandbox,
    builtins: Builtins,
}

/// How a run is done.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// What was selected, as it is recorded.
    pub selection: Vec<String>,
    /// Steps at once, at least 1.
    pub jobs: usize,
    /// Whether any denial is a failure.
    pub strict: bool,
    /// Bytes of memory for the values of the run; see [`VALUE_MEMORY`].
    pub value_memory: u64,
    /// Ends the run.
    pub interrupt: Interrupt,
}

impl Default for RunOptions {
    fn default() -> Self {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        Self { selection: Vec::new(), jobs, strict: false, value_memory: VALUE_MEMORY, interrupt: Interrupt::default() }
    }
}

impl Runner {
    /// A runner of `definitions` that records in `home`.
    pub fn new(definitions: Arc<Definitions>, home: Home, sandbox: Sandbox, builtins: Builtins) -> Self {
        Self { definitions, home, sandbox, builtins }
    }

    /// Does the steps of `plan`. `on_event` sees each event as it happens, the last one of a step once it is durable;
    /// it is called from several threads.
    ///
    /// # Errors
    /// [`RunError`] where nothing was begun. What goes wrong in a step is in the result.
    pub fn run(
        &self,
        plan: &Plan,
        options: &RunOptions,
        on_event: &(dyn Fn(&Event) + Sync),
    ) -> Result<RunResult, RunError> {
        let _ = (plan, options, on_event, &self.definitions, &self.home, &self.sandbox, &self.builtins);
        todo!()
    }

    /// Loads the value of `asset` outside a run, through the manager that the definitions name.
    ///
    /// # Errors
    /// [`LoadError`]
    pub fn load_asset(&self, asset: &str, options: &RunOptions) -> Result<LoadedAsset, LoadError> {
        let _ = (asset, options);
        todo!()
    }
}

/// A value that was loaded outside a run.
#[derive(Debug)]
pub struct LoadedAsset {
    /// The value; never absent.
    pub value: Value,
    /// What the manager recorded.
    pub metadata: Vec<MetadataEntry>,
    /// What the call read and was denied.
    pub receipt: Receipt,
}

/// What became of a run.
#[derive(Clone, Debug, Serialize)]
pub struct RunResult {
    /// Its id.
    pub run_id: String,
    /// What became of it.
    pub status: RunStatus,
    /// From start to end.
    pub time: Duration,
    /// What became of each step, in the order of the plan.
    pub steps: Vec<StepResult>,
    /// Why the event log could not be written, which ended the run.
    pub event_log_error: Option<String>,
}

/// What became of a step.
#[derive(Clone, Debug, Serialize)]
pub struct StepResult {
    /// Its key.
    pub key: String,
    /// The asset.
    pub asset: String,
    /// What became of it.
    pub status: StepStatus,
    /// From start to end; zero where it was not begun.
    pub time: Duration,
    /// Bytes of the value that it computed.
    pub size: Option<u64>,
    /// Of the materialization.
    pub metadata: Vec<MetadataEntry>,
    /// Why it failed.
    pub failure: Option<Box<StepFailure>>,
    /// The log of what it printed, where it printed something.
    pub log: Option<PathBuf>,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum StepStatus {
    /// Its value is stored.
    Succeeded,
    /// It failed; what was stored before is there still.
    Failed,
    /// It was not begun, since the step `because` did not succeed.
    Skipped {
        /// The key of that step.
        because: String,
    },
    /// It was interrupted, or not begun since the run was.
    Canceled,
}

impl RunResult {
    /// The exit code of a program that did this run: 0, or that of the first step in plan order that failed.
    pub fn exit_code(&self) -> u8 {
        let failed = self.steps.iter().find_map(|step| step.failure.as_ref());
        match (&self.event_log_error, self.status) {
            (Some(_), _) => FailureClass::Storage.exit_code(),
            (None, RunStatus::Succeeded) => 0,
            (None, RunStatus::Canceled) => FailureClass::Interrupted.exit_code(),
            (None, _) => failed.map_or(FailureClass::Host, |failure| failure.class).exit_code(),
        }
    }
}

/// A run that was not begun.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Airlock's own directory cannot be made.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The event log cannot be used.
    #[error(transparent)]
    EventLog(#[from] EventLogError),
    /// The environment lacks something that the definitions name.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Environment(Vec<UnresolvedSetting>),
}

impl RunError {
    /// The exit code of a program that tried this run.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Home(_) | Self::EventLog(_) => FailureClass::Storage.exit_code(),
            Self::Environment(_) => FailureClass::Definitions.exit_code(),
        }
    }
}

/// A value that was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No asset has the name.
    #[error("there is no asset `{name}`{}", likely(suggestion.as_deref()))]
    UnknownAsset {
        /// As it was given.
        name: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// The asset stores no value.
    #[error("`{name}` has no value: it is defined with `type = \"none\"`")]
    NoValue {
        /// The asset.
        name: String,
    },
    /// It was not begun.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The load failed.
    #[error("{}", .0.message)]
    Failed(Box<StepFailure>),
}

impl LoadError {
    /// The exit code of a program that tried this load.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownAsset { .. } | Self::NoValue { .. } => FailureClass::Definitions.exit_code(),
            Self::Run(error) => error.exit_code(),
            Self::Failed(failure) => failure.class.exit_code(),
        }
    }
}
