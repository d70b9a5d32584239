//! The memory that a large value takes, in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use airlock_sandbox::context::StoredOutput;
use airlock_sandbox::value::{Budget, ContentWriter, Value};
use anyhow::{Context, Result, anyhow};

use crate::values::Lab;
use crate::{Measured, Row};

const SIZE: u64 = 1 << 30;
const CHUNK: usize = 1 << 20;
/// As in a run.
const BUDGET: u64 = 32 << 20;

pub fn rows(folder: &Path) -> Result<Vec<Row>> {
    ["store", "load"]
        .into_iter()
        .map(|way| {
            let output = Command::new(std::env::current_exe()?).arg(way).arg(folder).output()?;
            anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let bytes = String::from_utf8(output.stdout)?.trim().parse().context("no number of bytes")?;
            Ok(Row {
                name: format!("memory above idle, {way} of 1 GiB"),
                airlock: Measured::Bytes(bytes),
                native: None,
                dagster: None,
                goal: "≤ 64 MiB",
            })
        })
        .collect()
}

/// Prints how far the peak of this process rises above what it took before it stored or loaded.
pub fn child(way: &str, folder: &str) -> Result<()> {
    let folder = PathBuf::from(folder);
    let lab = Lab::new(Some(&folder.join("airlock")), Budget::new(BUDGET, &folder))?;
    let idle = status("VmRSS")?;
    if way == "store" {
        let mut content = ContentWriter::new(lab.budget.clone());
        let chunk: Vec<u8> = (0..=250).cycle().take(CHUNK).collect();
        for _ in 0..SIZE / CHUNK as u64 {
            content.append(&chunk)?;
        }
        lab.store(&Value::single("application/octet-stream", content.finish()))?;
    } else {
        let value = lab.load(&StoredOutput::default())?;
        let mut reader = value.parts.first().context("nothing was loaded")?.content.reader();
        let mut read = 0;
        loop {
            let bytes = reader.read(CHUNK)?;
            if bytes.is_empty() {
                break;
            }
            read += bytes.len() as u64;
        }
        anyhow::ensure!(read == SIZE, "{read} bytes were loaded");
    }
    println!("{}", status("VmHWM")?.saturating_sub(idle));
    Ok(())
}

/// Bytes, by a line of this process's status.
fn status(key: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find(|line| line.starts_with(key)).ok_or_else(|| anyhow!("no {key}"))?;
    let kib: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kib * 1024)
}
