//! `airlock bindings`: what a component in another language than Rust is written against.

use std::fs;
use std::path::PathBuf;

use airlock_bindings::{Contract, Language, World};
use clap::Args;

use crate::error::{Error, ExitStatus, Report};

const HELP: &str = "\
Examples:
  airlock bindings c bindings
  airlock bindings javascript bindings --op

A project of `airlock new` has this done by its Makefile.";

/// Write the bindings that a component in C, C++, Go, JavaScript or Python is written against
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Bindings {
    /// The language of the component; that of C is for C++ too
    language: Language,
    /// The folder to write them to, which is made where it is missing
    folder: PathBuf,
    /// Those of an op, and not of an I/O manager
    #[arg(long)]
    op: bool,
}

impl Bindings {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let world = if self.op { World::OpComponent } else { World::IoManager };
        let files =
            Contract::embedded().and_then(|contract| airlock_bindings::bindings(&contract, self.language, world));
        let files =
            files.map_err(|error| Report::new(ExitStatus::Internal, format!("cannot make bindings: {error:#}")))?;
        for file in files {
            let path = self.folder.join(&file.path);
            // One that is the same is left as it is, so that nothing is built anew for it.
            if fs::read(&path).is_ok_and(|old| old == file.content) {
                continue;
            }
            let made = path.parent().map_or(Ok(()), fs::create_dir_all);
            made.and_then(|()| fs::write(&path, &file.content)).map_err(|error| {
                Report::new(ExitStatus::Storage, format!("cannot write {}: {error}", path.display()))
            })?;
        }
        Ok(ExitStatus::Done)
    }
}
