//! What a worker says that a call gave, recorded and used.

use std::time::Duration;

use rustix::fs::ftruncate;

use super::*;
use crate::context::{AssetEvent, AssetEventKind, MetadataEntry, MetadataValue};
use crate::limits::{INLINE_BYTES, METADATA_BYTES};
use crate::process::message::PackedOutput;
use crate::report::{Denials, Transfers};

#[test]
fn a_value_has_no_more_than_a_guest_may_write() {
    let scene = Scene::new();
    let filled = |bytes: u64, pieces: Vec<PackedPiece>| {
        let outcome = scene.call::<Loaded>(loading(), |theirs| {
            let given = ask_for_file(theirs).unwrap();
            ftruncate(&given, bytes).unwrap();
            say(theirs, &ended(single(pieces)), &[&given]);
        });
        outcome.map_err(told).map(drop)
    };
    assert_eq!(filled(10 * MIB, vec![at(0, 0, 10 * MIB)]), Ok(()));
    assert!(filled(10 * MIB, vec![at(0, 0, 10 * MIB), inline(b"x")]).is_err());
    assert!(filled(10 * MIB, vec![at(0, 0, 10 * MIB), at(0, 0, 10 * MIB)]).is_err(), "the same bytes again");
    // Files of a mount are held open, so many and no more.
    let file = on_disk(b"abc");
    let pieces = |count| (0..count).map(|_| at(0, 0, 3)).collect();
    assert_eq!(scene.loaded(single(pieces(64)), &[&file]).unwrap().value.size(), 3 * 64);
    assert!(scene.loaded(single(pieces(65)), &[&file]).is_err());
    for (offset, length) in [(0, 4), (4, 0), (u64::MAX, 2), (2, u64::MAX)] {
        assert!(scene.loaded(single(vec![at(0, offset, length)]), &[&file]).is_err(), "{offset} {length}");
    }
    assert!(scene.loaded(single(vec![at(1, 0, 1)]), &[&file]).is_err(), "a file that did not come");
}

#[test]
fn what_the_sandbox_itself_cannot_do_is_no_fault_of_the_worker() {
    let nowhere = || Scene { budget: Budget::new(0, "/nowhere"), ..Scene::new() };
    let failure = |lost: Option<Lost>| match lost {
        Some(Lost::Stopped(Failure::Storage { failure })) => failure.to_string(),
        _ => "nothing of that kind".to_owned(),
    };
    let said = ended(single(vec![inline(b"abc")]));
    let kept = failure(nowhere().call::<Loaded>(loading(), |theirs| say(theirs, &said, &[])).err());
    assert!(kept.starts_with("cannot keep the value of a worker process: No such file"), "{kept}");
    let elsewhere = Budget::new(MIB, std::env::temp_dir());
    let content = crate::value::Content::from_bytes(&vec![0; INLINE_BYTES + 1], &elsewhere).unwrap();
    let value = Value::single("text/plain", content);
    let copied = failure(nowhere().call::<Stored>(Subject::Output(storing(), &value), |_| ()).err());
    assert!(copied.starts_with("cannot copy a value to a worker process: No such file"), "{copied}");
}

#[test]
fn a_value_has_no_parts_that_a_guest_may_not_begin() {
    let scene = Scene::new();
    let loads = |keys: &[&str], parts: Vec<PackedPart>| {
        scene.call::<Loaded>(loading_of(keys), |theirs| say(theirs, &ended(value(parts)), &[])).map_err(told).map(drop)
    };
    let named = |key: &str| part(Some(key), Vec::new());
    assert_eq!(loads(&["a", "b"], vec![named("a"), named("b")]), Ok(()));
    assert!(loads(&["a", "b"], vec![named("c")]).is_err(), "a key that was not asked for");
    assert!(loads(&["a", "b"], vec![named("../../x")]).is_err());
    assert!(loads(&["a", "b"], vec![named("a"), named("a")]).is_err(), "a part twice");
    assert!(loads(&["a", "b"], vec![part(None, Vec::new())]).is_err(), "no key");
    assert!(loads(&[], vec![part(None, Vec::new()), part(None, Vec::new())]).is_err());
    let odd = PackedPart { media_type: "\u{1b}[2J".to_owned(), ..part(None, Vec::new()) };
    assert!(loads(&[], vec![odd]).is_err(), "no media type");
}

