//! Runs I/O managers that are WebAssembly components, and lends them only what a grant names.
//!
//! An I/O manager stores the output of a step (`handle-output`) and loads the input of the next (`load-input`). Here it
//! is a component that is not trusted: each call gets a fresh instance, sees only the files of the value that it stores
//! or loads, is bounded in time, memory and disk, and what it wrote becomes visible only if it succeeded.
//!
//! A call goes straight through the rooms of this crate: [`component`] reads, digests, checks and compiles, [`grant`]
//! says what is lent, [`mount`] is the file system that the guest sees, and [`Sandbox`] makes the call and gives a
//! [`report`]. [`value`] holds what is stored and loaded, [`context`] and [`partition`] what is said about it.
//!
//! ```no_run
//! use std::collections::BTreeMap;
//! use std::path::Path;
//!
//! use airlock_sandbox::context::OutputContext;
//! use airlock_sandbox::grant::{Access, DirectoryPath, Grant, GuestPath, MountGrant, MountSource, Scope};
//! use airlock_sandbox::layout::Location;
//! use airlock_sandbox::limits::Limits;
//! use airlock_sandbox::partition::Partitions;
//! use airlock_sandbox::value::{Budget, Content, Value};
//! use airlock_sandbox::{Call, Interrupt, Sandbox, Settings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sandbox = Sandbox::new(&Settings::default())?;
//! let component = sandbox.load(Path::new("manager.wasm"))?;
//!
//! // Lend it ./lake as /data, and of that only the files of the output that it stores.
//! let mount = MountGrant {
//!     guest_path: GuestPath::new("/data")?,
//!     source: MountSource::Directory(DirectoryPath::new(Path::new("lake"), &[])?),
//!     access: Access::Write,
//!     scope: Scope::Output,
//! };
//! let grant = Grant::new(vec![mount], BTreeMap::new(), Limits::default())?;
//!
//! // Values take at most 32 MiB of memory together, and files in /var/tmp beyond that.
//! let budget = Budget::new(32 << 20, "/var/tmp");
//! let value = Value::single("text/plain", Content::from_bytes(b"hello", &budget)?);
//! let context = OutputContext {
//!     run_id: "run-1".into(),
//!     step_key: "greeting".into(),
//!     attempt: 1,
//!     output_name: "result".into(),
//!     asset_key: Some(vec!["greeting".into()]),
//!     location: Location::asset(&["greeting"]),
//!     partitions: Partitions::default(),
//!     config: serde_json::json!({}),
//!     output_config: serde_json::Value::Null,
//!     definition_metadata: vec![],
//!     runtime_metadata: vec![],
//! };
//! let interrupt = Interrupt::new();
//! let call = Call {
//!     component: &component,
//!     grant: &grant,
//!     budget: &budget,
//!     interrupt: &interrupt,
//!     strict: false,
//!     deterministic: None,
//! };
//!
//! let report = sandbox.handle_output(&call, context, &value);
//! match report.outcome {
//!     Ok(stored) => println!("stored, and the manager says {:?}", stored.metadata),
//!     Err(failure) => println!("nothing was stored: {failure}"),
//! }
//! println!("it wrote {} bytes and was denied {:?}", report.receipt.written.bytes, report.receipt.denials.list);
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs)]
#![deny(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "Airlock runs on Linux only: it confines processes, and names files that have no names, by what that kernel has"
);

mod call;
pub mod component;
pub mod context;
mod contract;
pub mod grant;
pub mod layout;
pub mod limits;
pub mod mount;
pub mod partition;
pub mod process;
pub mod remedy;
pub mod report;
pub mod text;
pub mod value;

pub use call::{Call, Deterministic, Interrupt, Processes, Sandbox, SandboxError, Settings};
pub use component::Component;
pub use mount::Durability;
