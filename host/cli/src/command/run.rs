//! `airlock run`: computes and stores assets.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use airlock_pipeline::event::EventBody;
use airlock_pipeline::run::{StepResult, StepStatus};
use airlock_pipeline::{Event, Plan, RunOptions, RunResult};
use airlock_sandbox::report::Receipt;
use clap::Args;
use console::style;
use indicatif::{ProgressBar, ProgressStyle};

use crate::arguments::{FormatArgument, ProjectArguments};
use crate::error::{Error, ExitStatus, Report};
use crate::output::{Format, Output, tell};
use crate::project::Project;
use crate::render::{count, safe_name, size, time};
use crate::{failure, interrupt};

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

Examples:
  airlock run
  airlock run +report
  airlock run group:weather --jobs 4
  airlock run --profile prod --strict
  airlock run --format jsonl > events.jsonl";

/// Compute and store assets
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Run {
    /// What to compute; everything where nothing is named
    #[arg(value_name = "SELECT")]
    select: Vec<String>,
    /// Steps at once; as many as there are processors where it is not given
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Fail a step in which a component tried anything that its grant does not allow
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    project: ProjectArguments,
    #[command(flatten)]
    format: FormatArgument,
}

impl Run {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let project = Project::read(&self.project)?;
        let plan = Plan::new(&project.definitions, &self.select)
            .map_err(|error| Error::usage(error.to_string()).hint("`airlock ls` lists the assets"))?;
        let mut options = RunOptions {
            selection: self.select,
            strict: self.strict,
            interrupt: interrupt::on_signal()?,
            ..RunOptions::default()
        };
        if let Some(jobs) = self.jobs {
            options.jobs = usize::from(jobs);
        }
        let runner = project.runner()?;
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
        for denial in &seen.denials {
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

fn tell_failures(result: &RunResult) {
    for step in &result.steps {
        let Some(failed) = &step.failure else { continue };
        let mut report = failure::step(&step.key, failed);
        if step.log.is_some() {
            let step = safe_name(&step.key);
            report = report.hint(format!("`airlock logs {} {step}` shows what it printed", result.run_id));
        }
        report.show();
    }
    if let Some(error) = &result.event_log_error {
        Report::new(ExitStatus::Storage, format!("the run could not be recorded: {error}")).show();
    }
}

/// What is seen of a run while it goes on.
struct Watch {
    progress: ProgressBar,
    seen: Mutex<Seen>,
}

struct Seen {
    running: Vec<String>,
    denials: Vec<String>,
    /// Takes the events where they are what is asked for.
    events: Option<Output>,
    /// Why that ended early.
    failed: Option<Error>,
}

impl Watch {
    fn new(steps: usize, format: Format) -> Self {
        let progress = ProgressBar::new(steps as u64);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} of {len} done  {wide_msg}") {
            progress.set_style(style);
        }
        progress.enable_steady_tick(Duration::from_millis(120));
        let events = (format == Format::Jsonl).then(Output::new);
        let seen = Seen { running: Vec::new(), denials: Vec::new(), events, failed: None };
        Self { progress, seen: Mutex::new(seen) }
    }

    fn see(&self, event: &Event) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.write(event);
        let Some(step) = &event.step_key else { return };
        if let Some(receipt) = event.body.receipt() {
            seen.denials.extend(denials(step, receipt));
        }
        match &event.body {
            EventBody::StepStart {} => seen.running.push(safe_name(step)),
            EventBody::StepSuccess {}
            | EventBody::StepFailure(_)
            | EventBody::StepSkipped { .. }
            | EventBody::StepCanceled {} => {
                seen.running.retain(|running| *running != safe_name(step));
                self.progress.inc(1);
            }
            _ => return,
        }
        self.progress.set_message(seen.running.join(", "));
    }

    fn finish(self) -> Seen {
        self.progress.finish_and_clear();
        self.seen.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Writes `event` where events are asked for. Output that is closed does not end a run.
    fn write(&mut self, event: &Event) {
        let Some(output) = &mut self.events else { return };
        if let Err(error) = output.json_line(event).and_then(|()| output.flush()) {
            self.failed = Some(error);
            self.events = None;
        }
    }
}

