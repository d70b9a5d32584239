//! The memory that a large value takes, in a process of its own.

use std::path::Path;
use std::process::Command;

use airlock_sandbox::context::StoredOutput;
use airlock_sandbox::value::{Budget, ContentWriter, Value};
use anyhow::{Context, Result, anyhow, bail};

use crate::generate::{flights, stream};
use crate::lab::{Done, Lab};
use crate::row::Row;
use crate::tables::STREAM;

/// The first argument of the process.
pub const CHILD: &str = "measure-memory";

const SIZE: u64 = 1 << 30;
const ROWS: i64 = 3_000_000;
const CHUNK: usize = 1 << 20;
/// As in a run.
const BUDGET: u64 = 32 << 20;

pub fn rows(folder: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (way, of) in [("store", "bytes"), ("load", "bytes"), ("store", "table"), ("load", "table")] {
        let manager = if of == "table" { "tables" } else { "files" };
        let (process, guest) = measure(&format!("{way} {of}"), manager, folder)?;
        if of == "bytes" {
            rows.push(Row::bytes(format!("memory above idle, {way} of 1 GiB"), process).goal("≤ 64 MiB"));
        } else {
            let (table, goal) = ("3,000,000 rows × 19 columns", "≤ 256 MiB");
            rows.push(Row::bytes(format!("memory above idle, {way} of {table}"), process).goal(goal));
            rows.push(Row::bytes(format!("of that the guest's, {way} of {table}"), guest).goal(goal));
        }
    }
    Ok(rows)
}

/// How far the memory of a process rises that stores or loads through `manager`, and the memory of the guest.
pub fn measure(subject: &str, manager: &str, folder: &Path) -> Result<(u64, u64)> {
    // Components are compiled here, so that the process only reads what was compiled.
    lab(manager, folder)?;
    let output = Command::new(std::env::current_exe()?).args([CHILD, subject, manager]).arg(folder).output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn lab(manager: &str, folder: &Path) -> Result<Lab> {
    Lab::new(manager, folder, Budget::new(BUDGET, folder))
}

/// Prints how far the peak of this process rises above what it took before it stored or loaded, and that of the guest.
pub fn child(subject: &str, manager: &str, folder: &Path) -> Result<()> {
    let lab = lab(manager, folder)?;
    // What it took to get ready does not count.
    std::fs::write("/proc/self/clear_refs", "5").context("cannot forget the peak so far")?;
    let idle = status("VmRSS")?;
    let guest_memory = match subject {
        "store bytes" => {
            let mut content = ContentWriter::new(lab.budget.clone());
            let chunk: Vec<u8> = (0..=250).cycle().take(CHUNK).collect();
            for _ in 0..SIZE / CHUNK as u64 {
                content.append(&chunk)?;
            }
            lab.store(&Value::single("application/octet-stream", content.finish()))?.guest_memory
        }
        "store table" => {
            let content = stream(flights, ROWS, ContentWriter::new(lab.budget.clone()))?;
            lab.store(&Value::single(STREAM, content.finish()))?.guest_memory
        }
        "load bytes" => {
            let (size, guest_memory) = load(&lab)?;
            anyhow::ensure!(size == SIZE, "{size} bytes were loaded");
            guest_memory
        }
        "load table" => {
            let (size, guest_memory) = load(&lab)?;
            anyhow::ensure!(size > 0, "nothing was loaded");
            guest_memory
        }
        _ => bail!("nothing is known of {subject:?}"),
    };
    println!("{}", serde_json::json!([status("VmHWM")?.saturating_sub(idle), guest_memory]));
    Ok(())
}

/// Loads a value and reads all of it; gives its bytes and those of the guest's memory.
fn load(lab: &Lab) -> Result<(u64, u64)> {
    let Done { value, guest_memory } = lab.load(&StoredOutput::default())?;
    let mut reader = value.parts.first().context("nothing was loaded")?.content.reader();
    let mut size = 0;
    loop {
        let bytes = reader.read(CHUNK)?;
        if bytes.is_empty() {
            return Ok((size, guest_memory));
        }
        size += bytes.len() as u64;
    }
}

/// Bytes, by a line of this process's status.
fn status(key: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find(|line| line.starts_with(key)).ok_or_else(|| anyhow!("no {key}"))?;
    let kib: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kib * 1024)
}
