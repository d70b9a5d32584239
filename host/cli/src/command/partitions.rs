//! `airlock partitions`: lists partitions, adds dynamic ones and removes them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use airlock_pipeline::event::{DynamicError, DynamicPartitions};
use airlock_pipeline::partition::{PartitionsDefinition, refuse_dynamic_key};
use airlock_sandbox::text::safe_line;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::arguments::{FormatArgument, IsolateArgument, NowArgument, ProjectArguments};
use crate::error::{Error, ExitStatus, Report};
use crate::failure;
use crate::output::{Format, Output, tell};
use crate::project::Project;
use crate::render::count;

const HELP: &str = "\
Those that are defined with `dynamic = true` are added and removed by command.
What is stored of one that is removed stays where it is, and is found again
where it is added again.

Examples:
  airlock partitions list days
  airlock partitions list days --format jsonl
  airlock partitions add customers acme globex
  airlock partitions remove customers acme";

/// List partitions, and add or remove dynamic ones
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Partitions {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the keys of partitions, in order
    List {
        /// The name of the partitions
        name: String,
        #[command(flatten)]
        now: NowArgument,
        #[command(flatten)]
        project: ProjectArguments,
        #[command(flatten)]
        format: FormatArgument,
    },
    /// Add keys to dynamic partitions, after those that are there
    Add(Changed),
    /// Remove keys from dynamic partitions; what is stored of them stays
    Remove(Changed),
}

#[derive(Debug, Args)]
struct Changed {
    /// The name of the partitions
    name: String,
    /// The keys
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    #[command(flatten)]
    project: ProjectArguments,
}

#[derive(Serialize)]
struct Row<'a> {
    key: String,
    /// Of several dimensions the key in each; absent where there is one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dimensions: BTreeMap<&'a str, &'a str>,
}

impl Partitions {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        match self.action {
            Action::List { name, now, project, format } => list(&name, &now, &project, format.format)?,
            Action::Add(changed) => changed.add()?,
            Action::Remove(changed) => changed.remove()?,
        }
        Ok(ExitStatus::Done)
    }
}

fn list(name: &str, now: &NowArgument, project: &ProjectArguments, format: Format) -> Result<(), Error> {
    let project = Project::read(project)?;
    project.partitions(name)?;
    let sets = project.runner(IsolateArgument::default())?.partition_sets(now.moment()).map_err(failure::run)?;
    let Some(set) = sets.named(name) else { return Ok(()) };
    let mut output = Output::new();
    if format == Format::Human {
        set.keys().try_for_each(|key| output.line(safe_line(&key, usize::MAX)))?;
    } else {
        let row = |(place, key): (usize, Cow<'_, str>)| {
            let dimensions = set.dimension_keys(place).into_iter().collect::<BTreeMap<_, _>>();
            let dimensions = if dimensions.len() > 1 { dimensions } else { BTreeMap::new() };
            Row { key: key.into_owned(), dimensions }
        };
        output.json_items(format, "partitions", &set.keys().enumerate().map(row).collect::<Vec<_>>())?;
    }
    output.finish()
}

impl Changed {
    fn add(self) -> Result<(), Error> {
        for key in &self.keys {
            if let Some(reason) = refuse_dynamic_key(key) {
                return Err(Error::usage(format!("{key:?} cannot be a partition, since it {reason}")).into());
            }
        }
        let (name, mut partitions) = self.open()?;
        let added = partitions.add(name, &self.keys).map_err(failed)?;
        let known = self.keys.len().saturating_sub(added);
        let known = if known > 0 { format!("; {known} of them there already") } else { String::new() };
        tell(format!("{} added to `{name}`{known}", count(added, "partition")));
        Ok(())
    }

    fn remove(self) -> Result<(), Error> {
        let (name, mut partitions) = self.open()?;
        let removed = count(partitions.remove(name, &self.keys).map_err(failed)?, "partition");
        tell(format!("{removed} removed from `{name}`; what is stored stays where it is"));
        Ok(())
    }

    /// The partitions that are meant, which are dynamic.
    fn open(&self) -> Result<(&str, DynamicPartitions), Error> {
        let project = Project::read(&self.project)?;
        let name = self.name.as_str();
        if !matches!(project.partitions(name)?, PartitionsDefinition::Dynamic(_)) {
            let message =
                format!("the partitions `{name}` are not dynamic: which there are follows from their definition");
            let hint = "those that are defined with `dynamic = true` are added and removed by command";
            return Err(Error::usage(message).hint(hint).into());
        }
        Ok((name, DynamicPartitions::open(&project.home).map_err(failed)?))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn failed(error: DynamicError) -> Error {
    let message = error.to_string();
    match &error {
        DynamicError::Home(_) | DynamicError::EventLog(_) => Report::new(ExitStatus::Storage, message).into(),
        DynamicError::TooMany { .. } => Error::usage(message).into(),
        DynamicError::Unknown { name, .. } => {
            let hint = format!("nothing was removed; `airlock partitions list {name}` lists them");
            Error::usage(message).hint(hint).into()
        }
    }
}
