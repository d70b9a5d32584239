//! Workers that were taken over: what they may say, and that the sandbox stays as it was.
#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use proptest::prelude::*;
use rustix::fs::{FallocateFlags, SealFlags, fallocate, fcntl_add_seals, ftruncate};

use super::conversation::{Conversation, Ended, Lost, Subject};
use super::memory::PackedDirectory;
use super::message::{Outcome, PackedOutput, PackedReport, PackedResult, Phase, Reply, Request};
use super::packing::{PackedPart, PackedPiece, PackedValue};
use super::wire::{Connection, Descriptors, anonymous};
use crate::call::{Call, Interrupt, Sandbox, Settings};
use crate::component::Component;
use crate::context::{AssetEvent, AssetEventKind, InputContext, MetadataEntry, MetadataValue, OpContext, OpOutput};
use crate::grant::{Access, Grant, GuestPath, MountGrant, MountSource, Scope};
use crate::layout::Location;
use crate::limits::{GIVEN_FILES, Limits, METADATA_BYTES};
use crate::mount::MemoryDirectory;
use crate::partition::{PartitionKey, Partitions};
use crate::report::{Computed, Denials, Failure, Loaded, Log, Receipt, Stored, Transfers};
use crate::value::{Budget, Input, LoadParts, NotLoaded, Part, Value};

/// A component, which no call here runs.
static COMPONENT: LazyLock<Component> = LazyLock::new(|| {
    let text = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (instance $output (export "handle-output" (func $f)))
        (export "airlock:io/output@0.1.0" (instance $output)))"#;
    Sandbox::new(&Settings::default()).unwrap().load_bytes("guest", &wat::parse_str(text).unwrap()).unwrap()
});

/// What calls are made with.
struct Scene {
    grant: Grant,
    budget: Budget,
    interrupt: Interrupt,
}

const MIB: u64 = 1 << 20;

impl Scene {
    fn new() -> Self {
        Self::lending(&[], Limits { disk: 10 * MIB, ..Limits::default() })
    }

    fn lending(directories: &[(&MemoryDirectory, Access)], limits: Limits) -> Self {
        let mounts = directories.iter().enumerate().map(|(number, (directory, access))| MountGrant {
            guest_path: GuestPath::new(&format!("/{number}")).unwrap(),
            source: MountSource::Memory((*directory).clone()),
            access: *access,
            scope: Scope::Mount,
        });
        Self {
            grant: Grant::new(mounts.collect(), BTreeMap::new(), limits).unwrap(),
            budget: Budget::new(64 * MIB, std::env::temp_dir()),
            interrupt: Interrupt::new(),
        }
    }

    /// What becomes of a call whose worker does `act` once it has the request.
    fn call<T: Outcome + Send>(
        &self,
        subject: Subject<'_>,
        act: impl FnOnce(&Connection) + Send,
    ) -> Result<Ended<T>, Lost> {
        let (ours, theirs) = Connection::pair().unwrap();
        let theirs = Connection::of_process(theirs);
        let (grant, budget, interrupt) = (&self.grant, &self.budget, &self.interrupt);
        let call = Call { component: &COMPONENT, grant, budget, interrupt, strict: false };
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let asked = hear(&theirs);
                act(&theirs);
                drop(asked);
            });
            let held = Conversation::new(&ours, &call).hold(subject);
            drop(ours);
            held
        })
    }

    /// What a worker has loaded that says this at once.
    fn loaded(&self, said: PackedResult, beside: &[&File]) -> Result<Loaded, String> {
        let outcome = self.call::<Loaded>(loading(), |theirs| say(theirs, &ended(said), beside));
        outcome.map_err(told).map(|ended| ended.report.outcome.unwrap())
    }
}

fn hear(theirs: &Connection) -> Option<(Request, Descriptors)> {
    theirs.receive(&mut || Ok::<_, ()>(())).ok()
}

/// Says `reply`, if anybody hears it.
fn say(theirs: &Connection, reply: &Reply, beside: &[&File]) {
    let beside: Vec<BorrowedFd<'_>> = beside.iter().map(AsFd::as_fd).collect();
    let _ = theirs.send(reply, &beside, &mut || Ok::<_, ()>(()));
}

fn ask_for_file(theirs: &Connection) -> Option<File> {
    say(theirs, &Reply::File, &[]);
    match hear(theirs)? {
        (Request::File(Ok(_)), mut beside) => beside.take(0).ok(),
        _ => None,
    }
}

