//! The file that holds a lock.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use airlock_sandbox::component::read_file;
use airlock_sandbox::text::safe_line;
use serde::Deserialize;

use super::Lock;

/// The version of the format that this program writes, and the only one that it reads.
const VERSION: u32 = 1;
/// Bytes of a lock, at most.
const LOCK_BYTES: u64 = 16 << 20;
/// Bytes that are shown of what is wrong in it.
const REASON_BYTES: usize = 400;

const HEADER: &str = "\
# What the components of these definitions are and what they are lent. Written by `airlock lock`, which says what it
# changes; `airlock run --locked` refuses whatever differs.

";

/// A lock that cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It is not a lock.
    #[error("the lock {} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file cannot be read.
    #[error("cannot read the lock {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// The file cannot be written. What was there is there still, unless the machine fails to keep what is there now.
    #[error("cannot write the lock {}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
}

/// What a lock of any version has.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Lock {
    /// The file of the lock of the definitions at `definitions`: `airlock.lock` beside `airlock.toml`.
    pub fn path(definitions: &Path) -> PathBuf {
        let path = definitions.with_extension("lock");
        if path == definitions { definitions.with_extension("lock.lock") } else { path }
    }

    /// The lock at `path`; none where there is no file.
    ///
    /// # Errors
    /// [`LockError`] where it cannot be read or is no lock that `airlock lock` could have written.
    pub fn read(path: &Path) -> Result<Option<Self>, LockError> {
        let damaged = |reason: String| LockError::Damaged { path: path.to_owned(), reason };
        let bytes = match read_file(path, LOCK_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(reason) => return Err(LockError::Read { path: path.to_owned(), reason }),
        };
        let text = String::from_utf8(bytes).map_err(|_| damaged("it is not UTF-8".to_owned()))?;
        let wrong = |error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            damaged(format!("line {line}: {}", safe_line(error.message(), REASON_BYTES)))
        };
        // Another version may have what this program does not know.
        let Version { version } = toml::from_str(&text).map_err(wrong)?;
        if version != VERSION {
            return Err(damaged(format!("its version is {version}, and this program knows {VERSION}")));
        }
        let lock: Self = toml::from_str(&text).map_err(wrong)?;
        lock.check().map_err(damaged)?;
        Ok(Some(lock))
    }

    /// What cannot be in a lock that was written.
    fn check(&self) -> Result<(), String> {
        for grant in self.lent.values().chain(self.profile.values().flat_map(|profile| profile.values())) {
            if !self.components.contains_key(&grant.component) {
                return Err(format!("it says nothing of the component {}", safe_line(&grant.component, REASON_BYTES)));
            }
        }
        Ok(())
    }

    /// Writes it to `path`, whole or not at all.
    ///
    /// # Errors
    /// [`LockError::Write`]
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        let failed = |reason: io::Error| LockError::Write { path: path.to_owned(), reason };
        let lock = Self { version: VERSION, ..self.clone() };
        let text = toml::to_string_pretty(&lock).map_err(|error| failed(io::Error::other(error)))?;
        if (HEADER.len() + text.len()) as u64 > LOCK_BYTES {
            let message = "it would be larger than 16 MiB, since a component imports or asks for so much";
            return Err(failed(io::Error::other(message)));
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // As any file that its owner makes.
        let mode = Permissions::from_mode(0o666);
        let prefix = format!("{}.", path.file_name().unwrap_or_default().display());
        let mut builder = tempfile::Builder::new();
        // Who is killed leaves a file that says what it is of.
        let mut file = builder.prefix(&prefix).permissions(mode).tempfile_in(directory).map_err(failed)?;
        file.write_all(HEADER.as_bytes()).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_lies_beside_the_definitions_and_is_never_one_with_them() {
        let path = |definitions: &str| Lock::path(Path::new(definitions)).display().to_string();
        assert_eq!(path("a/airlock.toml"), "a/airlock.lock");
        assert_eq!(path("snoop.toml"), "snoop.lock");
        assert_eq!(path("a.lock"), "a.lock.lock");
    }
}
