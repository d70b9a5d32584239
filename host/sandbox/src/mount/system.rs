//! The file system of one call: the mounts, and the empty directory at `/` that shows what a guest looks for beside
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use crate::grant::{Access, MountGrant, MountSource};
use crate::layout::Location;
use crate::limits::Limits;
use crate::report::{Failure, Operation};

use super::backend::{Backend, Kind};
use super::error::FileError;
use super::file::{Identity, OpenFile, Opening};
use super::local::{Local, Use};
use super::lock::{Waiting, stripes};
use super::memory::Memory;
use super::overlay::{Mount, Node, Rights};
use super::path::ancestors;
use super::quota::Quota;
use super::record::Record;
use super::scope::CallScope;
use super::{Call, Durability, Intent};

/// The file system of one call.
pub(crate) struct FileSystem {
    pub(super) mounts: Vec<Mount>,
    pub(super) call: Arc<Call>,
    limits: Limits,
}

/// A directory that a guest has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// `/` or, below it, a directory that leads to a mount: the path without the first `/`.
    Root(String),
    /// A directory in a mount.
    Mount { index: usize, path: String },
}

/// Where a path leads.
pub(super) struct Target {
    pub base: Base,
    /// Whether the path can only mean a directory.
    pub directory: bool,
}

/// How a file or directory is to be opened.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are the flags of `open-at`")]
pub(crate) struct OpenMode {
    pub create: bool,
    pub exclusive: bool,
    pub truncate: bool,
    pub directory: bool,
    pub read: bool,
    pub write: bool,
}

impl OpenMode {
    pub(super) fn operation(self) -> Operation {
        if self.create || self.truncate || self.write { Operation::Write } else { Operation::Read }
    }
}

/// What was opened.
pub(crate) enum Opened {
    File(OpenFile),
    Directory(Base),
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub kind: Kind,
    pub size: u64,
    pub modified: Option<SystemTime>,
    pub identity: Identity,
}

/// A file into which the host itself writes.
pub(crate) struct SaveTarget(OpenFile);

/// A file that the host itself reads.
pub(crate) struct ReadFile {
    /// The file, at any position.
    pub file: File,
    /// Its bytes.
    pub size: u64,
    /// Whether it stays as it is; one that the call wrote may be written again.
    pub stable: bool,
}

impl SaveTarget {
    /// The empty file, at its start.
    pub fn file(&self) -> &File {
        self.0.file()
    }

    /// Takes `bytes` from the call's limit before they are written, and records them.
    pub fn charge(&self, bytes: u64) -> Result<(), FileError> {
        self.0.charge(bytes)
    }

    /// Remembers that writing failed, and gives what the guest is told.
    pub fn fail(&self, error: &io::Error) -> FileError {
        self.0.fail("write", error)
    }
}