fn report(outcome: Result<PackedResult, Failure>) -> Box<PackedReport> {
    Box::new(PackedReport { outcome, receipt: Receipt::default(), log: Log::default() })
}

fn ended(result: PackedResult) -> Reply {
    Reply::Ended(report(Ok(result)), Vec::new())
}

fn told(lost: Lost) -> String {
    match lost {
        Lost::Worker(error) => error.to_string(),
        Lost::Stopped(failure) => panic!("{failure}"),
    }
}

fn partitions(keys: &[&str]) -> Partitions {
    Partitions::new(keys.iter().map(|key| PartitionKey::single("days", key)).collect(), None, None)
}

fn loading_of(keys: &[&str]) -> Subject<'static> {
    Subject::Input(InputContext {
        run_id: None,
        step_key: None,
        input_name: None,
        asset_key: None,
        location: Location::asset(&["a"]),
        partitions: partitions(keys),
        upstream: Vec::new(),
        requested_type: None,
        columns: Vec::new(),
        allow_missing: false,
        config: serde_json::Value::Null,
        input_config: serde_json::Value::Null,
        definition_metadata: Vec::new(),
    })
}

fn loading() -> Subject<'static> {
    loading_of(&[])
}

fn computing(inputs: Vec<(String, Input)>, outputs: &[&str]) -> Subject<'static> {
    let output = |name: &&str| OpOutput { name: (*name).to_owned(), is_dynamic: false };
    Subject::Op(OpContext {
        run_id: "run".to_owned(),
        step_key: "step".to_owned(),
        attempt: 1,
        config: serde_json::Value::Null,
        partitions: Partitions::default(),
        inputs,
        outputs: outputs.iter().map(output).collect(),
    })
}

fn part(key: Option<&str>, content: Vec<PackedPiece>) -> PackedPart {
    PackedPart { key: key.map(str::to_owned), media_type: "text/plain".to_owned(), content }
}

fn value(parts: Vec<PackedPart>) -> PackedResult {
    PackedResult::Loaded { value: PackedValue(parts), metadata: Vec::new(), events: Vec::new() }
}

/// A value of one part.
fn single(content: Vec<PackedPiece>) -> PackedResult {
    value(vec![part(None, content)])
}

fn inline(bytes: &[u8]) -> PackedPiece {
    PackedPiece::Inline(bytes.to_vec())
}

fn at(place: usize, offset: u64, length: u64) -> PackedPiece {
    PackedPiece::File { place, offset, length }
}

fn bytes(value: &Value) -> Vec<Vec<u8>> {
    value.parts.iter().map(|part| part.content.to_vec().unwrap()).collect()
}

fn on_disk(bytes: &[u8]) -> File {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file
}

#[test]
fn what_a_worker_may_say_is_taken() {
    let scene = Scene::new();
    let loaded = scene.loaded(single(vec![inline(b"in "), at(0, 1, 2)]), &[&on_disk(b"xabx")]).unwrap();
    assert_eq!(bytes(&loaded.value), [b"in ab"]);
    let ended = scene.call::<Loaded>(loading(), |theirs| {
        say(theirs, &Reply::Phase(Phase::Running), &[]);
        let given = ask_for_file(theirs).unwrap();
        given.write_all_at(b"filled", 0).unwrap();
        say(theirs, &Reply::Phase(Phase::Publishing), &[]);
        say(theirs, &ended(single(vec![at(0, 0, 6)])), &[&given]);
    });
    let ended = ended.map_err(told).unwrap();
    assert!(ended.reusable);
    assert_eq!(bytes(&ended.report.outcome.unwrap().value), [b"filled"]);
}

#[test]
fn a_worker_that_goes_back_to_an_earlier_phase_is_given_no_more_time() {
    use Phase::{Publishing, Running};
    for phases in [&[Running, Running][..], &[Publishing, Publishing], &[Running, Publishing, Running]] {
        let lost = Scene::new().call::<Loaded>(loading(), |theirs| {
            phases.iter().for_each(|phase| say(theirs, &Reply::Phase(*phase), &[]));
            say(theirs, &ended(single(Vec::new())), &[]);
        });
        assert!(told(lost.err().unwrap()).contains("goes back"), "{phases:?}");
    }
}

/// Parts without end.
#[derive(Debug)]
struct Endless;

impl LoadParts for Endless {
    fn load(&self, _: usize, _: &dyn Fn() -> bool) -> Result<Option<Part>, NotLoaded> {
        Err(NotLoaded("there is none".to_owned()))
    }
}

