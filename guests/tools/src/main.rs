//! `airlock-bindings`: writes bindings to the contract, and makes components of core modules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use airlock_bindings::{Contract, Language, World};
use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about = "Bindings to the contract of Airlock, and components of core modules")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write what a guest in a language is written against
    Bindings {
        /// The language of the guest
        language: Language,
        /// The folder for the files
        folder: PathBuf,
        /// For an op, and not for an I/O manager
        #[arg(long)]
        op: bool,
    },
    /// Make a component of a core module, or add a manifest to a component
    Componentize {
        /// The module or component
        module: PathBuf,
        /// The component to write
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// What the guest says of itself, a JSON file
        #[arg(long, value_name = "FILE")]
        manifest: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let contract = Contract::embedded()?;
    match command {
        Command::Bindings { language, folder, op } => {
            let world = if op { World::OpComponent } else { World::IoManager };
            for file in airlock_bindings::bindings(&contract, language, world)? {
                write(&folder.join(&file.path), &file.content)?;
            }
            Ok(())
        }
        Command::Componentize { module, output, manifest } => {
            let manifest = manifest.map(|path| read(&path)).transpose()?;
            let component = airlock_bindings::componentize(&contract, &read(&module)?, manifest.as_deref())
                .with_context(|| format!("cannot make a component of {}", module.display()))?;
            write(&output, &component)
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
