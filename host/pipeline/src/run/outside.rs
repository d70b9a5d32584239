//! Loads values, and converts tables, outside a run.

use std::sync::Arc;

use airlock_sandbox::report::{Log, Receipt};
use airlock_sandbox::value::{Content, Value};
use jiff::Timestamp;

use super::convert::{Conversion, Target};
use super::earlier::{Earlier, name_of};
use super::failure::Stage;
use super::lend::Lent;
use super::load::{Load, Recorded};
use super::produced::Produced;
use super::ready::Loader;
use super::subject::{Places, Subject};
use super::{LoadError, RunError, RunOptions, Runner, context, prepare};
use crate::definitions::{Asset, Form, Job, Output};
use crate::event::EventReader;
use crate::partition::{DynamicKeys, PartitionError, PartitionsDefinition};
use crate::plan::{PartitionSets, PlanError};
use crate::suggest;

/// A value that was loaded outside a run.
#[derive(Debug)]
pub struct LoadedValue {
    /// The value; never absent.
    pub value: Value,
    /// What the call read and was denied.
    pub receipt: Receipt,
}

/// An output of a step of a job that was loaded outside a run.
#[derive(Debug)]
pub struct LoadedOutput<'a> {
    /// What the definitions say of it.
    pub output: &'a Output,
    /// The value.
    pub loaded: LoadedValue,
}

impl Runner {
    /// The partitions that there are at `now`, of dynamic ones those that were added until then.
    ///
    /// # Errors
    /// [`RunError`]
    pub fn partition_sets(&self, now: Timestamp) -> Result<PartitionSets, RunError> {
        let mut definitions = self.definitions.partitions().iter();
        let added = if definitions.any(|(_, definition)| matches!(definition, PartitionsDefinition::Dynamic(_))) {
            EventReader::open(&self.home)?.map(|reader| reader.dynamic_keys()).transpose()?.unwrap_or_default()
        } else {
            DynamicKeys::new()
        };
        Ok(PartitionSets::new(&self.definitions, now, &added).map_err(PlanError::from)?)
    }

    /// Loads the value of `asset`, or of its partition `key` in `sets`, outside a run, through the manager that the
    /// definitions name.
    ///
    /// # Errors
    /// [`LoadError`]
    pub fn load_asset(
        &self,
        asset: &Asset,
        key: Option<&str>,
        sets: &PartitionSets,
        options: &RunOptions,
    ) -> Result<LoadedValue, LoadError> {
        let name = || asset.name.clone();
        if asset.output.io.is_none() {
            return Err(LoadError::NoValue { name: name() });
        }
        let partitions = match (key, sets.of(asset)) {
            (None, None) => None,
            (None, Some(_)) => return Err(LoadError::PartitionNeeded { name: name() }),
            (Some(_), None) => return Err(LoadError::NotPartitioned { name: name() }),
            (Some(key), Some(set)) => {
                let unknown = |error: PartitionError| LoadError::Partition { name: name(), error: error.into() };
                let place = set.find(key).map_err(unknown)?;
                Some(Places::one(set, place))
            }
        };
        let manager = prepare::prepare_load(&self.definitions, &asset.output, self.lender())?;
        self.load(Subject::Asset { asset, partitions }, &manager, Recorded::Asset(&manager), options)
    }

    /// Loads what the run `run_id` gave as `name`, an output of a step of its job: `clean`, `split.kept`, `split[one]`.
    ///
    /// # Errors
    /// [`LoadError`]
    pub fn load_output(&self, run_id: &str, name: &str, options: &RunOptions) -> Result<LoadedOutput<'_>, LoadError> {
        let earlier = self.earlier(run_id).map_err(RunError::from)?;
        let gone = || LoadError::JobGone { job: earlier.job.clone().unwrap_or_default() };
        let graphs = self.graphs_of(&earlier).ok_or_else(gone)?;
        if graphs.is_empty() {
            return Err(LoadError::NoJob { run_id: run_id.to_owned() });
        }
        let mut names = Vec::new();
        for (output, produced) in graphs.into_iter().flat_map(|graph| outputs(graph, &earlier)) {
            let subject = Subject::Output {
                run_id: &produced.run_id,
                step_key: &produced.step_key,
                output,
                mapping_key: produced.mapping_key.as_deref(),
            };
            if subject.name() != name {
                names.push(subject.name());
                continue;
            }
            let manager = prepare::prepare_load(&self.definitions, output, self.lender())?;
            let loaded = self.load(subject, &manager, Recorded::Output(produced, &manager), options)?;
            return Ok(LoadedOutput { output, loaded });
        }
        names.sort();
        let help = suggest::help(name, names.iter().map(String::as_str));
        Err(LoadError::UnknownOutput { run_id: run_id.to_owned(), name: name.to_owned(), help })
    }

    /// Loads `subject` with `manager`.
    fn load(
        &self,
        subject: Subject<'_>,
        manager: &Arc<Lent>,
        recorded: Recorded<'_>,
        options: &RunOptions,
    ) -> Result<LoadedValue, LoadError> {
        self.home.create().map_err(RunError::Home)?;
        let id = context::new_run_id(None);
        let scratch = self.home.hold_scratch(&id).map_err(RunError::Home)?;
        let run = self.context(id, scratch.path().to_owned(), options);
        let mut with = Loader { manager: Arc::clone(manager), stored_with: Arc::clone(manager) };
        if let Some(asset) = subject.asset() {
            with = with.branch(&run, asset, || std::iter::once(subject.key())).map_err(RunError::from)?;
        }
        let manager = &*with.manager;
        let recorded = match recorded {
            Recorded::Asset(_) => Recorded::Asset(manager),
            recorded => recorded,
        };
        let config = &serde_json::Value::Null;
        let load = Load { subject, manager, recorded, input: None, config, media_type: None };
        let mut said = Log::default();
        let loaded = load.perform(&run, |log| said = log);
        match loaded {
            Ok(loaded) => {
                Ok(LoadedValue { value: Value { parts: loaded.part.into_iter().collect() }, receipt: loaded.receipt })
            }
            Err(failure) => Err(LoadError::Failed { failure, log: said }),
        }
    }

    /// What the table in `content`, an Arrow IPC stream, is as `to`; `what` names it in errors.
    ///
    /// # Errors
    /// [`LoadError`]
    pub fn convert(
        &self,
        content: Content,
        to: Target,
        what: &str,
        options: &RunOptions,
    ) -> Result<Content, LoadError> {
        self.home.create().map_err(RunError::Home)?;
        let id = context::new_run_id(None);
        let scratch = self.home.hold_scratch(&id).map_err(RunError::Home)?;
        let run = self.context(id, scratch.path().to_owned(), options);
        let converted = run.convert(content, (Form::Arrow, to), &Conversion::default(), &Stage::Op, what);
        converted.map_err(|failure| LoadError::Failed { failure, log: Log::default() })
    }
}

/// What the steps of `job` gave, each with its definition.
fn outputs<'d, 'e>(job: &'d Job, earlier: &'e Earlier) -> impl Iterator<Item = (&'d Output, &'e Produced)> {
    earlier.done.iter().flat_map(move |(step_key, outputs)| {
        let defined = job.step(name_of(step_key)).map(|step| step.outputs.as_slice()).unwrap_or_default();
        defined.iter().flat_map(move |output| {
            let given = outputs.get(&output.name).into_iter().flatten();
            given.map(move |produced| (output, &**produced))
        })
    })
}