/// What a component was denied although its call went well.
fn denials(step: &str, receipt: &Receipt) -> Vec<String> {
    let step = safe_name(step);
    let unlisted = receipt.denials.unlisted;
    let listed = receipt.denials.list.iter().map(|denial| format!("{step}: {denial}"));
    listed.chain((unlisted > 0).then(|| format!("{step}: {unlisted} more"))).collect()
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

fn lines(steps: &[StepResult]) -> Vec<String> {
    let names: Vec<String> = steps.iter().map(|step| safe_name(&step.key)).collect();
    let width = names.iter().map(|name| console::measure_text_width(name)).max().unwrap_or(0);
    let line = |(step, name): (&StepResult, &String)| {
        let name = console::pad_str(name, width, console::Alignment::Left, None);
        let size = step.size.map(size).unwrap_or_default();
        match &step.status {
            StepStatus::Succeeded => format!("{} {name}  {size:>9}  {:>8}", style("✓").green(), time(step.time)),
            StepStatus::Failed => format!("{} {name}  {:>9}  {:>8}", style("✗").red(), "failed", time(step.time)),
            StepStatus::Skipped { because } => {
                let because = format!("not run, since {} did not succeed", safe_name(because));
                format!("{} {name}  {}", style("-").dim(), style(because).dim())
            }
            StepStatus::Canceled => format!("{} {name}  {}", style("-").dim(), style("interrupted").dim()),
            StepStatus::NotBegun => format!("{} {name}  {}", style("-").dim(), style("not run").dim()),
        }
    };
    steps.iter().zip(&names).map(line).collect()
}

fn summary(result: &RunResult) -> String {
    let number = |is: fn(&StepStatus) -> bool| result.steps.iter().filter(|step| is(&step.status)).count();
    let parts = [
        (number(|status| *status == StepStatus::Succeeded), "done"),
        (number(|status| *status == StepStatus::Failed), "failed"),
        (number(|status| matches!(status, StepStatus::Skipped { .. } | StepStatus::NotBegun)), "not run"),
        (number(|status| *status == StepStatus::Canceled), "interrupted"),
    ];
    let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let steps = match parts.as_slice() {
        [] => return format!("run {}: nothing to do, since the definitions have no assets", result.run_id),
        [_] if result.exit_code() == 0 => format!("{} done", count(result.steps.len(), "step")),
        parts => parts.join(", "),
    };
    format!("run {}: {steps} in {}", result.run_id, time(result.time))
}

#[cfg(test)]
mod tests {
    use airlock_pipeline::event::RunStatus;
    use airlock_sandbox::report::{Denial, Denials, Operation, Rule};

    use super::*;

    fn step(key: &str, status: StepStatus) -> StepResult {
        StepResult {
            key: key.to_owned(),
            asset: key.to_owned(),
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
            step("b", StepStatus::Skipped { because: "a".to_owned() }),
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
        let skipped = StepStatus::Skipped { because: "a".to_owned() };
        let failed = vec![step("a", StepStatus::Failed), step("b", skipped), step("c", StepStatus::Succeeded)];
        assert_eq!(summary(&run(failed, RunStatus::Failed)), "run 1a2b: 1 done, 1 failed, 1 not run in 2.0 s");
        let nothing = summary(&run(Vec::new(), RunStatus::Succeeded));
        assert_eq!(nothing, "run 1a2b: nothing to do, since the definitions have no assets");
    }

    #[test]
    fn denials_that_are_not_listed_are_counted() {
        let denial = Denial { operation: Operation::Read, subject: "/etc/passwd".to_owned(), rule: Rule::NotMounted };
        let receipt = Receipt { denials: Denials { list: vec![denial], unlisted: 7 }, ..Receipt::default() };
        assert_eq!(denials("a", &receipt), ["a: read /etc/passwd: no mount covers it", "a: 7 more"]);
    }
}
