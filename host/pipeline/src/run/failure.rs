//! Why a step failed, and what to do about it.

use airlock_sandbox::component::ComponentError;
use airlock_sandbox::layout::Location;
use airlock_sandbox::report::{Failure, Receipt};
use airlock_sandbox::text;
use serde::{Deserialize, Serialize};

use super::help;
use super::lend::Lent;
use crate::definitions::RESULT;

/// Why a step failed. Its texts are safe to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepFailure {
    /// What kind of failure.
    pub class: FailureClass,
    /// Where in the step.
    #[serde(flatten)]
    pub stage: Stage,
    /// What was tried, on what, and why it failed.
    pub message: String,
    /// What to do: whole sentences, or lines to add to the definitions, the likeliest first.
    pub help: Vec<String>,
    /// The last lines of its standard error.
    pub stderr: String,
    /// The frames of a component that trapped, innermost first.
    pub backtrace: Vec<String>,
    /// What the failed call of a component used and was denied.
    pub receipt: Option<Receipt>,
}

/// The kinds of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// An op, an input or an output failed with the component's or the command's own error.
    Error,
    /// The definitions are wrong.
    Definitions,
    /// Something was denied.
    Denied,
    /// A limit was reached.
    Limit,
    /// A component trapped.
    Trap,
    /// A component is invalid or does not fit.
    Component,
    /// Storage or the event log failed.
    Storage,
    /// A fault of Airlock's own.
    Host,
    /// It was interrupted.
    Interrupted,
}

impl FailureClass {
    /// The exit code of a program that ends for it.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Error => 1,
            Self::Definitions => 2,
            Self::Denied => 3,
            Self::Limit => 4,
            Self::Trap => 5,
            Self::Component => 6,
            Self::Storage => 7,
            Self::Host => 70,
            Self::Interrupted => 130,
        }
    }
}

impl From<&Failure> for FailureClass {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Guest { .. } => Self::Error,
            Failure::Denied { .. } => Self::Denied,
            Failure::Limit { .. } => Self::Limit,
            Failure::Trap { .. } => Self::Trap,
            Failure::Storage { .. } => Self::Storage,
            Failure::Incompatible { .. } => Self::Component,
            Failure::Interrupted => Self::Interrupted,
            Failure::Host { .. } => Self::Host,
        }
    }
}

/// Where in a step something failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum Stage {
    /// While an input was loaded.
    Input {
        /// Its name.
        name: String,
        /// The asset; absent where it is none.
        #[serde(default)]
        asset: Option<String>,
        /// The partition, or the element of a dynamic output; absent where it is one value.
        #[serde(default)]
        partition: Option<String>,
    },
    /// In the op.
    Op,
    /// While an output was stored.
    Output {
        /// Its name.
        #[serde(default = "result")]
        name: String,
    },
}

fn result() -> String {
    RESULT.to_owned()
}

/// Denials of one call for which it is said what would allow them.
const DENIALS_HELPED: usize = 4;
/// Bytes of a text of a failure that are shown.
const SHOWN_BYTES: usize = 8 << 10;

impl StepFailure {
    pub(super) fn new(class: FailureClass, stage: Stage, message: impl Into<String>) -> Self {
        Self {
            class,
            stage,
            message: message.into(),
            help: Vec::new(),
            stderr: String::new(),
            backtrace: Vec::new(),
            receipt: None,
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// With the end of what was written to standard error.
    pub(super) fn stderr(mut self, stderr: &[u8]) -> Self {
        let lines = String::from_utf8_lossy(stderr);
        let lines: Vec<&str> = lines.trim_end().lines().collect();
        let last = lines.get(lines.len().saturating_sub(STDERR_LINES)..).unwrap_or_default();
        self.stderr = text::safe(&last.join("\n"), SHOWN_BYTES);
        self
    }

    pub(super) fn panicked() -> Self {
        let message = "a fault of Airlock's own: the step panicked";
        Self::new(FailureClass::Host, Stage::Op, message).help("please report it")
    }

    pub(super) fn interrupted(stage: Stage) -> Self {
        Self::new(FailureClass::Interrupted, stage, "it was interrupted")
    }

    /// That the component of `lent` cannot be used.
    pub(super) fn of_component(stage: Stage, lent: &Lent, error: &ComponentError) -> Self {
        let message = format!("the component of {} cannot be used: {error}", lent.table);
        Self::new(FailureClass::Component, stage, message)
    }

    /// That a call of the component of `lent` gave nothing; `doing` says what was tried.
    /// The call was on the values at `locations`.
    pub(super) fn of_call(
        stage: Stage,
        doing: &str,
        lent: &Lent,
        locations: &[Location],
        failure: Failure,
        receipt: Receipt,
    ) -> Self {
        let message = match &failure {
            Failure::Guest { error } if error.code == "not-found" && error.message.is_empty() => {
                format!("{doing}: it has no stored value")
            }
            failure => format!("{doing}: {failure}"),
        };
        let stores = matches!(stage, Stage::Output { .. });
        let mut failed = Self::new(FailureClass::from(&failure), stage, message);
        match &failure {
            Failure::Denied { denial, .. } => {
                let denials: Vec<_> = std::iter::once(denial).chain(&receipt.denials.list).collect();
                failed.help = help::allow_all(&denials, locations, stores, lent, DENIALS_HELPED);
            }
            Failure::Limit { exceeded } => failed.help.extend(help::raise(exceeded, lent)),
            _ => {}
        }
        let trap = match failure {
            Failure::Trap { trap } => Some(trap),
            Failure::Denied { error, .. } => error.and_then(|error| match *error {
                Failure::Trap { trap } => Some(trap),
                _ => None,
            }),
            _ => None,
        };
        if let Some(trap) = trap {
            failed.backtrace = trap.backtrace;
            failed.stderr = trap.stderr;
        }
        failed.receipt = Some(receipt);
        failed
    }
}

/// Lines that are kept of the end of a command's standard error.
const STDERR_LINES: usize = 20;
