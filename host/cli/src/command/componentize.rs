//! `airlock componentize`: a component of what a compiler made.

use std::fs;
use std::path::{Path, PathBuf};

use airlock_bindings::Contract;
use airlock_sandbox::component::{inspect, read_file};
use airlock_sandbox::limits::COMPONENT_BYTES;
use airlock_sandbox::text::safe;
use clap::Args;

use crate::error::{Error, ExitStatus, Report};

const HELP: &str = "\
Examples:
  airlock componentize core.wasm -o manager.wasm --manifest manifest.json

A project of `airlock new` has this done by its Makefile.";

/// Make a component of the module that a compiler for C, C++ or Go made, or add a manifest to a component
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Componentize {
    /// The module, for WASI 0.1 or 0.2, or the component
    module: PathBuf,
    /// The component to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// What the component says of itself, a JSON file that becomes a part of it
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

impl Componentize {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let module = read(&self.module)?;
        let manifest = self.manifest.as_deref().map(read).transpose()?;
        let refused = |reason: String| {
            let reason = safe(&reason, MESSAGE_BYTES);
            Report::new(
                ExitStatus::Component,
                format!("cannot make a component of {}: {reason}", self.module.display()),
            )
        };
        let made = Contract::embedded()
            .and_then(|contract| airlock_bindings::componentize(&contract, &module, manifest.as_deref()));
        let component = made.map_err(|error| refused(format!("{error:#}")))?;
        // What is wrong with the manifest is told here, and not only where the component is used.
        inspect(&component).map_err(|error| refused(error.to_string()))?;
        fs::write(&self.output, component).map_err(|error| {
            Report::new(ExitStatus::Storage, format!("cannot write {}: {error}", self.output.display()))
        })?;
        Ok(ExitStatus::Done)
    }
}

/// Bytes of what is told of a module, at most, which says what it likes.
const MESSAGE_BYTES: usize = 4096;

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_file(path, COMPONENT_BYTES)
        .map_err(|error| Error::usage(format!("cannot read {}: {error}", path.display())).into())
}
