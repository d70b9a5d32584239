//! Stores the outputs of a step through their managers, again where that is defined, and records the materialization.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use airlock_sandbox::context::{AssetEvent, MetadataEntry, OutputContext};
use airlock_sandbox::report::{Failure, Receipt, Report};
use airlock_sandbox::value::{Part, Value};

use super::context::{random_fraction, written};
use super::failure::{Stage, StepFailure};
use super::lend::Lent;
use super::produced::{Produced, StepOutputs};
use super::ready::ReadyOutput;
use super::step::{Computed, Done, Given, Outcome, Step};
use super::subject::Subject;
use super::value;
use crate::definitions::Asset;
use crate::event::{AssetMaterialization, EventBody, ManagerUse, OpUse};

/// How often one who waits for the next attempt looks whether to go on.
const LOOK: Duration = Duration::from_millis(20);

/// A value as it was stored.
struct StoredValue {
    /// What the manager recorded.
    metadata: Vec<MetadataEntry>,
    events: Vec<AssetEvent>,
    /// As the manager set it, otherwise the digest of the content.
    version: Option<String>,
    manager: ManagerUse,
}

impl Step<'_> {
    /// Stores what the op computed, output by output, and records the materialization of an asset.
    pub fn store(&self, computed: Computed) -> Outcome<Done> {
        let Computed { outputs, computed_by } = computed;
        let mut done = Done { size: None, metadata: Vec::new() };
        let mut produced = StepOutputs::new();
        for (ready, given) in self.ready.of.outputs.iter().zip(outputs) {
            if let Some(value) = &given.value {
                done.size = Some(done.size.unwrap_or(0).saturating_add(value.size()));
            }
            let metadata = match ready.asset {
                Some(asset) => self.store_asset(asset, ready, &given, computed_by.as_ref())?,
                None => match self.store_output(ready, &given, computed_by.as_ref())? {
                    Some(elements) => {
                        let of_only = elements.first().filter(|_| elements.len() == 1);
                        let metadata = of_only.map(|only| only.metadata.clone()).unwrap_or_default();
                        produced.insert(ready.output.name.clone(), elements);
                        metadata
                    }
                    None => given.metadata,
                },
            };
            // Of several there is no telling which an entry is of.
            if self.ready.of.outputs.len() == 1 {
                done.metadata = metadata;
            }
        }
        if self.is_of_job() {
            self.run.produced.give(&self.ready.planned.key, produced);
        }
        Ok(done)
    }

    /// Stores what was given of `asset`, where there is something to store, records the materialization and gives its
    /// metadata.
    fn store_asset(
        &self,
        asset: &Asset,
        ready: &ReadyOutput<'_>,
        given: &Given,
        computed_by: Option<&OpUse>,
    ) -> Outcome<Vec<MetadataEntry>> {
        if given.value.is_some() || computed_by.is_some() {
            let part = given.value.as_ref().and_then(|value| value.parts.first());
            self.emit_output(ready, None, part, &given.metadata, computed_by);
        }
        let digest = computed_by.map(|used| used.digest.as_str());
        let mut materialization = AssetMaterialization {
            asset: asset.name.clone(),
            partition: self.key().map(str::to_owned),
            description: None,
            metadata: value::merge(&asset.output.metadata, &given.metadata),
            manager: None,
            output_config: serde_json::Value::Null,
            data_version: None,
            code_version: Some(self.code_version(ready, asset, digest)),
            inputs: self.loaded_versions(),
            store: Some(self.run.store(ready.manager.as_deref())),
            logged: false,
        };
        if let (Some(manager), Some(value)) = (&ready.manager, &given.value) {
            let stored = self.store_value(ready, manager, None, value, &given.metadata)?;
            materialization.metadata = value::merge(&materialization.metadata, &stored.metadata);
            materialization.manager = Some(stored.manager);
            materialization.output_config = written(asset.output.config.as_ref());
            materialization.data_version = stored.version;
            self.emit_logged(stored.events);
        }
        let metadata = materialization.metadata.clone();
        self.emit(EventBody::AssetMaterialization(materialization));
        Ok(metadata)
    }

    /// Stores what was given as an output of a step of a job: of a dynamic one each element by itself. None where it was
    /// not given.
    fn store_output(
        &self,
        ready: &ReadyOutput<'_>,
        given: &Given,
        computed_by: Option<&OpUse>,
    ) -> Outcome<Option<Vec<Arc<Produced>>>> {
        // What the op did is told once, however many elements there are.
        let mut told = Some(computed_by);
        let parts = given.value.as_ref().map(|value| value.parts.as_slice()).unwrap_or_default();
        if parts.is_empty() && (computed_by.is_some() || given.value.is_some() || !given.metadata.is_empty()) {
            self.emit_output(ready, None, None, &given.metadata, computed_by);
        }
        let (Some(manager), Some(value)) = (&ready.manager, &given.value) else { return Ok(None) };
        let mut elements = Vec::new();
        for part in &value.parts {
            let mapping_key = part.key.clone();
            let (metadata, computed_by) = match told.take() {
                Some(computed_by) => (given.metadata.as_slice(), computed_by),
                None => (&[][..], None),
            };
            self.emit_output(ready, mapping_key.clone(), Some(part), metadata, computed_by);
            let value = Value { parts: vec![Part { key: mapping_key.clone(), ..part.clone() }] };
            let stored = self.store_value(ready, manager, mapping_key.as_deref(), &value, &given.metadata)?;
            self.emit_logged(stored.events);
            let by_op = value::merge(&ready.output.metadata, &given.metadata);
            elements.push(Arc::new(Produced {
                run_id: self.run.run_id.clone(),
                step_key: self.ready.planned.key.clone(),
                mapping_key,
                metadata: value::merge(&by_op, &stored.metadata),
                data_version: stored.version,
                manager: manager.name.clone(),
            }));
        }
        Ok(Some(elements))
    }

    /// Records that the op gave the output `ready`, or the element `mapping_key` of it.
    fn emit_output(
        &self,
        ready: &ReadyOutput<'_>,
        mapping_key: Option<String>,
        part: Option<&Part>,
        metadata: &[MetadataEntry],
        computed_by: Option<&OpUse>,
    ) {
        self.emit(EventBody::StepOutput {
            output: ready.output.name.clone(),
            mapping_key,
            media_type: part.map(|part| part.media_type.clone()),
            size: part.map_or(0, |part| part.content.size()),
            metadata: metadata.to_vec(),
            computed_by: computed_by.cloned(),
        });
    }

    fn emit_logged(&self, events: Vec<AssetEvent>) {
        for event in events {
            self.run.emit_logged(&self.ready.planned.key, event);
        }
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

    /// Asks the manager to store `value`, the output `ready` or its element `mapping_key`, as often as its policy says.
    /// The op, which recorded `metadata`, is not run again.
    fn store_value(
        &self,
        ready: &ReadyOutput<'_>,
        manager: &Lent,
        mapping_key: Option<&str>,
        value: &Value,
        metadata: &[MetadataEntry],
    ) -> Outcome<StoredValue> {
        // Meanwhile, on a core that the manager leaves free.
        value.parts.iter().for_each(|part| part.content.digest_in_background());
        let component = self.component(manager, &stage(ready))?;
        let subject = self.subject(ready, mapping_key);
        let attempts = ready.retry.map_or(1, |retry| retry.attempts);
        let mut attempt = 1;
        loop {
            let context = OutputContext {
                run_id: self.run.run_id.clone(),
                step_key: self.ready.planned.key.clone(),
                attempt,
                output_name: ready.output.name.clone(),
                asset_key: subject.asset_key(),
                location: subject.location(),
                partitions: subject.partitions(),
                config: manager.config.clone(),
                output_config: ready.config.clone(),
                definition_metadata: ready.output.metadata.clone(),
                runtime_metadata: metadata.to_vec(),
            };
            let Report { outcome, receipt, log } =
                self.run.sandbox.handle_output(&self.call(manager, component), context, value);
            self.log.write_component(&manager.name, &log);
            match outcome {
                Ok(stored) => {
                    let metadata = value::keepable(stored.metadata);
                    let version = stored.data_version.or_else(|| self.content_version(value));
                    let manager = manager.manager_use(component);
                    self.emit(EventBody::HandledOutput {
                        output: ready.output.name.clone(),
                        mapping_key: mapping_key.map(str::to_owned),
                        attempt,
                        manager: manager.clone(),
                        metadata: metadata.clone(),
                        data_version: version.clone(),
                        receipt,
                    });
                    return Ok(StoredValue { metadata, events: stored.events, version, manager });
                }
                Err(failure) if attempt < attempts && is_retryable(&failure) => {
                    attempt += 1;
                    self.wait_before(ready, manager, attempt, &failure, &subject)?;
                }
                Err(failure) => return Err(not_stored(ready, manager, attempt, &subject, failure, receipt)),
            }
        }
    }

    /// Records that an attempt failed, and waits before the one that is the `attempt`th.
    fn wait_before(
        &self,
        ready: &ReadyOutput<'_>,
        manager: &Lent,
        attempt: u32,
        failure: &Failure,
        subject: &Subject<'_>,
    ) -> Outcome<()> {
        let delay = ready.retry.map_or(Duration::ZERO, |retry| retry.delay_before(attempt, random_fraction()));
        let (before, name) = (attempt - 1, subject.name());
        let message =
            format!("attempt {before} to store `{name}` with the I/O manager `{}` failed: {failure}", manager.name);
        self.log.write(format!("{message}; the next follows in {:.3} s\n", delay.as_secs_f64()).as_bytes());
        let output = ready.output.name.clone();
        self.emit(EventBody::HandleOutputRetry { output, attempt: before, message, delay });
        let start = Instant::now();
        loop {
            if self.run.interrupt.is_interrupted() {
                return Err(StepFailure::interrupted(stage(ready)).into());
            }
            let left = delay.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(LOOK));
        }
    }
}

fn stage(ready: &ReadyOutput<'_>) -> Stage {
    Stage::Output { name: ready.output.name.clone() }
}

fn not_stored(
    ready: &ReadyOutput<'_>,
    manager: &Lent,
    attempt: u32,
    subject: &Subject<'_>,
    failure: Failure,
    receipt: Receipt,
) -> Box<StepFailure> {
    let tried = if attempt > 1 { format!(" after {attempt} attempts") } else { String::new() };
    let doing = format!("cannot store `{}` with the I/O manager `{}`{tried}", subject.name(), manager.name);
    let locations = subject.partitions().locations(&subject.location());
    StepFailure::of_call(stage(ready), &doing, manager, &locations, failure, receipt).into()
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
