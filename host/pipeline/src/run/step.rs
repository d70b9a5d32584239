//! Does one step: loads its inputs, runs its op, stores its output, and records each.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use airlock_sandbox::context::{InputContext, MetadataEntry, OpContext, OutputContext};
use airlock_sandbox::layout::Location;
use airlock_sandbox::report::{Report, Stored};
use airlock_sandbox::value::Value;
use airlock_sandbox::{Call, Component};

use super::context::{RunContext, loaded, written};
use super::failure::{FailureClass, Stage, StepFailure};
use super::lend::Lent;
use super::prepare::{ReadyInput, ReadyOp, ReadyOutput, ReadyStep};
use super::step_log::StepLog;
use super::{StepResult, StepStatus, command_step, value};
use crate::definitions::ValueType;
use crate::event::{AssetMaterialization, EventBody, EventLogError, OpUse};

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
}

/// A loaded input.
pub(super) struct LoadedInput {
    pub name: String,
    pub value: Value,
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
struct Done {
    size: Option<u64>,
    metadata: Vec<MetadataEntry>,
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
    let step = Step { run, ready, log, scratch };
    step.emit(EventBody::StepStart {});
    // A fault in one step must not take the others with it.
    let performed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| step.perform()));
    let outcome = performed.unwrap_or_else(|_| Err(StepFailure::panicked().into()));
    // What is left is removed with the scratch directory of the run.
    let _ = std::fs::remove_dir_all(&step.scratch);
    step.end(outcome, start.elapsed())
}

