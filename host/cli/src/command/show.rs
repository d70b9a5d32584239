//! `airlock show`: all about one asset or job.

use std::path::Path;

use airlock_pipeline::EventReader;
use airlock_pipeline::definitions::{Asset, Input, InputSource, Op};
use airlock_pipeline::event::Materialization;
use airlock_pipeline::plan::JOB;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::show_job;
use crate::arguments::{FormatArgument, NowArgument, ProjectArguments};
use crate::builtin::ComponentName;
use crate::error::{Error, ExitStatus};
use crate::output::{Format, Output};
use crate::partitions::{Partitions, Presence};
use crate::project::{Project, event_log};
use crate::render::{Fields, instant, metadata, print_table, safe_name, setting, word};

/// Materializations that are shown.
const SHOWN: usize = 10;

const HELP: &str = "\
Examples:
  airlock show report
  airlock show report --format json
  airlock show job:nightly";

/// Show what is defined and known of an asset or a job
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Show {
    /// The asset, or `job:` and the name of a job
    #[arg(value_name = "NAME")]
    asset: String,
    #[command(flatten)]
    now: NowArgument,
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
    /// What the same op computes besides.
    computed_with: Vec<&'a str>,
    /// Which partitions there are, and which are stored.
    partitions_stored: Option<Partitions>,
    materializations: Vec<Materialization>,
    /// When something of it was removed last.
    wiped: Option<Timestamp>,
}

/// Cells of the bar that shows which partitions are stored.
const BAR: usize = 60;

