//! What an author of guests in other languages than Rust needs: bindings to the contract, and components of core modules.

mod bindings;
mod component;
mod contract;

pub use bindings::{File, Language, bindings};
pub use component::componentize;
pub use contract::{Contract, World};
