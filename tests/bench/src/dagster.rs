//! Dagster doing the same work.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// What Dagster's script measured of `groups`, in seconds by name, where `DAGSTER` names a Python that has it.
pub fn measure(groups: &[&str], folder: &Path) -> Result<Option<serde_json::Value>> {
    let Some(python) = std::env::var_os("DAGSTER").filter(|python| !python.is_empty()) else { return Ok(None) };
    eprintln!("bench: measuring Dagster");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("measure_dagster.py");
    let output = Command::new(python).arg(script).arg(folder).args(groups).output();
    let output = output.context("cannot run Dagster's Python")?;
    anyhow::ensure!(output.status.success(), "Dagster failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(Some(serde_json::from_slice(&output.stdout)?))
}