#[test]
fn a_worker_that_asks_without_end_is_ended_with_the_call() {
    let scene = Scene::new();
    scene.interrupt.interrupt();
    let inputs = vec![("a".to_owned(), Input::Lazy(Arc::new(Endless)))];
    let lost = scene.call::<Computed>(computing(inputs, &[]), |theirs| {
        // As many as no sandbox answers that looks at the time.
        for _ in 0..10_000_000 {
            if theirs.send(&Reply::Part { input: 0, place: 0 }, &[], &mut || Ok::<_, ()>(())).is_err() {
                return;
            }
            hear(theirs);
        }
    });
    assert!(matches!(lost, Err(Lost::Stopped(Failure::Interrupted))));
}

#[test]
fn a_worker_that_takes_nothing_is_ended_with_the_call() {
    let scene = Scene::new();
    scene.interrupt.interrupt();
    // The request itself is more than the socket holds, so it is not taken whole either.
    let inputs = vec![("a".to_owned(), Input::Lazy(Arc::new(Endless)))];
    let lost = scene.call::<Computed>(computing(inputs, &[]), |theirs| {
        while theirs.send(&Reply::Part { input: 0, place: 0 }, &[], &mut || Ok::<_, ()>(())).is_ok() {}
    });
    assert!(matches!(lost, Err(Lost::Stopped(Failure::Interrupted))));
}

#[test]
fn a_given_file_that_a_worker_keeps_for_itself_or_overfills_is_refused() {
    type Trick = fn(&File);
    let tricks: [(&str, Trick); 4] = [
        ("it can go on writing", |file| fcntl_add_seals(file, SealFlags::SEAL).unwrap()),
        ("it has more bytes than room", |file| ftruncate(file, 32 * MIB + 1).unwrap()),
        ("it takes memory beyond its end", |file| {
            fallocate(file, FallocateFlags::KEEP_SIZE, 0, 40 * MIB).unwrap();
        }),
        ("it ends before what is said", |file| ftruncate(file, 2).unwrap()),
    ];
    for (name, trick) in tricks {
        let scene = Scene::new();
        let lost = scene.call::<Loaded>(loading(), |theirs| {
            let given = ask_for_file(theirs).unwrap();
            given.write_all_at(b"abc", 0).unwrap();
            trick(&given);
            say(theirs, &ended(single(vec![at(0, 0, 3)])), &[&given]);
        });
        assert!(matches!(lost, Err(Lost::Worker(_))), "{name}");
        assert_eq!(scene.budget.available(), 64 * MIB, "{name}");
    }
}

