//! Outputs that must not meet, by their keys, by their runs, or while calls are made at once.

use std::thread;

use airlock_sandbox::context::StoredOutput;
use airlock_sandbox::partition::PartitionKey;

use crate::Stopped;
use crate::bench::Bench;
use crate::check::{Checked, Findings, Passed, Stop};
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::subject::Subject;

/// Calls at once.
const AT_ONCE: u16 = 4;
/// How often each of them stores.
const ROUNDS: u16 = 4;

/// Stores a value of its own in each of `subjects`, and loads them all once all are stored.
fn apart(lab: &Lab<'_>, bench: &Bench<'_>, kind: Kind, subjects: &[(String, Subject)], what: &str) -> Passed {
    let (mut findings, mut records) = (Findings::default(), Vec::new());
    for ((name, subject), seed) in subjects.iter().zip(1..) {
        let value = bench.value(kind, &kind.sample(seed))?;
        records.push(findings.take(lab.put(subject, &value, &format!("stored {what} {name:?}")))?);
    }
    for (((name, subject), seed), record) in subjects.iter().zip(1..).zip(records) {
        let Some(record) = record else { continue };
        let done = format!("stored {} values, one of them as {what} {name:?}, and loaded that", subjects.len());
        findings.take(lab.check(subject, &[record], kind, &kind.sample(seed), &done))?;
    }
    findings.end(None)
}

pub(super) fn runs(bench: &Bench<'_>) -> Passed {
    let (kind, lab) = (bench.kind()?, Lab::new(bench)?);
    let outputs = [
        ("run-1", "count", "result"),
        ("run-2", "count", "result"),
        ("RUN-1", "count", "result"),
        ("run-1", "count", "other"),
        ("run-1", "Count", "result"),
        ("run-1", "each.count", "result"),
    ];
    let subject = |(run, step, output): (&str, &str, &str)| {
        (format!("{step}.{output} of {run}"), Subject::output(run, step, output))
    };
    let mut subjects: Vec<_> = outputs.into_iter().map(subject).collect();
    subjects.push(("count".to_owned(), Subject::asset(&["count"])));
    apart(&lab, bench, kind, &subjects, "the output")
}

pub(super) fn awkward_keys(bench: &Bench<'_>) -> Passed {
    let (kind, lab) = (bench.kind()?, Lab::new(bench)?);
    let long = "k".repeat(300);
    let assets: [&[&str]; 20] = [
        &["plain"],
        &["Plain"],
        &["a", "b"],
        &["a/b"],
        &["a", "b", "c"],
        &[".."],
        &["."],
        &["..", "..", "etc"],
        &["%2e%2e"],
        &["ü", "🦀"],
        &["u\u{308}"],
        &["con"],
        &["line\nbreak"],
        &[" "],
        &["-x"],
        &["a=b"],
        &["a\\b"],
        &["a.txt"],
        &["\u{202e}"],
        &[&long],
    ];
    let assets: Vec<_> = assets.into_iter().map(|key| (key.join(" / "), Subject::asset(key))).collect();
    let mut findings = Findings::default();
    findings.take(apart(&lab, bench, kind, &assets, "the asset"))?;
    let other = format!("{long}l");
    let keys = [
        "2026-01-31T00:00",
        "A",
        "a",
        "../x",
        "a/b",
        "a=b",
        "a.b",
        "ü|🦀",
        " ",
        "line\nbreak",
        "%41",
        "-",
        "'\"",
        &long,
        &other,
    ];
    let partition = |key: &str| {
        let asset = Subject::asset(&["parts", "awkward"]);
        (key.to_owned(), asset.partitions(&[PartitionKey::single("key", key)]))
    };
    let partitions: Vec<_> = keys.into_iter().map(partition).collect();
    findings.take(apart(&lab, bench, kind, &partitions, "the partition"))?;
    findings.end(None)
}

/// Does `work` in so many threads, and gives what each gave.
fn in_threads<T: Send>(count: u16, work: impl Fn(u16) -> Checked<T> + Sync) -> Vec<Checked<T>> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                scope.spawn({
                    let work = &work;
                    move || work(number)
                })
            })
            .collect();
        let panicked = || Err(Stop::Test(Stopped::Host("a thread of the kit panicked".to_owned())));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| panicked())).collect()
    })
}

pub(super) fn at_once(bench: &Bench<'_>) -> Passed {
    let (kind, lab) = (bench.kind()?, Lab::new(bench)?);
    let done =
        format!("stored {} values in {AT_ONCE} threads, each in a place of its own, and loaded one", AT_ONCE * ROUNDS);
    let work = |thread: u16| -> Checked<Vec<(u16, Subject, StoredOutput)>> {
        let mut stored = Vec::new();
        for round in 0..ROUNDS {
            let seed = thread * 100 + round;
            let subject = Subject::asset(&["at", "once", &seed.to_string()]);
            let record = lab.put(&subject, &bench.value(kind, &kind.sample(seed))?, &done)?;
            stored.push((seed, subject, record));
        }
        Ok(stored)
    };
    let mut findings = Findings::default();
    let mut all = Vec::new();
    for stored in in_threads(AT_ONCE, work) {
        all.extend(findings.take(stored)?.unwrap_or_default());
    }
    // Only once all are stored, so that what came in the place of another shows, whichever was first.
    let checks = in_threads(AT_ONCE, |thread| {
        let of_thread = all.iter().filter(|(seed, ..)| seed / 100 == thread);
        of_thread
            .map(|(seed, subject, record)| {
                lab.check(subject, std::slice::from_ref(record), kind, &kind.sample(*seed), &done)
            })
            .collect::<Checked<Vec<()>>>()
    });
    for checked in checks {
        findings.take(checked)?;
    }
    findings.end(None)
}
