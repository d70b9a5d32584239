//! What people are told when something that the libraries did has failed.

use airlock_pipeline::run::{FailureClass, LoadError, RunError, StepFailure};
use airlock_sandbox::report::{Denial, Failure, Log, LogLine, Receipt, Trap};
use console::style;

use crate::error::{Error, ExitStatus, Report};
use crate::output::tell;
use crate::render::{quoted, safe_name};

/// Bytes of a component's or a command's standard error that are shown.
const STDERR_SHOWN: usize = 4 << 10;
/// Frames of a backtrace that are shown.
const FRAMES_SHOWN: usize = 12;

/// A run that was not begun.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
pub fn run(error: RunError) -> Error {
    Report::new(ExitStatus::Failed(error.exit_code()), error.to_string()).into()
}

/// A value that was not loaded.
pub fn load(error: LoadError) -> Error {
    let status = ExitStatus::Failed(error.exit_code());
    match error {
        LoadError::Failed(failure) => of_step(failure.message.clone(), &failure).into(),
        LoadError::UnknownAsset { .. } => {
            Report::new(status, error.to_string()).hint("`airlock ls` lists the assets").into()
        }
        error => Report::new(status, error.to_string()).into(),
    }
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
    let mut frames: Vec<String> =
        backtrace.iter().take(FRAMES_SHOWN).map(|frame| format!("  at {}", safe_name(frame))).collect();
    if backtrace.len() > FRAMES_SHOWN {
        frames.push(format!("  and {} more", backtrace.len() - FRAMES_SHOWN));
    }
    let report = if frames.is_empty() { report } else { report.note(format!("it was here:\n{}", frames.join("\n"))) };
    if stderr.trim().is_empty() {
        return report;
    }
    report.note(format!("the end of its standard error:\n{}", quoted(stderr, STDERR_SHOWN, "  | ")))
}

/// A call of a component that failed, with `remedies` for what it was denied.
pub fn call(name: &str, function: &str, failure: &Failure, receipt: &Receipt, remedies: Vec<String>) -> Report {
    let status = ExitStatus::Failed(class(failure).exit_code());
    let report = match failure {
        Failure::Denied { denial, error } => {
            let mut report = Report::new(status, format!("{function} of {name} was denied: {denial}"));
            for other in receipt.denials.list.iter().filter(|other| *other != denial) {
                report = report.note(format!("denied as well: {other}"));
            }
            error.iter().fold(report, |report, error| report.note(format!("then {error}")))
        }
        failure => Report::new(status, format!("{function} of {name}: {failure}")),
    };
    let report = match innermost(failure) {
        Failure::Trap { trap: Trap { backtrace, stderr, .. } } => with_trace(report, backtrace, stderr),
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

/// What kind of failure it is.
fn class(failure: &Failure) -> FailureClass {
    match failure {
        Failure::Guest { .. } => FailureClass::Error,
        Failure::Denied { .. } => FailureClass::Denied,
        Failure::Limit { .. } => FailureClass::Limit,
        Failure::Trap { .. } => FailureClass::Trap,
        Failure::Storage { .. } => FailureClass::Storage,
        Failure::Incompatible { .. } => FailureClass::Component,
        Failure::Interrupted => FailureClass::Interrupted,
        Failure::Host { .. } => FailureClass::Host,
    }
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

/// Tells what a component said.
pub fn tell_log(log: &Log) {
    for LogLine { level, text } in &log.lines {
        let level = crate::render::word(level);
        tell(format!("{} {text}", style(format!("{level}:")).for_stderr().dim()));
    }
    if log.dropped > 0 {
        tell(format!("({} bytes of log more)", log.dropped));
    }
}
