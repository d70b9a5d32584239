//! Storing and loading bytes through `builtin:files`, beside writing and reading a file.

use std::fs;
use std::path::Path;

use airlock_sandbox::value::{Budget, Content, Value};
use anyhow::{Context, Result};

use crate::lab::Lab;
use crate::measure::{Cost, compare, repeat, timed};
use crate::row::Row;

pub fn rows(folder: &Path) -> Result<Vec<Row>> {
    let mut rows = vec![overhead(folder)?];
    let goals = [
        ("1 KiB", 1 << 10, 300, "store and load ≤ 1/3 of Dagster's"),
        ("1 MiB", 1 << 20, 60, ""),
        ("256 MiB", 256 << 20, 5, "≤ 1.1× native"),
    ];
    for (name, size, rounds, goal) in goals {
        rows.extend(bytes(folder, name, size, rounds, goal)?);
    }
    Ok(rows)
}

/// A call that moves nothing: a fresh instance, its files, its end.
fn overhead(folder: &Path) -> Result<Row> {
    let lab = Lab::in_memory("files", folder, Budget::new(0, folder))?;
    let value = Value::single("application/octet-stream", Content::default());
    let airlock = repeat(1000, || Ok(timed(|| lab.store(&value))?.0))?;
    Ok(Row::time("store of nothing, in memory", airlock.time))
}

fn bytes(folder: &Path, name: &str, size: usize, rounds: usize, goal: &str) -> Result<[Row; 2]> {
    let lab = Lab::new("files", folder, Budget::new(u64::MAX, folder))?;
    let row = |way: &str, (airlock, native): (Cost, Cost)| {
        Row::time(format!("{way} {name} through `files`"), airlock.time)
            .native(native.time)
            .dagster(format!("{way} {name}"))
            .goal(goal)
    };
    let (store, load) = beside_native(&lab, folder, size, rounds)?;
    Ok([row("store", store), row("load", load)])
}

/// What storing so many bytes takes, and loading them, each beside writing and reading a file in `folder`.
pub fn beside_native(lab: &Lab, folder: &Path, size: usize, rounds: usize) -> Result<((Cost, Cost), (Cost, Cost))> {
    let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
    let value = Value::single("application/octet-stream", Content::from_bytes(&bytes, &lab.budget)?);
    let native = folder.join("native.bin");
    let store =
        compare(rounds, || Ok(timed(|| lab.store(&value))?.0), || Ok(timed(|| Ok(fs::write(&native, &bytes)?))?.0))?;
    let upstream = lab.store(&value)?.value;
    let load = compare(
        rounds,
        || {
            let (cost, loaded) = timed(|| {
                let value = lab.load(&upstream)?.value;
                let part = value.parts.first().context("nothing was loaded")?;
                Ok(part.content.to_vec()?)
            })?;
            anyhow::ensure!(loaded == bytes, "what was loaded is not what was stored");
            Ok(cost)
        },
        || Ok(timed(|| Ok(fs::read(&native)?))?.0),
    )?;
    fs::remove_file(&native)?;
    Ok((store, load))
}
