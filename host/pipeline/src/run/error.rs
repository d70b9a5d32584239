//! Why a run was not begun, and why a value was not loaded.

use std::path::PathBuf;

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
    /// The environment lacks something that the definitions name, or names what cannot be lent.
    #[error(transparent)]
    Definitions(Diagnostics),
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
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
            Self::Definitions(_) | Self::Plan(_) => FailureClass::Definitions.exit_code(),
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
            Self::NoValue { .. }
            | Self::PartitionNeeded { .. }
            | Self::NotPartitioned { .. }
            | Self::Partition { .. } => FailureClass::Definitions.exit_code(),
            Self::Run(error) => error.exit_code(),
            Self::Failed { failure, .. } => failure.class.exit_code(),
        }
    }
}
