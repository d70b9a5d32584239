//! The engine that all calls of a sandbox share.

use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use wasmtime::{Config, Engine};

use crate::limits::{NATIVE_STACK, WASM_STACK};

/// How often a guest that computes gives the host a chance to end it.
const TICK: Duration = Duration::from_millis(10);
const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(19);

/// An engine with as few of WebAssembly's features as guests need; what is off cannot be attacked.
pub(super) fn new() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(NATIVE_STACK)
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES));
    Engine::new(&config)
}

/// Advances the engine's epoch until the engine is gone.
pub(super) fn start_ticking(engine: &Engine) -> io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(())
}
