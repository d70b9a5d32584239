//! Does the steps of a plan.

mod code_version;
mod command;
mod command_inputs;
mod command_step;
mod context;
mod convert;
mod dependencies;
mod error;
mod failure;
mod help;
mod lend;
mod load;
mod parts;
mod prepare;
mod provenance;
mod schedule;
mod step;
mod step_log;
mod store;
mod stored;
#[cfg(test)]
mod tests;
mod value;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use airlock_sandbox::context::MetadataEntry;
use airlock_sandbox::report::{Log, Receipt};
use airlock_sandbox::value::{Budget, Content, Value};
use airlock_sandbox::{Interrupt, Sandbox};
use jiff::Timestamp;
use serde::Serialize;

pub use command::kill_commands;
pub use convert::Target;
pub use error::{LoadError, RunError};
pub use failure::{FailureClass, Stage, StepFailure};
pub use load::shell_word;

use self::context::RunContext;
use self::convert::{Conversion, Converter};
use self::lend::{Components, Lender, MemoryDirectories};
use self::load::Load;
use crate::definitions::{Asset, Builtins, Definitions, Environment, Form};
use crate::event::{Event, EventBody, EventLog, RunStatus};
use crate::home::{Home, HomeError};
use crate::partition::PartitionError;
use crate::plan::{PartitionSets, Plan};

/// Memory that the values of a run may take together before they go to files.
pub const VALUE_MEMORY: u64 = 32 << 20;

/// Does runs and loads values by the definitions. Each component is read once, when it is first needed, and what is
/// stored in memory lives as long as the runner and its clones. Cheap to clone.
#[derive(Clone)]
pub struct Runner {
    definitions: Arc<Definitions>,
    home: Home,
    sandbox: Sandbox,
    builtins: Builtins,
    environment: Environment,
    memory: MemoryDirectories,
    components: Components,
    converter: Converter,
}

/// Steps at once, at most: while an op asks for the parts of an input, the calls that load these need room beside it. Runs
/// that share a sandbox share the room.
pub const JOBS: usize = airlock_sandbox::limits::CALLS / 2;

/// How a run is done.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// What was selected, as it is recorded.
    pub selection: Vec<String>,
    /// Steps at once, from 1 to [`JOBS`].
    pub jobs: usize,
    /// Whether any denial is a failure.
    pub strict: bool,
    /// Whether steps are passed over of which what is stored was computed by the same code from the same versions of their
    /// inputs, as far as is recorded.
    pub skip_unchanged: bool,
    /// Bytes of memory for the values of the run; see [`VALUE_MEMORY`].
    pub value_memory: u64,
    /// Ends the run.
    pub interrupt: Interrupt,
}

impl Default for RunOptions {
    fn default() -> Self {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            selection: Vec::new(),
            jobs,
            strict: false,
            skip_unchanged: false,
            value_memory: VALUE_MEMORY,
            interrupt: Interrupt::default(),
        }
    }
}

impl Runner {
    /// A runner of `definitions` that records in `home`, and looks up what they name in the environment of this process.
    pub fn new(definitions: Arc<Definitions>, home: Home, sandbox: Sandbox, builtins: Builtins) -> Self {
        let (environment, memory, components) =
            (Environment::of_process(), MemoryDirectories::default(), Components::default());
        let converter = Converter::default();
        Self { definitions, home, sandbox, builtins, environment, memory, components, converter }
    }

