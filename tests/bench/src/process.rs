//! The command as a whole process.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::measure::{compare, timed};
use crate::project;
use crate::row::Row;

/// `airlock run` of one small asset, from start to end, beside a process that does nothing.
pub fn rows(folder: &Path) -> Result<Vec<Row>> {
    fs::write(folder.join("airlock.toml"), [project::STORE, &project::asset("a")?].concat())?;
    let command = std::env::current_exe()?.with_file_name("airlock");
    let run = |program: &Path, arguments: &[&str]| {
        let mut child = Command::new(program);
        child.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
        let (cost, status) = timed(|| Ok(child.status()?))?;
        anyhow::ensure!(status.success(), "{} failed", program.display());
        Ok(cost)
    };
    let (airlock, native) = compare(20, || run(&command, &["run"]), || run(Path::new("true"), &[]))?;
    let row = Row::time("`airlock run` of one asset, whole process, warm cache", airlock.time)
        .native(native.time)
        .dagster("run of one asset, whole process")
        .goal("≤ 50 ms");
    Ok(vec![row])
}