impl Show {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let project = Project::read(&self.project)?;
        let definitions = &project.definitions;
        if let Some(name) = self.asset.strip_prefix(JOB) {
            return show_job::execute(project.job(name)?, definitions.directory(), self.format.format);
        }
        let asset = project.asset(&self.asset)?;
        let reader = EventReader::open(&project.home).map_err(event_log)?;
        let recorded =
            |reader: EventReader| Ok((reader.materializations(&asset.name, SHOWN)?, reader.wiped(&asset.name)?));
        let (materializations, wiped) = reader.map_or(Ok(Default::default()), recorded).map_err(event_log)?;
        let graph = definitions.graph();
        let presence = Presence::of(&project, &[asset], self.now.moment())?.remove(asset.name.as_str());
        let with = definitions.computed_with(asset).into_iter().map(|other| other.name.as_str());
        let shown = Shown {
            asset,
            upstream: graph.upstream(&asset.name),
            downstream: graph.downstream(&asset.name),
            computed_with: with.filter(|name| *name != asset.name).collect(),
            partitions_stored: presence.and_then(|presence| presence.partitions),
            materializations,
            wiped,
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

fn print(output: &mut Output, shown: &Shown<'_>, directory: &Path) -> Result<(), Error> {
    let asset = shown.asset;
    let mut fields = Fields::default();
    fields.add("asset", safe_name(&asset.name));
    fields.add_some("about", asset.description.as_deref().map(safe_name));
    fields.add_some("group", asset.group.as_deref().map(safe_name));
    fields.add(
        "type",
        match &asset.output.media_type {
            Some(media_type) => format!("{} ({media_type})", word(&asset.output.value_type)),
            None => word(&asset.output.value_type),
        },
    );
    let graph = asset.graph.iter().flat_map(|graph| &graph.steps);
    fields.add_all("after", graph.map(|step| format!("{}: {}", safe_name(&step.name), op(&step.op, directory))));
    fields.add("op", op(&asset.op, directory));
    fields.add_some("step", asset.multi_asset.as_deref().map(safe_name));
    fields.add_all("beside", shown.computed_with.iter().map(|name| safe_name(name)));
    fields.add_some("io", asset.output.io.clone());
    fields.add_all("inputs", asset.inputs.iter().map(input));
    fields.add_all("deps", asset.deps.iter().cloned());
    fields.add_all("used by", shown.downstream.iter().map(|&name| name.to_owned()));
    fields.add_all("owners", asset.owners.iter().map(|owner| safe_name(owner)));
    fields.add_all(
        "tags",
        asset.tags.iter().map(|(key, value)| if value.is_empty() { key.clone() } else { format!("{key}={value}") }),
    );
    fields.add_all("kinds", asset.kinds.iter().cloned());
    fields.add_all("metadata", metadata(&asset.output.metadata));
    fields.add("defined", asset.position.to_string());
    if let Some(partitions) = &shown.partitions_stored {
        add_partitions(&mut fields, partitions);
    }
    match shown.materializations.first() {
        None if matches!(asset.op, Op::External) || shown.wiped.is_some() => {}
        None => fields.add("stored", "never, as far as is recorded"),
        Some(latest) => {
            let what = latest.body.partition.as_deref().map(|key| format!("{} ", safe_name(key))).unwrap_or_default();
            fields.add("stored", format!("{what}{} by run {}", instant(latest.time), latest.run_id));
            if let Some(manager) = &latest.body.manager {
                fields.add("with", format!("{} {}", manager.name, manager.digest));
            }
            fields.add_some("version", latest.body.data_version.as_deref().map(safe_name));
            fields.add_all("recorded", metadata(&latest.body.metadata));
        }
    }
    fields.add_some("removed", shown.wiped.map(instant));
    fields.print(output)?;
    if shown.materializations.len() > 1 {
        output.line("")?;
        let manager =
            |made: &Materialization| made.body.manager.as_ref().map_or("-", |manager| &manager.name).to_owned();
        let made = shown.materializations.iter();
        if shown.partitions_stored.is_some() {
            let key = |made: &Materialization| made.body.partition.clone().unwrap_or_default();
            let rows: Vec<[String; 4]> =
                made.map(|made| [instant(made.time), key(made), made.run_id.clone(), manager(made)]).collect();
            print_table(output, ["STORED", "PARTITION", "RUN", "IO"], &rows)?;
        } else {
            let rows: Vec<[String; 3]> =
                made.map(|made| [instant(made.time), made.run_id.clone(), manager(made)]).collect();
            print_table(output, ["STORED", "RUN", "IO"], &rows)?;
        }
    }
    Ok(())
}

fn add_partitions(fields: &mut Fields, partitions: &Partitions) {
    let range = match (&partitions.first, &partitions.last) {
        (Some(first), Some(last)) if first == last => safe_name(first),
        (Some(first), Some(last)) => format!("{} to {}", safe_name(first), safe_name(last)),
        _ => "none yet".to_owned(),
    };
    let mut lines = vec![format!("{}: {range}, {} stored", partitions.definition, partitions.counted())];
    let bar = partitions.bar(BAR);
    if !bar.is_empty() {
        lines.push(bar);
    }
    fields.add_all("partitions", lines);
    if partitions.stored > 0 {
        let unlisted =
            (partitions.missing_unlisted > 0).then(|| format!("and {} ranges more", partitions.missing_unlisted));
        fields.add_all("missing", partitions.missing.iter().map(|range| safe_name(range)).chain(unlisted));
    }
}

/// An input, and where it comes from.
pub fn input(input: &Input) -> String {
    let name = safe_name(&input.name);
    let from = match &input.source {
        InputSource::Asset(asset) if *asset == input.name => return name,
        InputSource::Asset(asset) => safe_name(asset),
        InputSource::From(output) => output.to_string(),
        InputSource::FromSeveral(outputs) => outputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        InputSource::Each(output) => format!("each of {output}"),
        InputSource::Value(value) => setting(value),
        InputSource::Unconnected { .. } => format!("what {} finds", input.io.as_deref().unwrap_or("-")),
    };
    format!("{name} = {from}")
}

/// What computes something.
pub fn op(op: &Op, directory: &Path) -> String {
    match op {
        Op::Command(words) => {
            let words: Vec<String> = words.iter().map(setting).collect();
            format!("the command {}", words.join(" "))
        }
        Op::External => "none: something else makes it".to_owned(),
        Op::Component(used) => format!("the component {}", ComponentName::of(&used.component, directory)),
    }
}
