//! Locks of outputs, and waiting for them.
//!
//! An output has two locks. Its *writer* lock is held by a call that stores it, so that two of them wait for each
//! other. Its *reader* lock is held, shared, by calls that read it, and exclusively while it is published, so that
//! no call reads half of an output of several files. Locks are striped: outputs whose locations share a stripe
//! share locks.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io;
use std::time::{Duration, Instant};

use cap_std::fs::Dir;
use rustix::fs::OFlags;

use crate::layout::Location;
use crate::report::{Failure, StorageFailure};

use super::directory;

/// The stripes of the outputs of a call, in the order in which they are locked.
pub(crate) fn stripes(locations: &[Location]) -> BTreeSet<u8> {
    let stripe = |location: &Location| blake3::hash(location.as_str().as_bytes()).as_bytes()[0];
    locations.iter().map(stripe).collect()
}

/// Which of the two locks, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// The writer lock.
    Write,
    /// The reader lock, shared.
    Read,
    /// The reader lock, exclusive.
    Publish,
}

/// How long a call waits for others.
pub(crate) struct Waiting<'a> {
    interrupted: &'a dyn Fn() -> bool,
    deadline: Option<Instant>,
}

impl<'a> Waiting<'a> {
    /// Waits until `interrupted` says otherwise, or `time` has passed.
    pub fn new(interrupted: &'a dyn Fn() -> bool, time: Duration) -> Self {
        Self { interrupted, deadline: Instant::now().checked_add(time) }
    }

    /// Tries `attempt` until it gives something. `held` names what others hold.
    pub fn until<T>(
        &self,
        mut attempt: impl FnMut() -> Result<Option<T>, Failure>,
        held: impl Fn() -> String,
    ) -> Result<T, Failure> {
        let mut pause = Duration::from_micros(500);
        loop {
            if let Some(result) = attempt()? {
                return Ok(result);
            }
            if (self.interrupted)() {
                return Err(Failure::Interrupted);
            }
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                let failure = StorageFailure {
                    operation: "lock".to_owned(),
                    path: held(),
                    reason: "another call holds it, and did not finish within this call's time; try again".to_owned(),
                };
                return Err(Failure::Storage { failure });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

/// Takes the lock of `stripe` in the directory `locks`; nothing while others hold it. The lock goes with the file.
pub(crate) fn try_lock(locks: &Dir, lock: Lock, stripe: u8) -> io::Result<Option<File>> {
    let prefix = if lock == Lock::Write { 'w' } else { 'r' };
    let name = format!("{prefix}{stripe:02x}");
    let file = match directory::open_file(locks, &name, OFlags::RDWR | OFlags::CREATE) {
        // A lock can be taken on a file that cannot be written.
        Err(_) => directory::open_file(locks, &name, OFlags::RDONLY)?,
        opened => opened?,
    };
    let file = file.ok_or_else(|| io::Error::other(format!("the lock {name} is no regular file")))?;
    let locked = if lock == Lock::Read { file.try_lock_shared() } else { file.try_lock() };
    match locked {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
