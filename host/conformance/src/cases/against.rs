//! Two versions of a component, each of which has to load what the other stored.

use airlock_sandbox::component::{Component, Manifest};
use airlock_sandbox::partition::PartitionKey;
use airlock_sandbox::value::Value;

use crate::bench::Bench;
use crate::check::{Checked, Findings, Passed, not_claimed};
use crate::kinds::{self, Kind};
use crate::lab::Lab;
use crate::subject::Subject;

pub(super) fn loads_other(bench: &Bench<'_>) -> Passed {
    between(bench, bench.other()?, bench.kit.component)
}

pub(super) fn other_loads(bench: &Bench<'_>) -> Passed {
    between(bench, bench.kit.component, bench.other()?)
}

/// That `reader` loads what `writer` stored.
fn between(bench: &Bench<'_>, writer: &Component, reader: &Component) -> Passed {
    if !writer.inspection().exports.output {
        return not_claimed(format!("{} does not store", writer.name()));
    }
    if !reader.inspection().exports.input {
        return not_claimed(format!("{} does not load", reader.name()));
    }
    let claims = |component: &Component| {
        kinds::claimed(component.inspection().manifest.as_ref().map_or(&[], |manifest: &Manifest| &manifest.values))
    };
    let theirs = claims(reader);
    let common: Vec<Kind> = claims(writer).into_iter().filter(|kind| theirs.contains(kind)).collect();
    if common.is_empty() {
        return not_claimed("they claim no kind of value in common");
    }
    let mut findings = Findings::default();
    for kind in common {
        findings.take(values(bench, (writer, reader), kind))?;
        findings.take(partitions(bench, (writer, reader), kind))?;
    }
    findings.end(None)
}

fn values(bench: &Bench<'_>, (writer, reader): (&Component, &Component), kind: Kind) -> Checked<()> {
    let lab = Lab::new(bench)?;
    let (writing, reading) = (lab.lent_to(writer)?, lab.lent_to(reader)?);
    for seed in [1, 3000] {
        let (subject, bytes) = (Subject::asset(&["of", "another", &seed.to_string()]), kind.sample(seed));
        let done = format!("stored a value of {} with {}", kind.media_type, writer.name());
        let record = writing.put(&subject, &bench.value(kind, &bytes)?, &done)?;
        let done = format!("{done}, and loaded it with {}", reader.name());
        reading.check(&subject, &[record], kind, &bytes, &done)?;
        reading.check(&subject, &[], kind, &bytes, &format!("{done} as one of which nothing is recorded"))?;
    }
    Ok(())
}

fn partitions(bench: &Bench<'_>, (writer, reader): (&Component, &Component), kind: Kind) -> Checked<()> {
    let lab = Lab::new(bench)?;
    let (writing, reading) = (lab.lent_to(writer)?, lab.lent_to(reader)?);
    let takes_many = writer.inspection().manifest.as_ref().is_some_and(|manifest| manifest.many_partitions);
    for (day, seed) in [("2026-01-30", 40), ("2026-01-31", 2)] {
        let key = PartitionKey::single("days", day);
        let (subject, bytes) = (Subject::asset(&["of", "another"]).partitions(&[key]), kind.sample(seed));
        let done = format!("stored a partition of {} with {}", kind.media_type, writer.name());
        let value = Value { parts: vec![bench.part(kind, takes_many.then_some(day), &bytes)?] };
        let record = writing.put(&subject, &value, &done)?;
        let done = format!("{done}, and loaded it with {}", reader.name());
        reading.check(&subject, &[record], kind, &bytes, &done)?;
    }
    Ok(())
}
