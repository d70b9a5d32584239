//! `airlock run`: computes and stores assets.

use airlock_pipeline::plan::{Extent, JOB, PlanRequest};
use airlock_pipeline::run::{JOBS, StepFailure, StepResult, StepStatus, shell_word};
use airlock_pipeline::{Plan, RunOptions, RunResult, Runner};
use clap::Args;
use console::style;

use crate::arguments::{FormatArgument, NowArgument, ProjectArguments};
use crate::error::{Error, ExitStatus, Report};
use crate::output::{Format, Output, tell};
use crate::project::Project;
use crate::render::{safe_name, size, thousands, time};
use crate::watch::{MANY, Watch};
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
  airlock run --profile prod --strict
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
        let runner = project.runner()?;
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

/// The steps of one name, or one step.
enum Line<'a> {
    Step(&'a StepResult),
    Together { name: &'a str, steps: &'a [StepResult] },
}

impl Line<'_> {
    fn name(&self) -> String {
        safe_name(match self {
            Line::Step(step) => &step.key,
            Line::Together { name, .. } => name,
        })
    }
}

/// A line for each step; for the partitions of one asset one together, and for the elements of a step of a job.
fn lines(steps: &[StepResult]) -> Vec<String> {
    let of_one_asset = |a: &StepResult, b: &StepResult| a.name == b.name;
    let entries: Vec<Line<'_>> = steps
        .chunk_by(of_one_asset)
        .filter_map(|steps| match steps {
            [step] => Some(Line::Step(step)),
            [first, ..] => Some(Line::Together { name: &first.name, steps }),
            [] => None,
        })
        .collect();
    let width = entries.iter().map(|entry| console::measure_text_width(&entry.name())).max().unwrap_or(0);
    let line = |entry: &Line<'_>| {
        let name = entry.name();
        let name = console::pad_str(&name, width, console::Alignment::Left, None);
        match entry {
            Line::Step(step) => step_line(step, &name),
            Line::Together { steps, .. } => asset_line(steps, &name),
        }
    };
    entries.iter().map(line).collect()
}

fn step_line(step: &StepResult, name: &str) -> String {
    let size = step.size.map(size).unwrap_or_default();
    match &step.status {
        StepStatus::Succeeded => format!("{} {name}  {size:>9}  {:>8}", style("✓").green(), time(step.time)),
        StepStatus::Unchanged => format!("{} {name}  {}", style("✓").green(), style("unchanged").dim()),
        StepStatus::Failed => format!("{} {name}  {:>9}  {:>8}", style("✗").red(), "failed", time(step.time)),
        StepStatus::Skipped { because, output } => {
            let why =
                output.as_ref().map_or("did not succeed".to_owned(), |output| format!("gave no {}", safe_name(output)));
            let because = format!("not run, since {} {why}", safe_name(because));
            format!("{} {name}  {}", style("-").dim(), style(because).dim())
        }
        StepStatus::Canceled => format!("{} {name}  {}", style("-").dim(), style("interrupted").dim()),
        StepStatus::NotBegun => format!("{} {name}  {}", style("-").dim(), style("not run").dim()),
    }
}

fn asset_line(steps: &[StepResult], name: &str) -> String {
    let bytes = steps.iter().filter_map(|step| step.size).fold(0, u64::saturating_add);
    let number = |status| steps.iter().filter(|step| step.status == status).count();
    let (done, unchanged) = (number(StepStatus::Succeeded), number(StepStatus::Unchanged));
    let (mark, size) = if done + unchanged == steps.len() {
        (style("✓").green(), if done > 0 { size(bytes) } else { String::new() })
    } else if steps.iter().any(|step| step.status == StepStatus::Failed) {
        (style("✗").red(), "failed".to_owned())
    } else {
        (style("-").dim(), String::new())
    };
    let what = match outcomes(steps).as_slice() {
        [_] if done == steps.len() => {
            let is_mapped = steps.iter().any(|step| step.mapping_key.is_some());
            let partitions: usize = steps.iter().map(|step| step.partition_count).sum();
            if is_mapped {
                format!("{} elements", thousands(done))
            } else {
                format!("{} partitions", thousands(partitions))
            }
        }
        parts => parts.join(", "),
    };
    format!("{mark} {name}  {size:>9}  {what}")
}

/// `1,460 done`, `1 failed`: how many steps came to what, of all that any came to.
fn outcomes(steps: &[StepResult]) -> Vec<String> {
    let number = |is: fn(&StepStatus) -> bool| steps.iter().filter(|step| is(&step.status)).count();
    let parts = [
        (number(|status| *status == StepStatus::Succeeded), "done"),
        (number(|status| *status == StepStatus::Unchanged), "unchanged"),
        (number(|status| *status == StepStatus::Failed), "failed"),
        (number(|status| matches!(status, StepStatus::Skipped { .. } | StepStatus::NotBegun)), "not run"),
        (number(|status| *status == StepStatus::Canceled), "interrupted"),
    ];
    parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", thousands(*n))).collect()
}

