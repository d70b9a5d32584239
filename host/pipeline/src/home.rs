//! Where Airlock keeps its own: the event log, the logs of steps, scratch files of runs.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The directory in which a project's runs are recorded: `.airlock` beside the definitions file, or `AIRLOCK_HOME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    directory: PathBuf,
    /// What no component is lent: the directory, and what else the program keeps.
    own_state: Vec<PathBuf>,
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
        let directory = directory.into();
        let directory = std::path::absolute(&directory).unwrap_or(directory);
        Self { own_state: vec![directory.clone()], directory }
    }

    /// The home of a program that keeps state of its own in `directories` too, such as the cache of compiled code:
    /// no component is lent them.
    #[must_use]
    pub fn with_state(mut self, directories: impl IntoIterator<Item = PathBuf>) -> Self {
        self.own_state.extend(directories);
        self
    }

    /// The directories that no component is lent.
    pub(crate) fn own_state(&self) -> &[PathBuf] {
        &self.own_state
    }

    /// The directory, absolute.
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
        self.directory.join("logs").join(airlock_sandbox::layout::segment(run_id)).join(format!("{name}.log"))
    }

    /// Makes the directory, for its owner alone, with a `.gitignore` that covers all of it.
    ///
    /// # Errors
    /// [`HomeError`]
    pub fn create(&self) -> Result<(), HomeError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| HomeError { path, source }
        };
        make_directory(&self.directory).map_err(failed(&self.directory))?;
        let ignore = self.directory.join(".gitignore");
        match OpenOptions::new().write(true).create_new(true).open(&ignore) {
            Ok(mut file) => file.write_all(b"*\n").map_err(failed(&ignore)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(failed(&ignore)(error)),
        }
    }

    fn scratch(&self) -> PathBuf {
        self.directory.join("scratch")
    }

    /// A scratch directory of the run `run_id`, which is held while it lives; what killed runs left behind is removed.
    pub(crate) fn hold_scratch(&self, run_id: &str) -> Result<Scratch, HomeError> {
        let root = self.scratch();
        let path = root.join(run_id);
        let hold = || {
            make_directory(&root)?;
            // No other process sweeps between the making of a directory and the locking of it.
            let guard = File::create(root.join(".lock"))?;
            guard.lock()?;
            sweep(&root)?;
            make_directory(&path)?;
            let lock = File::create(path.join(LOCK))?;
            lock.try_lock()?;
            Ok(lock)
        };
        match hold() {
            Ok(lock) => Ok(Scratch { path, _lock: lock }),
            Err(source) => Err(HomeError { path, source }),
        }
    }

    /// Whether a process holds the scratch directory of the run `run_id`.
    pub(crate) fn is_running(&self, run_id: &str) -> bool {
        is_held(&self.scratch().join(run_id))
    }
}

/// The file in a scratch directory that its run holds a lock on.
const LOCK: &str = "lock";

/// A scratch directory. It is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next run.
        let _ = remove_scratch(&self.path);
    }
}

fn make_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        // What cannot be looked at is said to be there and no directory.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && fs::metadata(path)?.is_dir() => Ok(()),
        made => made,
    }
}

/// Removes the scratch directories in `root` that no run holds, and nothing else: a home may be a directory that has
/// a `scratch` of someone's own.
fn sweep(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() || !entry.file_name().to_str().is_some_and(is_run_id) {
            continue;
        }
        let path = entry.path();
        // One that cannot be removed is no reason not to run.
        let _ = match File::open(path.join(LOCK)) {
            Ok(lock) if lock.try_lock().is_ok() => remove_scratch(&path),
            Ok(_) => Ok(()),
            // Its run was killed before it had a lock or after that was removed, and nothing is in it; or it is of no run.
            Err(_) => fs::remove_dir(&path),
        };
    }
    Ok(())
}

/// Removes a scratch directory, its lock last: what is left where that fails or the process is killed meanwhile, is still
/// known as one that no run holds.
fn remove_scratch(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else if entry.file_name() != LOCK {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_file(path.join(LOCK))?;
    fs::remove_dir(path)
}

/// Whether `name` is 16 hexadecimal digits, as the ids of runs are.
fn is_run_id(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_held(directory: &Path) -> bool {
    let Ok(lock) = File::open(directory.join(LOCK)) else { return false };
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_ignored_by_git_and_made_once() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::at(root.path().join("project/.airlock"));
        home.create().unwrap();
        home.create().unwrap();
        assert_eq!(fs::read_to_string(home.directory().join(".gitignore")).unwrap(), "*\n");
    }

    #[test]
    fn what_killed_runs_left_is_swept_and_what_lives_is_not() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::at(root.path());
        let scratch = |id: &str| root.path().join("scratch").join(id);
        let (living, killed, barely_begun) = ("0000000000000001", "0000000000000002", "0000000000000003");
        let held = home.hold_scratch(living).unwrap();
        fs::create_dir_all(scratch(killed).join("deep")).unwrap();
        File::create(scratch(killed).join("lock")).unwrap();
        fs::create_dir(scratch(barely_begun)).unwrap();
        let _next = home.hold_scratch("0000000000000004").unwrap();
        assert!(held.path().exists());
        assert!(!scratch(killed).exists());
        assert!(!scratch(barely_begun).exists());
        assert!(home.is_running(living));
        drop(held);
        assert!(!home.is_running(living));
        assert!(!scratch(living).exists());
    }

    #[test]
    fn what_no_run_made_is_not_swept() {
        let root = tempfile::tempdir().unwrap();
        let kept = ["notes/thesis.txt", "locked/lock", "0000000000000001/thesis.txt", "file"];
        for name in kept {
            let path = root.path().join("scratch").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            File::create(path).unwrap();
        }
        fs::create_dir(root.path().join("elsewhere")).unwrap();
        File::create(root.path().join("elsewhere/lock")).unwrap();
        std::os::unix::fs::symlink(root.path().join("elsewhere"), root.path().join("scratch/0000000000000002"))
            .unwrap();
        drop(Home::at(root.path()).hold_scratch("0000000000000003").unwrap());
        for name in kept {
            assert!(root.path().join("scratch").join(name).exists(), "{name}");
        }
        assert!(root.path().join("elsewhere/lock").exists());
    }

    #[test]
    fn the_log_of_a_step_lies_in_the_home_whatever_the_step_is_called() {
        let home = Home::at("/home-of-it");
        assert_eq!(home.step_log("00f", "sales/orders"), Path::new("/home-of-it/logs/00f/sales%2forders.log"));
        assert_eq!(home.step_log("../x", ".."), Path::new("/home-of-it/logs/%2e%2e%2fx/%2e%2e.log"));
    }
}
