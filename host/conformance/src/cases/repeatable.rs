//! What is claimed to be the same each time: the files of one value, and what an op computes of one input.
//!
//! It is done twice, and all that should not matter differs in between: the clocks, all random numbers, the run and its attempt.
//! Under one clock and one seed a time or a random number in a file would be the same both times and stay hidden. Under two it
//! shows, also where only the day or the weekday is told, and nobody has to wait for a clock.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use airlock_sandbox::Deterministic;
use airlock_sandbox::limits::CHUNK;
use airlock_sandbox::partition::PartitionKey;
use airlock_sandbox::report::Computed;
use airlock_sandbox::value::{Input, Part, Value};

use super::ops::{self, Asked};
use super::table_values;
use crate::bench::Bench;
use crate::check::{self, Checked, Findings, Passed, Stop, found, not_claimed, told};
use crate::kinds::{self, Form};
use crate::lab::Lab;
use crate::looking::bytes_of;
use crate::subject::Subject;

/// Sunday, 9 September 2001, 01:46:40.123.
const FIRST: Deterministic = Deterministic { time: Duration::from_millis(1_000_000_000_123), seed: 1 };
/// Wednesday, 18 May 2033, 15:33:37.456: of what a clock tells but the century, all is otherwise.
const SECOND: Deterministic = Deterministic { time: Duration::from_millis(2_000_043_217_456), seed: 2 };
const AGAIN: &str = "in another run, at another time and with other random numbers";

pub(super) fn stores(bench: &Bench<'_>) -> Passed {
    bench.stores()?;
    is_claimed(bench)?;
    let kinds = bench.kinds()?;
    let subject = Subject::asset(&["stored", "twice"]);
    let mut findings = Findings::default();
    for kind in &kinds {
        let value = bench.value(*kind, &kind.sample(60))?;
        findings.take(is_stored_alike(bench, &subject, &value, &format!("a value of {}", kind.media_type)))?;
    }
    if let Some(kind) = kinds.iter().find(|kind| kind.form == Form::Table) {
        let value = bench.value(*kind, &table_values::described()?)?;
        findings.take(is_stored_alike(bench, &subject, &value, "a table with metadata"))?;
    }
    if let Some(kind) = kinds.first().filter(|_| bench.takes_many()) {
        let days = ["2026-01-30", "2026-01-31", "2026-02-01"];
        let parts = days.iter().zip(1..).map(|(day, seed)| bench.part(*kind, Some(day), &kind.sample(seed)));
        let value = Value { parts: parts.collect::<Checked<_>>()? };
        let subject = subject.partitions(&days.map(|day| PartitionKey::single("days", day)));
        findings.take(is_stored_alike(bench, &subject, &value, "three partitions in one call"))?;
    }
    findings.end(None)
}

fn is_claimed(bench: &Bench<'_>) -> Checked<()> {
    if bench.manifest().repeatable { Ok(()) } else { not_claimed("its manifest does not say `repeatable`") }
}

/// That `value` is stored as the same files in two empty directories.
fn is_stored_alike(bench: &Bench<'_>, subject: &Subject, value: &Value, what: &str) -> Checked<()> {
    let done = format!("stored {what} in two empty directories, the second time {AGAIN}");
    let (one, other) = (Lab::new(bench)?.told(FIRST), Lab::new(bench)?.told(SECOND).again());
    one.put(subject, value, &done)?;
    other.put(&subject.again(), value, &done)?;
    match files_difference(&one.files()?, &other.files()?)? {
        Some(difference) => {
            found(done, "the same files with the same bytes, since its manifest says `repeatable`", difference)
        }
        None => Ok(()),
    }
}

fn files_difference(one: &BTreeMap<String, PathBuf>, other: &BTreeMap<String, PathBuf>) -> io::Result<Option<String>> {
    for (path, file) in one {
        let Some(again) = other.get(path) else { return Ok(Some(format!("{path} the first time only"))) };
        if let Some(difference) = file_difference(file, again)? {
            return Ok(Some(format!("in {path} the second time {difference}")));
        }
    }
    let more = other.keys().find(|path| !one.contains_key(*path));
    Ok(more.map(|path| format!("{path} the second time only")))
}

/// How the second of two files, which may be large, differs from the first.
fn file_difference(one: &Path, other: &Path) -> io::Result<Option<String>> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (was, is) = (one.metadata()?.len(), other.metadata()?.len());
    if was != is {
        return Ok(Some(format!("{is} bytes in the place of {was}")));
    }
    let (mut first, mut second, mut before) = (Vec::new(), Vec::new(), 0);
    loop {
        for (file, chunk) in [(&mut one, &mut first), (&mut other, &mut second)] {
            chunk.clear();
            file.take(CHUNK as u64).read_to_end(chunk)?;
        }
        if first != second {
            let same = first.iter().zip(&second).take_while(|(one, other)| one == other).count();
            return Ok(Some(format!("{is} bytes, of which those from byte {} on are others", before + same)));
        }
        if first.is_empty() {
            return Ok(None);
        }
        before += first.len();
    }
}

