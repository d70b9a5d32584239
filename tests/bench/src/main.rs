//! Measures Airlock beside native Rust doing the same work in the same run, and prints a table.
//!
//! `airlock-bench` measures all, `airlock-bench FILTER` the groups whose names have `FILTER` in them.
//!
//! Absolute times depend on the machine; the ratios, of medians of rounds in which both sides took their turn, less so.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::allow_attributes,
    reason = "times and sizes are shown, not computed with"
)]

mod assets;
mod chain;
mod dagster;
mod generate;
mod isolation;
mod lab;
mod languages;
mod measure;
mod memory;
mod partitions;
mod process;
mod project;
mod row;
mod table;
mod tables;
mod values;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::row::Row;
use crate::table::Column;

/// What is measured together: its name, and what measures it in a folder.
struct Group {
    name: &'static str,
    folder: Folder,
    measure: Measure,
}

enum Measure {
    /// Rows of the table that groups have in common.
    Rows(fn(&Path) -> Result<Vec<Row>>),
    /// A table of its own.
    Columns(fn(&Path) -> Result<Vec<Column>>),
}

/// Where a group of rows is measured.
enum Folder {
    /// On a file system in memory where there is one, so that the disk is not what is measured.
    Memory,
    /// On a disk: what is measured is a run whose events and values are committed.
    Disk,
}

const GROUPS: &[Group] = &[
    Group { name: "values", folder: Folder::Memory, measure: Measure::Rows(values::rows) },
    Group { name: "isolation", folder: Folder::Memory, measure: Measure::Rows(isolation::rows) },
    Group { name: "memory", folder: Folder::Memory, measure: Measure::Rows(memory::rows) },
    Group { name: "tables", folder: Folder::Memory, measure: Measure::Rows(tables::rows) },
    Group { name: "languages", folder: Folder::Memory, measure: Measure::Columns(languages::columns) },
    Group { name: "chain", folder: Folder::Disk, measure: Measure::Rows(chain::rows) },
    Group { name: "partitions", folder: Folder::Disk, measure: Measure::Rows(partitions::rows) },
    Group { name: "assets", folder: Folder::Disk, measure: Measure::Rows(assets::rows) },
    Group { name: "process", folder: Folder::Disk, measure: Measure::Rows(process::rows) },
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filter = match arguments.as_slice() {
        [] => "",
        [what] if what == isolation::PROCESS => {
            // Serving ends with the sandbox that started it, which hears why.
            airlock_sandbox::process::serve();
            return Ok(());
        }
        [filter] => filter,
        [what, subject, manager, folder] if what == memory::CHILD => {
            return memory::child(subject, manager, Path::new(folder));
        }
        _ => bail!("usage: airlock-bench [FILTER]"),
    };
    let groups: Vec<&Group> = GROUPS.iter().filter(|group| group.name.contains(filter)).collect();
    let names = |groups: &[&Group]| groups.iter().map(|group| group.name).collect::<Vec<_>>();
    if groups.is_empty() {
        bail!("no group is named like {filter:?}; there are {}", names(&GROUPS.iter().collect::<Vec<_>>()).join(", "));
    }
    let machine = row::machine();
    let (mut rows, mut columns) = (Vec::new(), Vec::new());
    // They are removed when all is measured, since removing many files slows down what follows.
    let mut folders = Vec::new();
    for group in &groups {
        eprintln!("bench: measuring {}", group.name);
        let folder = group.folder.make()?;
        let failed = || format!("cannot measure {}", group.name);
        match group.measure {
            Measure::Rows(measure) => rows.extend(measure(folder.path()).with_context(failed)?),
            Measure::Columns(measure) => columns.extend(measure(folder.path()).with_context(failed)?),
        }
        folders.push(folder);
    }
    let dagster = dagster::measure(&names(&groups), Folder::Memory.make()?.path())?;
    println!("{machine}");
    row::print(&rows, dagster.as_ref());
    table::print(&columns);
    Ok(())
}

impl Folder {
    fn make(&self) -> Result<tempfile::TempDir> {
        let shared = Path::new("/dev/shm");
        let folder = match self {
            Self::Memory if shared.is_dir() => tempfile::tempdir_in(shared),
            Self::Memory => tempfile::tempdir(),
            Self::Disk => tempfile::tempdir_in(guest("")?),
        };
        folder.context("no folder to measure in")
    }
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
