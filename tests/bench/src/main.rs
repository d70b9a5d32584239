//! Measures Airlock beside native Rust doing the same work in the same run, and prints a table.
//!
//! Absolute times depend on the machine; the ratios, of medians of rounds in which both sides took their turn, less so.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::allow_attributes,
    reason = "times and sizes are shown, not computed with"
)]

mod memory;
mod pipeline;
mod values;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// One line of the table.
struct Row {
    name: String,
    airlock: Measured,
    native: Option<Measured>,
    /// What Dagster's script calls it.
    dagster: Option<String>,
    goal: &'static str,
}

/// A median.
#[derive(Clone, Copy)]
enum Measured {
    Time(Duration),
    Bytes(u64),
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [what, side] = arguments.as_slice() {
        return memory::child(what, side);
    }
    let folder = fast_folder()?;
    let mut rows = values::rows(folder.path())?;
    rows.extend(memory::rows(folder.path())?);
    rows.extend(pipeline::rows()?);
    let dagster = dagster(folder.path())?;
    print_table(&rows, dagster.as_ref());
    Ok(())
}

/// A folder on a file system in memory where there is one, so that the disk is not what is measured.
fn fast_folder() -> Result<tempfile::TempDir> {
    let shared = Path::new("/dev/shm");
    let folder = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
    folder.context("no folder to measure in")
}

/// The path of the built component `name`.
fn guest(name: &str) -> Result<PathBuf> {
    let root = std::env::var_os("AIRLOCK_GUESTS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests"), PathBuf::from);
    let path = root.join(name);
    path.canonicalize().with_context(|| format!("{} is not there; run `make guests`", path.display()))
}

/// The bytes of the built component `name`.
fn component(name: &str) -> Result<Vec<u8>> {
    Ok(std::fs::read(guest(name)?)?)
}

/// The median times of `a` and `b`, which take turns; the first round is not counted.
fn compare(
    rounds: usize,
    mut a: impl FnMut() -> Result<Duration>,
    mut b: impl FnMut() -> Result<Duration>,
) -> Result<(Duration, Duration)> {
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (time_a, time_b) = (a()?, b()?);
        if round > 0 {
            of_a.push(time_a);
            of_b.push(time_b);
        }
    }
    Ok((median(of_a), median(of_b)))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let start = Instant::now();
    let result = work()?;
    Ok((start.elapsed(), result))
}

/// What Dagster's script measured, where `DAGSTER` names a Python that has it.
fn dagster(folder: &Path) -> Result<Option<serde_json::Value>> {
    let Some(python) = std::env::var_os("DAGSTER").filter(|python| !python.is_empty()) else { return Ok(None) };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("measure_dagster.py");
    let output = Command::new(python).arg(script).arg(folder).output().context("cannot run Dagster's Python")?;
    anyhow::ensure!(output.status.success(), "Dagster failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(Some(serde_json::from_slice(&output.stdout)?))
}

fn print_table(rows: &[Row], dagster: Option<&serde_json::Value>) {
    println!("{}\n", machine());
    if let Some(dagster) = dagster {
        println!("Dagster {}, Python {}.\n", text(&dagster["version"]), text(&dagster["python"]));
    }
    println!("| | Airlock | native Rust | × native | Dagster | Dagster ÷ Airlock | goal |");
    println!("|---|---|---|---|---|---|---|");
    for row in rows {
        let native = row.native.map(shown).unwrap_or_default();
        let times = row.native.map(|native| format!("{:.2}", ratio(row.airlock, native))).unwrap_or_default();
        let peer = row.dagster.as_ref().and_then(|name| dagster?[name.as_str()].as_f64());
        let peer = peer.map(|seconds| Measured::Time(Duration::from_secs_f64(seconds)));
        let faster = peer.map(|peer| format!("{:.1}", ratio(peer, row.airlock))).unwrap_or_default();
        let peer = peer.map(shown).unwrap_or_default();
        println!("| {} | {} | {native} | {times} | {peer} | {faster} | {} |", row.name, shown(row.airlock), row.goal);
    }
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn ratio(a: Measured, b: Measured) -> f64 {
    match (a, b) {
        (Measured::Time(a), Measured::Time(b)) => a.as_secs_f64() / b.as_secs_f64(),
        (Measured::Bytes(a), Measured::Bytes(b)) => a as f64 / b as f64,
        _ => f64::NAN,
    }
}

fn shown(measured: Measured) -> String {
    match measured {
        Measured::Time(time) if time < Duration::from_millis(1) => format!("{:.1} µs", time.as_secs_f64() * 1e6),
        Measured::Time(time) => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        Measured::Bytes(bytes) => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let line = |text: &str, key: &str| {
        let found = text.lines().find(|line| line.starts_with(key));
        found.and_then(|line| line.split(':').nth(1)).unwrap_or("?").trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory: u64 = line(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    format!(
        "{}, {cores} cores, {} GiB of memory, Linux {}, load {} at the start.",
        line(&read("/proc/cpuinfo"), "model name"),
        memory >> 20,
        kernel.split('-').next().unwrap_or("?").trim(),
        load.split(' ').next().unwrap_or("?"),
    )
}