fn summary(result: &RunResult) -> String {
    let parts = outcomes(&result.steps);
    let steps = match parts.as_slice() {
        [_] if result.steps.iter().all(|step| step.status == StepStatus::Succeeded) => match result.steps.len() {
            1 => "1 step done".to_owned(),
            count => format!("{} steps done", thousands(count)),
        },
        parts => parts.join(", "),
    };
    let seconds = result.time.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "it is shown in whole numbers")]
    let rate = result.steps.len() as f64 / seconds.max(f64::MIN_POSITIVE);
    let pace = if result.steps.len() < MANY { String::new() } else { format!(", {rate:.0} a second") };
    format!("run {}: {steps} in {}{pace}", result.run_id, time(result.time))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use airlock_pipeline::event::RunStatus;

    use super::*;

    fn step(key: &str, status: StepStatus) -> StepResult {
        StepResult {
            key: key.to_owned(),
            name: key.to_owned(),
            asset: Some(key.to_owned()),
            partition: None,
            partition_count: 0,
            mapping_key: None,
            status,
            time: Duration::from_millis(12),
            size: Some(1024),
            metadata: Vec::new(),
            failure: None,
            log: None,
        }
    }

    #[test]
    fn each_step_has_a_line_that_says_what_became_of_it() {
        let steps = [
            step("observations", StepStatus::Succeeded),
            step("a", StepStatus::Failed),
            step("b", StepStatus::Skipped { because: "a".to_owned(), output: None }),
            step("c\u{1b}[2J", StepStatus::Canceled),
        ];
        let shown: Vec<String> = lines(&steps).iter().map(|l| console::strip_ansi_codes(l).into_owned()).collect();
        assert_eq!(
            shown,
            [
                "✓ observations      1 KiB     12 ms",
                "✗ a                failed     12 ms",
                "- b             not run, since a did not succeed",
                "- c\\u{1b}[2J    interrupted",
            ]
        );
    }

    fn run(steps: Vec<StepResult>, status: RunStatus) -> RunResult {
        let time = Duration::from_secs(2);
        RunResult { run_id: "1a2b".to_owned(), status, time, steps, event_log_error: None }
    }

    #[test]
    fn a_run_is_summed_up_in_one_line() {
        let done = vec![step("a", StepStatus::Succeeded), step("b", StepStatus::Succeeded)];
        assert_eq!(summary(&run(done, RunStatus::Succeeded)), "run 1a2b: 2 steps done in 2.0 s");
        let skipped = StepStatus::Skipped { because: "a".to_owned(), output: None };
        let failed = vec![step("a", StepStatus::Failed), step("b", skipped), step("c", StepStatus::Succeeded)];
        assert_eq!(summary(&run(failed, RunStatus::Failed)), "run 1a2b: 1 done, 1 failed, 1 not run in 2.0 s");
        let many = (0..30).map(|_| step("a", StepStatus::Succeeded)).collect();
        assert_eq!(summary(&run(many, RunStatus::Succeeded)), "run 1a2b: 30 steps done in 2.0 s, 15 a second");
    }

    #[test]
    fn partitions_of_one_asset_have_one_line_together() {
        let of = |asset: &str, key: &str, status| StepResult {
            name: asset.to_owned(),
            asset: Some(asset.to_owned()),
            partition: Some(key.to_owned()),
            partition_count: 1,
            ..step(&format!("{asset}[{key}]"), status)
        };
        let skipped = || StepStatus::Skipped { because: "daily[2]".to_owned(), output: None };
        let steps = [
            of("daily", "1", StepStatus::Succeeded),
            of("daily", "2", StepStatus::Failed),
            of("hourly", "1", StepStatus::Succeeded),
            of("hourly", "2", StepStatus::Succeeded),
            of("monthly", "1", skipped()),
            of("weekly", "1", skipped()),
            of("weekly", "2", skipped()),
        ];
        let shown: Vec<String> = lines(&steps).iter().map(|l| console::strip_ansi_codes(l).into_owned()).collect();
        assert_eq!(
            shown,
            [
                "✗ daily          failed  1 done, 1 failed",
                "✓ hourly          2 KiB  2 partitions",
                "- monthly[1]  not run, since daily[2] did not succeed",
                "- weekly                 2 not run",
            ]
        );
    }
}
