//! Contexts and values for tests: what the host would lend, made in the process of the test.

mod builder;
#[expect(clippy::unnecessary_wraps, reason = "the signatures are those of the bindings")]
mod context;
mod layout;
mod op_builder;
mod op_context;
mod outcome;
mod root;
mod setters;
#[expect(clippy::unnecessary_wraps, reason = "the signatures are those of the bindings")]
mod value;

pub use builder::{
    InputContextBuilder, OutputContextBuilder, StoredOutputBuilder, build_input_context, build_output_context,
};
pub use op_builder::{OpContextBuilder, build_op_context};
pub use outcome::{BuiltInput, BuiltOp, BuiltOutput};
pub use value::Part;

pub(crate) use root::HasRoot;

use crate::Level;

/// A line that a guest logged.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// How grave it is.
    pub level: Level,
    /// The text.
    pub message: String,
}

/// What stands in for the bindings of the host: the same names, the same methods.
pub mod host {
    pub use super::context::{InputContext, OutputContext, StoredOutput};
    pub use super::op_context::OpContext;
    pub use super::value::{Reader, Sink, Source};
}
