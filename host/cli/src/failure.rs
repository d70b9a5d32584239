//! What people are told when something that the libraries did has failed.

use airlock_pipeline::partition::PartitionError;
use airlock_pipeline::plan::PlanError;
use airlock_pipeline::run::{FailureClass, LoadError, RunError, StepFailure, WipeError};
use airlock_sandbox::report::{Denial, Failure, Log, LogLine, Receipt};
use airlock_sandbox::text::{safe, safe_line};
use console::style;

use crate::error::{Error, ExitStatus, Report};
use crate::output::tell;
use crate::render::{count, quoted, safe_name, size, word};

/// Bytes of a component's or a command's standard error that are shown.
const STDERR_SHOWN: usize = 4 << 10;
/// Denials that an error names beside the first.
const DENIALS_SHOWN: usize = 4;
/// Lines of a component's log that are shown, and bytes of each.
const LOG_LINES_SHOWN: usize = 100;
const LOG_LINE_SHOWN: usize = 1 << 10;
/// Frames of a backtrace that are shown.
const FRAMES_SHOWN: usize = 12;

/// A run that was not begun.
pub fn run(error: RunError) -> Error {
    let status = ExitStatus::Failed(error.exit_code());
    match error {
        RunError::Definitions(mistakes) => {
            tell(safe(&mistakes.render(), usize::MAX));
            let count = count(mistakes.list.len(), "mistake");
            Report::new(status, format!("nothing was begun: {count} in the definitions or the environment")).into()
        }
        RunError::Plan(error) => plan(status, &error).into(),
        RunError::Component { .. } => {
            Report::new(status, format!("nothing was begun: {}", safe(&error.to_string(), usize::MAX))).into()
        }
        error => Report::new(status, error.to_string()).into(),
    }
}

/// A plan that could not be made.
fn plan(status: ExitStatus, error: &PlanError) -> Report {
    let report = Report::new(status, error.to_string());
    match error {
        PlanError::Selection(_) => report.hint("`airlock ls` lists the assets"),
        PlanError::PartitionNeeded { .. } => {
            report.hint("add `--partition KEY`, `--partition A..B`, `--partition all`, or `--missing`")
        }
        PlanError::TooManyPartitions(_) => {
            report.hint("let its dimensions of time begin later or have longer windows, or remove dynamic partitions")
        }
        PlanError::External { asset } => report.hint(format!("`airlock load {asset}` loads it")),
        PlanError::UnknownJob { .. } => report.hint("`airlock ls` lists the jobs"),
        PlanError::Gone { .. } => report.hint("run what is to be computed by its name"),
        PlanError::NotPartitioned { .. } => report.hint("leave `--partition` out"),
        PlanError::Partition { error, .. } if matches!(**error, PartitionError::None { .. }) => report.hint(
            "those of time are there once they have ended; dynamic ones are added by `airlock partitions add NAME KEY`",
        ),
        PlanError::Partition { asset, .. } => {
            let asset = safe_name(asset);
            report.hint(format!("`airlock show {asset}` shows which partitions there are; name assets to leave others out"))
        }
        PlanError::Mapping { .. } => report.hint(
            "let its partitions begin later or end sooner, those that it loads begin earlier or end later, or name with \
             `--partition` those that can be computed",
        ),
    }
}

/// A value that was not loaded.
pub fn load(error: LoadError) -> Error {
    let status = ExitStatus::Failed(error.exit_code());
    match error {
        LoadError::Run(error) => run(error),
        LoadError::Failed { failure, log } => {
            tell_log(&log);
            of_step(failure.message.clone(), &failure).into()
        }
        LoadError::PartitionNeeded { ref name } | LoadError::Partition { ref name, .. } => {
            let hint = format!("`airlock show {}` shows which partitions there are", safe_name(name));
            let hint = if matches!(error, LoadError::PartitionNeeded { .. }) {
                format!("add `--partition KEY`; {hint}")
            } else {
                hint
            };
            Report::new(status, error.to_string()).hint(hint).into()
        }
        LoadError::NotPartitioned { .. } => {
            Report::new(status, error.to_string()).hint("leave `--partition` out").into()
        }
        LoadError::UnknownOutput { ref run_id, .. } => {
            let hint = format!(
                "`airlock events {run_id}` shows what it gave: STEP, STEP.OUTPUT, STEP.OUTPUT[KEY] or STEP[KEY].OUTPUT"
            );
            Report::new(status, error.to_string()).hint(hint).into()
        }
        LoadError::NoValue { .. } | LoadError::NoJob { .. } | LoadError::JobGone { .. } => {
            Report::new(status, error.to_string()).into()
        }
    }
}

