//! The memory of values, and the files that take what does not fit into it.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::CHUNK;

/// The memory that the values of a run may take together, and where they go beyond it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<State>);

#[derive(Debug)]
struct State {
    available: AtomicU64,
    beyond: Beyond,
}

/// Where contents go that do not fit.
enum Beyond {
    /// To unlinked files in this directory.
    Directory(PathBuf),
    /// To files that somebody else gives.
    Given(Box<dyn Fn() -> io::Result<Shelf> + Send + Sync>),
}

impl fmt::Debug for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(directory) => directory.fmt(f),
            Self::Given(_) => f.write_str("files that are given"),
        }
    }
}

/// A file of contents. It may be one in memory, which takes from a budget what it may hold, until the last content goes.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub file: File,
    /// Bytes that may be written into it.
    pub room: u64,
    reserved: Option<Reserved>,
}

#[derive(Debug)]
struct Reserved {
    budget: Budget,
    bytes: AtomicU64,
}

impl From<File> for Shelf {
    fn from(file: File) -> Self {
        Self::with_room(file, u64::MAX)
    }
}

impl Shelf {
    /// `file`, into which so many bytes may be written.
    pub fn with_room(file: File, room: u64) -> Self {
        Self { file, room, reserved: None }
    }

    /// Whether what it holds counts as memory.
    pub fn is_memory(&self) -> bool {
        self.reserved.is_some()
    }

    /// Ends writing a file in memory, and gives back what of its room was not used.
    ///
    /// # Errors
    /// Where somebody can still write it, or wrote more than there was room for.
    pub fn seal(&self) -> io::Result<()> {
        if let Some(reserved) = &self.reserved {
            crate::mount::seal(&self.file)?;
            let used = self.file.metadata()?.len();
            if used > self.room {
                return Err(io::Error::other("a file has more bytes than there was room for"));
            }
            let before = reserved.bytes.swap(used, Ordering::Relaxed);
            reserved.budget.release(before.saturating_sub(used));
        }
        Ok(())
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.release(self.bytes.load(Ordering::Relaxed));
    }
}

impl Budget {
    /// A budget of `bytes` of memory; what exceeds it goes to unlinked files in `directory`, which must exist by then.
    pub fn new(bytes: u64, directory: impl Into<PathBuf>) -> Self {
        Self::with(bytes, Beyond::Directory(directory.into()))
    }

    /// A budget of `bytes` of memory; what exceeds it goes to files that `give` gives.
    pub(crate) fn giving(bytes: u64, give: impl Fn() -> io::Result<Shelf> + Send + Sync + 'static) -> Self {
        Self::with(bytes, Beyond::Given(Box::new(give)))
    }

    fn with(bytes: u64, beyond: Beyond) -> Self {
        Self(Arc::new(State { available: AtomicU64::new(bytes), beyond }))
    }

    /// Bytes of memory that are not taken.
    pub fn available(&self) -> u64 {
        self.0.available.load(Ordering::Relaxed)
    }

    /// A file for what does not fit into memory.
    pub(crate) fn overflow(&self) -> io::Result<Shelf> {
        match &self.0.beyond {
            Beyond::Directory(directory) => tempfile::tempfile_in(directory).map(Shelf::from),
            Beyond::Given(give) => give(),
        }
    }

    /// A file for `bytes` that another process shall see: in memory where they fit.
    pub(crate) fn shelf(&self, bytes: u64) -> io::Result<Shelf> {
        if !self.reserve(bytes) {
            return self.overflow();
        }
        let reserved = Reserved { budget: self.clone(), bytes: AtomicU64::new(bytes) };
        Ok(Shelf { file: crate::mount::anonymous_file()?, room: bytes, reserved: Some(reserved) })
    }

    /// A file that another process fills: with half of the memory that is left, so that others have some too, or on disk.
    pub(crate) fn shelf_to_fill(&self) -> io::Result<Shelf> {
        let half = self.available() / 2;
        if half < CHUNK as u64 { self.overflow() } else { self.shelf(half) }
    }

    pub(super) fn reserve(&self, bytes: u64) -> bool {
        let take = |available: u64| available.checked_sub(bytes);
        self.0.available.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    pub(super) fn release(&self, bytes: u64) {
        self.0.available.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn a_file_in_memory_takes_from_the_budget_what_it_may_hold_and_then_what_it_holds() {
        let budget = Budget::new(10 << 20, std::env::temp_dir());
        let shelf = budget.shelf_to_fill().unwrap();
        assert_eq!((shelf.room, budget.available(), shelf.is_memory()), (5 << 20, 5 << 20, true));
        shelf.file.write_all_at(b"abc", 0).unwrap();
        shelf.seal().unwrap();
        assert_eq!(budget.available(), (10 << 20) - 3);
        assert!(shelf.file.write_all_at(b"x", 0).is_err(), "nobody changes it any more");
        drop(shelf);
        assert_eq!(budget.available(), 10 << 20);
    }

    #[test]
    fn a_file_that_has_more_than_there_was_room_for_is_refused() {
        let budget = Budget::new(4 << 20, std::env::temp_dir());
        let shelf = budget.shelf_to_fill().unwrap();
        shelf.file.set_len(shelf.room + 1).unwrap();
        assert!(shelf.seal().is_err());
        drop(shelf);
        assert_eq!(budget.available(), 4 << 20);
    }

    #[test]
    fn what_does_not_fit_goes_to_a_file_on_disk() {
        let budget = Budget::new(CHUNK as u64, std::env::temp_dir());
        assert!(!budget.shelf_to_fill().unwrap().is_memory());
        assert!(!budget.shelf(CHUNK as u64 + 1).unwrap().is_memory());
        assert!(budget.shelf(CHUNK as u64).unwrap().is_memory());
    }
}
