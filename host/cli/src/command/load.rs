//! `airlock load`: gives a stored value.

use std::borrow::Cow;
use std::io::{self, IsTerminal};
use std::path::Path;

use airlock_pipeline::definitions::{Asset, Form, Output as OutputDefinition, ValueType};
use airlock_pipeline::partition::{PartitionError, value_name};
use airlock_pipeline::plan::PartitionSets;
use airlock_pipeline::run::{LoadError, LoadedOutput, Target};
use airlock_pipeline::{RunOptions, Runner};
use airlock_sandbox::layout::segment;
use airlock_sandbox::value::{Content, Part, Value};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::arguments::{AuditArgument, IsolateArgument, NowArgument, ProjectArguments};
use crate::error::{Error, ExitStatus, Report};
use crate::export::ExportArgument;
use crate::locking::{self, LockedArgument};
use crate::output::tell;
use crate::project::Project;
use crate::render::{count, safe_name};
use crate::{failure, interrupt, table};

const HELP: &str = "\
The value is loaded through the I/O manager that the definitions name, and
nothing is computed.

A table goes to a file in the form that its extension tells, and anywhere else
as CSV, unless --as says otherwise. On a terminal its first rows are shown.

Several partitions go to a directory, a file each, named by their keys.

Examples:
  airlock load report
  airlock load report | python3 -m json.tool
  airlock load chart -o chart.svg
  airlock load daily --partition 2012-03-01
  airlock load daily --partition 2012-03-01..2012-03-31 -o march --as csv
  airlock load monthly --partition 2012-03-01 --as json | python3 -m json.tool
  airlock load --run latest clean";

/// Rows of a table that a terminal shows.
const ROWS_SHOWN: usize = 20;

/// Give the stored value of an asset, or of a step of a job
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Load {
    /// The asset; with --run a step of a job, STEP.OUTPUT or STEP.OUTPUT[KEY]
    #[arg(value_name = "NAME")]
    asset: String,
    /// Load what a run of a job gave, by its id; `latest` is the last run
    #[arg(long, value_name = "RUN", conflicts_with = "partition")]
    run: Option<String>,
    /// The partition to load: a key, a range A..B with both its ends, or all; of
    /// several dimensions each of these or * in each: 2012-03-01|*
    #[arg(short, long, value_name = "PARTITION")]
    partition: Option<String>,
    /// Give a table as csv, json, jsonl, parquet, or arrow (an IPC stream)
    #[arg(long = "as", value_name = "FORM", value_parser = form(), hide_possible_values = true)]
    form: Option<Form>,
    /// Fail where the I/O manager tried anything that its grant does not allow
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    isolate: IsolateArgument,
    #[command(flatten)]
    locked: LockedArgument,
    #[command(flatten)]
    audit: AuditArgument,
    #[command(flatten)]
    export: ExportArgument,
    #[command(flatten)]
    now: NowArgument,
    #[command(flatten)]
    project: ProjectArguments,
}

fn form() -> impl TypedValueParser<Value = Form> {
    // Nothing but their names gets here.
    PossibleValuesParser::new(Form::ALL.map(Form::name)).try_map(|name| Form::named(&name).ok_or("no form of a table"))
}

/// The form of a table in the file at `path`, by its extension.
fn form_of_file(path: &Path) -> Option<Form> {
    match path.extension()?.to_str()? {
        "ndjson" => Some(Form::Jsonl),
        "arrows" => Some(Form::Arrow),
        name => Form::named(name),
    }
}

