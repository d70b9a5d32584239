//! Makes the steps of a plan ready: every name looked up, everything that the environment has resolved, before the
//! first step begins.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use airlock_sandbox::text;
use serde_json::Value;

use super::context::RunContext;
use super::help::toml_key;
use super::lend::{Lender, Lent};
use crate::definitions::{
    Asset, Definitions, Diagnostics, Input, InputSource, Job, JobStep, Op, Output, OutputReference, RetryPolicy,
    Setting, ValueType,
};
use crate::event::EventLogError;
use crate::partition::PartitionSet;
use crate::plan::{PartitionSets, Plan, PlannedStep};

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

/// Bytes of a command that are shown.
const COMMAND_SHOWN: usize = 200;

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
    /// How often a store is tried.
    pub retry: Option<&'a RetryPolicy>,
    /// Of what computes the asset; known once a step was done.
    pub code_version: OnceLock<String>,
}

/// What is ready of a plan.
pub(super) struct Ready<'a> {
    /// The steps that are known from the beginning.
    pub steps: Vec<ReadyStep<'a>>,
    /// The tasks of a job, by the names of its steps; empty in a run of assets.
    pub tasks: HashMap<&'a str, Arc<ReadyTask<'a>>>,
}

/// The steps of `plan`, ready.
///
/// # Errors
/// Everything that the environment lacks or has wrong.
pub(super) fn prepare<'a>(
    definitions: &'a Definitions,
    plan: &Plan,
    lender: Lender<'_>,
) -> Result<Ready<'a>, Diagnostics> {
    let mut preparation = Preparation { definitions, sets: &plan.sets, lender, managers: HashMap::new() };
    let mut ready = Ready { steps: Vec::with_capacity(plan.steps.len()), tasks: HashMap::new() };
    // Every mistake is told, so one does not end it.
    let mut is_whole = true;
    for planned in &plan.assets {
        let Some(of) = preparation.asset(&planned.asset).map(Arc::new) else {
            is_whole = false;
            continue;
        };
        let steps = plan.steps.get(planned.steps.clone()).unwrap_or_default();
        ready.steps.extend(steps.iter().map(|step| ReadyStep { planned: step.clone(), of: Arc::clone(&of) }));
    }
    if let Some(job) = plan.job.as_deref().and_then(|name| definitions.job(name)) {
        for step in &job.steps {
            match preparation.step(job, step) {
                Some(task) => {
                    ready.tasks.insert(&step.name, Arc::new(task));
                }
                None => is_whole = false,
            }
        }
        ready.steps.extend(
            plan.steps
                .iter()
                .filter_map(|step| ready.tasks.get(&*step.name).map(|of| (step, of)))
                .map(|(step, of)| ReadyStep { planned: step.clone(), of: Arc::clone(of) }),
        );
    }
    preparation.finish(is_whole.then_some(ready))
}

/// The I/O manager that loads `output` outside a run, ready.
///
/// # Errors
/// As [`prepare`].
pub(super) fn prepare_load<'a>(
    definitions: &'a Definitions,
    output: &'a Output,
    lender: Lender<'_>,
) -> Result<Arc<Lent>, Diagnostics> {
    let mut preparation =
        Preparation { definitions, sets: &PartitionSets::default(), lender, managers: HashMap::new() };
    let manager = output.io.as_deref().and_then(|name| preparation.manager(name));
    preparation.finish(manager)
}

struct Preparation<'a, 'b> {
    definitions: &'a Definitions,
    sets: &'b PartitionSets,
    lender: Lender<'b>,
    managers: HashMap<&'a str, Option<Arc<Lent>>>,
}

