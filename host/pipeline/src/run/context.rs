//! What all steps of a run share.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use airlock_sandbox::context::{AssetEvent, AssetEventKind, StoredOutput};
use airlock_sandbox::report::Report;
use airlock_sandbox::value::Budget;
use airlock_sandbox::{Call, Component, Interrupt, Sandbox, text};
use jiff::{Timestamp, Unit};

use super::convert::Converter;
use super::failure::{FailureClass, Stage, StepFailure};
use super::lend::Lent;
use super::produced::ProducedOutputs;
use super::step::Outcome;
use super::value;
use crate::audit::{AuditLog, AuditedCall, Function};
use crate::definitions::{Asset, Builtins, Configuration, Definitions, Environment, RESULT};
use crate::event::{AssetMaterialization, Event, EventBody, EventLog, EventLogError, EventReader, Materialization};
use crate::home::Home;
use crate::partition::Selected;

/// Bytes of the name of an asset that a manager logs, at most.
const ASSET_BYTES: usize = 512;

/// What all steps of a run share; also a load outside a run, which records nothing.
pub(super) struct RunContext<'a> {
    pub run_id: String,
    pub definitions: &'a Definitions,
    pub home: &'a Home,
    pub sandbox: &'a Sandbox,
    pub builtins: Builtins,
    pub environment: &'a Environment,
    pub budget: Budget,
    pub scratch: PathBuf,
    pub interrupt: Interrupt,
    pub strict: bool,
    /// What is stored, by asset, where what is unchanged is not computed.
    pub stored: Option<HashMap<String, Selected>>,
    /// What the steps of a job gave.
    pub produced: ProducedOutputs,
    pub log: Option<&'a EventLog>,
    /// Where calls of components are told of.
    pub audit: Option<&'a AuditLog>,
    /// Converts tables.
    pub converter: &'a Converter,
    /// Opened when it is first needed.
    pub reader: Mutex<Option<EventReader>>,
    pub on_event: &'a (dyn Fn(&Event) + Sync),
}

/// Milliseconds that the first 11 digits of an id can hold.
const LAST_MILLISECOND: i64 = 0xfff_ffff_ffff;

/// An id of 16 hexadecimal digits; ids sort by the time they were made. It follows `last`, the last one that is recorded,
/// also where the clock was set back since.
pub(super) fn new_run_id(last: Option<&str>) -> String {
    let recorded = last.and_then(|id| i64::from_str_radix(id.get(..11)?, 16).ok());
    let next = recorded.map_or(0, |milliseconds| milliseconds.saturating_add(1));
    let milliseconds = Timestamp::now().as_millisecond().max(next).min(LAST_MILLISECOND);
    format!("{milliseconds:011x}{:05x}", random() & 0xf_ffff)
}

