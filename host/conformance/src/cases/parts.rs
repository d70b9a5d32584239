//! Parts of values: partitions, and elements of dynamic outputs.

use std::collections::BTreeMap;

use airlock_sandbox::context::StoredOutput;
use airlock_sandbox::partition::PartitionKey;
use airlock_sandbox::report::Failure;
use airlock_sandbox::value::Value;

use crate::bench::Bench;
use crate::check::{Checked, Findings, Passed, Stop, found, innermost, told};
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::looking::{bytes_of, listed};
use crate::subject::Subject;

/// What is stored of each partition.
type Parts = Vec<(PartitionKey, Vec<u8>)>;
/// What is recorded of each.
pub(super) type Records = BTreeMap<String, StoredOutput>;

fn days(kind: Kind, days: &[(&str, u16)]) -> Parts {
    days.iter().map(|(day, seed)| (PartitionKey::single("days", day), kind.sample(*seed))).collect()
}

fn keys(parts: &Parts) -> Vec<PartitionKey> {
    parts.iter().map(|(key, _)| key.clone()).collect()
}

/// Stores `parts` as a pipeline does: in one call where the manifest says so, otherwise in one for each.
pub(super) fn put(
    (bench, lab): (&Bench<'_>, &Lab<'_>),
    subject: &Subject,
    kind: Kind,
    parts: &Parts,
    done: &str,
) -> Checked<Records> {
    let mut records = Records::new();
    if bench.takes_many() {
        let made = parts.iter().map(|(key, bytes)| bench.part(kind, Some(&key.key), bytes));
        let value = Value { parts: made.collect::<Checked<Vec<_>>>()? };
        let record = lab.put(&subject.partitions(&keys(parts)), &value, done)?;
        records.extend(parts.iter().map(|(key, _)| (key.key.clone(), record.clone())));
    } else {
        for (key, bytes) in parts {
            let record = lab.put(&subject.partitions(std::slice::from_ref(key)), &bench.value(kind, bytes)?, done)?;
            records.insert(key.key.clone(), record);
        }
    }
    Ok(records)
}

/// Loads each of `parts` by itself; and, of a manager that stores many in one call, all of them in one call.
pub(super) fn check(
    (bench, lab): (&Bench<'_>, &Lab<'_>),
    subject: &Subject,
    records: &Records,
    (kind, parts): (Kind, &Parts),
    done: &str,
) -> Checked<()> {
    let record = |key: &PartitionKey| records.get(&key.key).cloned().unwrap_or_default();
    for (key, bytes) in parts {
        let of_one = subject.partitions(std::slice::from_ref(key));
        let done = format!("{done}, and loaded {:?}", key.key);
        lab.check(&of_one, &[record(key)], kind, bytes, &done)?;
    }
    if !bench.takes_many() || parts.len() < 2 {
        return Ok(());
    }
    let done = format!("{done}, and loaded all {} in one call", parts.len());
    let upstream: Vec<StoredOutput> = parts.iter().map(|(key, _)| record(key)).collect();
    let value = lab.get(&subject.partitions(&keys(parts)), &upstream, &done)?;
    compare(&value, kind, parts, &done)
}

/// That `value` has `parts` and no others, each with its own value.
fn compare(value: &Value, kind: Kind, parts: &Parts, done: &str) -> Checked<()> {
    let expected = names(parts.iter().map(|(key, _)| key.key.as_str()));
    let given = names(value.parts.iter().map(|part| part.key.as_deref().unwrap_or("(no key)")));
    for (key, bytes) in parts {
        let Some(part) = value.parts.iter().find(|part| part.key.as_deref() == Some(&key.key)) else {
            return found(done, format!("parts with the keys {expected}"), format!("the keys {given}"));
        };
        if let Some(difference) = kind.difference(bytes, &bytes_of(part, done)?) {
            return found(done, format!("of {:?} the value that was stored of it", key.key), difference);
        }
    }
    if value.parts.len() == parts.len() {
        return Ok(());
    }
    found(done, format!("parts with the keys {expected}"), format!("the keys {given}"))
}

fn names<'a>(keys: impl ExactSizeIterator<Item = &'a str>) -> String {
    listed(keys.map(|key| format!("{key:?}")))
}

