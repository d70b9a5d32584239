//! Does one step: loads its inputs, runs its op, stores its output, and records each.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use airlock_sandbox::context::MetadataEntry;
use airlock_sandbox::partition::Partitions;
use airlock_sandbox::value::{Part, Value};
use airlock_sandbox::{Call, Component};

use super::context::RunContext;
use super::convert::{Conversion, keeps_tables};
use super::failure::{FailureClass, Stage, StepFailure};
use super::lend::Lent;
use super::produced::NotGiven;
use super::provenance::Provenance;
use super::ready::{ReadyOp, ReadyOutput, ReadyStep};
use super::step_log::StepLog;
use super::subject::{Places, Subject};
use super::{StepResult, StepStatus, command_step, value};
use crate::definitions::{Form, ValueType};
use crate::event::{EventBody, EventLogError, OpUse};
use crate::partition::value_name;

/// Failures are much larger than what they stand in the place of.
pub(super) type Outcome<T> = Result<T, Box<StepFailure>>;

/// A step being done.
pub(super) struct Step<'a> {
    pub run: &'a RunContext<'a>,
    pub ready: &'a ReadyStep<'a>,
    pub log: Arc<StepLog>,
    /// Where it keeps its files while it runs.
    pub scratch: PathBuf,
    /// What it loaded.
    pub provenance: Provenance,
}

/// What an op computed.
pub(super) struct Computed {
    /// Of each output, in order.
    pub outputs: Vec<Given>,
    /// The component that computed it, where one did.
    pub computed_by: Option<OpUse>,
}

/// What an op gave as one output.
#[derive(Default)]
pub(super) struct Given {
    /// Absent where nothing is to be stored.
    pub value: Option<Value>,
    pub metadata: Vec<MetadataEntry>,
    /// Of single parts, by their keys.
    pub part_metadata: HashMap<String, Vec<MetadataEntry>>,
}

impl Given {
    /// What the op recorded of the part `key` alone.
    pub fn of_part(&self, key: Option<&str>) -> &[MetadataEntry] {
        key.and_then(|key| self.part_metadata.get(key)).map(Vec::as_slice).unwrap_or_default()
    }
}

/// What was stored, as it is told when the step ends.
pub(super) struct Done {
    pub size: Option<u64>,
    pub metadata: Vec<MetadataEntry>,
}

/// Does the step `ready`, the `number`th of the run. What became of it is true also where the event log cannot be
/// written, which is the error beside it.
pub(super) fn perform(
    run: &RunContext<'_>,
    ready: &ReadyStep<'_>,
    number: usize,
) -> (StepResult, Option<EventLogError>) {
    let start = Instant::now();
    let log = Arc::new(StepLog::new(run.home.step_log(&run.run_id, &ready.planned.key)));
    let scratch = run.scratch.join(number.to_string());
    let step = Step { run, ready, log, scratch, provenance: Provenance::default() };
    // Where that cannot be told the step is done, and says why.
    if step.is_unchanged().unwrap_or(false) {
        step.emit(EventBody::StepUnchanged {});
        return (step.result(StepStatus::Unchanged, None, None, start.elapsed()), None);
    }
    if let Some(not_given) = step.not_given() {
        run.produced.pass_over(&ready.planned.key, not_given.clone());
        let NotGiven { step_key: because, output } = not_given;
        step.emit(EventBody::StepSkipped { because: because.clone(), output: Some(output.clone()) });
        let status = StepStatus::Skipped { because, output: Some(output) };
        return (step.result(status, None, None, start.elapsed()), None);
    }
    step.emit(EventBody::StepStart {});
    // A fault in one step must not take the others with it.
    let performed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| step.perform()));
    let outcome = performed.unwrap_or_else(|_| Err(StepFailure::panicked().into()));
    // What is left is removed with the scratch directory of the run.
    let _ = std::fs::remove_dir_all(&step.scratch);
    step.end(outcome, start.elapsed())
}

