//! Stores that cannot go well, and what is left then.

use std::fs::{File, OpenOptions};
use std::path::Path;

use airlock_sandbox::component::ConfigSchema;
use airlock_sandbox::context::StoredOutput;
use airlock_sandbox::limits::CHUNK;
use airlock_sandbox::report::{Failure, Report};
use airlock_sandbox::value::{Content, Part, Value};
use serde_json::json;

use crate::bench::Bench;
use crate::check::{Checked, Findings, Passed, found, innermost, not_claimed, told};
use crate::kinds::{self, Kind, UNKNOWN};
use crate::lab::{Lab, Provoked};
use crate::subject::Subject;

/// Bytes of a value whose store is stopped.
const STOPPED: usize = 3 * CHUNK;
/// Keys of a schema that are given wrong values.
const KEYS: usize = 16;

/// A value that is stored, and must stay so.
struct Old<'b> {
    bench: &'b Bench<'b>,
    lab: Lab<'b>,
    subject: Subject,
    kind: Kind,
    bytes: Vec<u8>,
    record: StoredOutput,
    loads: bool,
}

impl<'b> Old<'b> {
    /// Stores one in `lab`.
    fn new(bench: &'b Bench<'b>, lab: Lab<'b>) -> Checked<Self> {
        let (kind, subject) = (bench.any_kind()?, Subject::asset(&["old", "value"]));
        if !lab.is_written() {
            return not_claimed("it asks for no directory to write");
        }
        let bytes = kind.sample(9);
        let record = lab.put(&subject, &bench.value(kind, &bytes)?, "stored a value")?;
        Ok(Self { bench, lab, subject, kind, bytes, record, loads: bench.exports().input })
    }

    /// That it is there still, where the component can tell.
    fn is_there(&self, done: &str) -> Checked<()> {
        if !self.loads {
            return Ok(());
        }
        let done = format!("{done}, and then loaded what was there before");
        self.lab.check(&self.subject, std::slice::from_ref(&self.record), self.kind, &self.bytes, &done)
    }
}

pub(super) fn cut_off(bench: &Bench<'_>) -> Passed {
    let old = Old::new(bench, Lab::new(bench)?)?;
    let Some(bytes) = old.kind.of_size(STOPPED + 1) else { return not_claimed("it claims no kind of large value") };
    let mut findings = Findings::default();
    let folder = tempfile::tempdir()?;
    for chunks in 0..=bytes.len() / CHUNK {
        let content = ending_early(&folder.path().join("value"), &bytes, chunks * CHUNK)?;
        let value = Value { parts: vec![Part { key: None, media_type: old.kind.media_type.to_owned(), content }] };
        let done = format!(
            "stored a value of {} bytes in the place of another, of which reading fails after {} bytes",
            bytes.len(),
            chunks * CHUNK
        );
        let report = old.lab.provoking(Provoked::Failures).store(&old.subject, &value)?;
        if report.outcome.is_ok() {
            findings.take::<()>(found(
                &done,
                "an error: who cannot read the value to its end does not store it",
                "it returned ok",
            ))?;
            break;
        }
        findings.take(old.is_there(&done))?;
    }
    findings.end(None)
}

/// A content of `bytes` in `file` that can be read up to `end` only.
fn ending_early(file: &Path, bytes: &[u8], end: usize) -> Checked<Content> {
    std::fs::write(file, bytes)?;
    let content = Content::from_file(File::open(file)?)?;
    OpenOptions::new().write(true).open(file)?.set_len(end as u64)?;
    Ok(content)
}

pub(super) fn full_disk(bench: &Bench<'_>) -> Passed {
    let mut findings = Findings::default();
    // Of a full disk a component is told, and can go on; a limit ends its call.
    let full = Old::new(bench, Lab::in_memory(bench)?)?;
    stored_in(&full, &mut findings, "on a disk with room", |room| full.lab.with_room(room))?;
    let limited = Old::new(bench, Lab::new(bench)?)?;
    stored_in(&limited, &mut findings, "with a limit", |limit| limited.lab.with_limit(limit))?;
    findings.end(None)
}