pub(super) fn computes(bench: &Bench<'_>) -> Passed {
    bench.computes()?;
    is_claimed(bench)?;
    let nothing = ops::asked(bench, &Lab::new(bench)?.told(FIRST), &Input::Loaded(Value::default()))?;
    let (mut findings, mut computed) = (Findings::default(), Vec::new());
    if findings.take(is_computed_alike(bench, &nothing, Value::default(), "without a part"))? == Some(true) {
        computed.push("no part");
    }
    for kind in kinds::claimed(&bench.manifest().values) {
        if nothing.inputs.is_empty() {
            break;
        }
        let value = bench.value(kind, &kind.sample(60))?;
        let asked = ops::asked(bench, &Lab::new(bench)?.told(FIRST), &Input::Loaded(value.clone()))?;
        let given = format!("each of {}", kind.media_type);
        if findings.take(is_computed_alike(bench, &asked, value, &given))? == Some(true) {
            computed.push(kind.media_type);
        }
    }
    findings.end(None)?;
    match (computed.as_slice(), nothing.inputs.join(", ").as_str()) {
        ([], _) => Err(Stop::NotTried("of no value that the kit has does it compute anything".to_owned())),
        (_, "") => Ok(None),
        (computed, inputs) => Ok(Some(format!("{inputs} was given {}", computed.join(", ")))),
    }
}

/// That what was computed first is computed again of the same inputs, each with `value`. Whether anything was.
fn is_computed_alike(bench: &Bench<'_>, first: &Asked, value: Value, given: &str) -> Checked<bool> {
    let Ok(one) = &first.last.outcome else { return Ok(false) };
    let given = if first.inputs.is_empty() { String::new() } else { format!(", {given}") };
    let done = format!("ran it {}{given}, twice, the second time {AGAIN}", ops::named(&first.inputs));
    let inputs = ops::with(&first.inputs, &Input::Loaded(value));
    let again = Lab::new(bench)?.told(SECOND).again().run(&inputs, &first.outputs)?;
    let expected = "the same outputs with the same bytes, since its manifest says `repeatable`";
    match again.outcome {
        Err(failure) => found(done, expected, told(&failure)),
        Ok(other) => match outputs_difference(one, &other, &done)? {
            Some(difference) => found(done, expected, difference),
            None => Ok(one.outputs.iter().any(|output| !output.value.parts.is_empty())),
        },
    }
}

fn outputs_difference(one: &Computed, other: &Computed, done: &str) -> Checked<Option<String>> {
    for (was, is) in one.outputs.iter().zip(&other.outputs) {
        let name = &was.name;
        let (parts, others) = (&was.value.parts, &is.value.parts);
        if parts.len() != others.len() {
            return Ok(Some(format!("of {name} {} parts in the place of {}", others.len(), parts.len())));
        }
        for (was, is) in parts.iter().zip(others) {
            if (&was.key, &was.media_type) != (&is.key, &is.media_type) {
                let shown = |part: &Part| format!("{:?} of {}", part.key, part.media_type);
                return Ok(Some(format!("of {name} the part {} in the place of {}", shown(is), shown(was))));
            }
            let (was, is) = (bytes_of(was, done)?, bytes_of(is, done)?);
            if let Some(difference) = check::difference(&was, &is) {
                return Ok(Some(format!("of {name} the second time {difference}")));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_compared_by_their_names_their_lengths_and_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let files = |files: &[(&str, &PathBuf)]| -> BTreeMap<String, PathBuf> {
            files.iter().map(|(path, file)| ((*path).to_owned(), (*file).clone())).collect()
        };
        let mut long = vec![7; CHUNK + 9];
        let (one, same) = (file("one", &long), file("same", &long));
        *long.last_mut().unwrap() = 8;
        let (other, short) = (file("other", &long), file("short", b"x"));
        let difference = |one: &[(&str, &PathBuf)], other: &[(&str, &PathBuf)]| {
            files_difference(&files(one), &files(other)).unwrap().unwrap_or_default()
        };
        assert_eq!(difference(&[("/a", &one)], &[("/a", &same)]), "");
        assert_eq!(
            difference(&[("/a", &one)], &[("/a", &other)]),
            "in /a the second time 1048585 bytes, of which those from byte 1048584 on are others"
        );
        assert_eq!(
            difference(&[("/a", &one)], &[("/a", &short)]),
            "in /a the second time 1 bytes in the place of 1048585"
        );
        assert_eq!(difference(&[("/a", &one)], &[]), "/a the first time only");
        assert_eq!(difference(&[], &[("/a", &one)]), "/a the second time only");
    }
}
