//! `airlock show`: all about one asset.

use std::path::Path;

use airlock_pipeline::EventReader;
use airlock_pipeline::definitions::{Asset, Op};
use airlock_pipeline::event::Materialization;
use clap::Args;
use serde::Serialize;

use crate::arguments::{FormatArgument, ProjectArguments};
use crate::builtin::ComponentName;
use crate::error::{Error, ExitStatus};
use crate::output::{Format, Output};
use crate::project::{Project, event_log};
use crate::render::{Fields, instant, metadata, print_table, safe_name, setting, word};

/// Materializations that are shown.
const SHOWN: usize = 10;

const HELP: &str = "\
Examples:
  airlock show report
  airlock show report --format json";

/// Show what is defined and known of an asset
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Show {
    /// The asset
    asset: String,
    #[command(flatten)]
    project: ProjectArguments,
    #[command(flatten)]
    format: FormatArgument,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    asset: &'a Asset,
    upstream: Vec<&'a str>,
    downstream: Vec<&'a str>,
    materializations: Vec<Materialization>,
}

impl Show {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let project = Project::read(&self.project)?;
        let definitions = &project.definitions;
        let Some(asset) = definitions.asset(&self.asset) else { return Err(unknown(&project, &self.asset)) };
        let reader = EventReader::open(&project.home).map_err(event_log)?;
        let materializations =
            reader.map_or(Ok(Vec::new()), |reader| reader.materializations(&asset.name, SHOWN)).map_err(event_log)?;
        let graph = definitions.graph();
        let shown = Shown {
            asset,
            upstream: graph.upstream(&asset.name),
            downstream: graph.downstream(&asset.name),
            materializations,
        };
        let mut output = Output::new();
        match self.format.format {
            Format::Human => print(&mut output, &shown, definitions.directory())?,
            Format::Json => output.json("asset", &shown)?,
            Format::Jsonl => output.json_line(&shown)?,
        }
        output.finish()?;
        Ok(ExitStatus::Done)
    }
}

/// What a selection would say of the name, which helps more than that there is none.
fn unknown(project: &Project, name: &str) -> Error {
    let selected = project.definitions.graph().select(&project.definitions, &[name.to_owned()]);
    let message = selected.err().map_or_else(|| format!("`{name}` is not one asset"), |error| error.to_string());
    Error::usage(message).hint("`airlock ls` lists the assets").into()
}

fn print(output: &mut Output, shown: &Shown<'_>, directory: &Path) -> Result<(), Error> {
    let asset = shown.asset;
    let mut fields = Fields::default();
    fields.add("asset", safe_name(&asset.name));
    fields.add_some("about", asset.description.as_deref().map(safe_name));
    fields.add_some("group", asset.group.as_deref().map(safe_name));
    fields.add(
        "type",
        match &asset.media_type {
            Some(media_type) => format!("{} ({media_type})", word(&asset.value_type)),
            None => word(&asset.value_type),
        },
    );
    fields.add("op", op(&asset.op, directory));
    fields.add_some("io", asset.io.clone());
    fields.add_all(
        "inputs",
        asset.inputs.iter().map(|input| {
            if input.name == input.asset { input.name.clone() } else { format!("{} = {}", input.name, input.asset) }
        }),
    );
    fields.add_all("deps", asset.deps.iter().cloned());
    fields.add_all("used by", shown.downstream.iter().map(|&name| name.to_owned()));
    fields.add_all("metadata", metadata(&asset.metadata));
    fields.add("defined", asset.position.to_string());
    match shown.materializations.first() {
        None => fields.add("stored", "never, as far as is recorded"),
        Some(latest) => {
            fields.add("stored", format!("{} by run {}", instant(latest.time), latest.run_id));
            if let Some(manager) = &latest.body.manager {
                fields.add("with", format!("{} {}", manager.name, manager.digest));
            }
            fields.add_some("version", latest.body.data_version.as_deref().map(safe_name));
            fields.add_all("recorded", metadata(&latest.body.metadata));
        }
    }
    fields.print(output)?;
    if shown.materializations.len() > 1 {
        output.line("")?;
        let rows: Vec<[String; 3]> = shown
            .materializations
            .iter()
            .map(|made| {
                let manager = made.body.manager.as_ref().map_or("-", |manager| &manager.name);
                [instant(made.time), made.run_id.clone(), manager.to_owned()]
            })
            .collect();
        print_table(output, ["STORED", "RUN", "IO"], &rows)?;
    }
    Ok(())
}

fn op(op: &Op, directory: &Path) -> String {
    match op {
        Op::Command(words) => {
            let words: Vec<String> = words.iter().map(setting).collect();
            format!("the command {}", words.join(" "))
        }
        Op::Component(used) => format!("the component {}", ComponentName::of(&used.component, directory)),
    }
}
