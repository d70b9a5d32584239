//! Errors of the contract, from and to those of Rust.

use std::fmt::Display;
use std::io;

pub use crate::bindings::airlock::io::types::{Error, OtherError};

impl Error {
    /// The value is absent.
    pub fn not_found() -> Self {
        Self::NotFound(Vec::new())
    }

    /// The configuration is wrong; `reason` says where and why.
    pub fn invalid_config(reason: impl Display) -> Self {
        Self::InvalidConfig(reason.to_string())
    }

    /// The manager does not store or load values of this kind.
    pub fn unsupported_type(reason: impl Display) -> Self {
        Self::UnsupportedType(reason.to_string())
    }

    /// What is stored cannot be what was stored once.
    pub fn corrupt(reason: impl Display) -> Self {
        Self::Corrupt(reason.to_string())
    }

    /// What is there already contradicts what is wanted.
    pub fn conflict(reason: impl Display) -> Self {
        Self::Conflict(reason.to_string())
    }

    /// It did not work now and may work later.
    pub fn unavailable(reason: impl Display) -> Self {
        Self::Unavailable(reason.to_string())
    }

    /// Any other error: `code` is a short kebab-case word that a program can match.
    pub fn other(code: impl Into<String>, message: impl Display) -> Self {
        Self::Other(OtherError { code: code.into(), message: message.to_string(), retryable: false })
    }
}

/// The error of the contract that says the same. An [`Error`] that went through [`io::Error`] comes back unchanged.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        let error = match error.downcast::<Error>() {
            Ok(own) => return own,
            Err(error) => error,
        };
        let message = error.to_string();
        match error.kind() {
            io::ErrorKind::NotFound => Self::not_found(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::AccessDenied(message),
            io::ErrorKind::AlreadyExists => Self::Conflict(message),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Corrupt(message),
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::OutOfMemory => Self::LimitExceeded(message),
            _ => Self::other("io", message),
        }
    }
}

/// Carries the error through the traits of [`std::io`].
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_comes_through_io_unchanged() {
        let error = Error::other("odd", "no");
        let back = Error::from(io::Error::from(error));
        assert!(matches!(back, Error::Other(other) if other.code == "odd" && other.message == "no"));
    }

    #[test]
    fn an_absent_file_is_an_absent_value() {
        let error = std::fs::read("/no/such/file").unwrap_err();
        assert!(matches!(Error::from(error), Error::NotFound(keys) if keys.is_empty()));
    }
}
