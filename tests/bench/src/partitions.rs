//! A run of many partitions of one asset: definitions read, planned, computed, stored, events committed.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::measure::{Cost, compare, timed};
use crate::project::{self, ByHand, Project};
use crate::row::{Row, ratio};

const FEW: u32 = 100;
const MANY: u32 = 1000;
const MOST: u32 = 10_000;

pub fn rows(folder: &Path) -> Result<Vec<Row>> {
    let (few, many, most) = (run(folder, FEW, 10)?, run(folder, MANY, 5)?, run(folder, MOST, 3)?);
    let row = |count: &str, (airlock, native): (Cost, Cost)| {
        [
            Row::time(format!("partition of a run of {count}, committed to disk"), airlock.time)
                .native(native.time)
                .dagster("partition"),
            Row::time(format!("CPU of a partition of a run of {count}"), airlock.cpu)
                .native(native.cpu)
                .dagster("CPU of a partition"),
        ]
    };
    let [many_time, many_cpu] = row("1,000", many);
    let [most_time, most_cpu] = row("10,000", most);
    let growth = |most, few| format!("≤ 1.2× that at 100 (is {:.2}×)", ratio(most, few));
    let mut rows = Vec::from(row("100", few));
    rows.push(many_time.goal("≥ 50× less than Dagster's"));
    rows.push(many_cpu.goal("≥ 100× less than Dagster's"));
    rows.push(most_time.goal(growth(most.0.time, few.0.time)));
    rows.push(most_cpu.goal(growth(most.0.cpu, few.0.cpu)));
    Ok(rows)
}

/// What one of `count` partitions takes, and what its file takes by hand.
fn run(folder: &Path, count: u32, rounds: usize) -> Result<(Cost, Cost)> {
    let folder = folder.join(count.to_string());
    fs::create_dir(&folder)?;
    let keys: Vec<String> = (0..count).map(|number| format!("{number:05}")).collect();
    let partitions = format!("\n[partitions.numbers]\nstatic = {keys:?}\n");
    let asset = project::asset("a")? + "partitions = \"numbers\"\n";
    fs::write(folder.join("airlock.toml"), [project::STORE, &partitions, &asset].concat())?;
    let project = Project::new(&folder)?;
    let airlock = || {
        project.clear()?;
        let (cost, ()) = timed(|| {
            project.read()?;
            project.run(&project.plan(Some("all"))?, count)
        })?;
        Ok(cost)
    };
    let (airlock, native) = compare(rounds, airlock, || by_hand(&folder.join("native"), &keys))?;
    Ok((airlock / count, native / count))
}

fn by_hand(folder: &Path, keys: &[String]) -> Result<Cost> {
    let files = ByHand::new(folder)?;
    let (cost, ()) = timed(|| keys.iter().try_for_each(|key| files.write(key).map(drop)))?;
    Ok(cost)
}
