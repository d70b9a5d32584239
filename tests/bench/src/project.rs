//! A project whose runs are measured, and the same files written by hand.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use airlock_pipeline::definitions::Builtins;
use airlock_pipeline::plan::PlanRequest;
use airlock_pipeline::{Definitions, Home, Plan, RunOptions, Runner};
use airlock_sandbox::{Sandbox, Settings};
use anyhow::{Context, Result, anyhow};

use crate::{component, guest};

/// Bytes of each value.
const VALUE: usize = 1 << 10;

/// The head of definitions that store through `builtin:files`.
pub const STORE: &str = "[defaults]\nio = \"lake\"\n\n[io.lake]\ncomponent = \"builtin:files\"\n\
    mounts.\"/data\" = { path = \"data\", access = \"write\" }\n";

/// The definition of the asset `name` of 1 KiB, which a component computes; keys of it may follow.
pub fn asset(name: &str) -> Result<String> {
    let copy = guest("bench-copy.wasm")?;
    Ok(format!("\n[assets.{name}]\ntype = \"bytes\"\ncomponent = \"{}\"\n", copy.display()))
}

/// A project in a folder of its own.
pub struct Project {
    folder: PathBuf,
    home: Home,
    builtins: Builtins,
    runner: Runner,
}

impl Project {
    /// The one that is defined in `folder`, in `airlock.toml`.
    pub fn new(folder: &Path) -> Result<Self> {
        let files: &'static [u8] = Box::leak(component("files.wasm")?.into_boxed_slice());
        let builtins: Builtins = Box::leak(Box::new([("files", files)]));
        let home = Home::at(folder.join(".airlock"));
        let definitions = read(folder, &home, builtins)?;
        let sandbox = Sandbox::new(&Settings::default())?;
        let runner = Runner::new(Arc::new(definitions), home.clone(), sandbox, builtins);
        Ok(Self { folder: folder.to_owned(), home, builtins, runner })
    }

    /// Reads the definitions anew.
    pub fn read(&self) -> Result<Definitions> {
        read(&self.folder, &self.home, self.builtins)
    }

    /// The plan of everything, or of the partitions that `partition` names.
    pub fn plan(&self, partition: Option<&str>) -> Result<Plan> {
        let request = PlanRequest { partition: partition.map(str::to_owned), ..PlanRequest::of(&[]) };
        Ok(self.runner.plan(&request)?)
    }

    /// Does the steps of `plan`, which are `steps`.
    pub fn run(&self, plan: &Plan, steps: u32) -> Result<()> {
        let result = self.runner.run(plan, &RunOptions::default(), &|_| {})?;
        anyhow::ensure!(result.exit_code() == 0, "a step failed: {:?}", result.steps);
        anyhow::ensure!(result.steps.len() == steps as usize, "{} steps were done", result.steps.len());
        Ok(())
    }

    /// Moves all that is stored out of the way.
    pub fn clear(&self) -> Result<()> {
        clear(&self.folder.join("data"))
    }
}

fn read(folder: &Path, home: &Home, builtins: Builtins) -> Result<Definitions> {
    let file = folder.join("airlock.toml");
    Definitions::read(&file, None, home, builtins).map_err(|problems| anyhow!("{problems}"))
}

/// Moves `folder` out of the way, where it is there. It is not removed: what removing many files leaves behind in a file
/// system slows down what follows, on ext4 without a journal for minutes.
fn clear(folder: &Path) -> Result<()> {
    let parent = folder.parent().context("no folder above")?;
    let old = tempfile::Builder::new().prefix("old-").tempdir_in(parent)?.keep();
    match fs::rename(folder, old.join("stored")) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).context("cannot move what was stored"),
        _ => Ok(()),
    }
}

/// The files that a project stores, written as durably by hand: written beside, synced, renamed, the directory synced.
/// Nothing is recorded.
pub struct ByHand {
    folder: PathBuf,
    directory: File,
    pub value: Vec<u8>,
}

impl ByHand {
    /// In `folder`, which is moved out of the way where it is there.
    pub fn new(folder: &Path) -> Result<Self> {
        clear(folder)?;
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), directory: File::open(folder)?, value: vec![7; VALUE] })
    }

    /// Writes one value, and gives where it is.
    pub fn write(&self, name: &str) -> Result<PathBuf> {
        let (new, kept) = (self.folder.join("new"), self.folder.join(name));
        let mut file = File::create(&new)?;
        file.write_all(&self.value)?;
        file.sync_all()?;
        fs::rename(&new, &kept)?;
        self.directory.sync_all()?;
        Ok(kept)
    }
}
