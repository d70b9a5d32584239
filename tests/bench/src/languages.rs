//! The same small manager in six languages: how it starts, what it moves, and the memory that it takes for it.

use std::fs;
use std::path::Path;

use airlock_sandbox::Processes;
use airlock_sandbox::process::Program;
use airlock_sandbox::value::{Budget, Value};
use anyhow::Result;

use crate::lab::{self, Lab};
use crate::measure::{Cost, repeat, timed};
use crate::row::{ratio, shown, shown_bytes};
use crate::table::Column;
use crate::{guest, isolation, memory, values};

/// As `guests/languages` calls them.
const LANGUAGES: [&str; 6] = ["rust", "c", "cpp", "go", "python", "javascript"];

/// A column for each language that is built.
pub fn columns(folder: &Path) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    for name in LANGUAGES {
        let manager = format!("languages/{name}");
        if guest(&format!("{manager}.wasm")).is_err() {
            eprintln!("bench: the guest in {name} is not built and left out; `make guests-all` builds it");
            continue;
        }
        // What one stored need not lie in memory while the next is measured.
        let folder = tempfile::tempdir_in(folder)?;
        let mut figures = starting(&manager, folder.path())?;
        figures.extend(moving(&manager, folder.path())?);
        columns.push(Column { name, figures });
    }
    Ok(columns)
}

type Figures = Vec<(&'static str, String)>;

fn starting(manager: &str, folder: &Path) -> Result<Figures> {
    let path = guest(&format!("{manager}.wasm"))?;
    let compiling = || Processes::Compiling(Program::own(isolation::PROCESS));
    let load = |folder: &Path| {
        let sandbox = lab::sandbox(folder, compiling())?;
        Ok(timed(|| Ok(sandbox.load(&path)?))?.0)
    };
    // Once: it is seconds where it matters.
    let compiled = load(folder)?;
    let loaded = repeat(20, || load(folder))?;
    // It has a fresh instance do all that a manager does but move bytes.
    let nothing = Value::default();
    let budget = || Budget::new(0, folder);
    let first = repeat(20, || {
        let lab = Lab::in_memory(manager, folder, budget())?;
        Ok(timed(|| lab.store(&nothing))?.0)
    })?;
    let lab = Lab::in_memory(manager, folder, budget())?;
    let fresh = repeat(300, || Ok(timed(|| lab.store(&nothing))?.0))?;
    let isolated = repeat(20, || {
        let lab = Lab::isolated(manager, folder, budget(), isolation::processes())?;
        Ok(timed(|| lab.store(&nothing))?.0)
    })?;
    Ok(vec![
        ("component", shown_bytes(fs::metadata(&path)?.len())),
        ("compiled code", shown_bytes(compiled_bytes(folder)?)),
        ("first load: compiled, in a process of its own", shown(compiled.time)),
        ("later load: from the cache of compiled code", shown(loaded.time)),
        ("first call after a load, store of no parts", shown(first.time)),
        ("each further call, store of no parts", shown(fresh.time)),
        ("first call with `--isolate`, store of no parts", shown(isolated.time)),
    ])
}

fn moving(manager: &str, folder: &Path) -> Result<Figures> {
    let beside = |(airlock, native): (Cost, Cost)| {
        format!("{}, {:.1} × native", shown(airlock.time), ratio(airlock.time, native.time))
    };
    let lab = Lab::new(manager, folder, Budget::new(u64::MAX, folder))?;
    let (store_small, load_small) = values::beside_native(&lab, folder, 1 << 10, 300)?;
    let (store_large, load_large) = values::beside_native(&lab, folder, 64 << 20, 9)?;
    let (memory_store, guest_store) = memory::measure("store bytes", manager, folder)?;
    let (memory_load, guest_load) = memory::measure("load bytes", manager, folder)?;
    Ok(vec![
        ("store 1 KiB", beside(store_small)),
        ("load 1 KiB", beside(load_small)),
        ("store 64 MiB", beside(store_large)),
        ("load 64 MiB", beside(load_large)),
        ("memory above idle, store of 1 GiB", shown_bytes(memory_store)),
        ("memory above idle, load of 1 GiB", shown_bytes(memory_load)),
        ("linear memory of the guest, store of 1 GiB", shown_bytes(guest_store)),
        ("linear memory of the guest, load of 1 GiB", shown_bytes(guest_load)),
    ])
}

/// Bytes of all that is kept compiled.
fn compiled_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder.join("compiled"))? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
