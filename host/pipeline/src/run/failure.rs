//! Why a step failed, and what to do about it.

use airlock_sandbox::report::Receipt;
use serde::{Deserialize, Serialize};

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

/// Where in a step something failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum Stage {
    /// While an input was loaded.
    Input {
        /// Its name.
        name: String,
        /// The asset.
        asset: String,
    },
    /// In the op.
    Op,
    /// While the output was stored.
    Output,
}