#[test]
fn a_worker_is_given_only_so_many_files() {
    let scene = Scene::new();
    let given = std::sync::atomic::AtomicUsize::new(0);
    let lost = scene.call::<Loaded>(loading(), |theirs| {
        while ask_for_file(theirs).is_some() {
            given.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    assert!(told(lost.err().unwrap()).contains("more files"));
    // One more for the only value.
    assert_eq!(given.into_inner(), GIVEN_FILES + 1);
}

#[test]
fn a_worker_that_filled_a_file_on_disk_makes_no_other_call() {
    let scene = Scene { budget: Budget::new(0, std::env::temp_dir()), ..Scene::new() };
    let ended = scene.call::<Loaded>(loading(), |theirs| {
        let given = ask_for_file(theirs).unwrap();
        say(theirs, &ended(single(vec![at(0, 0, 0)])), &[&given]);
    });
    assert!(!ended.map_err(told).unwrap().reusable);
}

#[test]
fn a_value_lies_in_no_memory_that_nobody_gave() {
    let own = anonymous(b"abc").unwrap();
    assert!(Scene::new().loaded(single(vec![at(0, 0, 3)]), &[&own]).unwrap_err().contains("memory"));
    crate::mount::seal(&own).unwrap();
    assert!(Scene::new().loaded(single(vec![at(0, 0, 3)]), &[&own]).unwrap_err().contains("memory"));
    // What a directory in memory holds may be loaded.
    let directory = MemoryDirectory::default();
    let contents = vec![("f".to_owned(), Some(own.try_clone().unwrap()))];
    directory.replace(crate::mount::Contents::new(contents).unwrap());
    let scene = Scene::lending(&[(&directory, Access::Read)], Limits::default());
    assert!(scene.loaded(single(vec![at(0, 0, 3)]), &[&own]).is_ok());
}

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

fn storing() -> crate::context::OutputContext {
    crate::context::OutputContext {
        run_id: "run".to_owned(),
        step_key: "step".to_owned(),
        attempt: 1,
        output_name: "result".to_owned(),
        asset_key: None,
        location: Location::asset(&["a"]),
        partitions: Partitions::default(),
        config: serde_json::Value::Null,
        output_config: serde_json::Value::Null,
        definition_metadata: Vec::new(),
        runtime_metadata: Vec::new(),
    }
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

#[test]
fn a_worker_does_not_interrupt_the_run() {
    let interrupts = |scene: &Scene| {
        let said = Reply::Ended(report(Err(Failure::Interrupted)), Vec::new());
        scene.call::<Loaded>(loading(), |theirs| say(theirs, &said, &[]))
    };
    assert!(told(interrupts(&Scene::new()).err().unwrap()).contains("was not"));
    let scene = Scene::new();
    scene.interrupt.interrupt();
    assert_eq!(interrupts(&scene).map_err(told).unwrap().report.outcome.unwrap_err(), Failure::Interrupted);
}

#[test]
fn what_is_said_out_of_turn_loses_the_worker() {
    let of_another_call = || ended(PackedResult::Stored(Stored::default()));
    let again = || Reply::Ready(Err("\u{1b}[2J".to_owned()));
    for said in [of_another_call(), again(), Reply::Part { input: 0, place: 0 }] {
        let lost = Scene::new().call::<Loaded>(loading(), |theirs| say(theirs, &said, &[]));
        assert!(!told(lost.err().unwrap()).contains('\u{1b}'));
    }
    let silent = Scene::new().call::<Loaded>(loading(), |_| ());
    assert!(matches!(silent, Err(Lost::Worker(_))), "it closed its socket");
}

/// A directory in memory that holds the file `name`.
fn directory(name: &str) -> MemoryDirectory {
    let directory = MemoryDirectory::default();
    let contents = vec![(name.to_owned(), Some(anonymous(b"old").unwrap()))];
    directory.replace(crate::mount::Contents::new(contents).unwrap());
    directory
}

fn names(directory: &MemoryDirectory) -> Vec<String> {
    directory.contents().into_iter().map(|(name, _)| name).collect()
}

/// What becomes of a store by a worker that says that directories in memory hold these files.
fn stores(scene: &Scene, said: &[&[(&str, Option<usize>)]], beside: &[&File]) -> Result<(), String> {
    let entries = |entries: &&[(&str, Option<usize>)]| {
        PackedDirectory(entries.iter().map(|(path, place)| ((*path).to_owned(), *place)).collect())
    };
    let said = Reply::Ended(report(Ok(PackedResult::Stored(Stored::default()))), said.iter().map(entries).collect());
    let value = Value::default();
    let subject = Subject::Output(storing(), &value);
    scene.call::<Stored>(subject, |theirs| say(theirs, &said, beside)).map_err(told).map(drop)
}

#[test]
fn a_directory_in_memory_that_is_lent_to_be_read_stays_as_it_is() {
    let (read, written) = (directory("read"), directory("written"));
    let scene = Scene::lending(&[(&read, Access::Read), (&written, Access::Write)], Limits::default());
    stores(&scene, &[&[], &[("new", Some(0))]], &[&anonymous(b"x").unwrap()]).unwrap();
    assert_eq!((names(&read), names(&written)), (vec!["read".to_owned()], vec!["new".to_owned()]));
}

#[test]
fn directories_in_memory_hold_all_that_a_worker_says_or_nothing_of_it() {
    let closed = anonymous(b"abc").unwrap();
    fcntl_add_seals(&closed, SealFlags::SEAL).unwrap();
    let (sound, disk) = (anonymous(b"x").unwrap(), on_disk(b"x"));
    let deep = ["d"; 17].join("/");
    let cases: [(&str, &[(&str, Option<usize>)], &File); 9] = [
        ("a file that it can go on changing", &[("f", Some(0))], &closed),
        ("a file on disk", &[("f", Some(0))], &disk),
        ("a file that did not come", &[("f", Some(1))], &sound),
        ("a file below a file", &[("f", Some(0)), ("f/g", None)], &sound),
        ("a file over a directory", &[("f/g", None), ("f", Some(0))], &sound),
        ("a path twice", &[("f", None), ("f", Some(0))], &sound),
        ("no path", &[("../f", Some(0))], &sound),
        ("what is reserved", &[(".airlock/f", Some(0))], &sound),
        ("a path that is too deep", &[(&deep, Some(0))], &sound),
    ];
    for (name, second, file) in cases {
        let (a, b) = (directory("a"), directory("b"));
        let scene = Scene::lending(&[(&a, Access::Write), (&b, Access::Write)], Limits::default());
        assert!(stores(&scene, &[&[], second], &[file]).is_err(), "{name}");
        assert_eq!((names(&a), names(&b)), (vec!["a".to_owned()], vec!["b".to_owned()]), "{name}");
    }
    let only = directory("a");
    let scene = Scene::lending(&[(&only, Access::Write)], Limits::default());
    assert!(stores(&scene, &[], &[]).is_err() && stores(&scene, &[&[], &[]], &[]).is_err(), "as many as are lent");
    assert_eq!(names(&only), ["a"]);
}

#[test]
fn a_worker_cannot_write_the_files_of_a_directory_in_memory_that_it_is_lent() {
    let lent = directory("read");
    let scene = Scene::lending(&[(&lent, Access::Read)], Limits::default());
    let (ours, theirs) = Connection::pair().unwrap();
    let theirs = Connection::of_process(theirs);
    let (grant, budget, interrupt) = (&scene.grant, &scene.budget, &scene.interrupt);
    let call = Call { component: &COMPONENT, grant, budget, interrupt, strict: false };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (_, mut beside) = hear(&theirs).unwrap();
            assert!(beside.take(0).unwrap().write_all_at(b"new", 0).is_err());
            say(&theirs, &ended(single(Vec::new())), &[]);
        });
        assert!(Conversation::new(&ours, &call).hold::<Loaded>(loading()).is_ok());
    });
}

