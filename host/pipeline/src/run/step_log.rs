//! The log of a step: what its command printed, and what its components said.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use airlock_sandbox::report::{Level, Log};

/// Bytes of a log, at most; more is dropped.
const LOG_BYTES: u64 = 64 << 20;

/// Writes the log of one step; the file is made when there is something to write.
#[derive(Debug)]
pub(super) struct StepLog {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<File>,
    written: u64,
    is_full: bool,
}

impl StepLog {
    pub fn new(path: PathBuf) -> Self {
        Self { path, state: Mutex::default() }
    }

    /// The file, where something was written.
    pub fn path(&self) -> Option<&Path> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.file.is_some().then_some(&self.path)
    }

    /// Appends `bytes` as they are. What cannot be written is lost: a step does not fail for its log.
    pub fn write(&self, bytes: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_full || bytes.is_empty() {
            return;
        }
        let left = usize::try_from(LOG_BYTES - state.written).unwrap_or(usize::MAX);
        let kept = bytes.get(..left).unwrap_or(bytes);
        let mut write = || -> io::Result<()> {
            if state.file.is_none() {
                if let Some(directory) = self.path.parent() {
                    fs::create_dir_all(directory)?;
                }
                state.file = Some(File::create(&self.path)?);
            }
            let Some(file) = state.file.as_mut() else { return Ok(()) };
            file.write_all(kept)?;
            if kept.len() < bytes.len() {
                file.write_all(b"\n(the log of a step is cut after 64 MiB)\n")?;
            }
            Ok(())
        };
        state.is_full = write().is_err() || kept.len() < bytes.len();
        state.written += kept.len() as u64;
    }

    /// Appends what the component `name` said.
    pub fn write_component(&self, name: &str, log: &Log) {
        // Writing to a string does not fail.
        let mut text = String::new();
        for line in &log.lines {
            let level = match line.level {
                Level::Debug => " debug",
                Level::Info => " info",
                Level::Warn => " warn",
                Level::Error => " error",
                Level::Stdout | Level::Stderr => "",
            };
            let _ = writeln!(text, "[{name}{level}] {}", line.text);
        }
        if log.dropped > 0 {
            let _ = writeln!(text, "[{name}] ({} bytes more were dropped)", log.dropped);
        }
        self.write(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use airlock_sandbox::report::LogLine;

    use super::*;

    #[test]
    fn a_log_is_cut_and_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let log = StepLog::new(directory.path().join("run/step.log"));
        assert_eq!(log.path(), None);
        let chunk = vec![b'x'; 10 << 20];
        for _ in 0..8 {
            log.write(&chunk);
        }
        let text = fs::read_to_string(log.path().unwrap()).unwrap();
        let note = "\n(the log of a step is cut after 64 MiB)\n";
        assert_eq!(text.len(), (64 << 20) + note.len());
        assert!(text.ends_with(note));
    }

    #[test]
    fn what_a_component_said_names_it_and_how() {
        let directory = tempfile::tempdir().unwrap();
        let log = StepLog::new(directory.path().join("step.log"));
        let line = |level, text: &str| LogLine { level, text: text.to_owned() };
        let lines = vec![line(Level::Warn, "slow"), line(Level::Stderr, "panicked")];
        log.write_component("lake", &Log { lines, dropped: 3 });
        let expected = "[lake warn] slow\n[lake] panicked\n[lake] (3 bytes more were dropped)\n";
        assert_eq!(fs::read_to_string(log.path().unwrap()).unwrap(), expected);
    }
}
