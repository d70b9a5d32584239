//! Runs I/O managers that are WebAssembly components, and lends them only what a grant names.
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod call;
pub mod component;
pub mod context;
mod contract;
pub mod grant;
pub mod layout;
pub mod limits;
pub mod mount;
pub mod report;
pub mod text;
pub mod value;

pub use call::{Call, Interrupt, Sandbox, SandboxError, Settings};
pub use component::Component;
pub use mount::Durability;