#[test]
fn an_op_gives_the_outputs_that_it_has() {
    let scene = Scene::new();
    let output = |name: &str, parts: &[&str]| PackedOutput {
        name: name.to_owned(),
        value: PackedValue::default(),
        metadata: Vec::new(),
        part_metadata: parts.iter().map(|key| ((*key).to_owned(), Vec::new())).collect(),
    };
    let gives = |outputs: Vec<PackedOutput>| {
        let said = ended(PackedResult::Computed(outputs));
        let outcome = scene.call::<Computed>(computing(Vec::new(), &["a", "b"]), |theirs| say(theirs, &said, &[]));
        outcome.map_err(told).map(|ended| ended.report.outcome.unwrap().outputs.len())
    };
    assert_eq!(gives(vec![output("a", &[]), output("b", &[])]), Ok(2));
    for names in [&["a"][..], &["b", "a"], &["a", "b", "b"], &["a", "c"], &[]] {
        assert!(gives(names.iter().map(|name| output(name, &[])).collect()).is_err(), "{names:?}");
    }
    assert!(gives(vec![output("a", &["x"]), output("b", &[])]).is_err(), "a part that it cannot have");
}

#[test]
fn what_a_worker_records_is_bounded_and_of_the_call() {
    let entry = |label: &str, value: MetadataValue| MetadataEntry { label: label.to_owned(), value };
    let text = |bytes| MetadataValue::Text("x".repeat(bytes));
    let event = |kind, key: &[&str]| AssetEvent {
        kind,
        asset_key: key.iter().map(|part| (*part).to_owned()).collect(),
        partition: None,
        description: None,
        metadata: Vec::new(),
    };
    let loads = |metadata, events| {
        let said = PackedResult::Loaded { value: PackedValue::default(), metadata, events };
        Scene::new().loaded(said, &[]).map(drop)
    };
    let observed = || event(AssetEventKind::Observation, &["a"]);
    assert_eq!(loads(vec![entry("a", text(9)), entry("b", text(9))], vec![observed()]), Ok(()));
    assert!(loads(Vec::new(), vec![event(AssetEventKind::Materialization, &["a"])]).is_err(), "it stores nothing");
    assert!(loads(Vec::new(), vec![event(AssetEventKind::Observation, &[])]).is_err());
    assert!(loads(Vec::new(), vec![event(AssetEventKind::Observation, &["a"; 65])]).is_err());
    assert!(loads(Vec::new(), vec![observed(); 257]).is_err());
    assert!(loads(vec![entry("a", text(1)), entry("a", text(1))], Vec::new()).is_err(), "a label twice");
    assert!(loads(vec![entry("", text(1))], Vec::new()).is_err());
    assert!(loads(vec![entry("\u{1b}[2J", text(1))], Vec::new()).is_err());
    assert!(loads(vec![entry(&"x".repeat(257), text(1))], Vec::new()).is_err());
    assert!(loads(vec![entry("a", text(4 * METADATA_BYTES))], Vec::new()).is_err());
    let json = MetadataValue::Json(vec![serde_json::Value::Null; METADATA_BYTES].into());
    assert!(loads(vec![entry("a", json)], Vec::new()).is_err());
    let many = (0..257).map(|number| entry(&number.to_string(), text(1))).collect();
    assert!(loads(many, Vec::new()).is_err());

    let stored = Stored { data_version: Some("\u{1b}[2J".repeat(10_000)), ..Stored::default() };
    let value = Value::default();
    let subject = Subject::Output(storing(), &value);
    let said = ended(PackedResult::Stored(stored));
    let outcome = Scene::new().call::<Stored>(subject, |theirs| say(theirs, &said, &[])).map_err(told).unwrap();
    let version = outcome.report.outcome.unwrap().data_version.unwrap();
    assert!(!version.contains('\u{1b}') && version.len() < 100_000);
}

#[test]
fn receipts_of_workers_add_up_whatever_they_say() {
    let receipt = Receipt {
        read: Transfers { files: Vec::new(), unlisted: u64::MAX, bytes: u64::MAX },
        written: Transfers { files: Vec::new(), unlisted: u64::MAX, bytes: u64::MAX },
        removed_unlisted: u64::MAX,
        time: Duration::from_secs(1 << 60),
        cpu_time: Duration::from_secs(1 << 60),
        peak_memory: u64::MAX,
        denials: Denials { list: Vec::new(), unlisted: u64::MAX },
        environment: Some(usize::MAX),
        ..Receipt::default()
    };
    let said = || {
        let outcome = Ok(single(Vec::new()));
        Reply::Ended(Box::new(PackedReport { outcome, receipt: receipt.clone(), log: Log::default() }), Vec::new())
    };
    let mut sum = Receipt::default();
    for _ in 0..100 {
        let ended = Scene::new().call::<Loaded>(loading(), |theirs| say(theirs, &said(), &[])).map_err(told).unwrap();
        sum.add(ended.report.receipt);
    }
    assert!(sum.time < Duration::from_mins(10) && sum.cpu_time < Duration::from_mins(10), "{sum:?}");
    assert_eq!(sum.peak_memory, Limits::default().memory);
    assert_eq!(sum.environment, Some(0));
}