impl FileSystem {
    /// The file system of a call on the outputs at `locations`. Waits for calls that hold them, until `interrupted`
    /// gives true or [`Limits::time`] has passed. What calls before it left half-done is finished or swept first.
    ///
    /// # Errors
    /// [`Failure::Interrupted`], and [`Failure::Storage`] where a mount cannot be opened, locked or recovered.
    pub fn open(
        grants: &[MountGrant],
        locations: &[Location],
        intent: Intent,
        limits: &Limits,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Self, Failure> {
        let waiting = Waiting::new(interrupted, limits.time);
        let call = Arc::new(Call { record: Record::default(), quota: Quota::new(limits), stop: OnceLock::new() });
        let mut order: Vec<usize> = (0..grants.len()).collect();
        order.sort_by_key(|index| grants.get(*index).map(|grant| lock_order(grant, intent)));
        let mut backends = BTreeMap::new();
        for index in order {
            let Some(grant) = grants.get(index) else { continue };
            backends.insert(index, open_backend(grant, intent, &stripes(grant.scope, locations), &waiting)?);
        }
        let mounts = grants.iter().zip(backends.into_values()).map(|(grant, backend)| {
            let scope = CallScope::new(grant.scope, locations);
            Mount::new(grant.guest_path.as_str(), scope, rights(grant, intent), backend, &call)
        });
        Ok(Self { mounts: mounts.collect(), call: Arc::clone(&call), limits: limits.clone() })
    }

    /// Makes what the call wrote visible to others, one mount after the other in the order of the grant. Each mount is
    /// changed wholly or, where an error comes before its plan is durable, not at all; a mount before it stays
    /// changed. The handles that the guest had on files must be closed.
    ///
    /// # Errors
    /// [`Failure::Interrupted`] while it waits for calls that read, and [`Failure::Storage`].
    pub fn publish(&mut self, durability: Durability, interrupted: &dyn Fn() -> bool) -> Result<(), Failure> {
        let waiting = Waiting::new(interrupted, self.limits.time);
        for mount in &mut self.mounts {
            mount.backend.release_readers();
        }
        for mount in &mut self.mounts {
            let steps = mount
                .steps()
                .map_err(|error| Failure::Storage { failure: mount.backend.failure("publish to", "", &error) })?;
            mount.backend.publish(steps, durability, &waiting)?;
        }
        Ok(())
    }

    /// From now on, what takes long asks `check` now and then, and ends the call with its error.
    pub fn stop_by(&self, check: impl Fn() -> wasmtime::Result<()> + Send + Sync + 'static) {
        // The first one stays.
        let _ = self.call.stop.set(Box::new(check));
    }

    /// What the call did, shared.
    pub fn record(&self) -> Record {
        self.call.record.clone()
    }

    /// Makes or replaces the file at `path`, with the directories above it.
    ///
    /// # Errors
    /// What the guest is told, or the limit that was reached.
    pub fn create(&mut self, path: &str) -> Result<SaveTarget, FileError> {
        let target = self.locate_absolute(path, Operation::Write)?;
        let Base::Mount { index, path } = target.base else { return Err(ErrorCode::IsDirectory.into()) };
        if target.directory {
            return Err(ErrorCode::IsDirectory.into());
        }
        let mount = self.mounts.get_mut(index).ok_or(ErrorCode::BadDescriptor)?;
        if matches!(mount.lookup_file(&path, Operation::Write)?, Some(Node::Directory)) {
            return Err(ErrorCode::IsDirectory.into());
        }
        for ancestor in ancestors(&path) {
            if mount.lookup_file(ancestor, Operation::Write)?.is_none() {
                mount.create_directory(ancestor)?;
            }
        }
        let (staged, file) = mount.create_file(&path)?;
        let opening = Opening {
            path: mount.shown(&path),
            described: mount.backend.describe(&path),
            identity: staged.identity,
            staged: Some(staged),
            readable: false,
            writable: true,
        };
        Ok(SaveTarget(OpenFile::new(file, opening, &self.call)?))
    }

    /// Opens the file at `path` to read all of it, which is recorded.
    ///
    /// # Errors
    /// What the guest is told, or the limit that was reached.
    pub fn open_read(&mut self, path: &str) -> Result<ReadFile, FileError> {
        let target = self.locate_absolute(path, Operation::Read)?;
        let mode = OpenMode { read: true, ..OpenMode::default() };
        let Opened::File(file) = self.open_target(target, mode)? else { return Err(ErrorCode::IsDirectory.into()) };
        let (size, _) = file.stat()?;
        let shown = &file.opening().path;
        let opened = file.file().try_clone().map_err(|error| file.fail("open", &error))?;
        self.call.record.reading(shown).add(size);
        Ok(ReadFile { file: opened, size, stable: file.opening().staged.is_none() })
    }
}

/// What the locks of a mount are ordered by, so that two calls never wait for each other: those of mounts that are
/// read come last, since who holds one keeps others from publishing.
fn lock_order(grant: &MountGrant, intent: Intent) -> (bool, usize, PathBuf) {
    let read = rights(grant, intent) != Rights::Write;
    match &grant.source {
        MountSource::Directory(path) => (read, 0, path.as_path().to_owned()),
        MountSource::Memory(directory) => (read, directory.number(), PathBuf::new()),
    }
}

fn rights(grant: &MountGrant, intent: Intent) -> Rights {
    match (grant.access, intent) {
        (Access::Read, _) => Rights::Read,
        (Access::Write, Intent::Load) => Rights::Load,
        (Access::Write, Intent::Store) => Rights::Write,
    }
}

fn open_backend(
    grant: &MountGrant,
    intent: Intent,
    stripes: &BTreeSet<u8>,
    waiting: &Waiting,
) -> Result<Box<dyn Backend>, Failure> {
    let rights = rights(grant, intent);
    Ok(match &grant.source {
        MountSource::Memory(directory) => Box::new(Memory::open(directory, rights == Rights::Write, stripes, waiting)?),
        MountSource::Directory(path) => {
            let usage = match rights {
                Rights::Write => Use::Write,
                Rights::Load => Use::ReadOfWritable,
                Rights::Read => Use::Read,
            };
            Box::new(Local::open(path.as_path(), usage, stripes, waiting)?)
        }
    })
}
