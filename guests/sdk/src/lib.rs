//! What an Airlock guest in Rust builds on.
//!
//! An I/O manager stores the output of a step and loads the input of the next. It is a type that implements
//! [`OutputManager`], [`InputManager`] or both, in a crate of type `cdylib` that is built for `wasm32-wasip2`:
//!
//! ```
//! use std::fs::{self, File};
//!
//! use airlock_sdk::{Error, InputContext, InputManager, OutputContext, OutputManager, Sink, Source};
//!
//! struct Text;
//!
//! impl OutputManager for Text {
//!     fn handle_output(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
//!         let mut part = value.single()?;
//!         let path = context.file(None, "txt")?;
//!         fs::create_dir_all(path.parent().unwrap_or(&path))?;
//!         part.copy_to(&mut File::create(path)?)?;
//!         context.add_metadata("size", part.size())
//!     }
//! }
//!
//! impl InputManager for Text {
//!     fn load_input(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
//!         let mut file = File::open(context.file(None, "txt")?)?;
//!         std::io::copy(&mut file, &mut value.begin(None, "text/plain")?)?;
//!         Ok(())
//!     }
//! }
//!
//! airlock_sdk::export!(Text);
//! ```
//!
//! - A manager that keeps each part in a file of its own is shorter as a [`PathIoManager`].
//! - Every call has a fresh instance: nothing in memory lives from call to call.
//! - What a guest writes to its directories becomes visible when the call returns `Ok`, all of it, and otherwise not
//!   at all. Files need no temporary names.
//! - A guest sees only the directories that its grant lends, [`DATA`] by convention, and there by default only the
//!   paths that [`OutputContext::path`] gives.
//! - A panic ends the call with a trap; an [`Error`] says what was wrong.
//! - A computation can be a guest too, see [`Op`].
//! - With the feature `arrow`, the module `table` reads and writes tables batch by batch, and the crate arrow comes along
//!   as `airlock_sdk::arrow`.
//!
//! # Tests
//! [`build_output_context`], [`build_input_context`] and [`build_op_context`] call a guest natively, without a
//! pipeline and without a component, in ordinary unit tests.
//!
//! # The manifest
//! A guest may carry a JSON document that says what it is and what it would like. It is a request, never a grant, and
//! is read without running the guest. [`manifest!`] embeds it:
//!
//! | field | content |
//! |---|---|
//! | `name`, `version` | of the guest, required |
//! | `description` | one sentence |
//! | `values` | the media types it claims: `["*/*"]`, `["text/csv"]`; absent: all |
//! | `many_partitions` | whether it stores several partitions of an output in one call; absent: it is called for each |
//! | `repeatable` | whether it stores the same value as the same bytes each time; of an op, whether it computes the same of the same inputs |
//! | `metadata` | the labels of the metadata that it records of every value of one part |
//! | `config` | the JSON schema of its configuration; absent: it takes none |
//! | `output_config`, `input_config` | the same of an output that it stores, of an input that it loads |
//! | `mounts` | the directories it would like: `path` as the guest sees it, `access` (`read` or `write`), `scope` (`output`, as where it is absent, or `mount` where it chooses its paths itself), `reason` |
//! | `environment` | the environment entries it would like: `name`, `reason` |
//!
//! `wit/manifest.schema.json` is its schema.

#[doc(hidden)]
pub mod bindings;
#[cfg(not(target_family = "wasm"))]
mod built;
#[doc(hidden)]
pub mod call;
mod context;
mod error;
mod export;
mod manager;
mod metadata;
mod op;
pub mod path;
#[cfg(feature = "arrow")]
pub mod table;
mod value;

#[cfg(feature = "arrow")]
pub use arrow;
#[cfg(not(target_family = "wasm"))]
pub use built::{
    BuiltInput, BuiltOp, BuiltOutput, InputContextBuilder, LogLine, OpContextBuilder, OutputContextBuilder, Part,
    StoredOutputBuilder, build_input_context, build_op_context, build_output_context,
};
pub use context::{AssetEvent, DATA, InputContext, Level, OutputContext, StoredOutput, TimeWindow};
pub use error::{Error, OtherError};
pub use manager::{InputManager, IoManager, OutputManager};
pub use metadata::{MetadataEntry, MetadataValue};
pub use op::{Op, OpContext};
pub use path::{NewPart, PathIoManager};
pub use value::{PartWriter, Reader, Sink, Source};
