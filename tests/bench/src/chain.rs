//! A run in which each step loads what the one before it stored.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::measure::{Cost, compare, timed};
use crate::project::{self, ByHand, Project};
use crate::row::Row;

const LENGTH: u32 = 10;

pub fn rows(folder: &Path) -> Result<Vec<Row>> {
    let step = |index: u32| {
        let inputs = index.checked_sub(1).map(|before| format!("inputs = [\"a{before}\"]\n"));
        Ok(project::asset(&format!("a{index}"))? + &inputs.unwrap_or_default())
    };
    let assets: String = (0..LENGTH).map(step).collect::<Result<_>>()?;
    fs::write(folder.join("airlock.toml"), [project::STORE, &assets].concat())?;
    let project = Project::new(folder)?;
    let plan = project.plan(None)?;
    let run = || {
        project.clear()?;
        Ok(timed(|| project.run(&plan, LENGTH))?.0)
    };
    let (airlock, native) = compare(10, run, || by_hand(&folder.join("native")))?;
    let row = Row::time("step of a chain of 10, committed to disk", airlock.time / LENGTH)
        .native(native.time / LENGTH)
        .dagster("step of a chain of 10")
        .goal("≥ 20× faster than Dagster's");
    Ok(vec![row])
}

fn by_hand(folder: &Path) -> Result<Cost> {
    let mut files = ByHand::new(folder)?;
    let (cost, ()) = timed(|| {
        for index in 0..LENGTH {
            files.value = fs::read(files.write(&format!("a{index}.bin"))?)?;
        }
        Ok(())
    })?;
    Ok(cost)
}
