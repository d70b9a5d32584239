//! Loads a value through an I/O manager.

use std::borrow::Cow;

use airlock_sandbox::context::{AssetEvent, InputContext, MetadataEntry, StoredOutput};
use airlock_sandbox::report::{Failure, Log, Receipt, Report};
use airlock_sandbox::value::Part;
use serde_json::Value;

use super::context::RunContext;
use super::failure::{FailureClass, Stage, StepFailure};
use super::lend::Lent;
use super::produced::Produced;
use super::retry::{Retry, tried};
use super::step::Outcome;
use super::subject::Subject;
use super::value;
use crate::audit::Function;
use crate::definitions::{Input, Mount, MountPath, Op};
use crate::event::{EventBody, ManagerUse};

/// What is to be loaded, and for what.
pub(super) struct Load<'a> {
    pub subject: Subject<'a>,
    pub manager: &'a Lent,
    pub recorded: Recorded<'a>,
    /// The step and its input; absent outside a run.
    pub input: Option<(&'a str, &'a Input)>,
    /// The configuration of the input.
    pub config: &'a Value,
    /// The media type that is asked for; absent where any is taken.
    pub media_type: Option<&'a str>,
}

/// Where it is known what was stored.
#[derive(Clone, Copy)]
pub(super) enum Recorded<'a> {
    /// In the log, of what this manager stored.
    Asset(&'a Lent),
    /// Here, of what this manager stored.
    Output(&'a Produced, &'a Lent),
    /// Nowhere: nothing stored it.
    Nowhere,
}

/// Bytes of a media type that is shown.
const MEDIA_TYPE_SHOWN: usize = 100;

/// What was loaded.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Without a key; absent where nothing is stored and that is allowed.
    pub part: Option<Part>,
    /// What the manager recorded.
    pub metadata: Vec<MetadataEntry>,
    pub events: Vec<AssetEvent>,
    pub receipt: Receipt,
    pub manager: ManagerUse,
    /// The run that stored it, where that is known.
    pub upstream_run_id: Option<String>,
    /// The version of its content, where that is known.
    pub version: Option<String>,
}