pub(super) fn many(bench: &Bench<'_>) -> Passed {
    let (kind, lab, subject) = (bench.kind()?, Lab::new(bench)?, Subject::asset(&["parts", "many"]));
    // The later ones are shorter, so that what is left over of those before them shows.
    let parts = days(kind, &[("2026-01-30", 900), ("2026-01-31", 30), ("2026-02-01", 2), ("2026-02-02", 1)]);
    let done = "stored four partitions";
    let records = put((bench, &lab), &subject, kind, &parts, done)?;
    check((bench, &lab), &subject, &records, (kind, &parts), done)?;
    Ok(None)
}

pub(super) fn dimensions(bench: &Bench<'_>) -> Passed {
    let (kind, lab, subject) = (bench.kind()?, Lab::new(bench)?, Subject::asset(&["parts", "dimensions"]));
    let key = |day: &str, region: &str| PartitionKey {
        key: format!("{day}|{region}"),
        dimensions: vec![("days".to_owned(), day.to_owned()), ("region".to_owned(), region.to_owned())],
    };
    let cells = [("2026-01-31", "eu"), ("2026-01-31", "us"), ("2026-02-01", "eu"), ("2026-02-01", "us")];
    let parts: Parts =
        cells.into_iter().zip(1..).map(|((day, region), seed)| (key(day, region), kind.sample(seed))).collect();
    let done = "stored four partitions of two dimensions";
    let records = put((bench, &lab), &subject, kind, &parts, done)?;
    check((bench, &lab), &subject, &records, (kind, &parts), done)?;
    Ok(None)
}

pub(super) fn replace(bench: &Bench<'_>) -> Passed {
    let (kind, lab, subject) = (bench.kind()?, Lab::new(bench)?, Subject::asset(&["parts", "replaced"]));
    let mut parts = days(kind, &[("2026-01-30", 1), ("2026-01-31", 2), ("2026-02-01", 3)]);
    let mut records = put((bench, &lab), &subject, kind, &parts, "stored three partitions")?;
    let done = "stored three partitions, and then the second one anew";
    let again = days(kind, &[("2026-01-31", 40)]);
    records.extend(put((bench, &lab), &subject, kind, &again, done)?);
    parts.splice(1..2, again);
    check((bench, &lab), &subject, &records, (kind, &parts), done)?;
    Ok(None)
}

/// That `report` of loading what is not there is `not-found`, and names `absent` where partitions are asked for.
fn is_not_found(failure: Option<&Failure>, absent: &[&str], asked: usize, done: &str) -> Checked<()> {
    let expected = match (absent, asked) {
        ([], _) => "the error `not-found`".to_owned(),
        (absent, 1) => format!("the error `not-found`, with the partition {:?} or without", absent.concat()),
        (absent, _) => format!("the error `not-found` with the partitions that are absent: {}", absent.join(", ")),
    };
    let Some(failure) = failure else { return found(done, expected, "it was loaded") };
    let Failure::Guest { error } = innermost(failure) else { return found(done, expected, told(failure)) };
    let named: Vec<&str> = error.partitions.iter().map(String::as_str).collect();
    let is_named = named == absent || (asked <= 1 && named.is_empty());
    if error.code == "not-found" && is_named {
        return Ok(());
    }
    let shown = if named.is_empty() { "none".to_owned() } else { named.join(", ") };
    found(done, expected, format!("{}; it names {shown}", told(failure)))
}

pub(super) fn missing(bench: &Bench<'_>) -> Passed {
    bench.loads()?;
    let (lab, mut findings) = (Lab::new(bench)?, Findings::default());
    let done = "loaded an asset of which nothing is stored";
    let report = lab.load(&Subject::asset(&["never", "stored"]), &[], (false, &[]))?;
    findings.take(is_not_found(report.outcome.as_ref().err(), &[], 0, done))?;
    let done = "loaded a partition of which nothing is stored";
    let subject = Subject::asset(&["never", "stored"]).partitions(&[PartitionKey::single("days", "2026-01-31")]);
    let report = lab.load(&subject, &[], (false, &[]))?;
    findings.take(is_not_found(report.outcome.as_ref().err(), &["2026-01-31"], 1, done))?;
    if let Some((subject, upstream)) = gap_of_many(bench, &lab, &mut findings)? {
        let done = "stored two of four partitions, and loaded all four in one call";
        let report = lab.load(&subject, &upstream, (false, &[]))?;
        findings.take(is_not_found(report.outcome.as_ref().err(), &["2026-01-31", "2026-02-02"], 4, done))?;
    }
    findings.end(None)
}

