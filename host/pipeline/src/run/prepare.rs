//! Makes the steps of a plan ready: every name looked up, everything that the environment has resolved, every configuration
//! checked, before the first step begins.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use airlock_sandbox::text;
use serde_json::Value;

use super::RunError;
use super::lend::{Lender, Lent};
use super::ready::{
    Gathering, Loader, ReadyCommand, ReadyInput, ReadyOp, ReadyOutput, ReadyReference, ReadySource, ReadyStep,
    ReadyTask,
};
use crate::config_check::Owner;
use crate::definitions::{
    Asset, Configuration, Definitions, Diagnostics, Input, InputSource, Job, JobStep, Op, Output, Setting, toml_key,
};
use crate::plan::{PartitionSets, Plan};

/// Bytes of a command that are shown.
const COMMAND_SHOWN: usize = 200;

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
/// Everything that the environment lacks or has wrong, and every configuration that a component does not take; or that a
/// component is not the one that it must be.
pub(super) fn prepare<'a>(
    definitions: &'a Definitions,
    plan: &Plan,
    lender: Lender<'_>,
) -> Result<Ready<'a>, RunError> {
    let mut preparation = Preparation { definitions, sets: &plan.sets, lender, managers: HashMap::new() };
    let mut ready = Ready { steps: Vec::with_capacity(plan.steps.len()), tasks: HashMap::new() };
    // Every mistake is told, so one does not end it.
    let mut is_whole = true;
    for planned in &plan.assets {
        let Some(of) = preparation.asset(&planned.asset).map(Arc::new) else {
            is_whole = false;
            continue;
        };
        let Some(graph) = preparation.graph(&planned.asset) else {
            is_whole = false;
            continue;
        };
        let steps = plan.steps.get(planned.steps.clone()).unwrap_or_default();
        ready.steps.extend(steps.iter().map(|step| {
            let of = graph.get(step.name.as_str()).unwrap_or(&of);
            ReadyStep { planned: step.clone(), of: Arc::clone(of) }
        }));
    }
    if let Some(job) = plan.job.as_deref().and_then(|name| definitions.job(name)) {
        for step in &job.steps {
            match preparation.step(job, None, step) {
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
) -> Result<Arc<Lent>, RunError> {
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
    fn finish<T>(mut self, ready: Option<T>) -> Result<T, RunError> {
        self.lender.check_refused()?;
        self.lender.check_others(self.definitions);
        let mut list = self.lender.problems;
        list.extend(self.lender.configs.mistakes);
        list.dedup();
        match ready {
            Some(ready) if list.is_empty() => Ok(ready),
            _ => Err(RunError::Definitions(Diagnostics { list })),
        }
    }

    fn asset(&mut self, name: &str) -> Option<ReadyTask<'a>> {
        let asset = self.definitions.asset(name)?;
        let (name, table) = match &asset.multi_asset {
            Some(multi) => (multi, format!("[multi_assets.{}.component]", toml_key(multi))),
            None => (&asset.name, format!("[assets.{}.component]", toml_key(&asset.name))),
        };
        let owner = Owner::Asset(asset);
        let op = self.op(&asset.op, owner, name, &table);
        let inputs: Vec<Option<ReadyInput>> = asset
            .inputs
            .iter()
            .map(|input| self.input(owner, input, |ready| ready.asset_source(asset, input)))
            .collect();
        let members = self.definitions.computed_with(asset);
        let outputs: Vec<Option<ReadyOutput>> =
            members.into_iter().map(|asset| self.output(Owner::Asset(asset), &asset.output)).collect();
        let name = if asset.multi_asset.is_some() { vec![name.clone()] } else { asset.key.clone() };
        Some(ReadyTask {
            name,
            set: self.sets.of(asset).cloned(),
            is_keyed: asset.partitions_per_step.is_some(),
            graph_of: None,
            op: op?,
            inputs: inputs.into_iter().collect::<Option<_>>()?,
            deps: &[],
            outputs: outputs.into_iter().collect::<Option<_>>()?,
        })
    }

    /// The steps of the graph that the asset `name` is made from, by their names; none where it is not.
    fn graph(&mut self, name: &str) -> Option<HashMap<&'a str, Arc<ReadyTask<'a>>>> {
        let asset = self.definitions.asset(name)?;
        let steps = asset.graph.iter().flat_map(|graph| graph.steps.iter().map(move |step| (graph, step)));
        // Every mistake is told, so one does not end it.
        let tasks: Vec<Option<_>> = steps
            .map(|(graph, step)| {
                let task = self.step(graph, Some(asset), step)?;
                Some((step.name.as_str(), Arc::new(task)))
            })
            .collect();
        tasks.into_iter().collect()
    }

    /// The `step` of `job`; or of the graph `job` that the asset `of` is made from.
    fn step(&mut self, job: &'a Job, of: Option<&'a Asset>, step: &'a JobStep) -> Option<ReadyTask<'a>> {
        let table = match &step.shared_table {
            Some(table) => format!("[{table}.component]"),
            None => format!("[jobs.{}.steps.{}.component]", toml_key(&job.name), toml_key(&step.name)),
        };
        let owner = Owner::Step(job, step);
        let op = self.op(&step.op, owner, &step.name, &table);
        let inputs: Vec<Option<ReadyInput>> = step
            .inputs
            .iter()
            .map(|input| self.input(owner, input, |ready| ready.step_source(job, of, input)))
            .collect();
        let outputs: Vec<Option<ReadyOutput>> = step.outputs.iter().map(|output| self.output(owner, output)).collect();
        Some(ReadyTask {
            name: vec![job.name.clone(), step.name.clone()],
            set: of.and_then(|asset| self.sets.of(asset)).cloned(),
            is_keyed: false,
            graph_of: of,
            op: op?,
            inputs: inputs.into_iter().collect::<Option<_>>()?,
            deps: &step.deps,
            outputs: outputs.into_iter().collect::<Option<_>>()?,
        })
    }

    fn op(&mut self, op: &'a Op, owner: Owner<'_>, name: &str, table: &str) -> Option<ReadyOp> {
        match op {
            Op::Command(arguments) => self.command(arguments).map(ReadyOp::Command),
            // No plan has steps of it.
            Op::External => None,
            Op::Component(component) => {
                self.lender.lend_op(owner, name, table, component).map(Arc::new).map(ReadyOp::Component)
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
        owner: Owner<'_>,
        input: &'a Input,
        source: impl FnOnce(&mut Self) -> Option<ReadySource<'a>>,
    ) -> Option<ReadyInput<'a>> {
        let source = source(self);
        let managers: Vec<&Lent> = match &source {
            Some(ReadySource::Asset { loaded_with, .. }) => vec![&loaded_with.manager],
            Some(ReadySource::Outputs { outputs, .. }) => {
                outputs.iter().map(|output| &*output.loaded_with.manager).collect()
            }
            Some(ReadySource::Unconnected { manager, .. }) => vec![manager],
            Some(ReadySource::Value(_)) | None => Vec::new(),
        };
        let with_parents = |manager| std::iter::successors(Some(manager), |manager: &&Lent| manager.parent.as_deref());
        for manager in managers.into_iter().flat_map(with_parents) {
            if let Some(manifest) = self.lender.manifest(manager) {
                self.lender.configs.input(owner, input, &manager.name, manifest);
            }
        }
        let config = self.config(input.config.as_ref());
        Some(ReadyInput { input, source: source?, config: config? })
    }

    /// Where `input`, of the asset `of`, comes from.
    fn asset_source(&mut self, of: &'a Asset, input: &'a Input) -> Option<ReadySource<'a>> {
        let Some(asset) = input.asset() else {
            return match &of.graph {
                Some(graph) => self.step_source(graph, Some(of), input),
                None => self.other_source(input),
            };
        };
        let asset = self.definitions.asset(asset)?;
        let loaded_with = self.loader(input, &asset.output);
        let partitions =
            |asset: &Asset| asset.partitions.as_deref().and_then(|name| self.definitions.partitions_definition(name));
        let mapping = &input.partition_mapping;
        let follows = of.partitions_per_step.is_some() && mapping.follows_what_loads();
        let is_many = asset.partitions.is_some() && (follows || mapping.is_many(partitions(of), partitions(asset)));
        Some(ReadySource::Asset { asset, set: self.sets.of(asset).cloned(), is_many, loaded_with: loaded_with? })
    }

    /// Where `input`, of a step of `job`, comes from; `whole` is the asset whose graph that is.
    fn step_source(&mut self, job: &'a Job, whole: Option<&'a Asset>, input: &'a Input) -> Option<ReadySource<'a>> {
        if let Some(asset) = input.asset() {
            let asset = self.definitions.asset(asset)?;
            let loaded_with = self.loader(input, &asset.output);
            let definition = |name: Option<&str>| self.definitions.partitions_definition(name?);
            let of = definition(asset.partitions.as_deref());
            let downstream = definition(whole.and_then(|asset| asset.partitions.as_deref()));
            let is_many = of.is_some() && input.partition_mapping.is_many(downstream, of);
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

    fn output(&mut self, owner: Owner<'a>, output: &'a Output) -> Option<ReadyOutput<'a>> {
        let asset = match owner {
            Owner::Asset(asset) => Some(asset),
            Owner::Step(..) => None,
        };
        let (config, code_version) = (self.config(output.config.as_ref()), OnceLock::new());
        let Some(name) = output.io.as_deref() else {
            return Some(ReadyOutput { asset, output, manager: None, config: config?, code_version });
        };
        let manager = self.manager(name);
        if let Some(manager) = &manager
            && let Some(manifest) = self.lender.manifest(manager)
        {
            self.lender.configs.output(owner, output, name, manifest);
        }
        Some(ReadyOutput { asset, output, manager: Some(manager?), config: config?, code_version })
    }

    fn config(&mut self, config: Option<&Configuration>) -> Option<Value> {
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
        if let Some(lent) = &mut lent {
            lent.parent = parent.clone().flatten();
            lent.retry.clone_from(&definition.retry);
        }
        // Without its parent it is not whole.
        let lent = lent.filter(|_| parent.is_none_or(|parent| parent.is_some())).map(Arc::new);
        self.managers.insert(name, lent.clone());
        lent
    }
}
