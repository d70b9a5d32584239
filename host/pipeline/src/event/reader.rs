//! Reads the event log.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AssetMaterialization, Event, EventLogError};

/// Reads the event log, also while runs write it.
pub struct EventReader {}

/// A run, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunSummary {
    /// Its id; ids sort by time.
    pub run_id: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; absent while it goes on, and where it was killed.
    pub ended: Option<Timestamp>,
    /// What became of it.
    pub status: RunStatus,
    /// What was selected; empty: all.
    pub selection: Vec<String>,
    /// The keys of its steps, in order.
    pub steps: Vec<String>,
    /// The profile.
    pub profile: Option<String>,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    /// It goes on.
    Running,
    /// All steps succeeded.
    Succeeded,
    /// A step failed.
    Failed,
    /// It was interrupted.
    Canceled,
    /// Its process ended without a word: it was killed, or the machine stopped.
    Lost,
}

/// Which runs are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// How many at most.
    pub limit: usize,
    /// Only runs before this one.
    pub before: Option<String>,
}

/// An event and its place in the log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordedEvent {
    /// Grows from event to event.
    pub id: i64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// A materialization as it was recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Materialization {
    /// The event.
    pub event_id: i64,
    /// The run.
    pub run_id: String,
    /// The step.
    pub step_key: Option<String>,
    /// When.
    pub time: Timestamp,
    /// What was recorded.
    #[serde(flatten)]
    pub body: AssetMaterialization,
}

impl EventReader {
    /// Opens the log at `path`; absent where there is none yet.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn open(path: &Path) -> Result<Option<Self>, EventLogError> {
        let _ = path;
        todo!()
    }

    /// Runs, the latest first.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, EventLogError> {
        let _ = filter;
        todo!()
    }

    /// The run with the id `prefix`, or the only one whose id begins with it, or the latest for `latest`.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn run(&self, prefix: &str) -> Result<Option<RunSummary>, EventLogError> {
        let _ = prefix;
        todo!()
    }

    /// The events of a run after the event `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn events(&self, run_id: &str, after: i64, limit: usize) -> Result<Vec<RecordedEvent>, EventLogError> {
        let _ = (run_id, after, limit);
        todo!()
    }

    /// The latest materialization of every asset.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn latest_materializations(&self) -> Result<Vec<Materialization>, EventLogError> {
        todo!()
    }

    /// The materializations of `asset`, the latest first, at most `limit`.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn materializations(&self, asset: &str, limit: usize) -> Result<Vec<Materialization>, EventLogError> {
        let _ = (asset, limit);
        todo!()
    }
}
