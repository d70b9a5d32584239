//! What a call may still write, make and hold open.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::limits::{
    Bytes, CHANGED_PATH_BYTES, DESCRIPTORS, FREE_SPACE_FLOOR, LISTED_ENTRIES, Limit, LimitExceeded, Limits,
};

/// Bytes that may be written until the free space is looked at again.
const SPACE_CHECK_BYTES: u64 = 16 << 20;

/// What of the paths is there for each file that a call may make.
const PATH_BYTES_OF_A_FILE: u64 = 256;

/// What a call may still write, make and hold open. Its streams share it with it.
#[derive(Debug)]
pub(crate) struct Quota {
    disk: u64,
    written: AtomicU64,
    written_to_memory: AtomicU64,
    files: u32,
    made: AtomicU32,
    descriptors: Arc<AtomicUsize>,
    listed: Arc<AtomicUsize>,
    since_space_check: AtomicU64,
}

impl Quota {
    /// The quota of a call under `limits`.
    pub fn new(limits: &Limits) -> Self {
        Self {
            disk: limits.disk,
            written: AtomicU64::new(0),
            written_to_memory: AtomicU64::new(0),
            files: limits.files,
            made: AtomicU32::new(0),
            descriptors: Arc::default(),
            listed: Arc::default(),
            since_space_check: AtomicU64::new(0),
        }
    }

    /// Takes `bytes` of [`Limits::disk`].
    pub fn charge(&self, bytes: u64) -> Result<(), LimitExceeded> {
        let take = |written: u64| written.checked_add(bytes).filter(|sum| *sum <= self.disk);
        match self.written.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => Ok(()),
            Err(_) => Err(LimitExceeded::new(Limit::Disk, self.disk)),
        }
    }

    /// Takes `bytes` of the `room` in directories in memory, apart from [`Limits::disk`].
    pub fn charge_memory(&self, bytes: u64, room: u64) -> io::Result<()> {
        let take = |written: u64| written.checked_add(bytes).filter(|sum| *sum <= room);
        let taken = self.written_to_memory.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map(drop).map_err(|_| {
            let reason = format!("one call writes at most {} to directories in memory", Bytes(room));
            io::Error::new(io::ErrorKind::StorageFull, reason)
        })
    }

    /// Takes one of [`Limits::files`].
    pub fn charge_file(&self) -> Result<(), LimitExceeded> {
        let take = |made: u32| made.checked_add(1).filter(|sum| *sum <= self.files);
        match self.made.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => Ok(()),
            Err(_) => Err(LimitExceeded::new(Limit::Files, u64::from(self.files))),
        }
    }

    /// Whether the paths that a call has changed in a mount may take so many `bytes`: [`CHANGED_PATH_BYTES`], or more where it
    /// may make many files.
    pub fn check_paths(&self, bytes: usize) -> Result<(), LimitExceeded> {
        let allowed = CHANGED_PATH_BYTES.max(u64::from(self.files) * PATH_BYTES_OF_A_FILE);
        if bytes as u64 > allowed { Err(LimitExceeded::new(Limit::ChangedPaths, allowed)) } else { Ok(()) }
    }

    /// Takes one of [`DESCRIPTORS`] until the permit goes.
    pub fn descriptor(&self) -> Result<Permit, LimitExceeded> {
        Permit::take(&self.descriptors, 1, DESCRIPTORS, Limit::Descriptors)
    }

    /// Takes `entries` of [`LISTED_ENTRIES`] until the permit goes.
    pub fn listing(&self, entries: usize) -> Result<Permit, LimitExceeded> {
        Permit::take(&self.listed, entries, LISTED_ENTRIES, Limit::ListedEntries)
    }

    /// Whether it is time to look at the free space before `bytes` more are written.
    pub fn space_check_due(&self, bytes: u64) -> bool {
        let since = self.since_space_check.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if since >= SPACE_CHECK_BYTES {
            self.since_space_check.store(0, Ordering::Relaxed);
        }
        since >= SPACE_CHECK_BYTES
    }
}

