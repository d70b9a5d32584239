//! What an exported function does around the author's: it wraps what the host lends, and reports the error that a
//! dropped writer met.

use std::sync::{Arc, PoisonError};

#[cfg(target_family = "wasm")]
use crate::bindings::{
    airlock::io::context::{InputContext as HostInputContext, OutputContext as HostOutputContext},
    airlock::io::value::{Sink as HostSink, Source as HostSource},
    op_component::airlock::io::op_run::OpContext as HostOpContext,
};
#[cfg(not(target_family = "wasm"))]
use crate::built::host::{
    InputContext as HostInputContext, OpContext as HostOpContext, OutputContext as HostOutputContext, Sink as HostSink,
    Source as HostSource,
};
use crate::value::UnseenError;
use crate::{Error, InputContext, InputManager, Op, OpContext, OutputContext, OutputManager, Sink, Source};

/// Stores `value` through `M`.
///
/// # Errors
/// Those of `M`.
pub fn handle_output<M: OutputManager>(context: &HostOutputContext, value: &HostSource) -> Result<(), Error> {
    M::handle_output(&OutputContext::new(context), &mut Source::borrowed(value))
}

/// Loads `value` through `M`.
///
/// # Errors
/// Those of `M`, and those of the last bytes that it wrote.
pub fn load_input<M: InputManager>(context: &HostInputContext, value: &HostSink) -> Result<(), Error> {
    let unseen = UnseenError::default();
    M::load_input(&InputContext::new(context), &mut Sink::borrowed(value, Arc::clone(&unseen)))?;
    seen(&unseen)
}

/// Runs `O`.
///
/// # Errors
/// Those of `O`, and those of the last bytes that it wrote.
pub fn run<O: Op>(context: &HostOpContext) -> Result<(), Error> {
    let unseen = UnseenError::default();
    O::run(&OpContext::new(context, Arc::clone(&unseen)))?;
    seen(&unseen)
}

/// Gives the error that nobody saw.
fn seen(unseen: &UnseenError) -> Result<(), Error> {
    unseen.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
}
