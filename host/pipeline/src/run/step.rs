//! Does one step: loads its inputs, runs its op, stores its output, and records each.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use airlock_sandbox::context::{MetadataEntry, OpContext};
use airlock_sandbox::partition::Partitions;
use airlock_sandbox::report::Report;
use airlock_sandbox::value::{Input, Part, Value};
use airlock_sandbox::{Call, Component};

use super::context::RunContext;
use super::convert::{Conversion, keeps_tables};
use super::failure::{FailureClass, Stage, StepFailure};
use super::lend::Lent;
use super::load::{Load, Loaded, partitions};
use super::parts::{Parts, Served, remote};
use super::prepare::{ReadyInput, ReadyOp, ReadyStep};
use super::provenance::{Provenance, Versions};
use super::step_log::StepLog;
use super::{StepResult, StepStatus, command_step, value};
use crate::definitions::{Asset, Form, ValueType};
use crate::event::{EventBody, EventLogError, LoadedPartitions, OpUse};
use crate::partition::{PartitionSet, value_name};

/// The name of the output of an asset.
pub(super) const OUTPUT: &str = "result";

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

/// An input, as far as it is loaded before the op runs.
pub(super) enum StepInput<'a> {
    /// A value, or its absence.
    One { input: &'a ReadyInput<'a>, part: Option<Part> },
    /// Parts that are loaded as they are asked for.
    Many(Box<Parts<'a>>),
}

/// What an op computed.
pub(super) struct Output {
    /// Absent where nothing is to be stored.
    pub value: Option<Value>,
    pub metadata: Vec<MetadataEntry>,
    /// The component that computed it, where one did.
    pub computed_by: Option<OpUse>,
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