/// Four partitions, of which the second and the last are not stored.
fn gap(bench: &Bench<'_>, lab: &Lab<'_>) -> Checked<(Subject, Vec<StoredOutput>)> {
    let (kind, subject) = (bench.kind()?, Subject::asset(&["parts", "missing"]));
    let stored = days(kind, &[("2026-01-30", 1), ("2026-02-01", 2)]);
    let records = put((bench, lab), &subject, kind, &stored, "stored two partitions")?;
    let all = ["2026-01-30", "2026-01-31", "2026-02-01", "2026-02-02"];
    let upstream = all.map(|key| records.get(key).cloned().unwrap_or_default()).to_vec();
    Ok((subject.partitions(&all.map(|key| PartitionKey::single("days", key))), upstream))
}

/// As [`gap`], of a manager that stores many partitions in one call, and none of another one.
fn gap_of_many(
    bench: &Bench<'_>,
    lab: &Lab<'_>,
    findings: &mut Findings,
) -> Checked<Option<(Subject, Vec<StoredOutput>)>> {
    if !bench.takes_many() {
        return Ok(None);
    }
    match gap(bench, lab) {
        Err(Stop::NotClaimed(_)) => Ok(None),
        // What was found until then says more than that there is nothing to go on with.
        Err(Stop::NotTried(_)) if !findings.is_empty() => Ok(None),
        gap => findings.take(gap),
    }
}

pub(super) fn allow_missing(bench: &Bench<'_>) -> Passed {
    bench.loads()?;
    let (lab, mut findings) = (Lab::new(bench)?, Findings::default());
    let of_one = Subject::asset(&["never", "stored"]).partitions(&[PartitionKey::single("days", "2026-01-31")]);
    let asset = Subject::asset(&["never", "stored"]);
    for (subject, absent, what) in [(asset, &[][..], "an asset"), (of_one, &["2026-01-31"], "a partition")] {
        let done = format!("loaded {what} of which nothing is stored, where what is absent may be left out");
        let report = lab.load(&subject, &[], (true, &[]))?;
        let checked = match &report.outcome {
            Ok(loaded) if loaded.value.is_absent() => Ok(()),
            Ok(loaded) => found(done, "no part", format!("{} parts", loaded.value.parts.len())),
            // The host then leaves it out.
            Err(failure) => is_not_found(Some(failure), absent, absent.len(), &done),
        };
        findings.take(checked)?;
    }
    if let Some((subject, upstream)) = gap_of_many(bench, &lab, &mut findings)? {
        let done = "stored two of four partitions, and loaded all four in one call, where absent ones may be left out";
        let stored = days(bench.kind()?, &[("2026-01-30", 1), ("2026-02-01", 2)]);
        let report = lab.load(&subject, &upstream, (true, &[]))?;
        let checked = match report.outcome {
            Ok(loaded) => compare(&loaded.value, bench.kind()?, &stored, done),
            Err(failure) => found(done, "the two that are there are loaded", told(&failure)),
        };
        findings.take(checked)?;
    }
    findings.end(None)
}

pub(super) fn elements(bench: &Bench<'_>) -> Passed {
    let (kind, lab) = (bench.kind()?, Lab::new(bench)?);
    let element = |key: &str| Subject::output("run-1", "list", "stories").element(key);
    let mut records = Vec::new();
    for (key, seed) in [("fox", 40), ("hare", 2), ("Fox", 3)] {
        let value = Value { parts: vec![bench.part(kind, Some(key), &kind.sample(seed))?] };
        let record = lab.put(&element(key), &value, &format!("stored the element `{key}` of a dynamic output"))?;
        records.push((key, seed, record));
    }
    for (key, seed, record) in records {
        let done = format!("stored three elements of a dynamic output, and loaded `{key}`");
        lab.check(&element(key), &[record], kind, &kind.sample(seed), &done)?;
    }
    Ok(None)
}
