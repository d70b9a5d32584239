//! `airlock run`: computes and stores assets.

use airlock_pipeline::plan::{Extent, JOB, PlanRequest};
use airlock_pipeline::run::{JOBS, StepFailure, StepResult, shell_word};
use airlock_pipeline::{Plan, RunOptions, RunResult, Runner};
use clap::Args;
use console::style;

use super::run_lines::{lines, summary};
use crate::arguments::{AuditArgument, FormatArgument, IsolateArgument, NowArgument, ProjectArguments};
use crate::error::{Error, ExitStatus, Report};
use crate::locking::{self, LockedArgument};
use crate::output::{Format, Output, tell};
use crate::project::Project;
use crate::render::{safe_name, thousands};
use crate::watch::Watch;
use crate::{failure, interrupt};

/// Failures that are told one by one.
const FAILURES_TOLD: usize = 10;

const HELP: &str = "\
Each step loads its inputs, computes its value and hands it to an I/O manager.
A value that cannot be stored leaves the old one as it was; a step that fails
stops only what depends on it.

Selections:
  report          the asset `report`
  +report         and all that it depends on
  report+         and all that depends on it
  group:weather   the assets of a group; `+` works here too, and with
                  `kind:python`, `owner:team:weather`, `tag:pii` and `tag:tier=1`
  job:nightly     the steps of a job; it is run by itself

Partitions are those of the selected assets that load no other selected asset
with partitions; of the other assets with partitions, those that depend on them
are computed, and assets without partitions are computed as well.

Examples:
  airlock run
  airlock run +report
  airlock run daily+ --partition 2012-03-01
  airlock run --partition 2012-03-01..2012-03-31
  airlock run --partition '2012-03-01|*'
  airlock run --partition all --jobs 4
  airlock run --missing
  airlock run --skip-unchanged
  airlock run job:nightly
  airlock run --retry latest
  airlock run --profile prod --strict --locked --audit audit.jsonl
  airlock run --format jsonl > events.jsonl";

/// How much of what is selected is computed.
#[derive(Debug, Args)]
struct ExtentArguments {
    /// Compute only what is not stored or older than its inputs, and what depends on that
    #[arg(long)]
    missing: bool,
    /// Compute only what is missing or was computed by something else, and what depends on that
    #[arg(long, conflicts_with = "missing")]
    changed: bool,
}

impl ExtentArguments {
    fn extent(&self) -> Extent {
        match (self.missing, self.changed) {
            (true, _) => Extent::Missing,
            (false, true) => Extent::Changed,
            (false, false) => Extent::Everything,
        }
    }
}

/// Compute and store assets
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Run {
    /// What to compute; everything where nothing is named
    #[arg(value_name = "SELECT")]
    select: Vec<String>,
    /// The partitions to compute: a key, a range A..B with both its ends, or all; of
    /// several dimensions each of these or * in each: 2012-03-01|*
    #[arg(short, long, value_name = "PARTITION")]
    partition: Option<String>,
    #[command(flatten)]
    extent: ExtentArguments,
    /// Skip steps whose code and inputs are the same as when their value was stored
    #[arg(long)]
    skip_unchanged: bool,
    /// Do what a run left undone: the steps that did not succeed; `latest` is the last run
    #[arg(long, value_name = "RUN", conflicts_with_all = ["select", "partition", "missing", "changed"])]
    retry: Option<String>,
    /// Steps at once, at most 32; as many as there are processors where it is not given
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=JOBS as i64))]
    jobs: Option<u16>,
    /// Fail a step in which a component tried anything that its grant does not allow
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    isolate: IsolateArgument,
    #[command(flatten)]
    locked: LockedArgument,
    #[command(flatten)]
    audit: AuditArgument,
    #[command(flatten)]
    now: NowArgument,
    #[command(flatten)]
    project: ProjectArguments,
    #[command(flatten)]
    format: FormatArgument,
}

