//! Streams over open files. They read and write at once, on the thread of the call, so that each byte is counted and
//! charged when it moves.

use std::sync::Arc;

use wasmtime_wasi_io::bytes::Bytes;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

use crate::limits::CHUNK;

use super::error::FileError;
use super::file::OpenFile;

/// Reads a file from a position on.
pub(super) struct FileInput {
    file: Arc<OpenFile>,
    position: u64,
}

/// Writes a file from a position on, or at its end.
pub(super) struct FileOutput {
    file: Arc<OpenFile>,
    /// Absent where it appends.
    position: Option<u64>,
    /// Bytes that the guest was told it may write.
    permit: usize,
    closed: bool,
}

impl FileInput {
    pub fn new(file: Arc<OpenFile>, position: u64) -> Self {
        Self { file, position }
    }
}

impl FileOutput {
    pub fn new(file: Arc<OpenFile>, position: Option<u64>) -> Self {
        Self { file, position, permit: 0, closed: false }
    }
}

fn failed(error: FileError) -> StreamError {
    match error {
        FileError::Code(code) => StreamError::LastOperationFailed(code.into()),
        FileError::Limit(exceeded) => StreamError::Trap(exceeded.into()),
        FileError::Stopped(error) => StreamError::Trap(error),
    }
}

#[wasmtime_wasi_io::async_trait]
impl Pollable for FileInput {
    async fn ready(&mut self) {}
}

impl InputStream for FileInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        let bytes = self.file.read_at(size as u64, self.position).map_err(failed)?;
        if bytes.is_empty() {
            return Err(StreamError::Closed);
        }
        self.position += bytes.len() as u64;
        Ok(bytes.into())
    }
}

#[wasmtime_wasi_io::async_trait]
impl Pollable for FileOutput {
    async fn ready(&mut self) {}
}

impl OutputStream for FileOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if self.closed {
            return Err(StreamError::Closed);
        }
        self.permit = self.permit.checked_sub(bytes.len()).ok_or_else(|| {
            StreamError::trap("the component wrote more to a file's stream than `check-write` permitted")
        })?;
        let written = match self.position {
            None => self.file.append(&bytes),
            Some(position) => self.file.write_at(&bytes, position),
        };
        if let Err(error) = written {
            self.closed = true;
            // Libraries of most languages do not ask a stream why it failed, and would call a full disk an I/O error. What
            // failed is recorded, and becomes the outcome.
            return Err(if self.file.is_failed() {
                StreamError::trap("the storage failed while the component wrote")
            } else {
                failed(error)
            });
        }
        if let Some(position) = &mut self.position {
            *position += bytes.len() as u64;
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        if self.closed { Err(StreamError::Closed) } else { Ok(()) }
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        if self.closed {
            return Err(StreamError::Closed);
        }
        self.permit = CHUNK;
        Ok(CHUNK)
    }
}
