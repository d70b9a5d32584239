//! `airlock load`: gives a stored value.

use std::io::{self, IsTerminal};
use std::path::Path;

use airlock_pipeline::definitions::{Asset, Form, ValueType};
use airlock_pipeline::partition::value_name;
use airlock_pipeline::run::Target;
use airlock_pipeline::{RunOptions, Runner};
use airlock_sandbox::value::{Part, Value};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::arguments::{NowArgument, ProjectArguments};
use crate::error::{Error, ExitStatus};
use crate::export::ExportArgument;
use crate::project::Project;
use crate::{failure, interrupt, table};

const HELP: &str = "\
The value is loaded through the I/O manager that the definitions name, and
nothing is computed.

A table goes to a file in the form that its extension tells, and anywhere else
as CSV, unless --as says otherwise. On a terminal its first rows are shown.

Examples:
  airlock load report
  airlock load report | python3 -m json.tool
  airlock load chart -o chart.svg
  airlock load daily --partition 2012-03-01
  airlock load monthly --partition 2012-03-01 --as json | python3 -m json.tool";

/// Rows of a table that a terminal shows.
const ROWS_SHOWN: usize = 20;

/// Give the stored value of an asset
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Load {
    /// The asset
    asset: String,
    /// The partition to load
    #[arg(short, long, value_name = "KEY")]
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
        let loaded =
            runner.load_asset(asset, self.partition.as_deref(), self.now.moment(), &options).map_err(failure::load)?;
        failure::tell_denials(&loaded.receipt);
        let name = value_name(&asset.name, self.partition.as_deref());
        if asset.value_type == ValueType::Table {
            self.give_table(&runner, asset, &name, loaded.value, &options)?;
        } else {
            self.export.write(&name, &loaded.value)?;
        }
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