impl<'a> Step<'a> {
    pub fn emit(&self, body: EventBody) {
        self.run.emit(Some(&self.ready.planned.key), body);
    }

    /// Whether it is a step of a job, and not of assets.
    pub fn is_of_job(&self) -> bool {
        self.ready.of.outputs.iter().all(|output| output.asset.is_none())
    }

    /// The key of the partition that it computes; of several `FIRST..LAST`.
    pub fn key(&self) -> Option<&'a str> {
        self.ready.planned.partitions.as_ref().map(|partitions| partitions.key.as_str())
    }

    /// The partitions that it computes.
    pub fn places(&self) -> Option<Places<'a>> {
        let set = self.ready.of.set.as_deref()?;
        self.ready.planned.partitions.as_ref().map(|partitions| Places::several(set, &partitions.places))
    }

    /// The keys of the partitions that it computes; one that is none where it has no partitions.
    pub fn keys(&self) -> Vec<Option<String>> {
        match self.places() {
            Some(places) => places.each().map(|(_, key)| Some(key.into_owned())).collect(),
            None => vec![None],
        }
    }

    /// What it computes: the asset, and of a partition its key in brackets; or the step of a job.
    pub fn name(&self) -> String {
        self.ready.planned.key.clone()
    }

    /// The outputs that have a value, in order.
    pub fn values(&self) -> impl Iterator<Item = &'a ReadyOutput<'a>> {
        self.ready.of.outputs.iter().filter(|ready| ready.output.value_type != ValueType::None)
    }

    /// What the output `ready` is called.
    pub fn output_name(&self, ready: &ReadyOutput<'_>) -> String {
        self.subject(ready, None).name()
    }

    /// The output `ready`, or its element `mapping_key`, as this run stores it; of an asset the partitions of the step.
    pub fn subject<'s>(&'s self, ready: &'s ReadyOutput<'_>, mapping_key: Option<&'s str>) -> Subject<'s> {
        match ready.asset {
            Some(asset) => Subject::Asset { asset, partitions: self.places() },
            None => Subject::Output {
                run_id: &self.run.run_id,
                step_key: &self.ready.planned.key,
                output: ready.output,
                mapping_key,
            },
        }
    }

    /// The partitions that it computes, as a call is told of them.
    pub fn partitions(&self) -> Partitions {
        self.places().map(Places::partitions).unwrap_or_default()
    }

    fn end(&self, outcome: Outcome<Done>, time: Duration) -> (StepResult, Option<EventLogError>) {
        let (status, done, failure) = match outcome {
            Ok(done) => (StepStatus::Succeeded, Some(done), None),
            Err(failure) if failure.class == FailureClass::Interrupted => (StepStatus::Canceled, None, None),
            Err(failure) => (StepStatus::Failed, None, Some(failure)),
        };
        let body = match (&status, &failure) {
            (StepStatus::Succeeded, _) => EventBody::StepSuccess {},
            (_, Some(failure)) => EventBody::StepFailure(failure.clone()),
            _ => EventBody::StepCanceled {},
        };
        // Only a step whose events last has ended: what depends on it starts after this.
        let recorded = self.run.emit_durable(Some(&self.ready.planned.key), body);
        (self.result(status, done, failure, time), recorded.err())
    }

    fn result(
        &self,
        status: StepStatus,
        done: Option<Done>,
        failure: Option<Box<StepFailure>>,
        time: Duration,
    ) -> StepResult {
        let (size, metadata) = done.map(|done| (done.size, done.metadata)).unwrap_or_default();
        StepResult {
            key: self.ready.planned.key.clone(),
            asset: self.ready.of.asset().map(|asset| asset.name.clone()),
            name: self.ready.planned.name.clone(),
            mapping_key: self.ready.planned.mapping_key.clone(),
            partition: self.key().map(str::to_owned),
            partition_count: self.ready.planned.partition_count(),
            status,
            time,
            size,
            metadata,
            failure,
            log: self.log.path().map(Path::to_owned),
        }
    }

    fn perform(&self) -> Outcome<Done> {
        let inputs = self.inputs()?;
        let computed = match &self.ready.of.op {
            ReadyOp::Command(command) => command_step::run(self, command, inputs)?,
            ReadyOp::Component(lent) => self.run_component(lent, inputs)?,
        };
        if self.run.interrupt.is_interrupted() {
            return Err(StepFailure::interrupted(Stage::Op).into());
        }
        self.store(computed)
    }

    /// `value`, given as the output `ready`, as it is stored, found to be what it is defined as; a table comes in the form
    /// `form`.
    pub fn checked(&self, ready: &ReadyOutput<'_>, value: Value, form: Form) -> Outcome<Value> {
        let output = ready.output;
        let is_keyed = output.is_dynamic || self.ready.of.is_keyed;
        let what = |wrong: String| wrong_output(format!("the value of `{}` {wrong}", self.output_name(ready)));
        let mut value = value::label(output, value, is_keyed).map_err(what)?;
        if self.ready.of.is_keyed {
            value = self.whole(ready, value)?;
        }
        for part in &mut value.parts {
            let named = match (ready.asset, &part.key) {
                (Some(asset), Some(key)) => format!("the value of `{}`", value_name(&asset.name, Some(key))),
                _ => format!("the value of `{}`", self.subject(ready, part.key.as_deref()).name()),
            };
            if output.value_type == ValueType::Table {
                let schema = output.schema.as_deref().unwrap_or_default();
                let check = !ready.manager.as_ref().is_some_and(|manager| keeps_tables(manager));
                let conversion = Conversion { schema, check, ..Conversion::default() };
                let content = std::mem::take(&mut part.content);
                part.content =
                    self.run.convert(content, (form, Form::Arrow.into()), &conversion, &Stage::Op, &named)?;
            } else {
                let unread = |error: io::Error| {
                    let message = format!("cannot check {named} in {}: {error}", self.scratch.display());
                    StepFailure::new(FailureClass::Storage, Stage::Op, message)
                };
                let wrong = |wrong: String| wrong_output(format!("{named} {wrong}"));
                value::check(output.value_type, &part.content).map_err(unread)?.map_err(wrong)?;
            }
        }
        Ok(value)
    }

    /// `value`, the output `ready`, with its parts in the order of the partitions that the step computes: one of each.
    fn whole(&self, ready: &ReadyOutput<'_>, value: Value) -> Outcome<Value> {
        let count = value.parts.len();
        let mut given: HashMap<Option<String>, Part> =
            value.parts.into_iter().map(|part| (part.key.clone(), part)).collect();
        // Where there is one, a component need not name it.
        let mut only = given.remove(&None);
        let mut parts = Vec::with_capacity(count);
        for key in self.keys() {
            let Some(part) = given.remove(&key).or_else(|| only.take()) else {
                let asset = ready.asset.map_or(ready.output.name.as_str(), |asset| &asset.name);
                let (name, wanted) = (value_name(asset, key.as_deref()), self.ready.planned.partition_count());
                let message = format!("the op ended well, and gave no value of `{name}`: it gave {count} of {wanted}");
                let help = "it has to give a part of each partition of the step, with its key";
                return Err(wrong_output(message).help(help).into());
            };
            parts.push(Part { key, ..part });
        }
        Ok(Value { parts })
    }

    pub fn component<'c>(&self, lent: &'c Lent, stage: &Stage) -> Outcome<&'c Component> {
        self.run.component(lent, stage)
    }

    pub fn call<'c>(&'c self, lent: &'c Lent, component: &'c Component) -> Call<'c> {
        self.run.call(lent, component)
    }
}

/// That the op did not give its value as it is defined.
pub(super) fn wrong_output(message: String) -> StepFailure {
    StepFailure::new(FailureClass::Error, Stage::Op, message)
}
