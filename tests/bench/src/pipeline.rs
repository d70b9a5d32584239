//! Runs through the pipeline library, events committed, and the command as a whole process.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use airlock_pipeline::definitions::Builtins;
use airlock_pipeline::{Definitions, Home, Plan, RunOptions, Runner};
use airlock_sandbox::{Sandbox, Settings};
use anyhow::{Context, Result, anyhow};

use crate::{Measured, Row, compare, component, guest, timed};

const LENGTH: u32 = 10;

pub fn rows() -> Result<Vec<Row>> {
    // On a disk: what is measured is a run whose events and values are committed.
    let folder = tempfile::tempdir_in(guest("")?).context("no folder to run in")?;
    Ok(vec![chain(&folder.path().join("chain"))?, process(&folder.path().join("one"))?])
}

/// Definitions of assets of 1 KiB, each of which copies the one before it.
fn definitions(folder: &Path, length: u32) -> Result<()> {
    let copy = guest("bench-copy.wasm")?;
    let mut text = String::from(
        "[defaults]\nio = \"lake\"\n\n[io.lake]\ncomponent = \"builtin:files\"\n\
         mounts.\"/data\" = { path = \"data\", access = \"write\" }\n",
    );
    for index in 0..length {
        write!(text, "\n[assets.a{index}]\ntype = \"bytes\"\ncomponent = \"{}\"\n", copy.display())?;
        if let Some(before) = index.checked_sub(1) {
            writeln!(text, "inputs = [\"a{before}\"]")?;
        }
    }
    fs::create_dir_all(folder)?;
    Ok(fs::write(folder.join("airlock.toml"), text)?)
}

/// A step of a chain: load, compute in a component, store, commit the events.
fn chain(folder: &Path) -> Result<Row> {
    definitions(folder, LENGTH)?;
    let files: &'static [u8] = Box::leak(component("files.wasm")?.into_boxed_slice());
    let builtins: Builtins = Box::leak(Box::new([("files", files)]));
    let file = folder.join("airlock.toml");
    let home = Home::locate(&file);
    let definitions = Definitions::read(&file, None, &home, builtins).map_err(|problems| anyhow!("{problems}"))?;
    let definitions = Arc::new(definitions);
    let plan = Plan::new(&definitions, &[])?;
    let runner = Runner::new(definitions, home, Sandbox::new(&Settings::default())?, builtins);
    let run = || {
        let (time, result) = timed(|| Ok(runner.run(&plan, &RunOptions::default(), &|_| {})?))?;
        anyhow::ensure!(result.exit_code() == 0, "a step failed: {:?}", result.steps);
        Ok(time)
    };
    let (run, native) = compare(10, run, || native_chain(&folder.join("native")))?;
    Ok(Row {
        name: "step of a chain of 10, committed to disk".into(),
        airlock: Measured::Time(run / LENGTH),
        native: Some(Measured::Time(native / LENGTH)),
        dagster: Some("step of a chain of 10".into()),
        goal: "≥ 20× faster than Dagster's",
    })
}

/// The same files written as durably by hand: read, written beside, synced, renamed, the directory synced. Nothing is
/// recorded.
fn native_chain(folder: &Path) -> Result<Duration> {
    fs::create_dir_all(folder)?;
    let directory = fs::File::open(folder)?;
    let mut value = vec![7; 1024];
    let (time, ()) = timed(|| {
        for index in 0..LENGTH {
            let (new, kept) = (folder.join("new"), folder.join(format!("a{index}.bin")));
            let mut file = fs::File::create(&new)?;
            file.write_all(&value)?;
            file.sync_all()?;
            fs::rename(&new, &kept)?;
            directory.sync_all()?;
            value = fs::read(&kept)?;
        }
        Ok(())
    })?;
    Ok(time)
}

/// `airlock run` of one small asset, from start to end, beside a process that does nothing.
fn process(folder: &Path) -> Result<Row> {
    definitions(folder, 1)?;
    let command = std::env::current_exe()?.with_file_name("airlock");
    let run = |program: &Path, arguments: &[&str]| {
        let mut child = Command::new(program);
        child.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
        let (time, status) = timed(|| Ok(child.status()?))?;
        anyhow::ensure!(status.success(), "{} failed", program.display());
        Ok(time)
    };
    let (airlock, native) = compare(20, || run(&command, &["run"]), || run(Path::new("true"), &[]))?;
    Ok(Row {
        name: "`airlock run` of one asset, whole process, warm cache".into(),
        airlock: Measured::Time(airlock),
        native: Some(Measured::Time(native)),
        dagster: Some("run of one asset, whole process".into()),
        goal: "≤ 50 ms",
    })
}