    /// With `environment` instead of that of this process, for what the definitions name.
    #[must_use]
    pub fn with_environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
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
        let start = Instant::now();
        let steps = prepare::prepare(&self.definitions, plan, self.lender()).map_err(RunError::Definitions)?;
        self.home.create()?;
        let run_id = context::new_run_id();
        let scratch = self.home.hold_scratch(&run_id)?;
        command_step::write_python(scratch.path())
            .map_err(|source| HomeError { path: scratch.path().join("python"), source })?;
        let log = EventLog::open(&self.home.events())?;
        let stored = if options.skip_unchanged { Some(self.stored_of(plan)?) } else { None };
        let run = RunContext {
            log: Some(&log),
            on_event,
            stored,
            ..self.context(run_id, scratch.path().to_owned(), options)
        };
        run.emit(
            None,
            EventBody::RunStart {
                selection: options.selection.clone(),
                steps: plan.steps.iter().map(|step| step.key.clone()).collect(),
                profile: self.definitions.profile().map(str::to_owned),
                partition: plan.partition.clone(),
            },
        );
        let performed = schedule::perform(&run, plan, &steps, options.jobs.clamp(1, JOBS));
        let (status, end) = ended(&performed.steps);
        let written = run.emit_durable(None, end);
        let event_log_error = performed.event_log_error.or(written.err()).map(|error| error.to_string());
        let status = if event_log_error.is_some() { RunStatus::Failed } else { status };
        Ok(RunResult { run_id: run.run_id, status, time: start.elapsed(), steps: performed.steps, event_log_error })
    }

    /// Loads the value of `asset`, or of its partition `key` as of `now`, outside a run, through the manager that the
    /// definitions name.
    ///
    /// # Errors
    /// [`LoadError`]
    pub fn load_asset(
        &self,
        asset: &Asset,
        key: Option<&str>,
        now: Timestamp,
        options: &RunOptions,
    ) -> Result<LoadedAsset, LoadError> {
        let name = || asset.name.clone();
        if asset.io.is_none() {
            return Err(LoadError::NoValue { name: name() });
        }
        let sets = PartitionSets::new(&self.definitions, now);
        let partition = match (key, sets.of(asset)) {
            (None, None) => None,
            (None, Some(_)) => return Err(LoadError::PartitionNeeded { name: name() }),
            (Some(_), None) => return Err(LoadError::NotPartitioned { name: name() }),
            (Some(key), Some(set)) => {
                let unknown = |error: PartitionError| LoadError::Partition { name: name(), error: error.into() };
                let place = set.find(key).map_err(unknown)?;
                Some((&**set, place))
            }
        };
        let manager = prepare::prepare_load(&self.definitions, asset, self.lender()).map_err(RunError::Definitions)?;
        self.home.create().map_err(RunError::Home)?;
        let id = context::new_run_id();
        let scratch = self.home.hold_scratch(&id).map_err(RunError::Home)?;
        let run = self.context(id, scratch.path().to_owned(), options);
        let load = Load {
            asset,
            partition,
            manager: &manager,
            stored_with: &manager,
            input: None,
            config: &serde_json::Value::Null,
        };
        let mut said = Log::default();
        let loaded = load.perform(&run, |log| said = log);
        match loaded {
            Ok(loaded) => {
                Ok(LoadedAsset { value: Value { parts: loaded.part.into_iter().collect() }, receipt: loaded.receipt })
            }
            Err(failure) => Err(LoadError::Failed { failure, log: said }),
        }
    }

    /// What the table in `content`, an Arrow IPC stream, is as `to`; `what` names it in errors.
    ///
    /// # Errors
    /// [`LoadError`]
    pub fn convert(
        &self,
        content: Content,
        to: Target,
        what: &str,
        options: &RunOptions,
    ) -> Result<Content, LoadError> {
        self.home.create().map_err(RunError::Home)?;
        let id = context::new_run_id();
        let scratch = self.home.hold_scratch(&id).map_err(RunError::Home)?;
        let run = self.context(id, scratch.path().to_owned(), options);
        let converted = run.convert(content, (Form::Arrow, to), &Conversion::default(), &Stage::Op, what);
        converted.map_err(|failure| LoadError::Failed { failure, log: Log::default() })
    }

    fn lender(&self) -> Lender<'_> {
        let Self { home, environment, memory, components, .. } = self;
        Lender { home, deciding: self.definitions.deciding(), environment, memory, components, problems: Vec::new() }
    }

    fn context(&self, run_id: String, scratch: PathBuf, options: &RunOptions) -> RunContext<'_> {
        RunContext {
            run_id,
            definitions: &self.definitions,
            home: &self.home,
            sandbox: &self.sandbox,
            builtins: self.builtins,
            environment: &self.environment,
            budget: Budget::new(options.value_memory, &scratch),
            scratch,
            interrupt: options.interrupt.clone(),
            strict: options.strict,
            stored: None,
            log: None,
            converter: &self.converter,
            reader: Mutex::default(),
            on_event: &|_| {},
        }
    }
}

/// What became of a run of `steps`, and the event that says so.
fn ended(steps: &[StepResult]) -> (RunStatus, EventBody) {
    let is_failed = |step: &&StepResult| step.status == StepStatus::Failed;
    let failed: Vec<String> = steps.iter().filter(is_failed).map(|step| step.key.clone()).collect();
    if steps.iter().any(|step| step.status == StepStatus::Canceled) {
        (RunStatus::Canceled, EventBody::RunCanceled {})
    } else if failed.is_empty() {
        (RunStatus::Succeeded, EventBody::RunSuccess {})
    } else {
        (RunStatus::Failed, EventBody::RunFailure { failed })
    }
}

/// A value that was loaded outside a run.
#[derive(Debug)]
pub struct LoadedAsset {
    /// The value; never absent.
    pub value: Value,
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
    /// From start to end; as data in seconds.
    #[serde(with = "airlock_sandbox::report::seconds")]
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
    /// The partition; absent where the asset has none.
    pub partition: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub status: StepStatus,
    /// From start to end, zero where it was not begun; as data in seconds.
    #[serde(with = "airlock_sandbox::report::seconds")]
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
    /// It was not done, since what is stored was computed by the same code from the same inputs.
    Unchanged,
    /// It failed; what was stored before is there still.
    Failed,
    /// It was not begun, since the step `because` did not succeed.
    Skipped {
        /// The key of that step.
        because: String,
    },
    /// It was interrupted, or not begun since the run was.
    Canceled,
    /// It was not begun, since the event log could not be written any more.
    NotBegun,
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