/// A random number; the keys of a hasher are random, and differ from hasher to hasher.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A random number from 0 to 1.
pub(super) fn random_fraction() -> f64 {
    f64::from(u32::try_from(random() >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// The store of an asset without a value: its profile.
pub(super) fn no_store(definitions: &Definitions) -> String {
    definitions.profile().unwrap_or_default().to_owned()
}

fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(Unit::Millisecond).unwrap_or(now)
}

/// The configuration as it is written in the definitions; null where there is none.
pub(super) fn written(config: Option<&Configuration>) -> serde_json::Value {
    config.and_then(|config| serde_json::to_value(config).ok()).unwrap_or_default()
}

impl RunContext<'_> {
    /// Records that `body` happened, of the step `step_key` where one is given.
    pub fn emit(&self, step_key: Option<&str>, body: EventBody) {
        let event = self.event(step_key, body);
        (self.on_event)(&event);
        if let Some(log) = self.log {
            log.append(event);
        }
    }

    /// As [`emit`](Self::emit), and tells it only once it, and all that this thread recorded before, is durable.
    pub fn emit_durable(&self, step_key: Option<&str>, body: EventBody) -> Result<(), EventLogError> {
        let event = self.event(step_key, body);
        if let Some(log) = self.log {
            log.append(event.clone());
            log.flush()?;
        }
        (self.on_event)(&event);
        Ok(())
    }

    /// Records what a manager logged in the step `step_key`.
    pub fn emit_logged(&self, step_key: &str, event: AssetEvent) {
        let AssetEvent { kind, asset_key, partition, description, metadata } = event;
        let asset = text::safe_line(&asset_key.join("/"), ASSET_BYTES);
        let metadata = value::keepable(metadata);
        let body = match kind {
            AssetEventKind::Observation => EventBody::AssetObservation { asset, partition, description, metadata },
            AssetEventKind::Materialization => EventBody::AssetMaterialization(AssetMaterialization {
                asset,
                partition,
                description,
                metadata,
                manager: None,
                output_config: serde_json::Value::Null,
                data_version: None,
                code_version: None,
                inputs: None,
                store: None,
                logged: true,
            }),
        };
        self.emit(Some(step_key), body);
    }

    fn event(&self, step_key: Option<&str>, body: EventBody) -> Event {
        Event { run_id: self.run_id.clone(), time: now(), step_key: step_key.map(str::to_owned), body }
    }

    /// The latest materialization in `store` of `asset`, or of its partition `key`, of this run or an earlier one.
    pub fn latest(
        &self,
        asset: &str,
        key: Option<&str>,
        store: &str,
    ) -> Result<Option<Materialization>, EventLogError> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if reader.is_none() {
            *reader = EventReader::open(self.home)?;
        }
        reader.as_ref().map_or(Ok(None), |reader| reader.latest(asset, key, store))
    }

    /// What tells where `manager` keeps its values; of an asset without a value, what tells one profile from another.
    pub fn store(&self, manager: Option<&Lent>) -> String {
        manager.map_or_else(|| no_store(self.definitions), Lent::store)
    }

    /// The component of `lent`, compiled when it is first asked for.
    pub fn component<'a>(&self, lent: &'a Lent, stage: &Stage) -> Outcome<&'a Component> {
        let component = lent.component(self.sandbox, self.builtins);
        component.map_err(|error| StepFailure::of_component(stage.clone(), lent, error).into())
    }

    pub fn call<'a>(&'a self, lent: &'a Lent, component: &'a Component) -> Call<'a> {
        let Self { budget, interrupt, strict, .. } = self;
        Call { component, grant: &lent.grant, budget, interrupt, strict: *strict, deterministic: None }
    }

    /// Makes a call of the component of `lent` for a step, and tells of it in the audit log.
    pub fn audited<T>(
        &self,
        step: Option<&str>,
        (lent, component): (&Lent, &Component),
        function: Function,
        call: impl FnOnce() -> Report<T>,
    ) -> Report<T> {
        let Some(audit) = self.audit else { return call() };
        let (run, digest) = (step.map(|_| self.run_id.as_str()), component.digest());
        audit.told(&AuditedCall { run, step, guest: &lent.name, digest, function, grant: &lent.grant }, call)
    }

    /// `config` with what the environment has; none where there is none.
    pub fn output_config(&self, config: Option<&Configuration>, stage: &Stage) -> Outcome<Option<serde_json::Value>> {
        let resolved = config.map(|config| config.resolve(self.environment)).transpose();
        resolved.map_err(|unresolved| {
            StepFailure::new(FailureClass::Definitions, stage.clone(), unresolved.to_string()).into()
        })
    }

    /// What is recorded of the output of `asset`, or of its partition `key`, that `manager` stored.
    pub fn upstream(&self, asset: &Asset, key: Option<&str>, manager: &Lent, stage: &Stage) -> Outcome<StoredOutput> {
        let failed = |class, message: String| StepFailure::new(class, stage.clone(), message);
        let recorded = self
            .latest(&asset.name, key, &manager.store())
            .map_err(|error| failed(FailureClass::Storage, error.to_string()))?;
        let now = written(asset.output.config.as_ref());
        let output_config = match &recorded {
            // What was recorded names the environment and does not show it. It is looked up where the definitions
            // still name it.
            Some(recorded) if recorded.body.output_config != now => recorded.body.output_config.clone(),
            _ => self.output_config(asset.output.config.as_ref(), stage)?.unwrap_or(now),
        };
        let definition_metadata = asset.output.metadata.clone();
        let unknown = StoredOutput {
            output_name: RESULT.to_owned(),
            output_config,
            definition_metadata,
            ..StoredOutput::default()
        };
        Ok(match recorded {
            Some(recorded) => StoredOutput {
                run_id: Some(recorded.run_id),
                step_key: recorded.step_key,
                stored_metadata: recorded.body.metadata,
                data_version: recorded.body.data_version,
                ..unknown
            },
            None => unknown,
        })
    }
}
