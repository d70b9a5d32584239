//! Components: read, digested, checked and compiled, in that order, before any of their code runs.

mod cache;
mod code;
mod config_schema;
mod error;
mod inspect;
mod signature;

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmtime::component::Linker;

pub(crate) use cache::Cache;
pub use cache::CacheSettings;
pub(crate) use code::Code;
pub use config_schema::{ConfigMistake, ConfigSchema};
pub use error::ComponentError;
pub use inspect::{Exports, Inspection, Manifest, ManifestEnvironment, ManifestMount, inspect};
pub use signature::{PublicKey, read_signed};

use crate::call::State;
use crate::contract::Entry;
use crate::limits::{Bytes, COMPONENT_BYTES};
use crate::process::Starter;

/// A component that was found fit to run. Cheap to clone.
#[derive(Clone)]
pub struct Component(Arc<Loaded>);

struct Loaded {
    name: String,
    inspection: Inspection,
    runs: Runs,
}

/// Where it runs.
enum Runs {
    /// In this process, ready to be called.
    Here(Entry),
    /// In worker processes, which are lent its code.
    InWorkers(Code),
}

/// What turns components into code.
pub(crate) struct Compiler<'a> {
    pub linker: &'a Linker<State>,
    pub cache: Option<&'a Cache>,
    /// Starts processes to compile in; where there is none, that is done here.
    pub starter: Option<&'a Starter>,
    /// Whether the code is for worker processes.
    pub isolated: bool,
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

    /// What of it can be called in this process.
    pub(crate) fn entry(&self) -> Option<&Entry> {
        match &self.0.runs {
            Runs::Here(entry) => Some(entry),
            Runs::InWorkers(_) => None,
        }
    }

    /// Its code, where it runs in worker processes.
    pub(crate) fn code(&self) -> Option<&Code> {
        match &self.0.runs {
            Runs::Here(_) => None,
            Runs::InWorkers(code) => Some(code),
        }
    }

    /// Checks, compiles and links the component in `bytes`.
    pub(crate) fn load(compiler: &Compiler<'_>, name: &str, bytes: &[u8]) -> Result<Self, ComponentError> {
        let inspection = inspect(bytes)?;
        inspection.check_imports()?;
        let runs = compiler.compile(&inspection, bytes)?;
        Ok(Self(Arc::new(Loaded { name: name.to_owned(), inspection, runs })))
    }

    /// The component with this `code`, which another process of this sandbox compiled.
    pub(crate) fn link(
        linker: &Linker<State>,
        name: &str,
        inspection: Inspection,
        code: &Code,
    ) -> Result<Self, ComponentError> {
        let entry = link(linker, inspection.exports, code)
            .unwrap_or_else(|| Err(ComponentError::Compiler("its code is of another version of Airlock".to_owned())))?;
        Ok(Self(Arc::new(Loaded { name: name.to_owned(), inspection, runs: Runs::Here(entry) })))
    }
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Component").field("name", &self.0.name).field("digest", &self.digest()).finish_non_exhaustive()
    }
}

impl Compiler<'_> {
    fn compile(&self, inspection: &Inspection, bytes: &[u8]) -> Result<Runs, ComponentError> {
        let kept = self.cache.and_then(|cache| cache.get(self.linker.engine(), &inspection.digest));
        if let Some(code) = kept
            && let Some(usable) = self.prepare(inspection, code)
        {
            return usable;
        }
        let code = match self.starter {
            Some(starter) => crate::process::compile(starter, inspection, bytes)?,
            None => self.compile_here(inspection, bytes)?,
        };
        if let Some(cache) = self.cache {
            cache.keep(self.linker.engine(), &inspection.digest, &code);
        }
        self.prepare(inspection, code)
            .unwrap_or_else(|| Err(ComponentError::Compiler("it gave code of another version".to_owned())))
    }

    fn compile_here(&self, inspection: &Inspection, bytes: &[u8]) -> Result<Code, ComponentError> {
        let code = check_and_compile(self.linker, inspection, bytes)?;
        Code::new(&code).map_err(|error| ComponentError::Compiler(format!("its code cannot be kept: {error}")))
    }

    /// Nothing where the code is of another version of the compiler.
    fn prepare(&self, inspection: &Inspection, code: Code) -> Option<Result<Runs, ComponentError>> {
        if self.isolated {
            return Some(Ok(Runs::InWorkers(code)));
        }
        Some(link(self.linker, inspection.exports, &code)?.map(Runs::Here))
    }
}

/// The code of the component `bytes`, which was inspected, once it is known that it can be called.
pub(crate) fn check_and_compile(
    linker: &Linker<State>,
    inspection: &Inspection,
    bytes: &[u8],
) -> Result<Vec<u8>, ComponentError> {
    let rejected = |error: wasmtime::Error| ComponentError::rejected(&error);
    let compiled = wasmtime::component::Component::from_binary(linker.engine(), bytes).map_err(rejected)?;
    check_and_link(linker, inspection.exports, &compiled)?;
    compiled.serialize().map_err(rejected)
}

/// What of the component with this `code` can be called; nothing where it is of another version of the compiler.
fn link(linker: &Linker<State>, exports: Exports, code: &Code) -> Option<Result<Entry, ComponentError>> {
    let compiled = code.load(linker.engine())?;
    Some(check_and_link(linker, exports, &compiled))
}

fn check_and_link(
    linker: &Linker<State>,
    exports: Exports,
    compiled: &wasmtime::component::Component,
) -> Result<Entry, ComponentError> {
    inspect::check_requirements(compiled)?;
    Entry::link(linker, compiled, exports).map_err(|error| ComponentError::mismatch(&error))
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
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(at_most)).unwrap_or(0));
    file.take(at_most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > at_most {
        let message = format!("it is larger than {}", Bytes(at_most));
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}
