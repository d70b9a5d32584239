//! What the end of a call means.

use wasmtime::WasmBacktrace;
use wasmtime_wasi::{I32Exit, ResourceTableError};

use super::deadline::Interrupted;
use crate::contract::wit_types;
use crate::limits::{HANDLES, HOST_CALL_BYTES, INSTANCES, Limit, LimitExceeded, RANDOM_BYTES, WASM_STACK};
use crate::mount::FileSystem;
use crate::report::{Failure, GuestError, Trap};
use crate::text::{safe, safe_line};

/// How a call ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The guest returned ok.
    Done,
    /// The guest returned an error.
    Refused(wit_types::Error),
    /// The guest, or the host on its behalf, trapped.
    Failed(wasmtime::Error),
    /// The call could not begin.
    Unable(String),
    /// A host function panicked.
    Panicked,
}

/// Whether a call that ended like this succeeded, and if not, why.
pub(super) fn judge(ended: Ended, files: &FileSystem, stderr: String, strict: bool) -> Result<(), Failure> {
    let record = files.record();
    let denial = record.denial();
    let failure = match ended {
        Ended::Done => {
            return match denial {
                Some(denial) if strict => Err(Failure::Denied { denial, error: None }),
                _ => Ok(()),
            };
        }
        Ended::Refused(error) => Failure::Guest { error: GuestError::from(error) },
        Ended::Failed(error) => classify(&error, stderr),
        Ended::Unable(reason) => Failure::Host { reason },
        Ended::Panicked => Failure::Host { reason: "a host function panicked".to_owned() },
    };
    // A guest that failed on its own may have failed for a reason that it could not see or did not tell.
    if !matches!(failure, Failure::Guest { .. } | Failure::Trap { .. }) {
        return Err(failure);
    }
    match (record.failure(), denial) {
        (Some(failure), _) => Err(Failure::Storage { failure }),
        (None, Some(denial)) => Err(Failure::Denied { denial, error: Some(Box::new(failure)) }),
        (None, None) => Err(failure),
    }
}

fn classify(error: &wasmtime::Error, stderr: String) -> Failure {
    if error.is::<Interrupted>() {
        return Failure::Interrupted;
    }
    if let Some(exceeded) = limit_of(error) {
        return Failure::Limit { exceeded };
    }
    // Found out before any of its code is called, known by wasmtime's text, and pinned by a test as those of limits are.
    if error.chain().any(|cause| cause.to_string() == "failed to convert function to given type") {
        let found = safe(&error.root_cause().to_string(), 1024);
        let reason = format!(
            "a function that it exports has another type than Airlock's: {found}; build it anew against the WIT of this version"
        );
        return Failure::Incompatible { reason };
    }
    let reason = match error.downcast_ref::<I32Exit>() {
        Some(I32Exit(status)) => format!("it ended itself with status {status} instead of returning"),
        // The outermost message is the backtrace, which is shown apart.
        None => safe(&error.root_cause().to_string(), 1024),
    };
    let backtrace = error.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default();
    Failure::Trap { trap: Trap { reason, backtrace, stderr } }
}

/// The limit that an error stands for. Those of wasmtime's own that have no type are known by their text, which the
/// tests of each limit pin.
fn limit_of(error: &wasmtime::Error) -> Option<LimitExceeded> {
    if let Some(exceeded) = error.downcast_ref::<LimitExceeded>() {
        return Some(exceeded.clone());
    }
    let exceeded = |limit, allowed: usize| Some(LimitExceeded::new(limit, allowed as u64));
    if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) {
        return exceeded(Limit::Handles, HANDLES);
    }
    match error.downcast_ref() {
        Some(wasmtime::Trap::StackOverflow) => return exceeded(Limit::Stack, WASM_STACK),
        // A guest's own stack, in its memory, ends by running out of that memory.
        Some(wasmtime::Trap::MemoryOutOfBounds) if is_deep_recursion(error) => {
            return exceeded(Limit::Stack, WASM_STACK);
        }
        _ => {}
    }
    let text = error.root_cause().to_string();
    if text.contains("store handle limit exceeded") || text.contains("resource table has no free keys") {
        exceeded(Limit::Handles, HANDLES)
    } else if text.contains("fuel allocated for hostcalls has been exhausted") {
        exceeded(Limit::HostCall, HOST_CALL_BYTES)
    } else if text.starts_with("requested len") && text.contains("exceeds limit") {
        Some(LimitExceeded::new(Limit::Random, RANDOM_BYTES))
    } else if text.contains("count too high at") {
        exceeded(Limit::Shape, INSTANCES)
    } else {
        None
    }
}

/// Whether the backtrace is as long as one gets and few functions make it up.
fn is_deep_recursion(error: &wasmtime::Error) -> bool {
    const LONG: usize = 20;
    const FEW: usize = 6;
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return false };
    let mut functions: Vec<u32> = backtrace.frames().iter().map(wasmtime::FrameInfo::func_index).collect();
    let long = functions.len() >= LONG;
    functions.sort_unstable();
    functions.dedup();
    long && functions.len() <= FEW
}

fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        Some(name) => safe_line(name, 200),
        None => format!("function {}", frame.func_index()),
    };
    backtrace.frames().iter().map(name).collect()
}