#[test]
fn a_worker_cannot_write_what_others_are_given_too() {
    // On disk and in memory.
    for memory in [0, 64 * MIB] {
        let scene = Scene { budget: Budget::new(memory, std::env::temp_dir()), ..Scene::new() };
        let content = crate::value::Content::from_bytes(&vec![7; 3 << 20], &scene.budget).unwrap();
        let value = Value::single("text/plain", content);
        let (ours, theirs) = Connection::pair().unwrap();
        let theirs = Connection::of_process(theirs);
        let (grant, budget, interrupt) = (&scene.grant, &scene.budget, &scene.interrupt);
        let call = Call { component: &COMPONENT, grant, budget, interrupt, strict: false };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (_, mut beside) = hear(&theirs).unwrap();
                let file = beside.take(0).unwrap();
                let mut first = [0];
                file.read_exact_at(&mut first, 0).unwrap();
                assert_eq!((first, file.write_all_at(b"new", 0).is_err()), ([7], true));
                say(&theirs, &ended(PackedResult::Stored(Stored::default())), &[]);
            });
            assert!(Conversation::new(&ours, &call).hold::<Stored>(Subject::Output(storing(), &value)).is_ok());
        });
        assert!(bytes(&value) == [vec![7; 3 << 20]]);
    }
}

/// The bytes of a report that is taken, as they pass through the socket.
fn sound() -> Vec<u8> {
    let metadata = vec![MetadataEntry { label: "rows".to_owned(), value: MetadataValue::Json(serde_json::json!([1])) }];
    let value = PackedValue(vec![part(None, vec![inline(b"abc"), at(0, 0, 3)])]);
    let said = PackedResult::Loaded { value, metadata, events: Vec::new() };
    rmp_serde::to_vec_named(&ended(said)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_a_report_becomes_the_call_ends(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let mut body = sound();
        for (place, byte) in changes {
            let place = place.index(body.len());
            body[place] = byte;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        let file = on_disk(b"abc");
        let scene = Scene::new();
        let held = scene.call::<Loaded>(loading(), |theirs| theirs.send_raw(&body, &[file.as_fd()]));
        if let Ok(Ended { report, .. }) = held
            && let Ok(loaded) = report.outcome
        {
            prop_assert!(loaded.value.parts.len() <= 1);
            prop_assert!(loaded.value.parts.iter().all(|part| part.content.to_vec().is_ok()));
        }
        prop_assert_eq!(scene.budget.available(), 64 * MIB);
    }
}

#[test]
fn a_report_that_is_not_changed_is_taken() {
    let file = on_disk(b"def");
    let scene = Scene::new();
    let held = scene.call::<Loaded>(loading(), |theirs| theirs.send_raw(&sound(), &[file.as_fd()]));
    let loaded = held.map_err(told).unwrap().report.outcome.unwrap();
    assert_eq!(bytes(&loaded.value), [b"abcdef"]);
    let labels: HashMap<String, MetadataValue> =
        loaded.metadata.into_iter().map(|entry| (entry.label, entry.value)).collect();
    assert_eq!(labels["rows"], MetadataValue::Json(serde_json::json!([1])));
}
