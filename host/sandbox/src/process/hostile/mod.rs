//! Workers that were taken over: what they may say, and that the sandbox stays as it was.

mod directories;
mod files;
mod reports;
mod values;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, LazyLock};

use super::conversation::{Conversation, Ended, Lost, Subject};
use super::message::{Outcome, PackedReport, PackedResult, Phase, Reply, Request};
use super::packing::{PackedPart, PackedPiece, PackedValue};
use super::wire::{Connection, Descriptors};
use crate::call::{Call, Interrupt, Sandbox, Settings};
use crate::component::Component;
use crate::context::{InputContext, OpContext, OpOutput, OutputContext};
use crate::grant::{Access, Grant, GuestPath, MountGrant, MountSource, Scope};
use crate::layout::Location;
use crate::limits::{FRAME_DESCRIPTORS, Limits};
use crate::mount::MemoryDirectory;
use crate::partition::{PartitionKey, Partitions};
use crate::report::{Computed, Failure, Loaded, Log, Receipt, Stored};
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

    /// What becomes of a call whose worker does `act` once it is asked for it.
    fn call<T: Outcome + Send>(
        &self,
        subject: Subject<'_>,
        act: impl FnOnce(&Connection) + Send,
    ) -> Result<Ended<T>, Lost> {
        self.call_with_files(subject, |theirs, _| act(theirs))
    }

    /// The same with the files that came with the request.
    fn call_with_files<T: Outcome + Send>(
        &self,
        subject: Subject<'_>,
        act: impl FnOnce(&Connection, Descriptors) + Send,
    ) -> Result<Ended<T>, Lost> {
        let (ours, theirs) = Connection::pair().unwrap();
        let theirs = Connection::of_process(theirs);
        let (grant, budget, interrupt) = (&self.grant, &self.budget, &self.interrupt);
        let call = Call { component: &COMPONENT, grant, budget, interrupt, strict: false, deterministic: None };
        std::thread::scope(|scope| {
            scope.spawn(move || {
                if let Some((_, beside)) = hear(&theirs) {
                    act(&theirs, beside);
                }
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
    theirs.receive(FRAME_DESCRIPTORS, &mut || Ok::<_, ()>(())).ok()
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
        Lost::Stale => "stale".to_owned(),
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

fn storing() -> OutputContext {
    OutputContext {
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
            for phase in phases {
                say(theirs, &Reply::Phase(*phase), &[]);
            }
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
    // Until the socket is full of answers that it does not take.
    let inputs = vec![("a".to_owned(), Input::Lazy(Arc::new(Endless)))];
    let lost = scene.call::<Computed>(computing(inputs, &[]), |theirs| {
        while theirs.send(&Reply::Part { input: 0, place: 0 }, &[], &mut || Ok::<_, ()>(())).is_ok() {}
    });
    assert!(matches!(lost, Err(Lost::Stopped(Failure::Interrupted))));
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
fn a_worker_says_before_anything_else_that_it_cannot_reach_what_is_lent() {
    let says = |first: Option<Reply>| {
        let lost = Scene::new().call::<Loaded>(loading(), |theirs| {
            if let Some(first) = first {
                say(theirs, &first, &[]);
            }
            say(theirs, &Reply::Stale, &[]);
        });
        told(lost.err().unwrap())
    };
    assert_eq!(says(None), "stale");
    assert!(says(Some(Reply::Phase(Phase::Running))).contains("too late"));
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
