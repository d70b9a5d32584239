//! `airlock load`: gives a stored value.

use std::io::{self, IsTerminal};
use std::path::Path;

use airlock_pipeline::definitions::{Asset, Form, ValueType};
use airlock_pipeline::partition::value_name;
use airlock_pipeline::plan::PartitionSets;
use airlock_pipeline::run::Target;
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
use crate::render::count;
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
  airlock load monthly --partition 2012-03-01 --as json | python3 -m json.tool";

/// Rows of a table that a terminal shows.
const ROWS_SHOWN: usize = 20;

/// Give the stored value of an asset
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Load {
    /// The asset
    asset: String,
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
        let asset = project.asset(&self.asset)?;
        if self.form.is_some() && asset.value_type != ValueType::Table {
            let message = format!("`{}` is no table, so `--as` has nothing to convert", asset.name);
            return Err(Error::usage(message).into());
        }
        let options = RunOptions { strict: self.strict, interrupt: interrupt::on_signal()?, ..RunOptions::default() };
        let runner = project.runner()?;
        let keys = self.several(&project, asset);
        if !keys.is_empty() {
            return self.load_several(&runner, asset, &keys, &options);
        }
        let value = self.load_one(&runner, asset, self.partition.as_deref(), &options)?;
        let name = value_name(&asset.name, self.partition.as_deref());
        if asset.value_type == ValueType::Table {
            self.give_table(&runner, asset, &name, value, &options)?;
        } else {
            self.export.write(&name, &value)?;
        }
        Ok(ExitStatus::Done)
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
        let form = (asset.value_type == ValueType::Table).then(|| self.form.unwrap_or(Form::Arrow));
        for key in keys {
            let name = value_name(&asset.name, Some(key));
            let mut value = self.load_one(runner, asset, Some(key), options)?;
            if let (Some(form), Some(part)) = (form, value.parts.first_mut()) {
                let content = std::mem::take(&mut part.content);
                let what = format!("the value of `{name}`");
                part.content = runner.convert(content, form.into(), &what, options).map_err(failure::load)?;
            }
            let file = directory.join(format!("{}.{}", segment(key), asset.value_type.extension(form)));
            ExportArgument { output: Some(file) }.write(&name, &value)?;
        }
        tell(format!("{} in {}", count(keys.len(), "file"), directory.display()));
        Ok(ExitStatus::Done)
    }

    fn give_table(
        &self,
        runner: &Runner,
        asset: &Asset,
        name: &str,
        mut value: Value,
        options: &RunOptions,
    ) -> Result<(), Error> {
        let form = self.form.or_else(|| self.export.output.as_deref().and_then(form_of_file));
        let is_shown = form.is_none() && self.export.output.is_none() && io::stdout().is_terminal();
        let form = form.unwrap_or(if self.export.output.is_some() { Form::Arrow } else { Form::Csv });
        let what = format!("the value of `{name}`");
        let converted = |content, to| runner.convert(content, to, &what, options).map_err(failure::load);
        if let Some(part) = value.parts.pop() {
            if is_shown {
                return table::print(&asset.name, &converted(part.content, Target::Preview { rows: ROWS_SHOWN })?);
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
