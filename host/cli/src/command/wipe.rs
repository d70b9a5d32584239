//! `airlock wipe`: removes what is stored.

use std::io::{self, BufRead, IsTerminal, Write};

use airlock_pipeline::run::{NotWiped, WipeError, WipeTarget, Wiped};
use airlock_pipeline::{RunOptions, Runner};
use clap::Args;

use crate::arguments::{FormatArgument, IsolateArgument, NowArgument, ProjectArguments};
use crate::error::{Error, ExitStatus};
use crate::output::{Format, Output, tell};
use crate::project::Project;
use crate::render::{count, safe_name};
use crate::{failure, interrupt};

const HELP: &str = "\
It removes the file or directory at the place of the value, whatever its
extension. Neither the op nor the I/O manager is asked.

Examples:
  airlock wipe report
  airlock wipe daily --partition 2012-03-01
  airlock wipe daily monthly --partition 2012-03-01..2012-03-31 --yes
  airlock wipe --run 1a2b3c";

/// Remove what is stored of assets, or of a run of a job
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Wipe {
    /// The assets
    #[arg(value_name = "ASSET", required_unless_present = "run")]
    assets: Vec<String>,
    /// Remove what a run of a job stored, by its id; `latest` is the last run
    #[arg(long, value_name = "RUN", conflicts_with_all = ["assets", "partition", "now"])]
    run: Option<String>,
    /// The partitions: a key, a range A..B with both its ends, or all; of several
    /// dimensions each of these or * in each: 2012-03-01|*
    #[arg(short, long, value_name = "PARTITION")]
    partition: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    now: NowArgument,
    #[command(flatten)]
    project: ProjectArguments,
    #[command(flatten)]
    format: FormatArgument,
}

impl Wipe {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let project = Project::read(&self.project)?;
        let runner = project.runner(IsolateArgument::default())?;
        match &self.run {
            Some(run) => self.wipe_run(&project, &runner, run),
            None => self.wipe_assets(&project, &runner),
        }
    }

    fn wipe_assets(&self, project: &Project, runner: &Runner) -> Result<ExitStatus, Error> {
        let mut targets = Vec::new();
        for name in &self.assets {
            let asset = project.asset(name)?;
            match runner.wipe_target(asset, self.partition.as_deref(), self.now.moment()) {
                Ok(target) => targets.push(target),
                // There is nothing to remove, which is no failure.
                Err(WipeError::NotWiped { reason: reason @ NotWiped::InMemory { .. }, .. }) => tell(reason),
                Err(error) => return Err(failure::wipe(error)),
            }
        }
        let meant: Vec<String> = targets.iter().map(meant).collect();
        if meant.is_empty() || !self.is_confirmed(&meant.join(", "))? {
            return Ok(ExitStatus::Done);
        }
        let options = RunOptions { interrupt: interrupt::on_signal()?, ..RunOptions::default() };
        let mut report = Report::new(self.format.format);
        for target in targets {
            match runner.wipe(&target, &options) {
                Ok(wiped) if wiped.is_empty() => {
                    tell(format!("nothing is stored of {}", safe_name(&target.name())));
                }
                // What is left to be removed is, also where nobody reads what was.
                Ok(wiped) => Error::unless_closed(report.add(wiped))?,
                Err(error) => {
                    // What was removed before it failed is told all the same.
                    Error::unless_closed(report.finish())?;
                    return Err(failure::wipe(error));
                }
            }
        }
        report.finish()?;
        Ok(ExitStatus::Done)
    }

    fn wipe_run(&self, project: &Project, runner: &Runner, run: &str) -> Result<ExitStatus, Error> {
        let run = project.run(run)?;
        if !self.is_confirmed(&format!("the run {}", run.run_id))? {
            return Ok(ExitStatus::Done);
        }
        let options = RunOptions { interrupt: interrupt::on_signal()?, ..RunOptions::default() };
        let mut report = Report::new(self.format.format);
        match runner.wipe_run(&run, &options) {
            Ok((wiped, left)) => {
                for left in left {
                    tell(format!("left alone: {left}"));
                }
                if wiped.is_empty() {
                    tell(format!("nothing is stored of the run {}", run.run_id));
                }
                report.add(wiped)?;
            }
            Err(error) => return Err(failure::wipe(error)),
        }
        report.finish()?;
        Ok(ExitStatus::Done)
    }

    /// Whether a person wants it.
    fn is_confirmed(&self, meant: &str) -> Result<bool, Error> {
        if self.yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            let message = format!("this would remove what is stored of {meant}, and there is no terminal to ask at");
            return Err(Error::usage(message).hint("to remove it without being asked, add `--yes`").into());
        }
        let mut asked = io::stderr().lock();
        let _ = write!(asked, "remove what is stored of {meant}? [y/N] ");
        let _ = asked.flush();
        let mut answer = String::new();
        // What cannot be read is no yes.
        let _ = io::stdin().lock().read_line(&mut answer);
        let is_confirmed = matches!(answer.trim(), "y" | "Y" | "yes");
        if !is_confirmed {
            tell("nothing was removed");
        }
        Ok(is_confirmed)
    }
}

/// `report`, or `daily (31 partitions)`.
fn meant(target: &WipeTarget<'_>) -> String {
    let name = safe_name(&target.name());
    match target.partitions() {
        Some(partitions) if partitions > 1 => format!("{name} ({})", count(partitions, "partition")),
        _ => name,
    }
}

/// What was removed, as it is printed.
struct Report {
    output: Output,
    format: Format,
    wiped: Vec<Wiped>,
}

impl Report {
    fn new(format: Format) -> Self {
        Self { output: Output::new(), format, wiped: Vec::new() }
    }

    fn add(&mut self, wiped: Vec<Wiped>) -> Result<(), Error> {
        if self.format == Format::Human {
            wiped.iter().try_for_each(|value| self.output.line(format!("removed {}", safe_name(&value.path))))?;
        }
        self.wiped.extend(wiped);
        Ok(())
    }

    fn finish(mut self) -> Result<(), Error> {
        if self.format != Format::Human {
            self.output.json_items(self.format, "wiped", &self.wiped)?;
        }
        self.output.finish()
    }
}
