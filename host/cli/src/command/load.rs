//! `airlock load`: gives a stored value.

use std::io::{self, IsTerminal};
use std::path::Path;

use airlock_pipeline::definitions::{Asset, Form, Output as OutputDefinition, ValueType};
use airlock_pipeline::partition::value_name;
use airlock_pipeline::plan::PartitionSets;
use airlock_pipeline::run::{LoadedOutput, Target};
use airlock_pipeline::{RunOptions, Runner};
use airlock_sandbox::layout::segment;
use airlock_sandbox::value::{Part, Value};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::arguments::{NowArgument, ProjectArguments};
use crate::error::{Error, ExitStatus, Report};
use crate::export::ExportArgument;
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
    /// The partition to load: a key, or a range A..B with both its ends, or all
    #[arg(short, long, value_name = "PARTITION")]
    partition: Option<String>,
    /// Give a table as csv, json, jsonl, parquet, or arrow (an IPC stream)
    #[arg(long = "as", value_name = "FORM", value_parser = form(), hide_possible_values = true)]
    form: Option<Form>,
    /// Fail where the I/O manager tried anything that its grant does not allow
    #[arg(long)]
    strict: bool,
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
        let runner = project.runner()?;
        if let Some(run) = &self.run {
            let run = project.run(run)?;
            let LoadedOutput { output, loaded } =
                runner.load_output(&run.run_id, &self.asset, &options).map_err(failure::load)?;
            self.check_form(output)?;
            failure::tell_denials(&loaded.receipt);
            self.give(&runner, output, &self.asset, loaded.value, &options)?;
            return Ok(ExitStatus::Done);
        }
        let asset = project.asset(&self.asset)?;
        self.check_form(&asset.output)?;
        let keys = self.several(&project, asset);
        if !keys.is_empty() {
            return self.load_several(&runner, asset, &keys, &options);
        }
        let value = self.load_one(&runner, asset, self.partition.as_deref(), &options)?;
        let name = value_name(&asset.name, self.partition.as_deref());
        self.give(&runner, &asset.output, &name, value, &options)?;
        Ok(ExitStatus::Done)
    }

    /// That what is no table would be converted is a mistake.
    fn check_form(&self, output: &OutputDefinition) -> Result<(), Error> {
        if self.form.is_none() || output.value_type == ValueType::Table {
            return Ok(());
        }
        Err(Error::usage(format!("`{}` is no table, so `--as` has nothing to convert", safe_name(&self.asset))).into())
    }

    fn give(
        &self,
        runner: &Runner,
        output: &OutputDefinition,
        name: &str,
        value: Value,
        options: &RunOptions,
    ) -> Result<(), Error> {
        match output.value_type {
            ValueType::Table => self.give_table(runner, name, value, options),
            _ => self.export.write(name, &value),
        }
    }

    fn load_one(
        &self,
        runner: &Runner,
        asset: &Asset,
        key: Option<&str>,
        options: &RunOptions,
    ) -> Result<Value, Error> {
        let loaded = runner.load_asset(asset, key, self.now.moment(), options).map_err(failure::load)?;
        failure::tell_denials(&loaded.receipt);
        Ok(loaded.value)
    }

    /// The keys of the partitions that are meant, where a range or all are, be it only one.
    fn several(&self, project: &Project, asset: &Asset) -> Vec<String> {
        let sets = PartitionSets::new(&project.definitions, self.now.moment());
        let meant = sets.of(asset).zip(self.partition.as_deref()).filter(|(set, text)| set.index(text).is_none());
        // What means none is told where that is loaded.
        let selected = meant.and_then(|(set, text)| Some((set, set.select(text).ok()?)));
        let keys = selected.iter().flat_map(|(set, selected)| selected.iter().filter_map(|place| set.key(place)));
        keys.map(str::to_owned).collect()
    }

    /// Writes each partition to a file of its own.
    fn load_several(
        &self,
        runner: &Runner,
        asset: &Asset,
        keys: &[String],
        options: &RunOptions,
    ) -> Result<ExitStatus, Error> {
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
            let mut value = self.load_one(runner, asset, Some(key), options)?;
            if let (Some(form), Some(part)) = (form, value.parts.first_mut()) {
                let content = std::mem::take(&mut part.content);
                let what = format!("the value of `{name}`");
                part.content = runner.convert(content, form.into(), &what, options).map_err(failure::load)?;
            }
            let file = directory.join(format!("{}.{}", segment(key), asset.output.value_type.extension(form)));
            ExportArgument { output: Some(file) }.write(&name, &value)?;
        }
        tell(format!("{} in {}", count(keys.len(), "file"), directory.display()));
        Ok(ExitStatus::Done)
    }

    fn give_table(&self, runner: &Runner, name: &str, mut value: Value, options: &RunOptions) -> Result<(), Error> {
        let form = self.form.or_else(|| self.export.output.as_deref().and_then(form_of_file));
        let is_shown = form.is_none() && self.export.output.is_none() && io::stdout().is_terminal();
        let form = form.unwrap_or(if self.export.output.is_some() { Form::Arrow } else { Form::Csv });
        let what = format!("the value of `{name}`");
        let converted = |content, to| runner.convert(content, to, &what, options).map_err(failure::load);
        if let Some(part) = value.parts.pop() {
            if is_shown {
                return table::print(&self.asset, &converted(part.content, Target::Preview { rows: ROWS_SHOWN })?);
            }
            let content = converted(part.content, form.into())?;
            value.parts.push(Part { content, ..part });
        }
        self.export.write(name, &value)
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
