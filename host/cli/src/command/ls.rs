//! `airlock ls`: lists assets and jobs.

use std::collections::HashMap;

use airlock_pipeline::EventReader;
use airlock_pipeline::definitions::{Asset, Job, Op, ValueType};
use airlock_pipeline::event::Materialization;
use airlock_pipeline::plan::JOB;
use clap::Args;
use serde::Serialize;

use crate::arguments::{FormatArgument, NowArgument, ProjectArguments};
use crate::error::{Error, ExitStatus};
use crate::output::{Format, Output, tell};
use crate::partitions::{Partitions, Presence};
use crate::project::{Project, event_log};
use crate::render::{instant, print_table, word};

const HELP: &str = "\
Examples:
  airlock ls
  airlock ls --format json";

/// Cells of the bar that shows which partitions are stored.
const BAR: usize = 12;

/// List the assets and the jobs
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Ls {
    #[command(flatten)]
    now: NowArgument,
    #[command(flatten)]
    project: ProjectArguments,
    #[command(flatten)]
    format: FormatArgument,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    group: Option<&'a str>,
    value_type: ValueType,
    io: Option<&'a str>,
    upstream: Vec<&'a str>,
    description: Option<&'a str>,
    /// Whether something else than Airlock makes it.
    external: bool,
    /// Whether anything of it is stored now; absent where that cannot be told.
    is_stored: Option<bool>,
    /// When it was stored last, as far as is recorded.
    stored: Option<String>,
    run_id: Option<&'a str>,
    partitions: Option<Partitions>,
}

impl Ls {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let project = Project::read(&self.project)?;
        let reader = EventReader::open(&project.home).map_err(event_log)?;
        let latest = reader.map_or(Ok(Vec::new()), |reader| reader.latest_materializations()).map_err(event_log)?;
        let latest: HashMap<&str, &Materialization> =
            latest.iter().map(|made| (made.body.asset.as_str(), made)).collect();
        let definitions = &project.definitions;
        let order = definitions.graph().order();
        let assets: Vec<&Asset> = definitions.assets().iter().collect();
        let mut presence = Presence::of(&project, &assets, self.now.moment())?;
        let rows: Vec<Row<'_>> = order
            .iter()
            .filter_map(|name| definitions.asset(name))
            .filter_map(|asset| Some((asset, presence.remove(asset.name.as_str())?)))
            .map(|(asset, presence)| Row {
                name: &asset.name,
                group: asset.group.as_deref(),
                value_type: asset.output.value_type,
                io: asset.output.io.as_deref(),
                upstream: definitions.graph().upstream(&asset.name),
                description: asset.description.as_deref(),
                external: matches!(asset.op, Op::External),
                stored: latest.get(asset.name.as_str()).map(|made| made.time.to_string()),
                run_id: latest.get(asset.name.as_str()).map(|made| made.run_id.as_str()),
                is_stored: presence.is_stored,
                partitions: presence.partitions,
            })
            .collect();
        let mut output = Output::new();
        match self.format.format {
            Format::Human if rows.is_empty() && definitions.jobs().is_empty() => {
                tell("the definitions have no assets");
            }
            Format::Human => {
                if !rows.is_empty() {
                    print(&mut output, &rows)?;
                }
                print_jobs(&mut output, definitions.jobs(), !rows.is_empty())?;
            }
            Format::Json => output.json_pair(("assets", &rows), ("jobs", &jobs(definitions.jobs())))?,
            Format::Jsonl => {
                output.json_items(Format::Jsonl, "assets", &rows)?;
                output.json_items(Format::Jsonl, "jobs", &jobs(definitions.jobs()))?;
            }
        }
        output.finish()?;
        Ok(ExitStatus::Done)
    }
}

/// A job, as it is listed.
#[derive(Serialize)]
struct JobRow<'a> {
    job: &'a str,
    steps: usize,
    description: Option<&'a str>,
}

fn jobs<'a>(jobs: &'a [Job]) -> Vec<JobRow<'a>> {
    let row = |job: &'a Job| {
        let Job { name, steps, description, .. } = job;
        JobRow { job: name, steps: steps.len(), description: description.as_deref() }
    };
    jobs.iter().map(row).collect()
}

fn stored(row: &Row<'_>) -> String {
    match &row.partitions {
        Some(partitions) => format!("{} {}", partitions.bar(BAR), partitions.counted()),
        None if row.external && row.is_stored == Some(false) => "external, not there".to_owned(),
        None if row.external => "external".to_owned(),
        None if row.is_stored == Some(false) => "-".to_owned(),
        None => match &row.stored {
            Some(time) => instant(time),
            None if row.is_stored.is_some() => "by something else".to_owned(),
            None => "unknown".to_owned(),
        },
    }
}

fn print(output: &mut Output, rows: &[Row<'_>]) -> Result<(), Error> {
    let or_none = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let cells: Vec<[String; 5]> = rows
        .iter()
        .map(|row| [row.name.to_owned(), or_none(row.group), word(&row.value_type), or_none(row.io), stored(row)])
        .collect();
    print_table(output, ["ASSET", "GROUP", "TYPE", "IO", "STORED"], &cells)
}

/// Prints `jobs`, after an empty line where something stands before them.
fn print_jobs(output: &mut Output, jobs: &[Job], follows: bool) -> Result<(), Error> {
    if jobs.is_empty() {
        return Ok(());
    }
    if follows {
        output.line("")?;
    }
    let about = |job: &Job| job.description.clone().unwrap_or_else(|| "-".to_owned());
    let cells: Vec<[String; 3]> =
        jobs.iter().map(|job| [format!("{JOB}{}", job.name), job.steps.len().to_string(), about(job)]).collect();
    print_table(output, ["JOB", "STEPS", "ABOUT"], &cells)
}
