//! Pipelines of assets whose values are stored and loaded by I/O managers that run in the sandbox.
//!
//! The rooms follow one another: [`definitions`] (the file that an author writes, checked whole) → [`partition`] (which
//! partitions there are, and which of them load which) and [`graph`] (what depends on what, and what a selection means)
//! → [`plan`] (the steps of a run, in order) → [`run`] (does the steps) → [`event`] (the log of what was done), and
//! [`audit`] (what components used of what they are lent).
#![deny(missing_docs)]
#![deny(unsafe_code)]

pub mod audit;
mod code;
mod config_check;
pub mod definitions;
pub mod event;
pub mod graph;
pub mod home;
pub mod lock;
pub mod partition;
pub mod plan;
pub mod run;
mod suggest;

pub use code::{Pins, component_name, read_component};
pub use config_check::{check_configs, config_help};
pub use definitions::{Builtins, Definitions, Diagnostic, Diagnostics};
pub use event::{Event, EventBody, EventReader};
pub use home::Home;
pub use plan::Plan;
pub use run::{RunOptions, RunResult, Runner};