impl Load<'_> {
    /// Where it stands in a step.
    pub fn stage(&self) -> Stage {
        let name = self.input.map_or_else(|| self.subject.name(), |(_, input)| input.name.clone());
        let asset = self.subject.asset().map(|asset| asset.name.clone());
        Stage::Input { name, asset, partition: self.subject.key().map(Cow::into_owned) }
    }

    /// What is recorded of what is loaded.
    fn upstream(&self, run: &RunContext<'_>, stage: &Stage) -> Outcome<Option<StoredOutput>> {
        match (self.recorded, &self.subject) {
            (Recorded::Asset(stored_with), Subject::Asset { asset, .. }) => {
                run.upstream(asset, self.subject.key().as_deref(), stored_with, stage).map(Some)
            }
            (Recorded::Output(produced, _), Subject::Output { output, .. }) => {
                let config = output.config.as_ref();
                let output_config = run.output_config(config, stage)?.unwrap_or_default();
                Ok(Some(StoredOutput {
                    run_id: Some(produced.run_id.clone()),
                    step_key: Some(produced.step_key.clone()),
                    output_name: output.name.clone(),
                    mapping_key: produced.mapping_key.clone(),
                    output_config,
                    definition_metadata: output.metadata.clone(),
                    stored_metadata: produced.metadata.clone(),
                    data_version: produced.data_version.clone(),
                }))
            }
            _ => Ok(None),
        }
    }

    /// Loads it. `hear` is told what the component said, also where it fails.
    pub fn perform(&self, run: &RunContext<'_>, mut hear: impl FnMut(Log)) -> Outcome<Loaded> {
        let stage = self.stage();
        let component = run.component(self.manager, &stage)?;
        let upstream = self.upstream(run, &stage)?;
        let (upstream_run_id, version) = match &upstream {
            Some(upstream) => (upstream.run_id.clone(), upstream.data_version.clone()),
            None => (None, None),
        };
        let (location, partitions) = (self.subject.location(), self.subject.partitions());
        let locations = partitions.locations(&location);
        let input = self.input.map(|(_, input)| input);
        let allow_missing = input.is_some_and(|input| input.allow_missing);
        let context = || InputContext {
            run_id: self.input.map(|_| run.run_id.clone()),
            step_key: self.input.map(|(step_key, _)| step_key.to_owned()),
            input_name: input.map(|input| input.name.clone()),
            asset_key: self.subject.asset_key(),
            location: location.clone(),
            partitions: partitions.clone(),
            upstream: upstream.iter().cloned().collect(),
            requested_type: self.media_type.map(str::to_owned),
            columns: input.and_then(|input| input.columns.clone()).unwrap_or_default(),
            allow_missing,
            config: self.manager.config.clone(),
            input_config: self.config.clone(),
            definition_metadata: input.map(|input| input.metadata.clone()).unwrap_or_default(),
        };
        let call = |_| {
            let step = self.input.map(|(step_key, _)| step_key);
            let load = || run.sandbox.load_input(&run.call(self.manager, component), context());
            let mut report = run.audited(step, (self.manager, component), Function::LoadInput, load);
            hear(std::mem::take(&mut report.log));
            report
        };
        let (attempt, report) = run.retried(self.manager, &stage, call, |retry| self.emit_retry(run, retry))?;
        let Report { outcome, receipt, .. } = report;
        let (name, tried) = (self.subject.name(), tried(attempt));
        let doing = format!("cannot load `{name}` with the I/O manager `{}`{tried}", self.manager.name);
        let is_missing = matches!(&outcome, Err(Failure::Guest { error }) if error.code == "not-found");
        let mut loaded = match outcome {
            Ok(loaded) => loaded,
            Err(_) if is_missing && allow_missing => airlock_sandbox::report::Loaded::default(),
            Err(failure) => {
                let failed = StepFailure::of_call(stage, &doing, self.manager, &locations, failure, receipt);
                return Err(if is_missing { self.with_help(failed) } else { failed }.into());
            }
        };
        let wrong = |what: &str| StepFailure::new(FailureClass::Error, stage.clone(), format!("{doing}: {what}"));
        let part = match loaded.value.parts.len() {
            0 if allow_missing => None,
            0 => return Err(self.with_help(wrong("it has no stored value")).into()),
            1 => loaded.value.parts.pop().map(|part| Part { key: None, ..part }),
            _ => return Err(wrong("it came in several parts, and one was asked for").into()),
        };
        if let (Some(part), Some(wanted)) = (&part, self.media_type) {
            let given = part.media_type.split(';').next().unwrap_or_default().trim_end();
            if given != wanted {
                let given = airlock_sandbox::text::safe_line(given, MEDIA_TYPE_SHOWN);
                return Err(wrong(&format!("it came as {given}, and {wanted} was asked for")).into());
            }
        }
        Ok(Loaded {
            part,
            metadata: value::keepable(loaded.metadata),
            events: loaded.events,
            receipt,
            manager: self.manager.manager_use(component),
            upstream_run_id,
            version,
        })
    }

    /// Records that an attempt failed, in a run.
    fn emit_retry(&self, run: &RunContext<'_>, retry: &Retry<'_>) {
        let Some((step_key, input)) = self.input else { return };
        let Retry { attempt, failure, delay } = *retry;
        let (name, manager) = (self.subject.name(), &self.manager.name);
        let body = EventBody::LoadInputRetry {
            input: input.name.clone(),
            asset: self.subject.asset().map(|asset| asset.name.clone()),
            partition: self.subject.key().map(Cow::into_owned),
            attempt,
            message: format!("attempt {attempt} to load `{name}` with the I/O manager `{manager}` failed: {failure}"),
            delay,
        };
        run.emit(Some(step_key), body);
    }

    /// `failure`, that there is no value, with how there will be one.
    fn with_help(&self, failure: StepFailure) -> StepFailure {
        match self.store_first() {
            Some(help) => failure.help(help),
            None => failure,
        }
    }

    /// How there will be a value to load.
    fn store_first(&self) -> Option<String> {
        let is_memory = |mount: &Mount| matches!(mount.source, MountPath::Memory);
        let (asset, stored_with) = match (self.subject, self.recorded) {
            (Subject::Asset { asset, .. }, Recorded::Asset(stored_with)) => (asset, stored_with),
            (Subject::Output { run_id, .. }, Recorded::Output(produced, manager)) => {
                if manager.definition.mounts.iter().any(is_memory) {
                    return Some(format!("`{}` kept it in memory, which ended with the run {run_id}", manager.name));
                }
                return Some(format!(
                    "the run {run_id} stored it with `{}`: it was removed since, or that lies elsewhere now",
                    produced.manager
                ));
            }
            _ => return None,
        };
        if let Op::External = asset.op {
            return Some(format!("`{}` is external: what makes it has to store it first", asset.name));
        }
        let (asset, manager) = (&asset.name, &stored_with.name);
        if stored_with.definition.mounts.iter().any(is_memory) {
            return Some(format!(
                "`{manager}` keeps values in memory, which end with the program: run `{asset}` together with what loads it"
            ));
        }
        // A key that begins with `-` is no option where it follows a `=`.
        let option = |key: &str| {
            let sign = if key.starts_with('-') { '=' } else { ' ' };
            format!(" --partition{sign}{}", shell_word(key))
        };
        let partition = self.subject.key().as_deref().map(option).unwrap_or_default();
        Some(format!("run it first: airlock run {asset}{partition}"))
    }
}

/// `text` as one word of a command line.
pub fn shell_word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/=+,@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_command_to_copy_is_one_word() {
        for (key, word) in [
            ("2012-01-01", "2012-01-01"),
            ("2012-01-01-13:00", "2012-01-01-13:00"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's; rm", r"'it'\''s; rm'"),
        ] {
            assert_eq!(shell_word(key), word);
        }
    }
}
