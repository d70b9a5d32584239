//! Values that come back.

use airlock_sandbox::limits::CHUNK;
use airlock_sandbox::text::safe_line;

use crate::bench::Bench;
use crate::check::{Checked, Findings, Passed, Stop, found, not_claimed, told};
use crate::kinds::{self, Form, Kind};
use crate::lab::Lab;
use crate::subject::Subject;

/// Bytes of a large value.
const LARGE: usize = 64 << 20;

pub(super) fn small(bench: &Bench<'_>) -> Passed {
    let small = bench.small()?;
    if !small.findings.is_empty() {
        return Err(Stop::Found(small.findings.clone()));
    }
    let unknown = kinds::unknown(&bench.manifest().values);
    let note = format!("not {}, of which the kit makes no values", safe_line(&unknown.join(", "), 200));
    Ok((!unknown.is_empty()).then_some(note))
}

/// Stores `bytes` of `kind` in directories of their own and loads them.
pub(super) fn round_trip(bench: &Bench<'_>, kind: Kind, bytes: &[u8], what: &str) -> Checked<()> {
    let (lab, subject) = (Lab::new(bench)?, Subject::asset(&["round", "trip"]));
    let done = format!("stored {what} of {}", kind.media_type);
    let record = lab.put(&subject, &bench.value(kind, bytes)?, &done)?;
    lab.check(&subject, &[record], kind, bytes, &format!("{done} and loaded it"))
}

/// Round trips of a value of so many bytes of each kind that has such values.
fn of_sizes(bench: &Bench<'_>, kinds: &[Kind], sizes: &[usize]) -> Passed {
    let (mut findings, mut tried) = (Findings::default(), 0);
    for kind in kinds {
        for &size in sizes {
            let Some(bytes) = kind.of_size(size) else { continue };
            tried += 1;
            let what = if kind.form == Form::Table { "a table of about" } else { "a value of" };
            let bytes_word = if size == 1 { "byte" } else { "bytes" };
            findings.take(round_trip(bench, *kind, &bytes, &format!("{what} {size} {bytes_word}")))?;
        }
    }
    if tried == 0 {
        return not_claimed("none of the kinds that it claims has such a value");
    }
    findings.end(None)
}

pub(super) fn empty(bench: &Bench<'_>) -> Passed {
    of_sizes(bench, &bench.loaded_kinds()?, &[0])
}

pub(super) fn one_byte(bench: &Bench<'_>) -> Passed {
    of_sizes(bench, &bench.loaded_kinds()?, &[1])
}

pub(super) fn chunk_edges(bench: &Bench<'_>) -> Passed {
    // Kinds of one form differ by their names alone.
    let mut kinds = bench.loaded_kinds()?;
    let mut forms = Vec::new();
    kinds.retain(|kind| {
        let is_new = !forms.contains(&kind.form);
        forms.push(kind.form);
        is_new
    });
    of_sizes(bench, &kinds, &[CHUNK - 1, CHUNK, CHUNK + 1])
}

pub(super) fn large(bench: &Bench<'_>) -> Passed {
    of_sizes(bench, &[bench.kind()?], &[LARGE])
}

pub(super) fn texts(bench: &Bench<'_>) -> Passed {
    let kind = bench.kind_of(Form::Text, "text")?;
    let mut findings = Findings::default();
    for (what, text) in [
        ("a text without an end of line at its end", "a\nb"),
        ("a text with the ends of lines of Windows", "a\r\nb\r\n"),
        ("a text that begins with a byte order mark", "\u{feff}a"),
        ("a text with a NUL", "a\0b"),
        ("a text of blanks", " \t\n "),
        ("a text of letters that combine", "e\u{301}\u{e9}👩‍👩‍👧\u{202e}"),
    ] {
        findings.take(round_trip(bench, kind, text.as_bytes(), what))?;
    }
    findings.end(None)
}

pub(super) fn json(bench: &Bench<'_>) -> Passed {
    let kind = bench.kind_of(Form::Json, "JSON")?;
    let mut findings = Findings::default();
    for (what, json) in [
        ("the JSON null", "null"),
        ("the JSON false", "false"),
        ("an empty list", "[]"),
        ("an object with a null", "{\"a\":null}"),
        ("an object with blanks in it", "{\"a b\": \" c  d \"}"),
        ("an integer that no double holds", "9007199254740993"),
        ("a number with all its digits", "0.1000000000000000055511151231257827"),
        ("a text with escapes", "\"\\u0000\\ud83e\\udd80\\n\""),
    ] {
        findings.take(round_trip(bench, kind, json.as_bytes(), &format!("{what}, `{json}`,")))?;
    }
    findings.end(None)
}

