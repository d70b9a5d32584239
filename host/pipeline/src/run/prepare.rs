//! Makes the steps of a plan ready: every name looked up, everything that the environment has resolved, before the
//! first step begins.

use std::collections::HashMap;
use std::sync::Arc;

use airlock_sandbox::text;
use serde_json::Value;

use super::lend::{Lender, Lent};
use crate::definitions::{Asset, Definitions, Diagnostics, Input, Op, Setting};
use crate::plan::{Plan, PlannedStep};

/// A step that only needs to be done.
#[derive(Debug)]
pub(super) struct ReadyStep<'a> {
    pub planned: &'a PlannedStep,
    pub asset: &'a Asset,
    pub op: ReadyOp,
    pub inputs: Vec<ReadyInput<'a>>,
    pub output: Option<ReadyOutput>,
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
    pub manager: Arc<Lent>,
    pub config: Value,
}

/// An output to store.
#[derive(Debug)]
pub(super) struct ReadyOutput {
    pub manager: Arc<Lent>,
    pub config: Value,
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
    let mut preparation = Preparation { definitions, lender, managers: HashMap::new() };
    let steps: Vec<Option<ReadyStep>> = plan.steps.iter().map(|planned| preparation.step(planned)).collect();
    preparation.finish(steps.into_iter().collect())
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
    let mut preparation = Preparation { definitions, lender, managers: HashMap::new() };
    let manager = preparation.manager(asset);
    preparation.finish(manager)
}

struct Preparation<'a, 'b> {
    definitions: &'a Definitions,
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

    fn step(&mut self, planned: &'a PlannedStep) -> Option<ReadyStep<'a>> {
        let asset = self.definitions.asset(&planned.asset)?;
        let op = match &asset.op {
            Op::Command(arguments) => self.command(arguments).map(ReadyOp::Command),
            Op::Component(component) => {
                self.lender.lend(&asset.name, true, component).map(Arc::new).map(ReadyOp::Component)
            }
        };
        let inputs: Vec<Option<ReadyInput>> = asset.inputs.iter().map(|input| self.input(input)).collect();
        let output = match &asset.io {
            None => Some(None),
            Some(_) => self.output(asset).map(Some),
        };
        Some(ReadyStep { planned, asset, op: op?, inputs: inputs.into_iter().collect::<Option<_>>()?, output: output? })
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

    fn input(&mut self, input: &'a Input) -> Option<ReadyInput<'a>> {
        let asset = self.definitions.asset(&input.asset)?;
        let manager = self.manager(asset);
        let config = self.config(input.config.as_ref());
        Some(ReadyInput { input, asset, manager: manager?, config: config? })
    }

    fn output(&mut self, asset: &'a Asset) -> Option<ReadyOutput> {
        let manager = self.manager(asset);
        let config = self.config(asset.config.as_ref());
        Some(ReadyOutput { manager: manager?, config: config? })
    }

    fn config(&mut self, config: Option<&Setting>) -> Option<Value> {
        let Some(config) = config else { return Some(Value::Null) };
        self.lender.resolve(config.resolve(self.lender.environment))
    }

    /// The manager of `asset`, made ready once.
    fn manager(&mut self, asset: &'a Asset) -> Option<Arc<Lent>> {
        let name = asset.io.as_deref()?;
        if let Some(manager) = self.managers.get(name) {
            return manager.clone();
        }
        let definition = self.definitions.io_manager(name)?;
        let lent = self.lender.lend(name, false, &definition.component).map(Arc::new);
        self.managers.insert(name, lent.clone());
        lent
    }
}
