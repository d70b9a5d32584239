//! A run of many assets that do not depend on one another, defined in many files.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::measure::{Cost, repeat, timed};
use crate::project::{self, Project};
use crate::row::{Row, ratio};

const FILES: u32 = 50;
const FEW: u32 = 100;
const MANY: u32 = 5000;

/// What one of many assets takes.
struct OfOne {
    /// To read the definitions and to plan.
    planned: Cost,
    /// To do that and the run.
    run: Cost,
}

pub fn rows(folder: &Path) -> Result<Vec<Row>> {
    let (few, many) = (measure(folder, FEW, 10)?, measure(folder, MANY, 3)?);
    let growth = |many, few| format!("≤ 1.2× that at 100 (is {:.2}×)", ratio(many, few));
    let row = |count: &str, of: &OfOne| {
        [
            Row::time(format!("asset of {count} in 50 files, read and planned"), of.planned.time),
            Row::time(format!("asset of a run of {count} in 50 files, committed to disk"), of.run.time),
            Row::time(format!("CPU of an asset of a run of {count} in 50 files"), of.run.cpu),
        ]
    };
    let [planned, time, cpu] = row("5,000", &many);
    let mut rows = Vec::from(row("100", &few));
    rows.push(planned.goal(growth(many.planned.time, few.planned.time)));
    rows.push(time.goal(growth(many.run.time, few.run.time)));
    rows.push(cpu.goal(growth(many.run.cpu, few.run.cpu)));
    Ok(rows)
}

fn measure(folder: &Path, count: u32, rounds: usize) -> Result<OfOne> {
    let folder = folder.join(count.to_string());
    define(&folder, count)?;
    let project = Project::new(&folder)?;
    let plan = || {
        project.read()?;
        project.plan(None)
    };
    let planned = repeat(rounds, || Ok(timed(plan)?.0))?;
    let run = repeat(rounds, || {
        project.clear()?;
        Ok(timed(|| project.run(&plan()?, count))?.0)
    })?;
    Ok(OfOne { planned: planned / count, run: run / count })
}

fn define(folder: &Path, count: u32) -> Result<()> {
    fs::create_dir_all(folder.join("assets"))?;
    fs::write(folder.join("airlock.toml"), ["include = [\"assets/*.toml\"]\n\n", project::STORE].concat())?;
    for file in 0..FILES {
        let assets = (file..count).step_by(FILES as usize).map(|index| project::asset(&format!("a{index}")));
        fs::write(folder.join(format!("assets/{file}.toml")), assets.collect::<Result<String>>()?)?;
    }
    Ok(())
}
