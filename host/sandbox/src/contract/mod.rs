//! The contract of `wit/` on the host's side: the generated bindings, and what stands behind each import.

mod environment;
mod input;
mod metadata;
mod network;
mod op;
mod output;
mod partition;
mod value;

use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime_wasi::p2::bindings::filesystem;

use crate::call::State;
use crate::component::Exports;
use crate::limits::{ERROR_BYTES, LimitExceeded};
use crate::mount::HasFileSystem;
use crate::report::GuestError;
use crate::text::{safe, safe_line};

pub(crate) use input::InputCall;
pub use input::{InputHandle, StoredOutputHandle};
pub(crate) use metadata::Recorded;
pub use op::OpHandle;
pub(crate) use op::{OpCall, sinks};
pub(crate) use output::OutputCall;
pub use output::OutputHandle;
pub(crate) use value::{HELD_FILES, SinkKeys, SinkQuota, SinkState};
pub use value::{ReaderHandle, SinkHandle, SourceHandle};

/// Bindings of a component that stores.
pub(crate) mod output_manager {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "output-manager",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "airlock:io/context.output-context": crate::contract::OutputHandle,
            "airlock:io/context.input-context": crate::contract::InputHandle,
            "airlock:io/context.stored-output": crate::contract::StoredOutputHandle,
            "airlock:io/value.source": crate::contract::SourceHandle,
            "airlock:io/value.reader": crate::contract::ReaderHandle,
            "airlock:io/value.sink": crate::contract::SinkHandle,
        },
    });
}

/// Bindings of a component that loads.
pub(crate) mod input_manager {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "input-manager",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "airlock:io/types": super::output_manager::airlock::io::types,
            "airlock:io/value": super::output_manager::airlock::io::value,
            "airlock:io/context": super::output_manager::airlock::io::context,
        },
    });
}

/// Bindings of a component that computes.
pub(crate) mod op_component {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "op-component",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "airlock:io/types": super::output_manager::airlock::io::types,
            "airlock:io/value": super::output_manager::airlock::io::value,
            "airlock:io/op-run.op-context": crate::contract::OpHandle,
        },
    });
}

pub(crate) use op_component::airlock::io::op_run as wit_op_run;
pub(crate) use output_manager::airlock::io::{context as wit_context, types as wit_types, value as wit_value};

/// What a host function of the contract gives: an error for the guest inside, a trap outside.
pub(crate) type Answer<T> = wasmtime::Result<Result<T, wit_types::Error>>;

/// Adds what guests may import: WASI, all of it but empty, with Airlock's own files, environment and network, and
/// the contract.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    filesystem::types::add_to_linker::<State, HasFileSystem>(linker, State::file_system)?;
    filesystem::preopens::add_to_linker::<State, HasFileSystem>(linker, State::file_system)?;
    environment::add_to_linker(linker)?;
    network::add_to_linker(linker)?;
    linker.allow_shadowing(false);
    wit_types::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    wit_value::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    wit_context::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    wit_op_run::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
}

/// What of a component can be called.
pub(crate) struct Entry {
    pub output: Option<output_manager::OutputManagerPre<State>>,
    pub input: Option<input_manager::InputManagerPre<State>>,
    pub op: Option<op_component::OpComponentPre<State>>,
}

impl Entry {
    /// Links `compiled` and finds what it exports, which is known to be `exports`.
    pub(crate) fn link(linker: &Linker<State>, compiled: &Component, exports: Exports) -> wasmtime::Result<Self> {
        let ready = linker.instantiate_pre(compiled)?;
        let output = exports.output.then(|| output_manager::OutputManagerPre::new(ready.clone()));
        let input = exports.input.then(|| input_manager::InputManagerPre::new(ready.clone()));
        let op = exports.op.then(|| op_component::OpComponentPre::new(ready));
        Ok(Self { output: output.transpose()?, input: input.transpose()?, op: op.transpose()? })
    }
}

impl wit_types::Host for State {}

/// An error of the host's own for the guest.
pub(crate) fn host_error(code: &str, message: impl Into<String>) -> wit_types::Error {
    wit_types::Error::Other(wit_types::OtherError { code: code.to_owned(), message: message.into(), retryable: false })
}

/// Ends the call: a limit was reached.
pub(crate) fn limit<T>(exceeded: LimitExceeded) -> wasmtime::Result<T> {
    Err(wasmtime::Error::from(exceeded))
}

impl From<wit_types::Error> for GuestError {
    fn from(error: wit_types::Error) -> Self {
        use wit_types::Error;
        let mut partitions = Vec::new();
        let mut retryable = false;
        let (code, message) = match error {
            Error::NotFound(keys) => {
                partitions = keys.iter().take(100).map(|key| safe_line(key, 200)).collect();
                ("not-found".to_owned(), String::new())
            }
            Error::InvalidConfig(message) => ("invalid-config".to_owned(), message),
            Error::UnsupportedType(message) => ("unsupported-type".to_owned(), message),
            Error::Corrupt(message) => ("corrupt".to_owned(), message),
            Error::AccessDenied(message) => ("access-denied".to_owned(), message),
            Error::Conflict(message) => ("conflict".to_owned(), message),
            Error::LimitExceeded(message) => ("limit-exceeded".to_owned(), message),
            Error::Unavailable(message) => {
                retryable = true;
                ("unavailable".to_owned(), message)
            }
            Error::Other(other) => {
                retryable = other.retryable;
                (safe_line(&other.code, 100), other.message)
            }
        };
        Self { code, message: safe(&message, ERROR_BYTES), retryable, partitions }
    }
}