impl Run {
    /// What is to be done: the rest of a run, a job, or assets.
    fn plan(&self, project: &Project, runner: &Runner, extent: Extent) -> Result<Plan, Error> {
        let now = self.now.moment();
        if let Some(name) = &self.retry {
            return runner.plan_rest(&project.run(name)?, now).map_err(failure::run);
        }
        let Some(job) = self.select.iter().find_map(|entry| entry.strip_prefix(JOB)) else {
            let (selection, partition) = (self.select.clone(), self.partition.clone());
            return runner.plan(&PlanRequest { selection, partition, extent, only: None, now }).map_err(failure::run);
        };
        let refused = match extent {
            _ if self.select.len() > 1 => "a job is run by itself: name nothing beside it",
            _ if self.partition.is_some() => "a job has no partitions: leave `--partition` out",
            _ if self.skip_unchanged => "the steps of a job are always done: leave `--skip-unchanged` out",
            Extent::Missing => {
                "the steps of a job are always done: leave `--missing` out, or go on from a run by `--retry`"
            }
            Extent::Changed => "the steps of a job are always done: leave `--changed` out",
            Extent::Everything => {
                return runner.plan_job(job, now).map_err(failure::run);
            }
        };
        Err(Error::usage(refused).into())
    }

    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let project = Project::read(&self.project)?;
        let runner = locking::runner(&project, &self.locked, self.isolate)?.with_audit(self.audit.open()?);
        let extent = self.extent.extent();
        let plan = self.plan(&project, &runner, extent)?;
        if plan.steps.is_empty() {
            // Nothing that is done is nothing to record.
            match &plan.parent {
                Some(run) => tell(format!("nothing to do: the run {run} left nothing undone")),
                None => tell(nothing_to_do(&project, extent)),
            }
            if self.format.format == Format::Json {
                let mut output = Output::new();
                output.json("run", &None::<RunResult>)?;
                output.finish()?;
            }
            return Ok(ExitStatus::Done);
        }
        let mut options = RunOptions {
            strict: self.strict,
            skip_unchanged: self.skip_unchanged,
            interrupt: interrupt::on_signal()?,
            ..RunOptions::default()
        };
        if let Some(jobs) = self.jobs {
            options.jobs = usize::from(jobs);
        }
        let watch = Watch::new(plan.steps.len(), self.format.format);
        let result = runner.run(&plan, &options, &|event| watch.see(event));
        // The line of progress goes before anything is told.
        let seen = watch.finish();
        let result = result.map_err(failure::run)?;
        let shown = match (self.format.format, seen.failed) {
            (_, Some(error)) => Err(error),
            (Format::Human, None) => show(&result),
            (Format::Json, None) => show_json(&result),
            (Format::Jsonl, None) => Ok(()),
        };
        let unlisted = (seen.denials_unlisted > 0).then(|| format!("{} more", seen.denials_unlisted));
        for denial in seen.denials.iter().chain(&unlisted) {
            tell(format!("{} {denial}", style("denied:").for_stderr().yellow()));
        }
        tell_failures(&result);
        match shown {
            // What became of the run says more than that nobody read it.
            Err(error) if result.exit_code() == 0 => Err(error),
            _ => Ok(ExitStatus::Failed(result.exit_code())),
        }
    }
}

fn nothing_to_do(project: &Project, extent: Extent) -> &'static str {
    match extent {
        _ if project.definitions.assets().is_empty() => "nothing to do, since the definitions have no assets",
        Extent::Missing => "nothing to do: nothing is missing",
        Extent::Changed => "nothing to do: nothing is missing or changed",
        Extent::Everything => "nothing to do",
    }
}

fn tell_failures(result: &RunResult) {
    let failed: Vec<(&StepResult, &StepFailure)> =
        result.steps.iter().filter_map(|step| Some((step, step.failure.as_deref()?))).collect();
    for (step, failed) in failed.iter().take(FAILURES_TOLD) {
        let mut report = failure::step(&step.key, failed);
        if step.log.is_some() {
            let step = shell_word(&safe_name(&step.key));
            report = report.hint(format!("`airlock logs {} {step}` shows what it printed", result.run_id));
        }
        report.show();
    }
    if failed.len() > FAILURES_TOLD {
        let more = thousands(failed.len() - FAILURES_TOLD);
        tell(format!("and {more} more steps failed: `airlock events {}` shows why", result.run_id));
    }
    if let Some(error) = &result.event_log_error {
        Report::new(ExitStatus::Storage, format!("the run could not be recorded: {error}")).show();
    }
}

fn show(result: &RunResult) -> Result<(), Error> {
    let mut output = Output::new();
    for line in lines(&result.steps) {
        output.line(line)?;
    }
    output.line(summary(result))?;
    output.finish()
}

fn show_json(result: &RunResult) -> Result<(), Error> {
    let mut output = Output::new();
    output.json("run", result)?;
    output.finish()
}
