//! Runs I/O managers that are WebAssembly components, and lends them only what a grant names.
#![deny(missing_docs)]
#![deny(unsafe_code)]

pub mod context;
pub mod grant;
pub mod layout;
pub mod limits;
pub mod mount;
pub mod report;
pub mod text;
pub mod value;
