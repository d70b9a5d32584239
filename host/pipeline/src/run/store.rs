//! Stores the output of a step through its manager, again where that is defined, and records the materialization.

use std::io;
use std::time::{Duration, Instant};

use airlock_sandbox::context::{AssetEvent, OutputContext};
use airlock_sandbox::layout::Location;
use airlock_sandbox::report::{Failure, Receipt, Report, Stored};
use airlock_sandbox::value::Value;

use super::context::{random_fraction, written};
use super::failure::{Stage, StepFailure};
use super::prepare::ReadyOutput;
use super::step::{Done, OUTPUT, Outcome, Output, Step};
use super::value;
use crate::event::{AssetMaterialization, EventBody, ManagerUse};

/// How often one who waits for the next attempt looks whether to go on.
const LOOK: Duration = Duration::from_millis(20);

impl Step<'_> {
    /// Stores what the op computed, where there is something to store, and records the materialization.
    pub fn store(&self, output: &Output) -> Outcome<Done> {
        let asset = self.asset();
        let digest = output.computed_by.as_ref().map(|used| used.digest.as_str());
        let mut materialization = AssetMaterialization {
            asset: asset.name.clone(),
            partition: self.key().map(str::to_owned),
            description: None,
            metadata: value::merge(&asset.metadata, &output.metadata),
            manager: None,
            output_config: serde_json::Value::Null,
            data_version: None,
            code_version: Some(self.code_version(digest)),
            inputs: self.loaded_versions(),
            store: Some(self.run.store(self.ready.of.output.as_ref().map(|output| &*output.manager))),
            logged: false,
        };
        let mut events: Vec<AssetEvent> = Vec::new();
        if let (Some(ready), Some(value)) = (&self.ready.of.output, &output.value) {
            // Meanwhile, on a core that the manager leaves free.
            value.parts.iter().for_each(|part| part.content.digest_in_background());
            let (stored, manager) = self.store_value(ready, value, output)?;
            materialization.metadata = value::merge(&materialization.metadata, &stored.metadata);
            materialization.manager = Some(manager);
            materialization.output_config = written(asset.config.as_ref());
            materialization.data_version = stored.data_version.or_else(|| self.content_version(value));
            events = stored.events;
        }
        for event in events {
            self.run.emit_logged(&self.ready.planned.key, event);
        }
        let metadata = materialization.metadata.clone();
        self.emit(EventBody::AssetMaterialization(materialization));
        Ok(Done { size: output.value.as_ref().map(Value::size), metadata })
    }

    /// The digest of the only part of `value`; none where it cannot be read any more, or the run is interrupted meanwhile.
    fn content_version(&self, value: &Value) -> Option<String> {
        let interrupt = &self.run.interrupt;
        let go_on = || if interrupt.is_interrupted() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) };
        match value.parts.as_slice() {
            [part] => part.content.digest::<io::Error>(go_on).ok(),
            _ => None,
        }
    }

    /// Asks the manager to store `value`, as often as its policy says. The op is not run again.
    fn store_value(&self, ready: &ReadyOutput<'_>, value: &Value, output: &Output) -> Outcome<(Stored, ManagerUse)> {
        let component = self.component(&ready.manager, &Stage::Output)?;
        let manager = ready.manager.manager_use(component);
        let attempts = ready.retry.map_or(1, |retry| retry.attempts);
        let mut attempt = 1;
        loop {
            let Report { outcome, receipt, log } = self.run.sandbox.handle_output(
                &self.call(&ready.manager, component),
                self.output_context(ready, output, attempt),
                value,
            );
            self.log.write_component(&ready.manager.name, &log);
            match outcome {
                Ok(mut stored) => {
                    stored.metadata = value::keepable(stored.metadata);
                    self.emit(EventBody::HandledOutput {
                        output: OUTPUT.to_owned(),
                        attempt,
                        manager: manager.clone(),
                        metadata: stored.metadata.clone(),
                        receipt,
                    });
                    return Ok((stored, manager));
                }
                Err(failure) if attempt < attempts && is_retryable(&failure) => {
                    attempt += 1;
                    self.wait_before(ready, attempt, &failure)?;
                }
                Err(failure) => return Err(self.not_stored(ready, attempt, failure, receipt)),
            }
        }
    }

    fn output_context(&self, ready: &ReadyOutput<'_>, output: &Output, attempt: u32) -> OutputContext {
        let asset = self.asset();
        OutputContext {
            run_id: self.run.run_id.clone(),
            step_key: self.ready.planned.key.clone(),
            attempt,
            output_name: OUTPUT.to_owned(),
            asset_key: Some(asset.key.clone()),
            location: Location::asset(&asset.key),
            partitions: self.partitions(),
            config: ready.manager.config.clone(),
            output_config: ready.config.clone(),
            definition_metadata: asset.metadata.clone(),
            runtime_metadata: output.metadata.clone(),
        }
    }

    /// Records that an attempt failed, and waits before the one that is the `attempt`th.
    fn wait_before(&self, ready: &ReadyOutput<'_>, attempt: u32, failure: &Failure) -> Outcome<()> {
        let delay = ready.retry.map_or(Duration::ZERO, |retry| retry.delay_before(attempt, random_fraction()));
        let message = format!(
            "attempt {} to store `{}` with the I/O manager `{}` failed: {failure}",
            attempt - 1,
            self.name(),
            ready.manager.name
        );
        self.log.write(format!("{message}; the next follows in {:.3} s\n", delay.as_secs_f64()).as_bytes());
        let output = OUTPUT.to_owned();
        self.emit(EventBody::HandleOutputRetry { output, attempt: attempt - 1, message, delay });
        let start = Instant::now();
        loop {
            if self.run.interrupt.is_interrupted() {
                return Err(StepFailure::interrupted(Stage::Output).into());
            }
            let left = delay.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(LOOK));
        }
    }

    fn not_stored(
        &self,
        ready: &ReadyOutput<'_>,
        attempt: u32,
        failure: Failure,
        receipt: Receipt,
    ) -> Box<StepFailure> {
        let (name, manager) = (self.name(), &ready.manager.name);
        let tried = if attempt > 1 { format!(" after {attempt} attempts") } else { String::new() };
        let doing = format!("cannot store `{name}` with the I/O manager `{manager}`{tried}");
        let locations = self.partitions().locations(&Location::asset(&self.asset().key));
        StepFailure::of_call(Stage::Output, &doing, &ready.manager, &locations, failure, receipt).into()
    }
}

/// Whether the same call may succeed another time: what the component says of its own errors, and storage, which may be
/// full or busy for the moment.
fn is_retryable(failure: &Failure) -> bool {
    match failure {
        Failure::Guest { error } => error.retryable,
        Failure::Storage { .. } => true,
        _ => false,
    }
}