impl Load {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let project = Project::read(&self.project)?;
        let options = RunOptions { strict: self.strict, interrupt: interrupt::on_signal()?, ..RunOptions::default() };
        let runner = locking::runner(&project, &self.locked, self.isolate)?.with_audit(self.audit.open()?);
        let loader = Loader { runner: &runner, options: &options };
        if let Some(run) = &self.run {
            let run = project.run(run)?;
            let LoadedOutput { output, loaded } =
                runner.load_output(&run.run_id, &self.asset, &options).map_err(failure::load)?;
            self.check_form(output)?;
            failure::tell_denials(&loaded.receipt);
            self.give(&loader, output, &self.asset, loaded.value)?;
            return Ok(ExitStatus::Done);
        }
        let asset = project.asset(&self.asset)?;
        self.check_form(&asset.output)?;
        let sets = runner.partition_sets(self.now.moment()).map_err(failure::run)?;
        let loading = Loading { loader: &loader, asset, sets: &sets };
        let keys = self.several(&loading)?;
        if !keys.is_empty() {
            return self.load_several(&loading, &keys);
        }
        let value = loading.load(self.partition.as_deref())?;
        let name = value_name(&asset.name, self.partition.as_deref());
        self.give(&loader, &asset.output, &name, value)?;
        Ok(ExitStatus::Done)
    }

    /// That what is no table would be converted is a mistake.
    fn check_form(&self, output: &OutputDefinition) -> Result<(), Error> {
        if self.form.is_none() || output.value_type == ValueType::Table {
            return Ok(());
        }
        Err(Error::usage(format!("`{}` is no table, so `--as` has nothing to convert", safe_name(&self.asset))).into())
    }

    /// Gives `value`, which is called `name` and defined as `output`.
    fn give(&self, loader: &Loader<'_>, output: &OutputDefinition, name: &str, value: Value) -> Result<(), Error> {
        match output.value_type {
            ValueType::Table => self.give_table(loader, name, value),
            _ => self.export.write(name, &value),
        }
    }

    /// The keys of the partitions that are meant, where several can be, be it only one.
    fn several(&self, loading: &Loading<'_>) -> Result<Vec<String>, Error> {
        let (Some(set), Some(text)) = (loading.sets.of(loading.asset), self.partition.as_deref()) else {
            return Ok(Vec::new());
        };
        if set.index(text).is_some() {
            return Ok(Vec::new());
        }
        let wrong =
            |error: PartitionError| LoadError::Partition { name: loading.asset.name.clone(), error: error.into() };
        let selected = set.select(text).map_err(|error| failure::load(wrong(error)))?;
        Ok(selected.iter().filter_map(|place| set.key(place)).map(Cow::into_owned).collect())
    }

    /// Writes each partition to a file of its own.
    fn load_several(&self, loading: &Loading<'_>, keys: &[String]) -> Result<ExitStatus, Error> {
        let asset = loading.asset;
        let Some(directory) = &self.export.output else {
            let (meant, count) = (self.partition.as_deref().unwrap_or_default(), count(keys.len(), "partition"));
            let message = format!("`{meant}` is not one value of `{}`, but {count}", asset.name);
            let hint = "name a directory for them, where each gets a file: `-o DIRECTORY`";
            return Err(Error::usage(message).hint(hint).into());
        };
        let cannot_make = |error: io::Error| {
            Report::new(ExitStatus::Storage, format!("cannot make the directory {}: {error}", directory.display()))
        };
        std::fs::create_dir_all(directory).map_err(cannot_make)?;
        let form = (asset.output.value_type == ValueType::Table).then(|| self.form.unwrap_or(Form::Arrow));
        for key in keys {
            let name = value_name(&asset.name, Some(key));
            let mut value = loading.load(Some(key))?;
            if let (Some(form), Some(part)) = (form, value.parts.first_mut()) {
                let content = std::mem::take(&mut part.content);
                part.content = loading.loader.convert(content, form.into(), &name)?;
            }
            let file = directory.join(format!("{}.{}", segment(key), asset.output.value_type.extension(form)));
            ExportArgument { output: Some(file) }.write(&name, &value)?;
        }
        tell(format!("{} in {}", count(keys.len(), "file"), directory.display()));
        Ok(ExitStatus::Done)
    }

    fn give_table(&self, loader: &Loader<'_>, name: &str, mut value: Value) -> Result<(), Error> {
        let form = self.form.or_else(|| self.export.output.as_deref().and_then(form_of_file));
        let is_shown = form.is_none() && self.export.output.is_none() && io::stdout().is_terminal();
        let form = form.unwrap_or(if self.export.output.is_some() { Form::Arrow } else { Form::Csv });
        if let Some(part) = value.parts.pop() {
            if is_shown {
                let preview = loader.convert(part.content, Target::Preview { rows: ROWS_SHOWN }, name)?;
                return table::print(&self.asset, &preview);
            }
            let content = loader.convert(part.content, form.into(), name)?;
            value.parts.push(Part { content, ..part });
        }
        self.export.write(name, &value)
    }
}

/// Loads the values of one asset.
struct Loading<'a> {
    loader: &'a Loader<'a>,
    asset: &'a Asset,
    sets: &'a PartitionSets,
}

impl Loading<'_> {
    /// The value, or that of the partition `key`.
    fn load(&self, key: Option<&str>) -> Result<Value, Error> {
        let Loader { runner, options } = self.loader;
        let loaded = runner.load_asset(self.asset, key, self.sets, options).map_err(failure::load)?;
        failure::tell_denials(&loaded.receipt);
        Ok(loaded.value)
    }
}

/// Loads and converts.
struct Loader<'a> {
    runner: &'a Runner,
    options: &'a RunOptions,
}

impl Loader<'_> {
    /// The table in `content`, the value called `name`, as `to`.
    fn convert(&self, content: Content, to: Target, name: &str) -> Result<Content, Error> {
        let what = format!("the value of `{name}`");
        self.runner.convert(content, to, &what, self.options).map_err(failure::load)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_of_a_file_tells_its_form() {
        for (path, form) in [
            ("a.csv", Some(Form::Csv)),
            ("dir.csv/a.parquet", Some(Form::Parquet)),
            ("a.arrows", Some(Form::Arrow)),
            ("a", None),
            ("a.xlsx", None),
        ] {
            assert_eq!(form_of_file(Path::new(path)), form, "{path}");
        }
    }
}
