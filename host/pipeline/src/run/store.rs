//! Stores the outputs of a step through their managers, again where that is defined, and records the materialization.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use airlock_sandbox::context::{AssetEvent, MetadataEntry, OutputContext};
use airlock_sandbox::report::{Failure, Receipt, Report};
use airlock_sandbox::value::{Part, Value};

use super::context::written;
use super::failure::{Stage, StepFailure};
use super::lend::Lent;
use super::produced::{Produced, StepOutputs};
use super::ready::ReadyOutput;
use super::retry::{Retry, tried};
use super::step::{Computed, Done, Given, Outcome, Step};
use super::subject::Subject;
use super::value;
use crate::audit::Function;
use crate::definitions::Asset;
use crate::event::{AssetMaterialization, EventBody, ManagerUse, OpUse};

/// A value as it was stored.
struct StoredValue {
    /// What the manager recorded.
    metadata: Vec<MetadataEntry>,
    events: Vec<AssetEvent>,
    /// As the manager set it, otherwise of one value the digest of its content.
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

    /// Stores what was given of `asset`, where there is something to store, records the materialization of each partition
    /// and gives its metadata; of several that of the op.
    fn store_asset(
        &self,
        asset: &Asset,
        ready: &ReadyOutput<'_>,
        given: &Given,
        computed_by: Option<&OpUse>,
    ) -> Outcome<Vec<MetadataEntry>> {
        let parts = given.value.as_ref().map(|value| value.parts.as_slice()).unwrap_or_default();
        if given.value.is_some() || computed_by.is_some() {
            self.emit_output(ready, None, parts, (&given.metadata, &[]), computed_by);
        }
        let digest = computed_by.map(|used| used.digest.as_str());
        let mut materialization = AssetMaterialization {
            asset: asset.name.clone(),
            partition: None,
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
        let by_op = materialization.metadata.clone();
        let (Some(manager), Some(value)) = (&ready.manager, &given.value) else {
            for partition in self.keys() {
                let metadata = value::merge(&by_op, given.of_part(partition.as_deref()));
                let made = AssetMaterialization { partition, metadata, ..materialization.clone() };
                self.emit(EventBody::AssetMaterialization(made));
            }
            return Ok(by_op);
        };
        materialization.output_config = written(asset.output.config.as_ref());
        let calls = self.calls(asset, ready, manager, value)?;
        let is_one = calls.len() == 1;
        for (subject, value) in calls {
            let key = subject.key().map(Cow::into_owned);
            let told = value::merge(&given.metadata, given.of_part(key.as_deref()));
            let stored = self.store_value(ready, manager, &subject, &value, &told)?;
            materialization.manager = Some(stored.manager);
            self.emit_logged(stored.events);
            for part in &value.parts {
                let version = stored.version.clone().or_else(|| self.content_version(part));
                // The only one came without its key.
                let partition = part.key.clone().or_else(|| key.clone());
                let by_op = value::merge(&by_op, given.of_part(partition.as_deref()));
                materialization.metadata = value::merge(&by_op, &stored.metadata);
                materialization.partition = partition;
                materialization.data_version = version;
                self.emit(EventBody::AssetMaterialization(materialization.clone()));
            }
        }
        Ok(if is_one { materialization.metadata } else { by_op })
    }

    /// What `manager` is asked to store of `value`, call by call: all partitions in one where it takes many, otherwise each
    /// by itself, as one value.
    fn calls<'s>(
        &'s self,
        asset: &'s Asset,
        ready: &'s ReadyOutput<'_>,
        manager: &Lent,
        value: &Value,
    ) -> Outcome<Vec<(Subject<'s>, Value)>> {
        let whole = self.subject(ready, None);
        let Some(places) = self.places().filter(|_| self.ready.of.is_keyed) else {
            return Ok(vec![(whole, value.clone())]);
        };
        let manifest = self.component(manager, &stage(ready))?.inspection().manifest.as_ref();
        if manifest.is_some_and(|manifest| manifest.many_partitions) {
            return Ok(vec![(whole, value.clone())]);
        }
        let each = places.each().zip(&value.parts).map(|((places, _), part)| {
            let subject = Subject::Asset { asset, partitions: Some(places) };
            (subject, Value { parts: vec![Part { key: None, ..part.clone() }] })
        });
        Ok(each.collect())
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
            self.emit_output(ready, None, &[], (&given.metadata, &[]), computed_by);
        }
        let (Some(manager), Some(value)) = (&ready.manager, &given.value) else { return Ok(None) };
        let mut elements = Vec::new();
        for part in &value.parts {
            let mapping_key = part.key.clone();
            let (metadata, computed_by) = match told.take() {
                Some(computed_by) => (given.metadata.as_slice(), computed_by),
                None => (&[][..], None),
            };
            let metadata = (metadata, given.of_part(mapping_key.as_deref()));
            self.emit_output(ready, mapping_key.clone(), std::slice::from_ref(part), metadata, computed_by);
            let value = Value { parts: vec![Part { key: mapping_key.clone(), ..part.clone() }] };
            let subject = self.subject(ready, mapping_key.as_deref());
            let by_op = value::merge(&given.metadata, given.of_part(mapping_key.as_deref()));
            let stored = self.store_value(ready, manager, &subject, &value, &by_op)?;
            self.emit_logged(stored.events);
            let by_op = value::merge(&ready.output.metadata, &by_op);
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

    /// Records that the op gave the output `ready`, or the element `mapping_key` of it, with what it recorded of all of it and
    /// of the element.
    fn emit_output(
        &self,
        ready: &ReadyOutput<'_>,
        mapping_key: Option<String>,
        parts: &[Part],
        (metadata, part_metadata): (&[MetadataEntry], &[MetadataEntry]),
        computed_by: Option<&OpUse>,
    ) {
        self.emit(EventBody::StepOutput {
            output: ready.output.name.clone(),
            mapping_key,
            media_type: parts.first().map(|part| part.media_type.clone()),
            size: parts.iter().map(|part| part.content.size()).fold(0, u64::saturating_add),
            metadata: metadata.to_vec(),
            part_metadata: part_metadata.to_vec(),
            computed_by: computed_by.cloned(),
        });
    }

    fn emit_logged(&self, events: Vec<AssetEvent>) {
        for event in events {
            self.run.emit_logged(&self.ready.planned.key, event);
        }
    }

    /// The digest of `part`; none where it cannot be read any more, or the run is interrupted meanwhile.
    fn content_version(&self, part: &Part) -> Option<String> {
        let interrupt = &self.run.interrupt;
        let go_on = || if interrupt.is_interrupted() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) };
        part.content.digest::<io::Error>(go_on).ok()
    }

    /// Asks the manager to store `value`, which is `subject`, of the output `ready`, as often as its policy says. The op,
    /// which recorded `metadata`, is not run again.
    fn store_value(
        &self,
        ready: &ReadyOutput<'_>,
        manager: &Lent,
        subject: &Subject<'_>,
        value: &Value,
        metadata: &[MetadataEntry],
    ) -> Outcome<StoredValue> {
        // Meanwhile, on a core that the manager leaves free.
        value.parts.iter().for_each(|part| part.content.digest_in_background());
        let component = self.component(manager, &stage(ready))?;
        let context = |attempt| OutputContext {
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
        let call = |attempt| {
            let step = Some(self.ready.planned.key.as_str());
            let store = || self.run.sandbox.handle_output(&self.call(manager, component), context(attempt), value);
            let mut report = self.run.audited(step, (manager, component), Function::HandleOutput, store);
            self.log.write_component(&manager.name, &std::mem::take(&mut report.log));
            report
        };
        let failed = |retry: &Retry<'_>| self.emit_retry(ready, manager, subject, retry);
        let (attempt, report) = self.run.retried(manager, &stage(ready), call, failed)?;
        let Report { outcome, receipt, .. } = report;
        let stored =
            outcome.map_err(|failure| not_stored(ready, manager, attempt, subject, failure, receipt.clone()))?;
        let metadata = value::keepable(stored.metadata);
        let version = match value.parts.as_slice() {
            [only] => stored.data_version.or_else(|| self.content_version(only)),
            // Each has a digest of its own.
            _ => stored.data_version,
        };
        let (partition, mapping_key) = self.part_of(subject);
        let manager = manager.manager_use(component);
        self.emit(EventBody::HandledOutput {
            output: ready.output.name.clone(),
            partition,
            mapping_key,
            attempt,
            manager: manager.clone(),
            metadata: metadata.clone(),
            data_version: version.clone(),
            receipt,
        });
        Ok(StoredValue { metadata, events: stored.events, version, manager })
    }

    /// Which part of what the step gives `subject` is: of several partitions one, or an element of a dynamic output.
    fn part_of(&self, subject: &Subject<'_>) -> (Option<String>, Option<String>) {
        let key = || subject.key().map(Cow::into_owned);
        match subject {
            Subject::Asset { .. } if self.ready.planned.partition_count() > 1 => (key(), None),
            Subject::Asset { .. } => (None, None),
            _ => (None, key()),
        }
    }

    /// Records that an attempt to store `subject` failed.
    fn emit_retry(&self, ready: &ReadyOutput<'_>, manager: &Lent, subject: &Subject<'_>, retry: &Retry<'_>) {
        let Retry { attempt, failure, delay } = *retry;
        let name = subject.name();
        let message =
            format!("attempt {attempt} to store `{name}` with the I/O manager `{}` failed: {failure}", manager.name);
        self.log.write(format!("{message}; the next follows in {:.3} s\n", delay.as_secs_f64()).as_bytes());
        let (output, (partition, mapping_key)) = (ready.output.name.clone(), self.part_of(subject));
        self.emit(EventBody::HandleOutputRetry { output, partition, mapping_key, attempt, message, delay });
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
    let tried = tried(attempt);
    let doing = format!("cannot store `{}` with the I/O manager `{}`{tried}", subject.name(), manager.name);
    let locations = subject.partitions().locations(&subject.location());
    StepFailure::of_call(stage(ready), &doing, manager, &locations, failure, receipt).into()
}
