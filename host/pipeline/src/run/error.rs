//! Why a run was not begun, and why a value was not loaded.

use std::path::PathBuf;

use airlock_sandbox::component::ComponentError;
use airlock_sandbox::report::Log;

use super::failure::{FailureClass, StepFailure};
use crate::definitions::Diagnostics;
use crate::event::EventLogError;
use crate::home::HomeError;
use crate::partition::PartitionError;
use crate::plan::PlanError;

/// A run that was not begun.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Airlock's own directory cannot be made.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The event log cannot be used.
    #[error(transparent)]
    EventLog(#[from] EventLogError),
    /// The environment lacks something that the definitions name, or names what cannot be lent, or a component does not take
    /// its configuration.
    #[error(transparent)]
    Definitions(Diagnostics),
    /// A component is not signed by whom it must be, or is another one than was looked at before.
    #[error("{table}: {error}")]
    Component {
        /// The table of the definitions that says what it is lent.
        table: String,
        /// What is wrong with it.
        error: ComponentError,
    },
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The run that is to be gone on from has not ended.
    #[error("the run {run_id} goes on still: wait for its end, or interrupt it")]
    StillRunning {
        /// The run.
        run_id: String,
    },
    /// The run that is to be gone on from was done with another profile.
    #[error("the run {run_id} was {}", match profile {
        Some(profile) => format!("done with `--profile {profile}`: say so again"),
        None => "done without a profile: leave `--profile` out".to_owned(),
    })]
    OtherProfile {
        /// The run.
        run_id: String,
        /// Its profile.
        profile: Option<String>,
    },
    /// What would have to be loaded was defined otherwise then.
    #[error(
        "the run {run_id} cannot be gone on from: the step that gives `{output}` succeeded in it and {reason}; run the job \
         from its beginning"
    )]
    OtherThen {
        /// The run.
        run_id: String,
        /// The output.
        output: String,
        /// What is otherwise now.
        reason: &'static str,
    },
    /// What would have to be loaded was in memory.
    #[error(
        "the run {run_id} cannot be gone on from: `{manager}` kept `{output}` in memory, which ended with it; run the job \
         from its beginning"
    )]
    InMemory {
        /// The run.
        run_id: String,
        /// The output.
        output: String,
        /// The I/O manager.
        manager: String,
    },
    /// It cannot be seen what is stored.
    #[error("cannot look what is stored in {}: {source}", path.display())]
    Look {
        /// The directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl RunError {
    /// The exit code of a program that tried this run.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Home(_) | Self::EventLog(_) | Self::Look { .. } => FailureClass::Storage.exit_code(),
            Self::Component { .. } => FailureClass::Component.exit_code(),
            Self::Definitions(_)
            | Self::Plan(_)
            | Self::StillRunning { .. }
            | Self::OtherProfile { .. }
            | Self::OtherThen { .. }
            | Self::InMemory { .. } => FailureClass::Definitions.exit_code(),
        }
    }
}

/// A value that was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The asset stores no value.
    #[error("`{name}` has no value: it is defined with `type = \"none\"`")]
    NoValue {
        /// The asset.
        name: String,
    },
    /// It was not said which partition is meant.
    #[error("`{name}` is partitioned: say which partition is meant")]
    PartitionNeeded {
        /// The asset.
        name: String,
    },
    /// The asset has no partitions.
    #[error("`{name}` is not partitioned")]
    NotPartitioned {
        /// The asset.
        name: String,
    },
    /// The asset does not have the partition.
    #[error("`{name}`: {error}")]
    Partition {
        /// The asset.
        name: String,
        /// Why not.
        error: Box<PartitionError>,
    },
    /// The run computed assets.
    #[error("the run {run_id} computed assets, which are loaded by their names: leave `--run` out")]
    NoJob {
        /// The run.
        run_id: String,
    },
    /// The definitions do not have the job any more.
    #[error("the run was of the job `{job}`, which the definitions have no more")]
    JobGone {
        /// The job.
        job: String,
    },
    /// The run gave no such output.
    #[error("the run {run_id} gave no `{name}`{}", help.as_ref().map(|help| format!(": {help}")).unwrap_or_default())]
    UnknownOutput {
        /// The run.
        run_id: String,
        /// As it was named.
        name: String,
        /// What was probably meant.
        help: Option<String>,
    },
    /// It was not begun.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The load failed.
    #[error("{}", failure.message)]
    Failed {
        /// Why.
        failure: Box<StepFailure>,
        /// What the component said.
        log: Log,
    },
}

impl LoadError {
    /// The exit code of a program that tried this load.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoJob { .. }
            | Self::JobGone { .. }
            | Self::UnknownOutput { .. }
            | Self::NoValue { .. }
            | Self::PartitionNeeded { .. }
            | Self::NotPartitioned { .. }
            | Self::Partition { .. } => FailureClass::Definitions.exit_code(),
            Self::Run(error) => error.exit_code(),
            Self::Failed { failure, .. } => failure.class.exit_code(),
        }
    }
}
