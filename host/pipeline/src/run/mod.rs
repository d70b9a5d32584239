//! Does the steps of a plan.

mod code_version;
mod command;
mod command_inputs;
mod command_outputs;
mod command_step;
mod component_step;
mod context;
mod convert;
mod dependencies;
mod earlier;
mod error;
mod failure;
mod help;
mod inputs;
mod lend;
mod load;
mod lookup;
mod outside;
mod parts;
mod prepare;
mod produced;
mod provenance;
mod ready;
mod retry;
mod schedule;
mod step;
mod step_log;
mod store;
mod stored;
mod subject;
#[cfg(test)]
mod tests;
mod value;
mod wipe;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use airlock_sandbox::context::MetadataEntry;
use airlock_sandbox::value::Budget;
use airlock_sandbox::{Interrupt, Sandbox};
use serde::Serialize;

pub use command::kill_commands;
pub use convert::Target;
pub use error::{LoadError, RunError};
pub use failure::{FailureClass, Stage, StepFailure};
pub use load::shell_word;
pub use outside::{LoadedOutput, LoadedValue};
pub use wipe::{NotWiped, WipeError, WipeTarget, Wiped};

use self::context::RunContext;
use self::convert::Converter;
use self::earlier::Earlier;
use self::lend::{Components, Lender, MemoryDirectories};
use self::produced::ProducedOutputs;
use crate::audit::AuditLog;
use crate::code::Pins;
use crate::config_check::ConfigCheck;
use crate::definitions::{Builtins, Definitions, Environment};
use crate::event::{Event, EventBody, EventLog, RunStatus};
use crate::home::{Home, HomeError};
use crate::plan::{JobPlan, Plan};

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
    audit: Option<Arc<AuditLog>>,
}

/// Steps at once, at most: while an op asks for the parts of an input, the calls that load these need room beside it. Runs
/// that share a sandbox share the room.
pub const JOBS: usize = airlock_sandbox::limits::CALLS / 2;

/// How a run is done.
#[derive(Clone, Debug)]
pub struct RunOptions {
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
        Self { jobs, strict: false, skip_unchanged: false, value_memory: VALUE_MEMORY, interrupt: Interrupt::default() }
    }
}

impl Runner {
    /// A runner of `definitions` that records in `home`, and looks up what they name in the environment of this process.
    pub fn new(definitions: Arc<Definitions>, home: Home, sandbox: Sandbox, builtins: Builtins) -> Self {
        let (environment, memory, components) =
            (Environment::of_process(), MemoryDirectories::default(), Components::default());
        let converter = Converter::default();
        Self { definitions, home, sandbox, builtins, environment, memory, components, converter, audit: None }
    }

    /// That tells of each call of a component in `audit`.
    #[must_use]
    pub fn with_audit(mut self, audit: Option<AuditLog>) -> Self {
        self.audit = audit.map(Arc::new);
        self
    }

    /// With `environment` instead of that of this process, for what the definitions name.
    #[must_use]
    pub fn with_environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// With components that must have the digests `pins`; another is refused before anything runs.
    #[must_use]
    pub fn with_pins(mut self, pins: Pins) -> Self {
        self.components = Components::pinned(pins);
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
        let ready = prepare::prepare(&self.definitions, plan, self.lender())?;
        let earlier = plan.parent.as_deref().map(|run| self.earlier(run)).transpose()?.unwrap_or_default();
        let job = self.job_plan(plan, &earlier)?;
        self.home.create()?;
        let log = EventLog::open(&self.home.events())?;
        let run_id = context::new_run_id(log.last_run());
        let scratch = self.home.hold_scratch(&run_id)?;
        command_step::write_python(scratch.path())
            .map_err(|source| HomeError { path: scratch.path().join("python"), source })?;
        let stored = if options.skip_unchanged { Some(self.stored_of(plan)?) } else { None };
        let run = RunContext {
            log: Some(&log),
            on_event,
            stored,
            produced: ProducedOutputs::new(earlier.done, earlier.passed_over),
            ..self.context(run_id, scratch.path().to_owned(), options)
        };
        run.emit(
            None,
            EventBody::RunStart {
                selection: plan.selection.clone(),
                steps: plan.steps.iter().map(|step| step.key.clone()).collect(),
                profile: self.definitions.profile().map(str::to_owned),
                partition: plan.partition.clone(),
                job: plan.job.clone(),
                parent: plan.parent.clone(),
            },
        );
        let performed = schedule::perform(&run, ready, job, options.jobs.clamp(1, JOBS));
        let (status, end) = ended(&performed.steps);
        let written = run.emit_durable(None, end);
        let event_log_error = performed.event_log_error.or(written.err()).map(|error| error.to_string());
        let status = if event_log_error.is_some() { RunStatus::Failed } else { status };
        Ok(RunResult { run_id: run.run_id, status, time: start.elapsed(), steps: performed.steps, event_log_error })
    }

    /// The plan that the steps of `plan` are the beginning of, where it is of a job.
    fn job_plan(&self, plan: &Plan, earlier: &Earlier) -> Result<Option<JobPlan<'_>>, RunError> {
        let Some(job) = plan.job.as_deref().and_then(|name| self.definitions.job(name)) else { return Ok(None) };
        let done = earlier.ended();
        let mut whole = JobPlan::new(&self.definitions, job, &plan.sets, done)?;
        whole.extend(&|output| earlier.elements(output));
        Ok(Some(whole))
    }

    /// Lends to components that are not called, but looked at where they store.
    fn looking_lender(&self) -> Lender<'_> {
        Lender { is_called: false, ..self.lender() }
    }

    fn lender(&self) -> Lender<'_> {
        let Self { home, environment, memory, components, sandbox, builtins, .. } = self;
        components.forget_failed();
        Lender {
            home,
            deciding: self.definitions.deciding(),
            audit: self.audit.as_deref(),
            environment,
            memory,
            components,
            sandbox,
            builtins,
            is_called: true,
            refused: None,
            configs: ConfigCheck::new(Some(environment)),
            problems: Vec::new(),
        }
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
            produced: ProducedOutputs::default(),
            log: None,
            audit: self.audit.as_deref(),
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
    /// The asset or multi-asset that it computes, or the step of a job that it is an execution of.
    pub name: String,
    /// The asset; absent where it computes several, or is a step of a job.
    pub asset: Option<String>,
    /// The partition; of several `FIRST..LAST`, and absent where the asset has none.
    pub partition: Option<String>,
    /// How many partitions it computes.
    pub partition_count: usize,
    /// The element of a dynamic output that it was done for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping_key: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub status: StepStatus,
    /// From start to end, zero where it was not begun; as data in seconds.
    #[serde(with = "airlock_sandbox::report::seconds")]
    pub time: Duration,
    /// Bytes of the values that it computed.
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
    /// It was not begun, since the step `because` did not succeed, or did not give what it loads.
    Skipped {
        /// The key of that step.
        because: String,
        /// What that step did not give although it succeeded; absent where it did not succeed.
        output: Option<String>,
    },
    /// It was interrupted, or not begun since the run was.
    Canceled,
    /// It was not begun, since the event log or the audit log could not be written any more.
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
