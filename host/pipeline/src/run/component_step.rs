//! The op of a step that is a component.

use std::sync::Arc;

use airlock_sandbox::context::{OpContext, OpOutput};
use airlock_sandbox::report::{ComputedOutput, Report};
use airlock_sandbox::value::{Input, Value};

use super::failure::{FailureClass, Stage, StepFailure};
use super::inputs::StepInput;
use super::lend::Lent;
use super::parts::{Served, remote};
use super::ready::ReadyOutput;
use super::step::{Computed, Given, Outcome, Step, wrong_output};
use super::value;
use crate::audit::Function;
use crate::definitions::{Form, ValueType};
use crate::event::OpUse;

impl Step<'_> {
    /// Runs the component `lent`.
    pub fn run_component(&self, lent: &Lent, inputs: Vec<StepInput<'_>>) -> Outcome<Computed> {
        let component = self.component(lent, &Stage::Op)?;
        let mut context = OpContext {
            run_id: self.run.run_id.clone(),
            step_key: self.ready.planned.key.clone(),
            attempt: 1,
            config: lent.config.clone(),
            partitions: self.partitions(),
            inputs: Vec::new(),
            outputs: self
                .values()
                .map(|ready| OpOutput { name: ready.output.name.clone(), is_dynamic: ready.output.is_dynamic })
                .collect(),
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
            let (step, call) = (Some(self.ready.planned.key.as_str()), self.call(lent, component));
            let run = || self.run.sandbox.run_op(&call, context);
            let report = self.run.audited(step, (lent, component), Function::Run, run);
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
        let mut computed = computed.outputs.into_iter().peekable();
        let mut given = Vec::new();
        for ready in &self.ready.of.outputs {
            let has_value = ready.output.value_type != ValueType::None;
            let Some(output) = computed.next_if(|_| has_value) else {
                given.push(Given::default());
                continue;
            };
            given.push(self.given_output(ready, output).map_err(|mut failure| {
                failure.receipt.get_or_insert_with(|| used.receipt.clone());
                failure
            })?);
        }
        Ok(Computed { outputs: given, computed_by: Some(used) })
    }

    /// What a component gave as the output `ready`.
    fn given_output(&self, ready: &ReadyOutput<'_>, given: ComputedOutput) -> Outcome<Given> {
        let metadata = value::keepable(given.metadata);
        let keepable = |(key, entries)| (key, value::keepable(entries));
        let part_metadata = given.part_metadata.into_iter().map(keepable).collect();
        if !given.value.is_absent() {
            let value = self.checked(ready, given.value, Form::Arrow)?;
            return Ok(Given { value: Some(value), metadata, part_metadata });
        }
        if ready.output.is_optional {
            return Ok(Given { value: None, metadata, part_metadata });
        }
        if ready.output.is_dynamic {
            return Ok(Given { value: Some(Value::default()), metadata, part_metadata });
        }
        let message = format!("the component ended well, and gave no value of `{}`", self.output_name(ready));
        let failure = wrong_output(message);
        Err(if self.is_of_job() {
            failure.help("say `optional = true` of the output that may be absent").into()
        } else {
            failure.into()
        })
    }
}