/// Stores a value in the place of `old` in labs with ever more room, and looks each time at what is there then.
fn stored_in<'b>(
    old: &Old<'b>,
    findings: &mut Findings,
    how: &str,
    lab: impl Fn(u64) -> Checked<Lab<'b>>,
) -> Checked<()> {
    let Some(bytes) = old.kind.of_size(STOPPED) else { return not_claimed("it claims no kind of large value") };
    for room in [0, 1, CHUNK / 2, CHUNK, 2 * CHUNK, STOPPED - 1] {
        let done = format!("stored a value of {} bytes in the place of another, {how} for {room}", bytes.len());
        let value = old.bench.value(old.kind, &bytes)?;
        match lab(room as u64)?.store(&old.subject, &value)?.outcome {
            Err(failure) if matches!(innermost(&failure), Failure::Trap { .. }) => {
                findings.take::<()>(found(&done, "the call ends, or an error", told(&failure)))?;
            }
            Err(_) => {
                findings.take(old.is_there(&done))?;
            }
            // It may have stored it in fewer bytes.
            Ok(stored) if old.loads => {
                let record = old.subject.record(&stored);
                let done = format!("{done}, which returned ok, and loaded it");
                findings.take(old.lab.check(&old.subject, &[record], old.kind, &bytes, &done))?;
                return Ok(());
            }
            // But not in half of them: the kit's large values hold five bits a byte at least.
            Ok(_) if room < bytes.len() / 2 => {
                findings.take::<()>(found(&done, "an error: it cannot have stored it", "it returned ok"))?;
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

pub(super) fn read_only(bench: &Bench<'_>) -> Passed {
    let old = Old::new(bench, Lab::new(bench)?)?;
    let done = "stored a value in the place of another, in a directory that is lent to read only";
    let report = old.lab.read_only()?.store(&old.subject, &bench.value(old.kind, &old.kind.sample(10))?)?;
    let expected = "an error, such as `access-denied`";
    let Err(failure) = &report.outcome else { return found(done, expected, "it returned ok") };
    if let Failure::Trap { .. } | Failure::Limit { .. } = innermost(failure) {
        return found(done, expected, told(failure));
    }
    old.is_there(done)?;
    Ok(None)
}

pub(super) fn unknown_type(bench: &Bench<'_>) -> Passed {
    bench.any_kind()?;
    let values = &bench.manifest().values;
    let claims = values.is_empty() || values.iter().any(|value| kinds::matches(value, UNKNOWN.media_type));
    let (lab, subject, bytes) = (Lab::new(bench)?, Subject::asset(&["unheard", "of"]), UNKNOWN.sample(1));
    let done = format!(
        "stored a value of {}, which it does {}",
        UNKNOWN.media_type,
        if claims { "claim" } else { "not claim" }
    );
    let stored = match lab.store(&subject, &bench.value(UNKNOWN, &bytes)?)?.outcome {
        Ok(stored) => stored,
        Err(failure) if claims => return found(done, "it is stored", told(&failure)),
        // What it was denied on the way is told of by another case.
        Err(failure) => match innermost(&failure) {
            Failure::Guest { error } if error.code == "unsupported-type" => return Ok(None),
            _ => return found(done, "the error `unsupported-type`", told(&failure)),
        },
    };
    if bench.exports().input {
        let record = subject.record(&stored);
        lab.check(&subject, &[record], UNKNOWN, &bytes, &format!("{done}, and loaded it"))?;
    }
    Ok((!claims).then(|| "it stores more than it claims".to_owned()))
}

/// Configurations that `schema` refuses, each with what is wrong with it.
fn wrong_configs(schema: Option<&ConfigSchema>, right: &serde_json::Value) -> Vec<(String, serde_json::Value)> {
    const NO_SUCH_KEY: &str = "no_such_key_of_airlock";
    let with = |key: &str, value: serde_json::Value| {
        let mut config = right.as_object().cloned().unwrap_or_default();
        config.insert(key.to_owned(), value);
        serde_json::Value::Object(config)
    };
    let mut wrong = vec![(format!("the key `{NO_SUCH_KEY}`, which it does not know"), with(NO_SUCH_KEY, json!(true)))];
    for (key, _) in schema.into_iter().flat_map(ConfigSchema::keys).take(KEYS) {
        let values = [json!({ "a": 1 }), json!(7), json!("\u{1}none of them"), json!(null), json!([])];
        wrong.extend(values.into_iter().map(|value| (format!("{value} as `{key}`"), with(key, value))));
    }
    for key in right.as_object().into_iter().flat_map(serde_json::Map::keys) {
        let mut config = right.as_object().cloned().unwrap_or_default();
        config.remove(key);
        wrong.push((format!("no `{key}`"), serde_json::Value::Object(config)));
    }
    let refuses = |config: &serde_json::Value| schema.is_some_and(|schema| !schema.check(config, &[]).is_empty());
    wrong.retain(|(_, config)| refuses(config));
    wrong
}

pub(super) fn wrong_config(bench: &Bench<'_>) -> Passed {
    let kind = bench.any_kind()?;
    let manifest = bench.manifest();
    let lab = Lab::new(bench)?.provoking(Provoked::Denials);
    let subject = Subject::asset(&["wrong", "configuration"]);
    let mut findings = Findings::default();
    let of_manager = wrong_configs(manifest.config.as_ref(), bench.kit.config);
    let of_output = wrong_configs(manifest.output_config.as_ref(), &json!({}));
    if of_manager.is_empty() && of_output.is_empty() {
        return not_claimed("its manifest has no schema that refuses anything");
    }
    let value = bench.value(kind, &kind.sample(1))?;
    for (wrong, config) in of_manager {
        let lab = lab.configured(config, json!(null));
        findings
            .take(is_refused(&lab.store(&subject, &value)?, &format!("stored a value, configured with {wrong}")))?;
        if bench.exports().input {
            let loaded = lab.load(&Subject::asset(&["never", "stored"]), &[], (true, &[]))?;
            findings.take(is_refused(&loaded, &format!("loaded a value, configured with {wrong}")))?;
        }
    }
    for (wrong, config) in of_output {
        let lab = lab.configured(bench.kit.config.clone(), config);
        let done = format!("stored a value, with an output configured with {wrong}");
        findings.take(is_refused(&lab.store(&subject, &value)?, &done))?;
    }
    findings.end(None)
}

/// That a wrong configuration is refused as one, or does not matter: what the schema refuses is refused before a call.
fn is_refused<T>(report: &Report<T>, done: &str) -> Checked<()> {
    match &report.outcome {
        Ok(_) => Ok(()),
        Err(failure) => match innermost(failure) {
            Failure::Guest { error } if ["invalid-config", "not-found"].contains(&error.code.as_str()) => Ok(()),
            _ => found(done, "the error `invalid-config`, or as if it was not there", told(failure)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_keys_a_schema_has_wrong_values_of_some_are_tried() {
        let keys: serde_json::Map<_, _> =
            (0..1000).map(|number| (format!("key {number}"), json!({ "type": "string" }))).collect();
        let schema = serde_json::from_value(json!({ "type": "object", "properties": keys })).unwrap();
        // Of the five values one is a string.
        assert_eq!(wrong_configs(Some(&schema), &json!({})).len(), 4 * KEYS);
    }
}