pub(super) fn no_record(bench: &Bench<'_>) -> Passed {
    let mut findings = Findings::default();
    for kind in bench.loaded_kinds()? {
        let (lab, subject, bytes) = (Lab::new(bench)?, Subject::asset(&["no", "record"]), kind.sample(7));
        let done = format!("stored a value of {}, and loaded it as one of which nothing is recorded", kind.media_type);
        let stored = lab.put(&subject, &bench.value(kind, &bytes)?, &done);
        let Some(_) = findings.take(stored)? else { continue };
        findings.take(lab.check(&subject, &[], kind, &bytes, &done))?;
    }
    findings.end(None)
}

pub(super) fn overwrite_shorter(bench: &Bench<'_>) -> Passed {
    let mut findings = Findings::default();
    for kind in bench.loaded_kinds()? {
        findings.take(shorten(bench, kind))?;
    }
    findings.end(None)
}

fn shorten(bench: &Bench<'_>, kind: Kind) -> Checked<()> {
    let (lab, subject) = (Lab::new(bench)?, Subject::asset(&["over", "written"]));
    let (long, short) = (kind.sample(2000), kind.sample(1));
    let done = format!("stored a value of {}", kind.media_type);
    lab.put(&subject, &bench.value(kind, &long)?, &done)?;
    let done = format!("{done}, and then a shorter one in its place");
    let record = lab.put(&subject, &bench.value(kind, &short)?, &done)?;
    lab.check(&subject, &[record], kind, &short, &format!("{done}, and loaded it"))
}

pub(super) fn overwrite_kind(bench: &Bench<'_>) -> Passed {
    let kinds = bench.loaded_kinds()?;
    let mut findings = Findings::default();
    // From each to the next, and from the last to the first.
    let pairs = kinds.iter().zip(kinds.iter().cycle().skip(1)).filter(|(one, other)| one != other);
    let mut tried = false;
    for (old, new) in pairs {
        tried = true;
        findings.take(change_kind(bench, *old, *new))?;
    }
    if tried { findings.end(None) } else { not_claimed("it has only one kind of value") }
}

fn change_kind(bench: &Bench<'_>, old: Kind, new: Kind) -> Checked<()> {
    let (lab, subject, bytes) = (Lab::new(bench)?, Subject::asset(&["over", "written"]), new.sample(4));
    let done = format!("stored a value of {}", old.media_type);
    lab.put(&subject, &bench.value(old, &old.sample(3))?, &done)?;
    let done = format!("{done}, and then one of {} in its place", new.media_type);
    let record = lab.put(&subject, &bench.value(new, &bytes)?, &done)?;
    let done = format!("{done}, and loaded it");
    lab.check(&subject, &[record], new, &bytes, &done)?;
    lab.check(&subject, &[], new, &bytes, &format!("{done} as one of which nothing is recorded"))
}

pub(super) fn leaves_nothing(bench: &Bench<'_>) -> Passed {
    let kinds = bench.loaded_kinds()?;
    let mut findings = Findings::default();
    for kind in kinds {
        findings.take(unread_files(bench, kind))?;
    }
    findings.end(None)
}

fn unread_files(bench: &Bench<'_>, kind: Kind) -> Checked<()> {
    let (lab, subject) = (Lab::new(bench)?, Subject::asset(&["leaves", "nothing"]));
    let done = format!("stored a value of {} twice in one place, and loaded it", kind.media_type);
    lab.put(&subject, &bench.value(kind, &kind.sample(5))?, &done)?;
    let record = lab.put(&subject, &bench.value(kind, &kind.sample(6))?, &done)?;
    let report = lab.load(&subject, &[record], (false, &[]))?;
    if let Err(failure) = &report.outcome {
        return found(done, "it is loaded", told(failure));
    }
    // What a record says need not be read from a file, and is where there is none.
    let bare = lab.load(&subject, &[], (false, &[]))?;
    let reads = [&report.receipt.read, &bare.receipt.read];
    let files = lab.files()?;
    let is_read = |path: &String| reads.iter().any(|read| read.files.iter().any(|file| file.path == *path));
    let mut unread = files.keys().filter(|path| !is_read(path));
    match unread.next() {
        Some(path) if reads.iter().all(|read| read.unlisted == 0) => found(
            done,
            "no files but those that loading reads: one that is made on the way is removed before the store ends",
            format!("{path}, which loading did not read"),
        ),
        _ => Ok(()),
    }
}
