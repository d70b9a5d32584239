//! Errors of Arrow and Parquet, as those of the contract.

use airlock_sdk::Error;
use arrow::error::ArrowError;
use parquet::errors::ParquetError;

/// What went wrong while `place`, a file or the value, was read: the storage, or what is stored.
pub fn unreadable(place: &str, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => error.into(),
        ArrowError::ExternalError(error) => match error.downcast::<std::io::Error>() {
            Ok(error) => Error::from(*error),
            Err(error) => corrupt(place, error),
        },
        ArrowError::InvalidArgumentError(reason) if reason.contains("zstd") => Error::unsupported_type(format!(
            "{place}: it is compressed with zstd, which cannot be read here; write it with lz4 or no compression"
        )),
        error => corrupt(place, error),
    }
}

/// [`unreadable`] of an error of Parquet.
pub fn unreadable_parquet(place: &str, error: ParquetError) -> Error {
    match error {
        ParquetError::External(error) => unreadable(place, ArrowError::ExternalError(error)),
        error => corrupt(place, error),
    }
}

/// `place` cannot be read for `reason`.
pub fn corrupt(place: &str, reason: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("{place}: {reason}"))
}

/// What went wrong while a table was written: the storage, or a table that the form cannot hold.
pub fn unwritable(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => error.into(),
        error => Error::unsupported_type(format!("the table cannot be written: {error}")),
    }
}

/// [`unwritable`] of an error of Parquet.
pub fn unwritable_parquet(error: ParquetError) -> Error {
    match error {
        ParquetError::External(error) => match error.downcast::<std::io::Error>() {
            Ok(error) => Error::from(*error),
            Err(error) => unwritable(ArrowError::ExternalError(error)),
        },
        error => unwritable(error.into()),
    }
}

/// A column that a form cannot hold, for `reason`.
pub fn unsupported_column(column: &str, reason: impl std::fmt::Display) -> Error {
    Error::unsupported_type(format!("the column {column:?} {reason}"))
}
