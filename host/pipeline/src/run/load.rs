//! Loads the value of an asset, or of one of its partitions, through its I/O manager.

use airlock_sandbox::context::{AssetEvent, InputContext, MetadataEntry};
use airlock_sandbox::layout::Location;
use airlock_sandbox::partition::{PartitionKey, Partitions};
use airlock_sandbox::report::{Failure, Log, Receipt, Report};
use airlock_sandbox::value::Part;
use serde_json::Value;

use super::context::RunContext;
use super::failure::{FailureClass, Stage, StepFailure};
use super::lend::Lent;
use super::step::Outcome;
use super::value;
use crate::definitions::{Asset, Input, Mount, MountPath, Op};
use crate::event::ManagerUse;
use crate::partition::{PartitionSet, value_name};

/// What is to be loaded, and for what.
pub(super) struct Load<'a> {
    pub asset: &'a Asset,
    /// The partition: the set that has it, and its place in that.
    pub partition: Option<(&'a PartitionSet, usize)>,
    pub manager: &'a Lent,
    /// The manager that stores the asset.
    pub stored_with: &'a Lent,
    /// The step and its input; absent outside a run.
    pub input: Option<(&'a str, &'a Input)>,
    /// The configuration of the input.
    pub config: &'a Value,
}

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

/// The partition at `place` of `set`, as a call is told of it.
pub(super) fn partitions(set: &PartitionSet, place: usize) -> Partitions {
    let keys = set.key(place).map(|key| PartitionKey::single(set.dimension(), key)).into_iter().collect();
    Partitions::new(keys, set.window(place), set.time_zone().map(str::to_owned))
}

impl Load<'_> {
    fn key(&self) -> Option<&str> {
        self.partition.and_then(|(set, place)| set.key(place))
    }

    /// The asset, and of a partition its key in brackets.
    pub fn name(&self) -> String {
        value_name(&self.asset.name, self.key())
    }

    /// Where it stands in a step.
    pub fn stage(&self) -> Stage {
        let name = self.input.map_or(&self.asset.name, |(_, input)| &input.name).clone();
        Stage::Input { name, asset: self.asset.name.clone(), partition: self.key().map(str::to_owned) }
    }

    /// Loads it. `hear` is told what the component said, also where it fails.
    pub fn perform(&self, run: &RunContext<'_>, hear: impl FnOnce(Log)) -> Outcome<Loaded> {
        let stage = self.stage();
        let component = run.component(self.manager, &stage)?;
        let upstream = run.upstream(self.asset, self.key(), self.stored_with, &stage)?;
        let (upstream_run_id, version) = (upstream.run_id.clone(), upstream.data_version.clone());
        let location = Location::asset(&self.asset.key);
        let partitions = self.partition.map(|(set, place)| partitions(set, place)).unwrap_or_default();
        let locations = partitions.locations(&location);
        let input = self.input.map(|(_, input)| input);
        let context = InputContext {
            run_id: self.input.map(|_| run.run_id.clone()),
            step_key: self.input.map(|(step_key, _)| step_key.to_owned()),
            input_name: input.map(|input| input.name.clone()),
            asset_key: Some(self.asset.key.clone()),
            location,
            partitions,
            upstream: vec![upstream],
            requested_type: None,
            columns: input.and_then(|input| input.columns.clone()).unwrap_or_default(),
            allow_missing: input.is_some_and(|input| input.allow_missing),
            config: self.manager.config.clone(),
            input_config: self.config.clone(),
            definition_metadata: input.map(|input| input.metadata.clone()).unwrap_or_default(),
        };
        let allow_missing = context.allow_missing;
        let Report { outcome, receipt, log } = run.sandbox.load_input(&run.call(self.manager, component), context);
        hear(log);
        let doing = format!("cannot load `{}` with the I/O manager `{}`", self.name(), self.manager.name);
        let is_missing = matches!(&outcome, Err(Failure::Guest { error }) if error.code == "not-found");
        let mut loaded = match outcome {
            Ok(loaded) => loaded,
            Err(_) if is_missing && allow_missing => airlock_sandbox::report::Loaded::default(),
            Err(failure) => {
                let failed = StepFailure::of_call(stage, &doing, self.manager, &locations, failure, receipt);
                return Err(if is_missing { failed.help(self.store_first()) } else { failed }.into());
            }
        };
        let wrong = |what: &str| StepFailure::new(FailureClass::Error, stage, format!("{doing}: {what}"));
        let part = match loaded.value.parts.len() {
            0 if allow_missing => None,
            0 => return Err(wrong("it has no stored value").help(self.store_first()).into()),
            1 => loaded.value.parts.pop().map(|part| Part { key: None, ..part }),
            _ => return Err(wrong("it came in several parts, and one was asked for").into()),
        };
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

    /// How there will be a value to load.
    fn store_first(&self) -> String {
        if let Op::External = self.asset.op {
            return format!("`{}` is external: what makes it has to store it first", self.asset.name);
        }
        let is_memory = |mount: &Mount| matches!(mount.source, MountPath::Memory);
        let (asset, manager) = (&self.asset.name, &self.stored_with.name);
        if self.stored_with.definition.mounts.iter().any(is_memory) {
            return format!(
                "`{manager}` keeps values in memory, which end with the program: run `{asset}` together with what loads it"
            );
        }
        // A key that begins with `-` is no option where it follows a `=`.
        let option = |key: &str| {
            let sign = if key.starts_with('-') { '=' } else { ' ' };
            format!(" --partition{sign}{}", shell_word(key))
        };
        let partition = self.key().map(option).unwrap_or_default();
        format!("run it first: airlock run {asset}{partition}")
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
