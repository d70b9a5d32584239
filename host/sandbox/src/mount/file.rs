//! An open file of a call: each byte is counted, each byte written is charged.

use std::fs::{File, FileTimes};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use crate::limits::CHUNK;

use super::Call;
use super::backend::storage_failure;
use super::error::{FileError, FileResult, code_of, is_ordinary};
use super::quota::{Permit, check_free_space};
use super::record::Counter;

/// What tells one file or directory from the others of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub lower: u64,
    pub upper: u64,
}

impl Identity {
    /// The identity of what `parts` name.
    pub fn new(parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut halves = [0; 16];
        hasher.finalize_xof().fill(&mut halves);
        let value = u128::from_le_bytes(halves);
        let half = |shift: u32| u64::try_from((value >> shift) & u128::from(u64::MAX)).unwrap_or_default();
        Self { lower: half(0), upper: half(64) }
    }
}

/// A file that the call wrote or copied, under a number in the staging area.
#[derive(Debug)]
pub(crate) struct Staged {
    pub number: u64,
    pub identity: Identity,
    /// Where it lies in the host's memory, the bytes that the call may write there.
    memory_room: Option<u64>,
    /// Bytes; every write goes through an [`OpenFile`], which keeps it.
    length: AtomicU64,
}

impl Staged {
    /// The empty staged file `number`.
    pub fn new(number: u64, identity: Identity, memory_room: Option<u64>) -> Self {
        Self { number, identity, memory_room, length: AtomicU64::new(0) }
    }

    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.length.load(Ordering::Relaxed)
    }

    pub(super) fn grow_to(&self, length: u64) {
        self.length.fetch_max(length, Ordering::Relaxed);
    }

    pub(super) fn truncate_to(&self, length: u64) {
        self.length.store(length, Ordering::Relaxed);
    }
}

/// How a file is open.
pub(crate) struct Opening {
    /// As the guest sees it, absolute.
    pub path: String,
    /// As a person knows it.
    pub described: String,
    pub identity: Identity,
    /// Absent for a file that the call only reads.
    pub staged: Option<Arc<Staged>>,
    pub readable: bool,
    pub writable: bool,
}

/// An open file of a call.
pub(crate) struct OpenFile {
    file: File,
    opening: Opening,
    /// Set when the file counts as read: at once where it is open for nothing else.
    read: OnceLock<Counter>,
    written: Option<Counter>,
    call: Arc<Call>,
    _permit: Permit,
}

impl OpenFile {
    /// The open `file`.
    pub fn new(file: File, opening: Opening, call: &Arc<Call>) -> FileResult<Self> {
        let permit = call.quota.descriptor()?;
        let read = OnceLock::new();
        if opening.readable && !opening.writable {
            read.get_or_init(|| call.record.reading(&opening.path));
        }
        let written = opening.writable.then(|| call.record.writing(&opening.path));
        Ok(Self { file, opening, read, written, call: Arc::clone(call), _permit: permit })
    }

    /// How it is open.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// At most `length` bytes from `offset`, at most one [`CHUNK`]; none at the end.
    pub fn read_at(&self, length: u64, offset: u64) -> FileResult<Vec<u8>> {
        if !self.opening.readable {
            return Err(ErrorCode::BadDescriptor.into());
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(CHUNK).min(CHUNK)];
        if i64::try_from(offset).is_err() {
            return Ok(Vec::new());
        }
        let read = loop {
            match self.file.read_at(&mut bytes, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| self.fail("read", &error))?,
            }
        };
        bytes.truncate(read);
        self.read.get_or_init(|| self.call.record.reading(&self.opening.path)).add(read as u64);
        Ok(bytes)
    }

    /// Writes all of `bytes` at `offset`.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> FileResult<()> {
        let (counter, staged) = self.writable()?;
        if bytes.is_empty() {
            return Ok(());
        }
        let length = bytes.len() as u64;
        let end = offset.checked_add(length).ok_or(ErrorCode::FileTooLarge)?;
        let gap = offset.saturating_sub(staged.length());
        self.reserve(gap.saturating_add(length))?;
        if i64::try_from(end).is_err() {
            return Err(ErrorCode::FileTooLarge.into());
        }
        self.file.write_all_at(bytes, offset).map_err(|error| self.fail("write", &error))?;
        staged.grow_to(end);
        counter.add(length);
        Ok(())
    }

    /// Writes all of `bytes` at the end.
    pub fn append(&self, bytes: &[u8]) -> FileResult<()> {
        let (_, staged) = self.writable()?;
        self.write_at(bytes, staged.length())
    }

    /// Cuts or grows the file.
    pub fn set_size(&self, size: u64) -> FileResult<()> {
        let (_, staged) = self.writable()?;
        self.reserve(size.saturating_sub(staged.length()))?;
        if i64::try_from(size).is_err() {
            return Err(ErrorCode::FileTooLarge.into());
        }
        self.file.set_len(size).map_err(|error| self.fail("resize", &error))?;
        staged.truncate_to(size);
        Ok(())
    }

    /// Charges `bytes` that the host itself is about to write at the end.
    pub fn charge(&self, bytes: u64) -> FileResult<()> {
        let (counter, staged) = self.writable()?;
        self.reserve(bytes)?;
        staged.grow_to(staged.length().saturating_add(bytes));
        counter.add(bytes);
        Ok(())
    }

    /// Sets the times that are given.
    pub fn set_times(&self, accessed: Option<SystemTime>, modified: Option<SystemTime>) -> FileResult<()> {
        self.writable()?;
        let mut times = FileTimes::new();
        if let Some(accessed) = accessed {
            times = times.set_accessed(accessed);
        }
        if let Some(modified) = modified {
            times = times.set_modified(modified);
        }
        self.file.set_times(times).map_err(|error| self.fail("set the times of", &error))
    }

    /// Bytes, and when they were last written.
    pub fn stat(&self) -> FileResult<(u64, Option<SystemTime>)> {
        let metadata = self.file.metadata().map_err(|error| self.fail("stat", &error))?;
        Ok((metadata.len(), metadata.modified().ok()))
    }

    /// The file itself, for the host to move bytes.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Remembers that the storage failed, and gives what the guest is told.
    pub fn fail(&self, operation: &str, error: &io::Error) -> FileError {
        if !is_ordinary(error) {
            self.call.record.fail(storage_failure(operation, &self.opening.described, error));
        }
        code_of(error).into()
    }

    /// Whether the storage failed in the call.
    pub fn is_failed(&self) -> bool {
        self.call.record.failure().is_some()
    }

    fn writable(&self) -> FileResult<(&Counter, &Staged)> {
        match (&self.written, &self.opening.staged) {
            (Some(counter), Some(staged)) => Ok((counter, staged)),
            _ => Err(ErrorCode::BadDescriptor.into()),
        }
    }

    fn reserve(&self, bytes: u64) -> FileResult<()> {
        self.call.quota.charge(bytes)?;
        if let Some(room) = self.opening.staged.as_ref().and_then(|staged| staged.memory_room) {
            self.call.quota.charge_memory(bytes, room).map_err(|error| self.fail("write", &error))?;
        }
        if self.call.quota.space_check_due(bytes) {
            check_free_space(&self.file, bytes).map_err(|error| self.fail("write", &error))?;
        }
        Ok(())
    }
}
