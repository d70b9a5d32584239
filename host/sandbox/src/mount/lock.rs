//! Locks of outputs, and waiting for them.
//!
//! An output has two locks. Its *writer* lock is held by a call that stores it, so that two of them wait for each
//! other. Its *reader* lock is held, shared, by calls that read it, and exclusively while it is published, so that
//! no call reads half of an output of several files. Locks are striped: outputs whose locations share a stripe
//! share locks.
//!
//! A call that may touch a whole mount is one on the outputs of all stripes. So that it need not take hundreds of
//! locks, there is a writer lock of the mount, which it holds alone and every other writer shares; and reader locks,
//! which are held alone only for as long as a publish takes, are shared by more outputs than writer locks.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io;
use std::time::{Duration, Instant};

use cap_std::fs::Dir;
use rustix::fs::OFlags;

use crate::grant::Scope;
use crate::layout::Location;
use crate::report::{Failure, StorageFailure};

use super::directory;

/// How many reader locks a mount has.
const READER_LOCKS: u8 = 64;

/// The stripes of the outputs that a call may touch in a mount that is lent with `scope`, in the order in which they
/// are locked.
pub(crate) fn stripes(scope: Scope, locations: &[Location]) -> BTreeSet<u8> {
    let stripe = |location: &Location| blake3::hash(location.as_str().as_bytes()).as_bytes()[0];
    match scope {
        Scope::Mount => (0..=u8::MAX).collect(),
        Scope::Output => locations.iter().map(stripe).collect(),
    }
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

/// One lock to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Its name in the mount.
    pub name: String,
    /// Whether others may hold it too.
    pub shared: bool,
}

impl Lock {
    /// What is to be taken for the outputs of `stripes`, in order.
    pub fn claims(self, stripes: &BTreeSet<u8>) -> Vec<Claim> {
        let claim = |name: String, shared| Claim { name, shared };
        if self != Lock::Write {
            let readers: BTreeSet<u8> = stripes.iter().map(|stripe| stripe % READER_LOCKS).collect();
            return readers.iter().map(|reader| claim(format!("r{reader:02x}"), self == Lock::Read)).collect();
        }
        let whole = stripes.len() > usize::from(u8::MAX);
        let mount = claim("w".to_owned(), !whole);
        let outputs = stripes.iter().filter(|_| !whole).map(|stripe| claim(format!("w{stripe:02x}"), false));
        std::iter::once(mount).chain(outputs).collect()
    }
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

/// Takes one lock in the directory `locks`; nothing while others hold it. The lock goes with the file.
pub(crate) fn try_lock(locks: &Dir, claim: &Claim) -> io::Result<Option<File>> {
    let name = &claim.name;
    let file = match directory::open_file(locks, name, OFlags::RDWR | OFlags::CREATE) {
        // A lock can be taken on a file that cannot be written.
        Err(_) => directory::open_file(locks, name, OFlags::RDONLY)?,
        opened => opened?,
    };
    let file = file.ok_or_else(|| io::Error::other(format!("the lock {name} is no regular file")))?;
    let locked = if claim.shared { file.try_lock_shared() } else { file.try_lock() };
    match locked {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(keys: &[&str]) -> BTreeSet<u8> {
        let locations: Vec<Location> = keys.iter().map(|key| Location::asset(&[key])).collect();
        stripes(Scope::Output, &locations)
    }

    /// Whether calls that take these locks wait for each other.
    fn conflict(a: (Lock, &BTreeSet<u8>), b: (Lock, &BTreeSet<u8>)) -> bool {
        let (a, b) = (a.0.claims(a.1), b.0.claims(b.1));
        a.iter().any(|a| b.iter().any(|b| a.name == b.name && !(a.shared && b.shared)))
    }

    #[test]
    fn whoever_may_touch_a_whole_mount_waits_for_every_output_of_it() {
        let (a, b, mount) = (outputs(&["a"]), outputs(&["b"]), stripes(Scope::Mount, &[]));
        assert_ne!((a.first(), b.first()), (None, a.first()));
        for (one, other, waits) in [(&a, &b, false), (&a, &a, true), (&a, &mount, true), (&mount, &mount, true)] {
            assert_eq!(conflict((Lock::Write, one), (Lock::Write, other)), waits);
            assert_eq!(conflict((Lock::Publish, one), (Lock::Read, other)), waits);
            assert_eq!(conflict((Lock::Read, one), (Lock::Publish, other)), waits);
            assert!(!conflict((Lock::Read, one), (Lock::Read, other)));
            assert!(!conflict((Lock::Write, one), (Lock::Read, other)));
        }
    }
}
