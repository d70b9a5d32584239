//! Makes the steps of a plan ready: every name looked up, everything that the environment has resolved, before the
//! first step begins.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use airlock_sandbox::text;
use serde_json::Value;

use super::lend::{Lender, Lent};
use crate::definitions::{Asset, Definitions, Diagnostics, Input, Op, RetryPolicy, Setting};
use crate::partition::PartitionSet;
use crate::plan::{PartitionSets, Plan, PlannedStep};

/// A step that only needs to be done.
#[derive(Debug)]
pub(super) struct ReadyStep<'a> {
    pub planned: &'a PlannedStep,
    pub of: Arc<ReadyAsset<'a>>,
}

/// What the steps of one asset have in common.
#[derive(Debug)]
pub(super) struct ReadyAsset<'a> {
    pub asset: &'a Asset,
    /// Its partitions; none where it has none.
    pub set: Option<Arc<PartitionSet>>,
    pub op: ReadyOp,
    pub inputs: Vec<ReadyInput<'a>>,
    pub output: Option<ReadyOutput<'a>>,
    /// Of what computes it; known once a step was done.
    pub code_version: OnceLock<String>,
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

/// An input to load.
#[derive(Debug)]
pub(super) struct ReadyInput<'a> {
    pub input: &'a Input,
    pub asset: &'a Asset,
    /// The partitions of the asset; none where it has none.
    pub set: Option<Arc<PartitionSet>>,
    /// Whether the op gets keyed parts, be they none, one or many.
    pub is_many: bool,
    pub manager: Arc<Lent>,
    /// The manager that stores the asset.
    pub stored_with: Arc<Lent>,
    pub config: Value,
}

/// An output to store.
#[derive(Debug)]
pub(super) struct ReadyOutput<'a> {
    pub manager: Arc<Lent>,
    pub config: Value,
    /// How often a store is tried.
    pub retry: Option<&'a RetryPolicy>,
}

/// The steps of `plan`, ready.
///
/// # Errors
/// Everything that the environment lacks or has wrong.
pub(super) fn prepare<'a>(
    definitions: &'a Definitions,
    plan: &'a Plan,
    lender: Lender<'_>,
) -> Result<Vec<ReadyStep<'a>>, Diagnostics> {
    let mut preparation = Preparation { definitions, sets: &plan.sets, lender, managers: HashMap::new() };
    let mut ready = Vec::with_capacity(plan.steps.len());
    // Every mistake is told, so one does not end it.
    let mut is_whole = true;
    for planned in &plan.assets {
        let Some(of) = preparation.asset(&planned.asset).map(Arc::new) else {
            is_whole = false;
            continue;
        };
        let steps = plan.steps.get(planned.steps.clone()).unwrap_or_default();
        ready.extend(steps.iter().map(|planned| ReadyStep { planned, of: Arc::clone(&of) }));
    }
    preparation.finish(is_whole.then_some(ready))
}

/// The load of `asset` outside a run, ready.
///
/// # Errors
/// As [`prepare`].
pub(super) fn prepare_load<'a>(
    definitions: &'a Definitions,
    asset: &'a Asset,
    lender: Lender<'_>,
) -> Result<Arc<Lent>, Diagnostics> {
    let mut preparation =
        Preparation { definitions, sets: &PartitionSets::default(), lender, managers: HashMap::new() };
    let manager = asset.io.as_deref().and_then(|name| preparation.manager(name));
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

    fn asset(&mut self, name: &str) -> Option<ReadyAsset<'a>> {
        let asset = self.definitions.asset(name)?;
        let op = match &asset.op {
            Op::Command(arguments) => self.command(arguments).map(ReadyOp::Command),
            // No plan has steps of it.
            Op::External => None,
            Op::Component(component) => {
                self.lender.lend(&asset.name, true, component).map(Arc::new).map(ReadyOp::Component)
            }
        };
        let inputs: Vec<Option<ReadyInput>> = asset.inputs.iter().map(|input| self.input(asset, input)).collect();
        let output = match &asset.io {
            None => Some(None),
            Some(_) => self.output(asset).map(Some),
        };
        let inputs = inputs.into_iter().collect::<Option<_>>()?;
        let (set, code_version) = (self.sets.of(asset).cloned(), OnceLock::new());
        Some(ReadyAsset { asset, set, op: op?, inputs, output: output?, code_version })
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

    fn input(&mut self, of: &Asset, input: &'a Input) -> Option<ReadyInput<'a>> {
        let asset = self.definitions.asset(&input.asset)?;
        let stored_with = self.manager(asset.io.as_deref()?);
        let manager = self.manager(input.io.as_deref().or(asset.io.as_deref())?);
        let config = self.config(input.config.as_ref());
        let partitions =
            |asset: &Asset| asset.partitions.as_deref().and_then(|name| self.definitions.partitions_definition(name));
        let is_many = asset.partitions.is_some() && input.partition_mapping.is_many(partitions(of), partitions(asset));
        Some(ReadyInput {
            input,
            asset,
            set: self.sets.of(asset).cloned(),
            is_many,
            manager: manager?,
            stored_with: stored_with?,
            config: config?,
        })
    }

    fn output(&mut self, asset: &'a Asset) -> Option<ReadyOutput<'a>> {
        let name = asset.io.as_deref()?;
        let manager = self.manager(name);
        let config = self.config(asset.config.as_ref());
        let definition = self.definitions.io_manager(name)?;
        Some(ReadyOutput { manager: manager?, config: config?, retry: definition.retry.as_ref() })
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
        let lent = self.lender.lend(name, false, &definition.component).map(Arc::new);
        self.managers.insert(name, lent.clone());
        lent
    }
}
