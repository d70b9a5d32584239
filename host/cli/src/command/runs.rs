//! `airlock runs`: lists runs.

use std::path::PathBuf;

use airlock_pipeline::event::RunFilter;
use clap::Args;

use crate::arguments::FormatArgument;
use crate::error::{Error, ExitStatus};
use crate::output::{Format, Output, tell};
use crate::project::{self, event_log};
use crate::render::{instant, print_table, word};

const HELP: &str = "\
Examples:
  airlock runs
  airlock runs --limit 100 --format jsonl";

/// List runs, the latest first
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Runs {
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// The definitions; otherwise the nearest airlock.toml, from the current directory upwards
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArgument,
}

impl Runs {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let (_, reader) = project::events(self.file.as_deref())?;
        let filter = RunFilter { limit: usize::try_from(self.limit).unwrap_or(usize::MAX), ..RunFilter::default() };
        let runs = reader.map_or(Ok(Vec::new()), |reader| reader.runs(&filter)).map_err(event_log)?;
        let mut output = Output::new();
        if self.format.format != Format::Human {
            output.json_items(self.format.format, "runs", &runs)?;
        } else if runs.is_empty() {
            tell("nothing was run yet: begin with `airlock run`");
        } else {
            let rows: Vec<[String; 5]> = runs
                .iter()
                .map(|run| {
                    let selection =
                        if run.selection.is_empty() { "everything".to_owned() } else { run.selection.join(" ") };
                    let partition =
                        run.partition.as_ref().map(|partition| format!(", {partition}")).unwrap_or_default();
                    let selection = format!("{selection}{partition}");
                    let steps = run.steps.len().to_string();
                    [run.run_id.clone(), word(&run.status), instant(run.started), steps, selection]
                })
                .collect();
            print_table(&mut output, ["RUN", "STATUS", "STARTED", "STEPS", "SELECTED"], &rows)?;
        }
        output.finish()?;
        Ok(ExitStatus::Done)
    }
}