    pub fn asset(&self) -> &'a Asset {
        self.ready.of.asset
    }

    /// The key of the partition that it computes.
    pub fn key(&self) -> Option<&'a str> {
        self.ready.planned.partition.as_ref().map(|partition| partition.key.as_str())
    }

    /// The asset, and of a partition its key in brackets.
    pub fn name(&self) -> String {
        value_name(&self.asset().name, self.key())
    }

    /// The partition that it computes, as a call is told of it.
    pub fn partitions(&self) -> Partitions {
        let set = self.ready.of.set.as_deref();
        let partition = set.zip(self.ready.planned.partition.as_ref());
        partition.map(|(set, partition)| partitions(set, partition.place)).unwrap_or_default()
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
            asset: self.asset().name.clone(),
            partition: self.key().map(str::to_owned),
            status,
            time,
            size,
            metadata,
            failure,
            log: self.log.path().map(Path::to_owned),
        }
    }

    fn perform(&self) -> Outcome<Done> {
        let mut inputs = Vec::new();
        for (input, planned) in self.ready.of.inputs.iter().zip(&self.ready.planned.loads) {
            inputs.push(match &planned.partitions {
                Some(partitions) if input.is_many => StepInput::Many(Parts::new(self, input, partitions).into()),
                Some(partitions) => match partitions.iter().next() {
                    Some(partition) => self.load_one(input, input.set.as_deref().map(|set| (set, partition)))?,
                    None => self.absent(input),
                },
                None => self.load_one(input, None)?,
            });
        }
        let output = match &self.ready.of.op {
            ReadyOp::Command(command) => command_step::run(self, command, inputs)?,
            ReadyOp::Component(lent) => self.run_component(lent, inputs)?,
        };
        if self.run.interrupt.is_interrupted() {
            return Err(StepFailure::interrupted(Stage::Output).into());
        }
        if output.value.is_some() || output.computed_by.is_some() {
            let part = output.value.as_ref().and_then(|value| value.parts.first());
            self.emit(EventBody::StepOutput {
                output: OUTPUT.to_owned(),
                media_type: part.map(|part| part.media_type.clone()),
                size: output.value.as_ref().map_or(0, Value::size),
                metadata: output.metadata.clone(),
                computed_by: output.computed_by.clone(),
            });
        }
        self.store(&output)
    }

    /// An input that no partition maps to, such as what is before the first.
    fn absent(&self, input: &'a ReadyInput<'a>) -> StepInput<'a> {
        self.emit(EventBody::StepInput { input: input.input.name.clone(), media_type: None, size: 0 });
        self.provenance.note(&input.input.name, Versions::default(), true);
        StepInput::One { input, part: None }
    }

    /// Loads an input that is one value.
    fn load_one(&self, input: &'a ReadyInput<'a>, partition: Option<(&PartitionSet, usize)>) -> Outcome<StepInput<'a>> {
        let loaded = self.load_part(input, partition)?;
        let name = &input.input.name;
        let key = partition.and_then(|(set, place)| set.key(place)).map(str::to_owned);
        let count = usize::from(loaded.part.is_some());
        let version = loaded.part.as_ref().map(|_| (key.as_deref(), loaded.version.as_deref()));
        self.provenance.note(name, Versions::of_one(version), true);
        self.emit(EventBody::LoadedInput {
            input: name.clone(),
            asset: input.asset.name.clone(),
            partitions: key.map(|key| LoadedPartitions {
                count,
                first: Some(key.clone()),
                last: Some(key),
                missing: 1 - count,
            }),
            manager: loaded.manager,
            upstream_run_id: loaded.upstream_run_id,
            metadata: value::merge(&input.input.metadata, &loaded.metadata),
            receipt: loaded.receipt,
        });
        self.emit(EventBody::StepInput {
            input: name.clone(),
            media_type: loaded.part.as_ref().map(|part| part.media_type.clone()),
            size: loaded.part.as_ref().map_or(0, |part| part.content.size()),
        });
        Ok(StepInput::One { input, part: loaded.part })
    }

    /// Loads the value of `input`, or one of its partitions, through its manager.
    pub fn load_part(&self, input: &ReadyInput<'_>, partition: Option<(&PartitionSet, usize)>) -> Outcome<Loaded> {
        let load = Load {
            asset: input.asset,
            partition,
            manager: &input.manager,
            stored_with: &input.stored_with,
            input: Some((&self.ready.planned.key, input.input)),
            config: &input.config,
        };
        let mut loaded = load.perform(self.run, |log| self.log.write_component(&input.manager.name, &log))?;
        loaded.version = loaded.version.filter(|_| input.has_versions());
        for event in std::mem::take(&mut loaded.events) {
            self.run.emit_logged(&self.ready.planned.key, event);
        }
        if let (Some(part), Some(columns)) = (&mut loaded.part, &input.input.columns)
            && !keeps_tables(&input.manager)
        {
            // Only what is asked for gets to the op, whatever the manager makes of it.
            let conversion = Conversion { columns, ..Conversion::default() };
            let what = format!("the value of `{}`", load.name());
            let content = std::mem::take(&mut part.content);
            part.content =
                self.run.convert(content, (Form::Arrow, Form::Arrow.into()), &conversion, &load.stage(), &what)?;
        }
        Ok(loaded)
    }

    fn run_component(&self, lent: &Lent, inputs: Vec<StepInput<'_>>) -> Outcome<Output> {
        let component = self.component(lent, &Stage::Op)?;
        let has_value = self.asset().value_type != ValueType::None;
        let mut context = OpContext {
            run_id: self.run.run_id.clone(),
            step_key: self.ready.planned.key.clone(),
            attempt: 1,
            config: lent.config.clone(),
            partitions: self.partitions(),
            inputs: Vec::new(),
            outputs: if has_value { vec![OUTPUT.to_owned()] } else { Vec::new() },
        };
        let (report, loaded) = std::thread::scope(|threads| {
            let mut loaders = Vec::new();
            for input in inputs {
                match input {
                    StepInput::One { input, part } => {
                        let value = Value { parts: part.into_iter().collect() };
                        context.inputs.push((input.input.name.clone(), value.into()));
                    }
                    StepInput::Many(parts) => {
                        let (remote, requests) = remote();
                        context.inputs.push((parts.input().input.name.clone(), Input::Lazy(Arc::new(remote))));
                        let loader = std::thread::Builder::new().name("loader".to_owned());
                        let loader = loader.spawn_scoped(threads, move || parts.serve(&requests));
                        loaders.push(loader.map_err(|error| {
                            let message = format!("cannot start a thread that loads an input: {error}");
                            StepFailure::new(FailureClass::Host, Stage::Op, message)
                        })?);
                    }
                }
            }
            let report = self.run.sandbox.run_op(&self.call(lent, component), context);
            // Nobody asks any more, so the loaders end.
            let loaded = loaders.into_iter().map(|loader| loader.join().map_err(|_| Box::new(StepFailure::panicked())));
            Ok::<_, Box<StepFailure>>((report, loaded.collect::<Result<Vec<_>, _>>()?))
        })?;
        let Report { outcome, receipt, log } = report;
        self.log.write_component(&lent.name, &log);
        let mut not_loaded = None;
        for Served { parts, failure } in loaded {
            parts.record();
            not_loaded = not_loaded.or(failure);
        }
        // What kept an input from being loaded says more than what the op made of it.
        if let Some(failure) = not_loaded {
            return Err(failure);
        }
        let computed = outcome.map_err(|failure| {
            let doing = format!("cannot compute `{}`", self.name());
            StepFailure::of_call(Stage::Op, &doing, lent, &[], failure, receipt.clone())
        })?;
        let used = OpUse { digest: component.digest().to_owned(), receipt };
        let Some(output) = computed.outputs.into_iter().find(|output| output.name == OUTPUT && has_value) else {
            return Ok(Output { value: None, metadata: Vec::new(), computed_by: Some(used) });
        };
        let checked = if output.value.is_absent() {
            let message = format!("the component ended well, and gave no value of `{}`", self.name());
            Err(wrong_output(message))
        } else {
            self.checked(output.value, Form::Arrow)
        };
        let value = checked.map_err(|mut failure| {
            failure.receipt.get_or_insert_with(|| used.receipt.clone());
            failure
        })?;
        Ok(Output { value: Some(value), metadata: value::keepable(output.metadata), computed_by: Some(used) })
    }

    /// The value as it is stored, found to be what the asset is defined as; a table comes in the form `form`.
    pub fn checked(&self, value: Value, form: Form) -> Outcome<Value> {
        let asset = self.asset();
        let what = |wrong: String| wrong_output(format!("the value of `{}` {wrong}", self.name()));
        let mut value = value::label(asset, value).map_err(what)?;
        for part in &mut value.parts {
            if asset.value_type == ValueType::Table {
                let schema = asset.schema.as_deref().unwrap_or_default();
                let check = !self.ready.of.output.as_ref().is_some_and(|output| keeps_tables(&output.manager));
                let conversion = Conversion { schema, check, ..Conversion::default() };
                let named = format!("the value of `{}`", self.name());
                let content = std::mem::take(&mut part.content);
                part.content =
                    self.run.convert(content, (form, Form::Arrow.into()), &conversion, &Stage::Op, &named)?;
            } else {
                value::check(asset.value_type, &part.content).map_err(what)?;
            }
        }
        Ok(value)
    }

    pub fn component<'c>(&self, lent: &'c Lent, stage: &Stage) -> Outcome<&'c Component> {
        self.run.component(lent, stage)
    }

    pub fn call<'c>(&'c self, lent: &'c Lent, component: &'c Component) -> Call<'c> {
        self.run.call(lent, component)
    }
}

/// That the op did not give its value as it is defined.
pub(super) fn wrong_output(message: String) -> Box<StepFailure> {
    StepFailure::new(FailureClass::Error, Stage::Op, message).into()
}