impl<'a> Preparation<'a, '_> {
    fn finish<T>(self, ready: Option<T>) -> Result<T, Diagnostics> {
        let mut list = self.lender.problems;
        list.dedup();
        match ready {
            Some(ready) if list.is_empty() => Ok(ready),
            _ => Err(Diagnostics { list }),
        }
    }

    fn asset(&mut self, name: &str) -> Option<ReadyTask<'a>> {
        let asset = self.definitions.asset(name)?;
        let (name, table) = match &asset.multi_asset {
            Some(multi) => (multi, format!("[multi_assets.{}.component]", toml_key(multi))),
            None => (&asset.name, format!("[assets.{}.component]", toml_key(&asset.name))),
        };
        let op = self.op(&asset.op, name, &table);
        let inputs: Vec<Option<ReadyInput>> =
            asset.inputs.iter().map(|input| self.input(input, |ready| ready.asset_source(asset, input))).collect();
        let members = self.definitions.computed_with(asset);
        let outputs: Vec<Option<ReadyOutput>> =
            members.into_iter().map(|asset| self.output(&asset.output, Some(asset))).collect();
        let name = if asset.multi_asset.is_some() { vec![name.clone()] } else { asset.key.clone() };
        Some(ReadyTask {
            name,
            set: self.sets.of(asset).cloned(),
            op: op?,
            inputs: inputs.into_iter().collect::<Option<_>>()?,
            deps: &[],
            outputs: outputs.into_iter().collect::<Option<_>>()?,
        })
    }

    fn step(&mut self, job: &'a Job, step: &'a JobStep) -> Option<ReadyTask<'a>> {
        let table = format!("[jobs.{}.steps.{}.component]", toml_key(&job.name), toml_key(&step.name));
        let op = self.op(&step.op, &step.name, &table);
        let inputs: Vec<Option<ReadyInput>> =
            step.inputs.iter().map(|input| self.input(input, |ready| ready.step_source(job, input))).collect();
        let outputs: Vec<Option<ReadyOutput>> = step.outputs.iter().map(|output| self.output(output, None)).collect();
        Some(ReadyTask {
            name: vec![job.name.clone(), step.name.clone()],
            set: None,
            op: op?,
            inputs: inputs.into_iter().collect::<Option<_>>()?,
            deps: &step.deps,
            outputs: outputs.into_iter().collect::<Option<_>>()?,
        })
    }

    fn op(&mut self, op: &'a Op, name: &str, table: &str) -> Option<ReadyOp> {
        match op {
            Op::Command(arguments) => self.command(arguments).map(ReadyOp::Command),
            // No plan has steps of it.
            Op::External => None,
            Op::Component(component) => {
                self.lender.lend_op(name, table, component).map(Arc::new).map(ReadyOp::Component)
            }
        }
    }

    fn command(&mut self, arguments: &[Setting]) -> Option<ReadyCommand> {
        let environment = self.lender.environment;
        let resolved: Vec<Option<String>> =
            arguments.iter().map(|argument| self.lender.resolve(argument.resolve_text(environment))).collect();
        let mut resolved = resolved.into_iter().collect::<Option<Vec<_>>>()?.into_iter();
        let shown: Vec<String> = arguments.iter().map(Setting::shown).collect();
        let shown = text::safe_line(&shown.join(" "), COMMAND_SHOWN);
        Some(ReadyCommand { program: resolved.next()?, arguments: resolved.collect(), shown })
    }

    fn input(
        &mut self,
        input: &'a Input,
        source: impl FnOnce(&mut Self) -> Option<ReadySource<'a>>,
    ) -> Option<ReadyInput<'a>> {
        let source = source(self);
        let config = self.config(input.config.as_ref());
        Some(ReadyInput { input, source: source?, config: config? })
    }

    /// Where `input`, of the asset `of`, comes from.
    fn asset_source(&mut self, of: &Asset, input: &'a Input) -> Option<ReadySource<'a>> {
        let Some(asset) = input.asset() else { return self.other_source(input) };
        let asset = self.definitions.asset(asset)?;
        let loaded_with = self.loader(input, &asset.output);
        let partitions =
            |asset: &Asset| asset.partitions.as_deref().and_then(|name| self.definitions.partitions_definition(name));
        let is_many = asset.partitions.is_some() && input.partition_mapping.is_many(partitions(of), partitions(asset));
        Some(ReadySource::Asset { asset, set: self.sets.of(asset).cloned(), is_many, loaded_with: loaded_with? })
    }

    /// Where `input`, of a step of `job`, comes from.
    fn step_source(&mut self, job: &'a Job, input: &'a Input) -> Option<ReadySource<'a>> {
        if let Some(asset) = input.asset() {
            let asset = self.definitions.asset(asset)?;
            let loaded_with = self.loader(input, &asset.output);
            let of = asset.partitions.as_deref().and_then(|name| self.definitions.partitions_definition(name));
            let is_many = of.is_some() && input.partition_mapping.is_many(None, of);
            let set = self.sets.of(asset).cloned();
            return Some(ReadySource::Asset { asset, set, is_many, loaded_with: loaded_with? });
        }
        let mut outputs = Vec::new();
        for reference in input.source.outputs() {
            let output = job.output(reference)?;
            let mapped_over = job.step(&reference.step)?.mapped_over.as_ref();
            let loaded_with = self.loader(input, output)?;
            outputs.push(ReadyReference { reference, output, mapped_over, loaded_with });
        }
        let is_all = outputs.first().is_some_and(|output| output.mapped_over.is_some() || output.output.is_dynamic);
        let how = match &input.source {
            InputSource::Each(_) => Gathering::Each,
            InputSource::FromSeveral(_) => Gathering::Several,
            InputSource::From(_) if is_all => Gathering::All,
            InputSource::From(_) => Gathering::One,
            _ => return self.other_source(input),
        };
        Some(ReadySource::Outputs { outputs, how })
    }

    /// Where an `input` comes from that neither an asset nor a step gives.
    fn other_source(&mut self, input: &'a Input) -> Option<ReadySource<'a>> {
        match &input.source {
            InputSource::Value(value) => {
                let value = self.lender.resolve(value.resolve(self.lender.environment))?;
                Some(ReadySource::Value(value.to_string()))
            }
            InputSource::Unconnected { value_type } => {
                let manager = self.manager(input.io.as_deref()?)?;
                Some(ReadySource::Unconnected { manager, value_type: *value_type })
            }
            _ => None,
        }
    }

    /// Who loads `output` for `input`.
    fn loader(&mut self, input: &'a Input, output: &'a Output) -> Option<Loader> {
        let stored_with = self.manager(output.io.as_deref()?);
        let manager = self.manager(input.io.as_deref().or(output.io.as_deref())?);
        Some(Loader { manager: manager?, stored_with: stored_with? })
    }

    fn output(&mut self, output: &'a Output, asset: Option<&'a Asset>) -> Option<ReadyOutput<'a>> {
        let (config, code_version) = (self.config(output.config.as_ref()), OnceLock::new());
        let Some(name) = output.io.as_deref() else {
            return Some(ReadyOutput { asset, output, manager: None, config: config?, retry: None, code_version });
        };
        let manager = self.manager(name);
        let definition = self.definitions.io_manager(name)?;
        let retry = definition.retry.as_ref();
        Some(ReadyOutput { asset, output, manager: Some(manager?), config: config?, retry, code_version })
    }

    fn config(&mut self, config: Option<&Setting>) -> Option<Value> {
        let Some(config) = config else { return Some(Value::Null) };
        self.lender.resolve(config.resolve(self.lender.environment))
    }

    /// The manager `name`, made ready once.
    fn manager(&mut self, name: &'a str) -> Option<Arc<Lent>> {
        if let Some(manager) = self.managers.get(name) {
            return manager.clone();
        }
        let definition = self.definitions.io_manager(name)?;
        let parent = definition.parent.as_deref().map(|parent| self.manager(parent));
        let mut lent = self.lender.lend_manager(name, &definition.component);
        if let (Some(lent), Some(parent)) = (&mut lent, &parent) {
            lent.parent.clone_from(parent);
        }
        // Without its parent it is not whole.
        let lent = lent.filter(|_| parent.is_none_or(|parent| parent.is_some())).map(Arc::new);
        self.managers.insert(name, lent.clone());
        lent
    }
}