/// A value that was not removed.
pub fn wipe(error: WipeError) -> Error {
    let report = |error: &WipeError| Report::new(ExitStatus::Failed(error.exit_code()), error.to_string());
    let report = match error {
        WipeError::Run(error) => return run(error),
        WipeError::PartitionNeeded { .. } => {
            report(&error).hint("add `--partition KEY`, `--partition A..B`, or `--partition all`")
        }
        WipeError::Partition { ref name, .. } => {
            report(&error).hint(format!("`airlock show {}` shows which partitions there are", safe_name(name)))
        }
        WipeError::NotPartitioned { .. } => report(&error).hint("leave `--partition` out"),
        error => report(&error),
    };
    report.into()
}

/// A step of a run that failed.
pub fn step(key: &str, failure: &StepFailure) -> Report {
    of_step(format!("{}: {}", safe_name(key), failure.message), failure)
}

fn of_step(message: String, failure: &StepFailure) -> Report {
    let report = Report::new(ExitStatus::Failed(failure.class.exit_code()), message);
    let report = with_trace(report, &failure.backtrace, &failure.stderr);
    failure.help.iter().fold(report, Report::hint)
}

fn with_trace(report: Report, backtrace: &[String], stderr: &str) -> Report {
    // The numbers of functions whose names were stripped tell nothing.
    let is_named = |frame: &String| !frame.starts_with("function ");
    let mut frames: Vec<String> = backtrace.iter().map(|frame| format!("\n  at {}", safe_name(frame))).collect();
    let hidden = frames.len().saturating_sub(FRAMES_SHOWN);
    frames.truncate(FRAMES_SHOWN);
    if hidden > 0 {
        frames.push(format!("\n  and {hidden} more"));
    }
    let report =
        if backtrace.iter().any(is_named) { report.note(format!("it was here:{}", frames.concat())) } else { report };
    if stderr.trim().is_empty() {
        return report;
    }
    report.note(format!("the end of its standard error:\n{}", quoted(stderr, STDERR_SHOWN, "  | ")))
}

/// A call of a component that failed, with `remedies` for what it was denied.
pub fn call(name: &str, function: &str, failure: &Failure, receipt: &Receipt, remedies: Vec<String>) -> Report {
    let status = ExitStatus::Failed(FailureClass::from(failure).exit_code());
    let report = match failure {
        Failure::Denied { denial, error } => {
            let mut report = Report::new(status, format!("{function} of {name} was denied: {denial}"));
            let others: Vec<&Denial> = receipt.denials.list.iter().filter(|other| *other != denial).collect();
            for other in others.iter().take(DENIALS_SHOWN) {
                report = report.note(format!("denied as well: {other}"));
            }
            if others.len() > DENIALS_SHOWN {
                report = report.note(format!("and {} more", others.len() - DENIALS_SHOWN));
            }
            error.iter().fold(report, |report, error| report.note(format!("then {error}")))
        }
        failure => Report::new(status, format!("{function} of {name}: {failure}")),
    };
    let report = match innermost(failure) {
        // What it wrote to its standard error was told with its log.
        Failure::Trap { trap } => with_trace(report, &trap.backtrace, ""),
        _ => report,
    };
    let report = match failure {
        Failure::Limit { exceeded } => match exceeded.limit.setting() {
            Some(setting) => report.hint(format!("to allow more, give `--limit {setting}=…`")),
            None => report,
        },
        Failure::Guest { error } if error.code == "not-found" => {
            report.hint("nothing is stored there; `airlock call … handle-output` stores a value")
        }
        Failure::Guest { error } if error.code == "invalid-config" => {
            report.hint(format!("`airlock inspect {name}` shows what `--config` may hold"))
        }
        _ => report,
    };
    remedies.into_iter().fold(report, Report::hint)
}

/// The failure that a denial led to, where there is one.
fn innermost(failure: &Failure) -> &Failure {
    match failure {
        Failure::Denied { error: Some(error), .. } => innermost(error),
        failure => failure,
    }
}

/// Tells what was denied in a call that went well all the same.
pub fn tell_denials(receipt: &Receipt) {
    for denial in &receipt.denials.list {
        tell_denial(denial);
    }
    if receipt.denials.unlisted > 0 {
        tell(format!("{} {} more", style("denied:").for_stderr().yellow(), receipt.denials.unlisted));
    }
}

fn tell_denial(denial: &Denial) {
    tell(format!("{} {denial}", style("denied:").for_stderr().yellow()));
}

/// Tells the end of what a component said.
pub fn tell_log(log: &Log) {
    let hidden = log.lines.len().saturating_sub(LOG_LINES_SHOWN);
    if hidden > 0 {
        tell(style(format!("({hidden} lines of log before)")).for_stderr().dim());
    }
    for LogLine { level, text } in log.lines.iter().skip(hidden) {
        let level = style(format!("{}:", word(level))).for_stderr().dim();
        tell(format!("{level} {}", safe_line(text, LOG_LINE_SHOWN)));
    }
    if log.dropped > 0 {
        tell(style(format!("({} of log more, which were dropped)", size(log.dropped))).for_stderr().dim());
    }
}
