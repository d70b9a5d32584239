//! Calls in worker processes, beside the same calls in this process.

use std::path::Path;

use airlock_sandbox::process::Program;
use airlock_sandbox::value::{Budget, Content, Value};
use airlock_sandbox::{Processes, Sandbox, Settings};
use anyhow::Result;

use crate::lab::Lab;
use crate::measure::{Cost, compare, repeat, timed};
use crate::row::Row;

/// What this program is started with to serve as a process of the sandbox.
pub const PROCESS: &str = "sandbox-process";

pub fn rows(folder: &Path) -> Result<Vec<Row>> {
    let mut rows = vec![start()?];
    for (name, size, rounds) in [("1 KiB", 1 << 10, 300), ("1 MiB", 1 << 20, 60), ("256 MiB", 256 << 20, 5)] {
        rows.extend(bytes(folder, name, size, rounds)?);
    }
    Ok(rows)
}

/// Has calls made in worker processes.
pub fn processes() -> Processes {
    Processes::Calls(Program::own(PROCESS))
}

/// From nothing to a worker that is confined.
fn start() -> Result<Row> {
    let processes = processes();
    let cost = repeat(50, || {
        let sandbox = Sandbox::new(&Settings { processes: processes.clone(), ..Settings::default() })?;
        Ok(timed(|| Ok(sandbox.layers()?))?.0)
    })?;
    Ok(Row::time("a worker process, started, confined and ended", cost.time))
}

fn bytes(folder: &Path, name: &str, size: usize, rounds: usize) -> Result<[Row; 2]> {
    let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
    let budget = || Budget::new(1 << 30, folder);
    let here = Lab::new("files", &folder.join("here"), budget())?;
    let isolated = Lab::isolated("files", &folder.join("isolated"), budget(), processes())?;
    let value = |lab: &Lab| -> Result<Value> {
        Ok(Value::single("application/octet-stream", Content::from_bytes(&bytes, &lab.budget)?))
    };
    let (of_here, of_isolated) = (value(&here)?, value(&isolated)?);
    let store =
        compare(rounds, || Ok(timed(|| isolated.store(&of_isolated))?.0), || Ok(timed(|| here.store(&of_here))?.0))?;
    let (upstream_here, upstream) = (here.store(&of_here)?.value, isolated.store(&of_isolated)?.value);
    let load =
        compare(rounds, || Ok(timed(|| isolated.load(&upstream))?.0), || Ok(timed(|| here.load(&upstream_here))?.0))?;
    let row = |way: &str, (isolated, here): (Cost, Cost)| {
        Row::time(format!("{way} {name}, isolated; beside it not isolated"), isolated.time).native(here.time)
    };
    Ok([row("store", store), row("load", load)])
}
