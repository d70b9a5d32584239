//! The file system that a guest sees.
//!
//! A `FileSystem` is made for one call. At each mount the guest sees a back end, which is never written in place,
//! overlaid with what the call itself wrote, which waits in a staging area. `FileSystem::publish` makes it visible
//! to others, all or nothing; a file system that is dropped without it leaves nothing behind.
//!
//! A path takes one way: `path` resolves it by its text, `FileSystem` finds the mount that covers it,
//! `overlay` asks the `scope` and the grant whether the call may do what it tries, and only then looks at the
//! `backend`. What is refused is recorded in `record`; what is used is taken from `quota`.

mod backend;
mod changes;
mod directory;
mod entries;
mod error;
mod file;
mod local;
mod lock;
mod memory;
mod operations;
mod overlay;
mod path;
mod plan;
mod publish;
mod quota;
mod record;
mod scope;
mod staging;
mod stream;
mod system;
#[cfg(test)]
mod tests;
mod wasi;
mod wipe;

pub(crate) use lock::Waiting;
pub use memory::MemoryDirectory;
pub(crate) use memory::{Contents, Held, anonymous_file, is_anonymous, seal};

/// The directory at the absolute `path`, which is made where `makes` says so.
pub(crate) fn reach_root(path: &std::path::Path, makes: bool) -> std::io::Result<cap_std::fs::Dir> {
    directory::open_root(path, makes.then_some(&mut Vec::new()))
}

pub(crate) use directory::{identify, identify_root};
pub use wipe::{RemovedValue, Wipe};

pub(crate) use error::FileError;
pub(crate) use record::Record;
pub(crate) use scope::{CallScope, Place};
pub(crate) use system::{FileSystem, ReadFile};
pub(crate) use wasi::{FileSystemView, HasFileSystem};
pub(crate) use wipe::wipe;

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use quota::Quota;

/// What a call does with its outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// It reads them; every mount is read-only.
    Load,
    /// It writes them, where the grant lends a mount to be written.
    Store,
}

/// What a publish survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Durability {
    /// The end of the process and of the machine.
    #[default]
    Full,
    /// The end of the process, but not a loss of power: for tests and measurements.
    None,
}

/// What the files and streams of a call share.
pub(crate) struct Call {
    record: Record,
    quota: Quota,
    /// Says when what takes long is to stop; nothing before the guest starts.
    stop: OnceLock<StopCheck>,
}

type StopCheck = Box<dyn Fn() -> wasmtime::Result<()> + Send + Sync>;

impl Call {
    /// Whether the call may go on; for what takes long.
    fn check_stop(&self) -> error::FileResult<()> {
        self.stop.get().map_or(Ok(()), |stop| stop()).map_err(FileError::Stopped)
    }
}
