//! What a component says: metadata, versions, errors; and what it tried in all calls of the other cases.

use airlock_sandbox::context::MetadataValue;
use airlock_sandbox::report::GuestError;

use crate::bench::{Bench, Seen};
use crate::check::{Checked, Findings, Passed, Stop, found, not_claimed};
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::subject::Subject;

pub(super) fn metadata(bench: &Bench<'_>) -> Passed {
    let kinds = bench.kinds()?;
    let promised = &bench.manifest().metadata;
    let (mut findings, mut paths) = (Findings::default(), 0);
    for kind in kinds {
        paths += findings.take(recorded(bench, kind, promised))?.unwrap_or(0);
    }
    if promised.is_empty() && paths == 0 {
        findings.end(None)?;
        return not_claimed("its manifest promises no `metadata`");
    }
    findings.end(None)
}

/// That what is promised is recorded of a value, and that the paths which are recorded lead somewhere. How many paths.
fn recorded(bench: &Bench<'_>, kind: Kind, promised: &[String]) -> Checked<usize> {
    let (lab, subject) = (Lab::new(bench)?, Subject::asset(&["with", "metadata"]));
    let done = format!("stored a value of {}", kind.media_type);
    let record = lab.put(&subject, &bench.value(kind, &kind.sample(1))?, &done)?;
    let labels: Vec<&str> = record.stored_metadata.iter().map(|entry| entry.label.as_str()).collect();
    if let Some(absent) = promised.iter().find(|label| !labels.contains(&label.as_str())) {
        let recorded = if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
        let expected = format!("metadata `{absent}`, which its manifest promises");
        return found(done, expected, format!("metadata with the labels: {recorded}"));
    }
    let files = lab.files()?;
    let path = |value: &MetadataValue| match value {
        MetadataValue::Tagged(kind, path) if kind == "path" && lab.is_below_mount(path) => Some(path.clone()),
        _ => None,
    };
    let paths: Vec<String> = record.stored_metadata.iter().filter_map(|entry| path(&entry.value)).collect();
    let leads_somewhere = |path: &str| files.keys().any(|file| file == path || file.starts_with(&format!("{path}/")));
    match paths.iter().find(|path| !leads_somewhere(path)) {
        Some(path) => {
            found(done, "a path in its metadata that leads to what was stored", format!("{path}, where nothing is"))
        }
        None => Ok(paths.len()),
    }
}

pub(super) fn data_version(bench: &Bench<'_>) -> Passed {
    let none = "it sets no data version; its host takes the digest of the value";
    let (kind, lab, subject) = (bench.any_kind()?, Lab::new(bench)?, Subject::asset(&["with", "version"]));
    let store = |seed| lab.put(&subject, &bench.value(kind, &kind.sample(seed))?, "stored a value");
    let (one, other) = (store(1)?.data_version, store(2)?.data_version);
    match (one, other) {
        (None, None) => not_claimed(none),
        (Some(one), Some(other)) if one != other => Ok(None),
        (Some(one), Some(_)) => found(
            "stored a value, and then another in its place",
            "another data version: by an equal one a run takes the values for equal, and computes nothing anew",
            format!("the version `{one}` of both"),
        ),
        _ => {
            found("stored a value, and then another in its place", "a data version of both", "one of only one of them")
        }
    }
}

/// What was seen in all calls, of which there was one at least.
fn seen(bench: &Bench<'_>) -> Checked<Seen> {
    let seen = bench.seen().clone();
    if seen.calls {
        return Ok(seen);
    }
    Err(Stop::NotTried(
        "no call was made whose errors and denials could be looked at; name other cases beside it".to_owned(),
    ))
}

pub(super) fn errors(bench: &Bench<'_>) -> Passed {
    let seen = seen(bench)?.errors;
    let mut findings = Findings::default();
    for (doing, error) in &seen {
        let Some((expected, told)) = lacks(error) else { continue };
        findings.take::<()>(found(format!("{doing}, which failed"), expected, told))?;
    }
    findings.end(None)
}

/// What `error` should be and what it is, where it does not say what is wrong.
pub(crate) fn lacks(error: &GuestError) -> Option<(&'static str, String)> {
    let is_word = |code: &str| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !code.is_empty() && code.bytes().all(allowed)
    };
    if !is_word(&error.code) {
        let expected = "an error of the contract, or one of its own with a code of a-z, 0-9 and -, such as `no-quorum`";
        return Some((expected, format!("the code {:?}: {error}", error.code)));
    }
    // Of what is not found the partitions say it.
    if error.code != "not-found" && error.message.trim().is_empty() {
        return Some(("an error that says what is wrong", format!("`{}` without a message", error.code)));
    }
    None
}

pub(super) fn denials(bench: &Bench<'_>) -> Passed {
    let seen = seen(bench)?.denials;
    let mut findings = Findings::default();
    for (doing, denial) in &seen {
        let expected = "nothing but what its manifest asks for, of that the files of the value";
        findings.take::<()>(found(*doing, expected, format!("it was denied: {denial}")))?;
    }
    findings.end(None)
}
