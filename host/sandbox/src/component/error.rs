//! Why a component cannot be used, in words that someone new to WebAssembly can act on.

use std::borrow::Cow;
use std::path::PathBuf;

use semver::Version;

use crate::limits::{Bytes, COMPONENT_BYTES};
use crate::text::safe;

/// Why a component cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComponentError {
    /// The file cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The file is larger than any component may be.
    #[error("the component is larger than {}", Bytes(COMPONENT_BYTES))]
    TooLarge,
    /// Its signature is not that of the key that it must be signed by.
    #[error("its signature {} {reason}", file.display())]
    Signature {
        /// The file of the signature.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It is another one than was looked at before.
    #[error("it changed while it was looked at: it was {expected}, and is {found}")]
    Changed {
        /// The digest that it had, or that it had none.
        expected: String,
        /// The digest that it has.
        found: String,
    },
    /// The bytes are not WebAssembly.
    #[error("this is not a WebAssembly component: {0}")]
    NotWasm(&'static str),
    /// The bytes are a core module.
    #[error(
        "this is a core WebAssembly module, not a component; build for wasm32-wasip2, or wrap it with \
         `wasm-tools component new`"
    )]
    CoreModule,
    /// The bytes are WebAssembly but broken.
    #[error("this WebAssembly component is malformed: {0}")]
    Malformed(String),
    /// It is shaped in a way that costs too much to compile or run.
    #[error("the component has {found} {what}; {allowed} are allowed")]
    Shape {
        /// Of what there is too much.
        what: Cow<'static, str>,
        /// How many there are.
        found: u64,
        /// How many there may be.
        allowed: u64,
    },
    /// It exports nothing that Airlock calls.
    #[error(
        "the component exports none of airlock:io/output, airlock:io/input and airlock:io/op, so it is neither an I/O \
         manager nor an op{}",
        but_exports(.0)
    )]
    NoExports(Vec<String>),
    /// It speaks another version of the contract.
    #[error(
        "the component speaks airlock:io@{found}, and this Airlock speaks airlock:io@{offered}; {}",
        version_help(found, offered)
    )]
    Version {
        /// The component's.
        found: String,
        /// The host's.
        offered: &'static str,
    },
    /// It imports what Airlock does not have.
    #[error(
        "the component imports what Airlock does not provide: {}; build it without them (a guest gets WASI 0.2 and \
         airlock:io, and no HTTP)",
        .0.join(", ")
    )]
    Imports(Vec<String>),
    /// Its manifest section is not what a manifest is.
    #[error("the component's airlock:manifest section is not a manifest: {0}")]
    Manifest(String),
    /// An import or export has the right name and another type.
    #[error(
        "the component's idea of an interface differs from Airlock's: {0}; build it anew against the WIT of this version, \
         or use the Airlock that it was built for"
    )]
    Mismatch(String),
    /// Compiling it takes more than it may.
    #[error(
        "compiling the component takes more than {limit}, so it was ended; make it smaller, or split its largest functions"
    )]
    TooCostly {
        /// What it had.
        limit: String,
    },
    /// The compiler failed, or there is none.
    #[error("the compiler failed: {0}")]
    Compiler(String),
    /// The compiler refused it.
    #[error("the component cannot be compiled: {0}")]
    Rejected(String),
}

impl ComponentError {
    pub(super) fn rejected(error: &wasmtime::Error) -> Self {
        ComponentError::Rejected(safe(&format!("{error:#}"), 1024))
    }

    pub(super) fn mismatch(error: &wasmtime::Error) -> Self {
        ComponentError::Mismatch(safe(&format!("{error:#}"), 1024))
    }

    pub(super) fn malformed(error: &wasmparser::BinaryReaderError) -> Self {
        ComponentError::Malformed(safe(&error.to_string(), 1024))
    }
}

fn version_help(found: &str, offered: &str) -> &'static str {
    match (Version::parse(found), Version::parse(offered)) {
        (Ok(found), Ok(offered)) if found > offered => "use a newer Airlock",
        _ => "build it anew against this version",
    }
}

fn but_exports(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" (it exports {})", names.join(", ")) }
}