impl Step<'_> {
    fn emit(&self, body: EventBody) {
        self.run.emit(Some(&self.ready.planned.key), body);
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
        let (size, metadata) = done.map(|done| (done.size, done.metadata)).unwrap_or_default();
        let result = StepResult {
            key: self.ready.planned.key.clone(),
            asset: self.ready.asset.name.clone(),
            status,
            time,
            size,
            metadata,
            failure,
            log: self.log.path().map(Path::to_owned),
        };
        (result, recorded.err())
    }

    fn perform(&self) -> Outcome<Done> {
        let mut inputs = Vec::new();
        for input in &self.ready.inputs {
            inputs.push(self.load(input)?);
        }
        let output = match &self.ready.op {
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
        let stored = match (&self.ready.output, &output.value) {
            (Some(ready), Some(value)) => Some(self.store(ready, value, &output.metadata)?),
            _ => None,
        };
        Ok(self.materialize(&output, stored))
    }

    /// Loads an input through its manager.
    fn load(&self, ready: &ReadyInput<'_>) -> Outcome<LoadedInput> {
        let stage = Stage::Input { name: ready.input.name.clone(), asset: ready.asset.name.clone() };
        let upstream = self.run.upstream(ready.asset, &stage)?;
        let component = self.component(&ready.manager, &stage)?;
        let upstream_run_id = upstream.run_id.clone();
        let context = InputContext {
            run_id: Some(self.run.run_id.clone()),
            step_key: Some(self.ready.planned.key.clone()),
            input_name: Some(ready.input.name.clone()),
            asset_key: Some(ready.asset.key.clone()),
            location: Location::asset(&ready.asset.key),
            upstream: Some(upstream),
            requested_type: None,
            columns: Vec::new(),
            allow_missing: false,
            config: ready.manager.config.clone(),
            input_config: ready.config.clone(),
            definition_metadata: ready.input.metadata.clone(),
        };
        let Report { outcome, receipt, log } =
            self.run.sandbox.load_input(&self.call(&ready.manager, component), context);
        self.log.write_component(&ready.manager.name, &log);
        let loaded = loaded(&ready.manager, ready.asset, &stage, outcome, &receipt)?;
        let value = loaded.value;
        self.emit(EventBody::LoadedInput {
            input: ready.input.name.clone(),
            asset: ready.asset.name.clone(),
            manager: ready.manager.manager_use(component),
            upstream_run_id,
            metadata: value::merge(&ready.input.metadata, &loaded.metadata),
            receipt,
        });
        for event in loaded.events {
            self.run.emit_logged(&self.ready.planned.key, event);
        }
        self.emit(EventBody::StepInput {
            input: ready.input.name.clone(),
            media_type: value.parts.first().map(|part| part.media_type.clone()),
            size: value.size(),
        });
        Ok(LoadedInput { name: ready.input.name.clone(), value })
    }

    fn run_component(&self, lent: &Lent, inputs: Vec<LoadedInput>) -> Outcome<Output> {
        let component = self.component(lent, &Stage::Op)?;
        let has_value = self.ready.asset.value_type != ValueType::None;
        let context = OpContext {
            run_id: self.run.run_id.clone(),
            step_key: self.ready.planned.key.clone(),
            attempt: 1,
            config: lent.config.clone(),
            inputs: inputs.into_iter().map(|input| (input.name, input.value)).collect(),
            outputs: if has_value { vec![OUTPUT.to_owned()] } else { Vec::new() },
        };
        let Report { outcome, receipt, log } = self.run.sandbox.run_op(&self.call(lent, component), context);
        self.log.write_component(&lent.name, &log);
        let computed = outcome.map_err(|failure| {
            let doing = format!("cannot compute `{}`", lent.name);
            StepFailure::of_call(Stage::Op, &doing, lent, &[], failure, receipt.clone())
        })?;
        let used = OpUse { digest: component.digest().to_owned(), receipt };
        let Some(output) = computed.outputs.into_iter().find(|output| output.name == OUTPUT && has_value) else {
            return Ok(Output { value: None, metadata: Vec::new(), computed_by: Some(used) });
        };
        let checked = if output.value.is_absent() {
            let message = format!("the component ended well, and gave no value of `{}`", self.ready.asset.name);
            Err(wrong_output(message))
        } else {
            self.checked(output.value)
        };
        let value = checked.map_err(|mut failure| {
            failure.receipt = Some(used.receipt.clone());
            failure
        })?;
        Ok(Output { value: Some(value), metadata: value::keepable(output.metadata), computed_by: Some(used) })
    }

    /// The value with its media type, found to be what the asset is defined as.
    pub fn checked(&self, value: Value) -> Outcome<Value> {
        let asset = self.ready.asset;
        let what = |wrong: String| wrong_output(format!("the value of `{}` {wrong}", asset.name));
        let value = value::label(asset, value).map_err(what)?;
        for part in &value.parts {
            value::check(asset.value_type, &part.content).map_err(what)?;
        }
        Ok(value)
    }

    /// Stores the value through its manager.
    fn store(
        &self,
        ready: &ReadyOutput,
        value: &Value,
        metadata: &[MetadataEntry],
    ) -> Outcome<(AssetMaterialization, Stored)> {
        let asset = self.ready.asset;
        let component = self.component(&ready.manager, &Stage::Output)?;
        let context = OutputContext {
            run_id: self.run.run_id.clone(),
            step_key: self.ready.planned.key.clone(),
            attempt: 1,
            output_name: OUTPUT.to_owned(),
            asset_key: Some(asset.key.clone()),
            location: Location::asset(&asset.key),
            config: ready.manager.config.clone(),
            output_config: ready.config.clone(),
            definition_metadata: asset.metadata.clone(),
            runtime_metadata: metadata.to_vec(),
        };
        let Report { outcome, receipt, log } =
            self.run.sandbox.handle_output(&self.call(&ready.manager, component), context, value);
        self.log.write_component(&ready.manager.name, &log);
        let mut stored = outcome.map_err(|failure| {
            let doing = format!("cannot store `{}` with the I/O manager `{}`", asset.name, ready.manager.name);
            let locations = [Location::asset(&asset.key)];
            StepFailure::of_call(Stage::Output, &doing, &ready.manager, &locations, failure, receipt.clone())
        })?;
        stored.metadata = value::keepable(stored.metadata);
        let manager = ready.manager.manager_use(component);
        self.emit(EventBody::HandledOutput {
            output: OUTPUT.to_owned(),
            manager: manager.clone(),
            metadata: stored.metadata.clone(),
            receipt,
        });
        let materialization = AssetMaterialization {
            asset: asset.name.clone(),
            partition: None,
            description: None,
            metadata: value::merge(&value::merge(&asset.metadata, metadata), &stored.metadata),
            manager: Some(manager),
            output_config: written(asset.config.as_ref()),
            data_version: stored.data_version.clone(),
            logged: false,
        };
        Ok((materialization, stored))
    }

    fn materialize(&self, output: &Output, stored: Option<(AssetMaterialization, Stored)>) -> Done {
        let size = output.value.as_ref().map(Value::size);
        let nothing_stored = || AssetMaterialization {
            asset: self.ready.asset.name.clone(),
            partition: None,
            description: None,
            metadata: value::merge(&self.ready.asset.metadata, &output.metadata),
            manager: None,
            output_config: serde_json::Value::Null,
            data_version: None,
            logged: false,
        };
        let (materialization, events) = stored.map_or_else(
            || (nothing_stored(), Vec::new()),
            |(materialization, stored)| (materialization, stored.events),
        );
        for event in events {
            self.run.emit_logged(&self.ready.planned.key, event);
        }
        let metadata = materialization.metadata.clone();
        self.emit(EventBody::AssetMaterialization(materialization));
        Done { size, metadata }
    }

    fn component<'a>(&self, lent: &'a Lent, stage: &Stage) -> Outcome<&'a Component> {
        self.run.component(lent, stage)
    }

    fn call<'a>(&'a self, lent: &'a Lent, component: &'a Component) -> Call<'a> {
        self.run.call(lent, component)
    }
}

/// That the op did not give its value as it is defined.
pub(super) fn wrong_output(message: String) -> Box<StepFailure> {
    StepFailure::new(FailureClass::Error, Stage::Op, message).into()
}
