//! Errors of file operations, as a guest gets them.

use std::io;

use rustix::io::Errno;
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use crate::limits::LimitExceeded;

/// Why a file operation was not done.
#[derive(Debug)]
pub(crate) enum FileError {
    /// The guest gets this code and goes on.
    Code(ErrorCode),
    /// The call ends.
    Limit(LimitExceeded),
    /// The call ends: its time is up, or the caller gave up.
    Stopped(wasmtime::Error),
}

/// What a file operation gives.
pub(crate) type FileResult<T> = Result<T, FileError>;

impl From<ErrorCode> for FileError {
    fn from(code: ErrorCode) -> Self {
        FileError::Code(code)
    }
}

impl From<LimitExceeded> for FileError {
    fn from(exceeded: LimitExceeded) -> Self {
        FileError::Limit(exceeded)
    }
}

impl From<FileError> for FsError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Code(code) => code.into(),
            FileError::Limit(exceeded) => FsError::trap(wasmtime::Error::from(exceeded)),
            FileError::Stopped(error) => FsError::trap(error),
        }
    }
}

/// The code of an error of the machine.
pub(crate) fn code_of(error: &io::Error) -> ErrorCode {
    match errno(error) {
        None if error.kind() == io::ErrorKind::StorageFull => ErrorCode::InsufficientSpace,
        Some(Errno::ROFS) => ErrorCode::ReadOnly,
        Some(Errno::DQUOT) => ErrorCode::Quota,
        Some(Errno::XDEV) => ErrorCode::CrossDevice,
        Some(Errno::TXTBSY) => ErrorCode::TextFileBusy,
        Some(Errno::NOLCK) => ErrorCode::NoLock,
        Some(Errno::AGAIN) => ErrorCode::WouldBlock,
        _ => ErrorCode::from(error),
    }
}

/// Whether an error is an ordinary answer to what a guest asked, and no failure of the storage.
pub(crate) fn is_ordinary(error: &io::Error) -> bool {
    let ordinary =
        [Errno::NOENT, Errno::NOTDIR, Errno::ISDIR, Errno::EXIST, Errno::NOTEMPTY, Errno::NAMETOOLONG, Errno::INVAL];
    errno(error).is_some_and(|errno| ordinary.contains(&errno))
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
}
