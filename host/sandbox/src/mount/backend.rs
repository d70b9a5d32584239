//! What a mount lies over.

use std::fs::File;
use std::io;
use std::time::SystemTime;

use crate::limits::PATH_BYTES;
use crate::report::{Failure, StorageFailure};
use crate::text::safe_line;

use super::Durability;
use super::lock::Waiting;
use super::plan::Step;

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A regular file.
    File {
        /// Its bytes.
        size: u64,
        /// When it was last written.
        modified: Option<SystemTime>,
    },
    /// A directory.
    Directory,
    /// A link, FIFO, device or socket, or something behind a link.
    Other,
}

/// The kinds of [`Found`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

/// What a mount lies over: files and directories that a call reads, and a staging area for those that it writes.
///
/// Paths are as [`path::resolve`](super::path::resolve) gives them. Nothing here knows of policy or limits.
pub(crate) trait Backend: Send {
    /// What lies at `path`.
    fn stat(&self, path: &str) -> io::Result<Option<Found>>;

    /// The names in the directory `path` that `keep` keeps, at most one more than `limit`, in any order; none where
    /// it is no directory.
    fn list(&self, path: &str, keep: &dyn Fn(&str) -> bool, limit: usize) -> io::Result<Vec<(String, Kind)>>;

    /// Opens a regular file to read; nothing where it is something else.
    fn open(&self, path: &str) -> io::Result<Option<File>>;

    /// Where what is staged lies in the host's memory, the bytes that a call may write there.
    fn memory_room(&self) -> Option<u64> {
        None
    }

    /// Makes the empty staged file `number`, to read and write.
    fn create_staged(&mut self, number: u64) -> io::Result<File>;

    /// Opens the staged file `number` to read and write.
    fn open_staged(&self, number: u64) -> io::Result<File>;

    /// Removes the staged file `number`; handles on it stay good.
    fn remove_staged(&mut self, number: u64) -> io::Result<()>;

    /// Lets publishers of what the call reads go on.
    fn release_readers(&mut self);

    /// Does `steps`: before they are sure to be done, nothing has happened; after it, they are done by this process or
    /// by the next one that opens the mount.
    fn publish(&mut self, steps: Vec<Step>, durability: Durability, waiting: &Waiting) -> Result<(), Failure>;

    /// `path` as a person knows it.
    fn describe(&self, path: &str) -> String;

    /// The failure of `operation` on `path`.
    fn failure(&self, operation: &str, path: &str, error: &io::Error) -> StorageFailure {
        storage_failure(operation, &self.describe(path), error)
    }
}

/// The failure of `operation` on `path`, safe to show.
pub(crate) fn storage_failure(operation: &str, path: &str, error: &io::Error) -> StorageFailure {
    let path = safe_line(path, PATH_BYTES);
    let reason = safe_line(&error.to_string(), PATH_BYTES);
    StorageFailure { operation: operation.to_owned(), path, reason }
}
