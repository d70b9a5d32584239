//! Components: read, digested, checked and compiled, in that order, before any of their code runs.

mod cache;
mod config_schema;
mod error;
mod inspect;
mod signature;

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::Linker;

pub(crate) use cache::Cache;
pub use cache::CacheSettings;
pub use config_schema::{ConfigMistake, ConfigSchema};
pub use error::ComponentError;
pub use inspect::{Exports, Inspection, Manifest, ManifestEnvironment, ManifestMount, inspect};
pub use signature::{PublicKey, read_signed};

use crate::call::State;
use crate::contract::Entry;
use crate::limits::{Bytes, COMPONENT_BYTES};

/// A component that was found fit to run. Cheap to clone.
#[derive(Clone)]
pub struct Component(Arc<Loaded>);

struct Loaded {
    name: String,
    inspection: Inspection,
    entry: Entry,
}

impl Component {
    /// What it is called in errors: the path or name that it was loaded by.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// `sha256:` and the digest of its bytes.
    pub fn digest(&self) -> &str {
        &self.0.inspection.digest
    }

    /// What was learned of it without running it.
    pub fn inspection(&self) -> &Inspection {
        &self.0.inspection
    }

    pub(crate) fn entry(&self) -> &Entry {
        &self.0.entry
    }

    /// Checks, compiles and links the component in `bytes`.
    pub(crate) fn load(
        linker: &Linker<State>,
        cache: Option<&Cache>,
        name: &str,
        bytes: &[u8],
    ) -> Result<Self, ComponentError> {
        let inspection = inspect(bytes)?;
        inspection.check_imports()?;
        let compiled = match cache {
            Some(cache) => cache.get_or_compile(linker.engine(), &inspection.digest, bytes)?,
            None => compile(linker.engine(), bytes)?,
        };
        inspect::check_requirements(&compiled)?;
        let entry =
            Entry::link(linker, &compiled, inspection.exports).map_err(|error| ComponentError::mismatch(&error))?;
        Ok(Self(Arc::new(Loaded { name: name.to_owned(), inspection, entry })))
    }
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Component").field("name", &self.0.name).field("digest", &self.digest()).finish_non_exhaustive()
    }
}

fn compile(engine: &Engine, bytes: &[u8]) -> Result<wasmtime::component::Component, ComponentError> {
    wasmtime::component::Component::from_binary(engine, bytes).map_err(|error| ComponentError::rejected(&error))
}

/// The bytes of the component at `path`.
///
/// # Errors
/// [`ComponentError::Read`] where the file cannot be read or is no regular file, [`ComponentError::TooLarge`] where it
/// is larger than [`COMPONENT_BYTES`].
pub fn read(path: &Path) -> Result<Vec<u8>, ComponentError> {
    match read_file(path, COMPONENT_BYTES) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(ComponentError::TooLarge),
        Err(error) => Err(ComponentError::Read { path: PathBuf::from(path), reason: error.to_string() }),
    }
}

/// The bytes of the file at `path`, at most so many.
///
/// # Errors
/// What the system says; also where it is no regular file, and [`io::ErrorKind::FileTooLarge`] where it has more bytes.
pub fn read_file(path: &Path, at_most: u64) -> io::Result<Vec<u8>> {
    // A FIFO would block until somebody writes to it.
    let file = OpenOptions::new().read(true).custom_flags(cache::open_flags(cache::Links::Follow)).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(at_most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > at_most {
        let message = format!("it is larger than {}", Bytes(at_most));
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}
