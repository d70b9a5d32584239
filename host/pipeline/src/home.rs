//! Where Airlock keeps its own: the event log, logs of steps, scratch files.

use std::io;
use std::path::{Path, PathBuf};

/// The directory in which a project's runs are recorded: `.airlock` beside the definitions file, or `AIRLOCK_HOME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    directory: PathBuf,
}

impl Home {
    /// The home of the definitions file at `definitions`. Nothing is made yet.
    pub fn locate(definitions: &Path) -> Self {
        match std::env::var_os("AIRLOCK_HOME").filter(|value| !value.is_empty()) {
            Some(directory) => Self::at(directory),
            None => Self::at(definitions.parent().unwrap_or(Path::new("")).join(".airlock")),
        }
    }

    /// The home in `directory`.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The event log.
    pub fn events(&self) -> PathBuf {
        self.directory.join("events.db")
    }

    /// The log of one step: what its command printed and what its components said.
    pub fn step_log(&self, run_id: &str, step_key: &str) -> PathBuf {
        let name = airlock_sandbox::layout::segment(step_key);
        self.directory.join("logs").join(run_id).join(format!("{name}.log"))
    }

    /// The directory of scratch files.
    pub fn scratch(&self) -> PathBuf {
        self.directory.join("scratch")
    }

    /// Makes the directory, readable by its owner alone, with a `.gitignore` that ignores all of it.
    ///
    /// # Errors
    /// [`HomeError`]
    pub fn create(&self) -> Result<(), HomeError> {
        todo!()
    }
}

/// The home cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make {}: {source}; set AIRLOCK_HOME to a directory that can be written", path.display())]
pub struct HomeError {
    /// What was to be made.
    pub path: PathBuf,
    /// Why it cannot be.
    #[source]
    pub source: io::Error,
}
