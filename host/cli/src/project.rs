//! The definitions that a command works on, and what is recorded of their runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use airlock_pipeline::definitions::{Asset, Job};
use airlock_pipeline::event::{EventLogError, RunSearch, RunSummary};
use airlock_pipeline::partition::PartitionsDefinition;
use airlock_pipeline::{Definitions, Diagnostic, Diagnostics, EventReader, Home, Runner};
use airlock_sandbox::Durability;
use airlock_sandbox::text::safe;

use crate::arguments::{IsolateArgument, ProjectArguments};
use crate::builtin::BUILTINS;
use crate::error::{Error, ExitStatus, Report};
use crate::output::tell;
use crate::{places, render};

const FILE_NAME: &str = "airlock.toml";

/// The definitions file that `file` names, or the nearest upwards from the current directory.
pub fn find(file: Option<&Path>) -> Result<PathBuf, Error> {
    if let Some(file) = file {
        // `-f project` means the file in the directory.
        return Ok(if file.is_dir() { file.join(FILE_NAME) } else { file.to_owned() });
    }
    let here = std::env::current_dir()
        .map_err(|error| Report::new(ExitStatus::Storage, format!("cannot tell the current directory: {error}")))?;
    for (steps, directory) in here.ancestors().enumerate() {
        if directory.join(FILE_NAME).is_file() {
            // Shown as people would write it.
            let upwards: PathBuf = std::iter::repeat_n("..", steps).collect();
            return Ok(upwards.join(FILE_NAME));
        }
    }
    Err(Error::usage(format!("there is no {FILE_NAME} in {} or above it", here.display()))
        .hint("name the definitions with `--file`, or begin with the example in the README")
        .into())
}

/// A project: its definitions and where its runs are recorded.
pub struct Project {
    /// What is defined.
    pub definitions: Arc<Definitions>,
    /// Where runs are recorded.
    pub home: Home,
}

impl Project {
    /// Reads the definitions, and tells every mistake in them.
    pub fn read(arguments: &ProjectArguments) -> Result<Self, Error> {
        let path = find(arguments.file.as_deref())?;
        Self::read_file(&path, arguments.profile.as_deref()).map_err(|mistakes| tell_mistakes(&path, &mistakes))
    }

    /// Reads the definitions in the file at `path`.
    pub fn read_file(path: &Path, profile: Option<&str>) -> Result<Self, Diagnostics> {
        let home = Home::locate(path).with_state(places::own_state());
        let definitions = Definitions::read(path, profile, &home, BUILTINS)?;
        Ok(Self { definitions: Arc::new(definitions), home })
    }

    /// The asset `name`.
    pub fn asset(&self, name: &str) -> Result<&Asset, Error> {
        if let Some(asset) = self.definitions.asset(name) {
            return Ok(asset);
        }
        // What a selection would say of the name helps more than that there is none.
        let selected = self.definitions.graph().select(&self.definitions, &[name.to_owned()]);
        let message = selected.err().map_or_else(|| format!("`{name}` is not one asset"), |error| error.to_string());
        Err(Error::usage(message).hint("`airlock ls` lists the assets").into())
    }

    /// The job `name`.
    pub fn job(&self, name: &str) -> Result<&Job, Error> {
        self.definitions.job(name).ok_or_else(|| {
            let error = Report::new(ExitStatus::Usage, format!("there is no job `{}`", render::safe_name(name)));
            error.hint("`airlock ls` lists the jobs").into()
        })
    }

    /// The run that `name` means: an id, the beginning of one, or `latest`.
    pub fn run(&self, name: &str) -> Result<RunSummary, Error> {
        find_run(EventReader::open(&self.home).map_err(event_log)?.as_ref(), name)
    }

    /// How the partitions `name` are defined.
    pub fn partitions(&self, name: &str) -> Result<&PartitionsDefinition, Error> {
        let unknown = || {
            let names: Vec<String> = self
                .definitions
                .partitions()
                .iter()
                .map(|(name, _)| format!("`{}`", render::safe_name(name)))
                .collect();
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let message = format!("there are no partitions `{}`", render::safe_name(name));
            Error::usage(message).hint(format!("the definitions have {there}")).into()
        };
        self.definitions.partitions_definition(name).ok_or_else(unknown)
    }

    /// What does runs of it.
    pub fn runner(&self, isolate: IsolateArgument) -> Result<Runner, Error> {
        let sandbox = places::sandbox(isolate, Durability::Full)?;
        Ok(Runner::new(Arc::clone(&self.definitions), self.home.clone(), sandbox, BUILTINS))
    }
}

/// Tells the mistakes in the definitions at `path`, and gives how the command ends for them.
pub fn tell_mistakes(path: &Path, mistakes: &Diagnostics) -> Error {
    if let [Diagnostic { position: None, message, help }] = mistakes.list.as_slice() {
        let report = Error::usage(safe(message, usize::MAX));
        return help.iter().fold(report, Report::hint).into();
    }
    tell(safe(&mistakes.render(), usize::MAX));
    let count = render::count(mistakes.list.len(), "mistake");
    Error::usage(format!("{count} in the definitions: {}", path.display())).into()
}

/// Opens the record of runs of the definitions that `arguments` name; they are not read. Absent before the first run.
pub fn events(file: Option<&Path>) -> Result<(Home, Option<EventReader>), Error> {
    let home = Home::locate(&find(file)?);
    let reader = EventReader::open(&home).map_err(event_log)?;
    Ok((home, reader))
}

/// The run that `name` means in the record: an id, the beginning of one, or `latest`.
pub fn find_run(reader: Option<&EventReader>, name: &str) -> Result<RunSummary, Error> {
    let Some(reader) = reader else {
        return Err(Error::usage("nothing was run yet").hint("begin with `airlock run`").into());
    };
    let refused = match reader.run(name).map_err(event_log)? {
        RunSearch::Found(run) => return Ok(run),
        RunSearch::NotFound => format!("there is no run `{}`", render::safe_name(name)),
        RunSearch::Ambiguous => format!("several runs begin with `{}`", render::safe_name(name)),
    };
    Err(Error::usage(refused).hint("`airlock runs` lists them").into())
}

/// An event log that cannot be used.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
pub fn event_log(error: EventLogError) -> Error {
    Report::new(ExitStatus::Storage, error.to_string()).into()
}
