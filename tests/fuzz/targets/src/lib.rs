//! What Airlock reads that others wrote: a function for each kind, which makes what is needed to read many inputs and gives
//! what reads one. That tells whether the input was taken or refused, and panics where something is wrong with Airlock.
//! `tests/fuzz.rs` and the targets of cargo-fuzz under `fuzz/` call nothing else.
#![expect(clippy::panic, clippy::unwrap_used, reason = "what is wrong with Airlock is told by panicking")]

mod cache;
mod component;
mod event_log;
mod journal;
mod table;
mod text;

pub use cache::code_cache;
pub use component::{components, manifests};
pub use event_log::event_logs;
pub use journal::journals;
pub use table::{arrow_files, arrow_streams, parquet_files};
pub use text::{definitions, keys, locks, partitions};

/// Reads one input, and tells whether it was taken.
pub type Target = Box<dyn Fn(&[u8]) -> bool>;