/// What a call holds of something of which it may hold only so much at once.
#[derive(Debug)]
pub(crate) struct Permit {
    held: Arc<AtomicUsize>,
    count: usize,
}

impl Permit {
    fn take(held: &Arc<AtomicUsize>, count: usize, allowed: usize, limit: Limit) -> Result<Self, LimitExceeded> {
        let take = |held: usize| held.checked_add(count).filter(|sum| *sum <= allowed);
        match held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => Ok(Self { held: Arc::clone(held), count }),
            Err(_) => Err(LimitExceeded::new(limit, allowed as u64)),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.held.fetch_sub(self.count, Ordering::Relaxed);
    }
}

/// Refuses where the file system of `file` would have less than the floor left after `bytes` more.
pub(crate) fn check_free_space(file: &File, bytes: u64) -> io::Result<()> {
    let space = rustix::fs::fstatvfs(file)?;
    let total = space.f_blocks.saturating_mul(space.f_frsize);
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    check_floor(total, free, bytes)
}

fn check_floor(total: u64, free: u64, bytes: u64) -> io::Result<()> {
    let floor = FREE_SPACE_FLOOR.min(total / 20);
    // A file in memory lies on a file system without a size.
    if total == 0 || free.saturating_sub(bytes) >= floor {
        return Ok(());
    }
    let reason = format!(
        "the file system has {} left of {}, and {} stay free for others",
        Bytes(free),
        Bytes(total),
        Bytes(floor)
    );
    Err(io::Error::new(io::ErrorKind::StorageFull, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(disk: u64, files: u32) -> Quota {
        Quota::new(&Limits { disk, files, ..Limits::default() })
    }

    #[test]
    fn the_last_byte_is_given_and_none_after_it() {
        let quota = quota(10, 0);
        assert_eq!(quota.charge(10), Ok(()));
        assert_eq!(quota.charge(0), Ok(()));
        assert_eq!(quota.charge(1), Err(LimitExceeded::new(Limit::Disk, 10)));
        assert_eq!(quota.charge(u64::MAX), Err(LimitExceeded::new(Limit::Disk, 10)));
    }

    #[test]
    fn the_last_file_is_given_and_none_after_it() {
        let quota = quota(0, 2);
        assert_eq!((quota.charge_file(), quota.charge_file()), (Ok(()), Ok(())));
        assert_eq!(quota.charge_file(), Err(LimitExceeded::new(Limit::Files, 2)));
    }

    #[test]
    fn changed_paths_take_so_much_or_as_much_as_many_files_need() {
        let allowed = usize::try_from(CHANGED_PATH_BYTES).unwrap();
        assert_eq!(quota(0, 10_000).check_paths(allowed), Ok(()));
        assert!(quota(0, 10_000).check_paths(allowed + 1).is_err());
        assert_eq!(quota(0, 1_000_000).check_paths(allowed + 1), Ok(()));
    }

    #[test]
    fn descriptors_come_back() {
        let quota = quota(0, 0);
        let mut permits: Vec<Permit> = (0..DESCRIPTORS).map(|_| quota.descriptor().unwrap()).collect();
        assert_eq!(quota.descriptor().unwrap_err(), LimitExceeded::new(Limit::Descriptors, DESCRIPTORS as u64));
        permits.pop();
        assert!(quota.descriptor().is_ok());
    }

    #[test]
    fn the_floor_is_a_twentieth_but_at_most_a_gibibyte() {
        const GIB: u64 = 1 << 30;
        assert!(check_floor(100, 5, 0).is_ok());
        assert!(check_floor(100, 5, 1).is_err());
        assert!(check_floor(100 * GIB, GIB, 0).is_ok());
        assert!(check_floor(100 * GIB, GIB, 1).is_err());
        assert!(check_floor(0, 0, 1).is_ok());
    }

    #[test]
    fn the_free_space_is_looked_at_every_16_mebibytes() {
        let quota = quota(0, 0);
        assert!(!quota.space_check_due(SPACE_CHECK_BYTES - 1));
        assert!(quota.space_check_due(1));
        assert!(!quota.space_check_due(1));
    }
}
