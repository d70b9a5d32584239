//! The traits that an I/O manager implements.

use crate::{Error, InputContext, OutputContext, Sink, Source};

/// Stores the output of a step.
pub trait OutputManager {
    /// Stores `value`.
    ///
    /// # Errors
    /// Whatever kept it from being stored. What was stored before is then still there.
    fn handle_output(context: &OutputContext, value: &mut Source) -> Result<(), Error>;
}

/// Loads the input of a step. The directories of the guest are read-only meanwhile.
pub trait InputManager {
    /// Writes the stored value to `value`.
    ///
    /// # Errors
    /// [`Error::NotFound`] where nothing is stored, with the keys of the partitions that are absent; otherwise
    /// whatever kept the value from being loaded.
    fn load_input(context: &InputContext, value: &mut Sink) -> Result<(), Error>;
}

/// Stores and loads: every type that does both.
pub trait IoManager: OutputManager + InputManager {}

impl<T: OutputManager + InputManager> IoManager for T {}
