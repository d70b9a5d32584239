//! Processes that this test program itself serves as.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::child::Process;
use super::compile::{Bounds, compile_within};
use super::layers::Needs;
use super::workers::{NotStarted, Workers, start};
use super::*;
use crate::call::Interrupt;
use crate::component::{ComponentError, inspect};
use crate::limits::{IDLE_WORKERS, Limits, PROCESS_TIME};
use crate::mount::Durability;
use crate::report::Failure;

#[test]
#[ignore = "it serves as the process that the tests below start"]
fn serves() {
    // The tests of a program have a thread beside the one that starts them.
    if let Err(error) = serve_task() {
        eprintln!("{error}");
    }
}

#[test]
fn a_process_that_has_other_threads_does_not_serve() {
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || receiver.recv());
        assert!(check_alone().unwrap_err().to_string().contains("more than one thread"));
        drop(sender);
    });
}

fn this_program() -> Program {
    let arguments = ["--exact", "process::tests::serves", "--ignored", "--nocapture", "--test-threads=1"];
    Program { path: std::env::current_exe().unwrap(), arguments: arguments.map(Into::into).into() }
}

fn program(path: &str, arguments: &[&str]) -> Program {
    Program { path: PathBuf::from(path), arguments: arguments.iter().map(Into::into).collect() }
}

/// A component of a function that adds up `terms` numbers, each of which it first computes in a way of its own.
fn component(functions: usize, terms: usize) -> Vec<u8> {
    let mut module = String::new();
    for function in 0..functions {
        module.push_str("(func (param i64) (result i64) (local i64) ");
        for term in 0..terms {
            let constant = function * terms + term;
            let _ = write!(module, "local.get 0 i64.const {constant} i64.mul local.get 1 i64.xor local.tee 1 drop ");
        }
        module.push_str("local.get 1)\n");
    }
    component_of(&module)
}

/// A component with this core module, whose exports are too few.
fn component_of(module: &str) -> Vec<u8> {
    let text = format!(
        "(component (core module {module}) (instance $empty) (export \"airlock:io/output@0.1.0\" (instance $empty)))"
    );
    wat::parse_str(text).unwrap()
}

fn refused(bounds: &Bounds, bytes: &[u8]) -> ComponentError {
    let inspection = inspect(bytes).unwrap();
    compile_within(bounds, &Starter::new(this_program()), &inspection, bytes).unwrap_err()
}

#[test]
fn what_the_compiler_says_of_a_component_is_told() {
    // It exports an interface that is not the one of the contract.
    let error = refused(&Bounds::default(), &component(1, 1));
    assert!(matches!(error, ComponentError::Mismatch(_)), "{error}");
}

#[test]
fn compiling_that_takes_too_much_memory_is_a_named_error() {
    let bounds = Bounds { memory: 64 << 20, ..Bounds::default() };
    let error = refused(&bounds, &component(4000, 400)).to_string();
    assert!(error.starts_with("compiling the component takes more than 64 MiB of memory"), "{error}");
}

/// Eight functions of nested loops, each of which may carry each local from one turn to the next: a compiler keeps a value
/// for each pair, and this stands for 32 million.
#[test]
fn loops_that_carry_many_locals_do_not_get_more_memory_than_compiling_may_take() {
    const LOOPS: usize = 2000;
    const LOCALS: usize = 2000;
    let add = |local: usize| {
        let next = (local + 1) % LOCALS;
        format!("(local.set {local} (i32.add (local.get {local}) (local.get {next})))")
    };
    let adds: String = (0..LOCALS).map(add).collect();
    let (begin, end) = ("loop ".repeat(LOOPS), "(br_if 0 (local.get 0)) end ".repeat(LOOPS));
    let function = format!("(func (local {}) {begin} {adds} {end})", "i32 ".repeat(LOCALS));
    let error = refused(&Bounds::default(), &component_of(&function.repeat(8))).to_string();
    assert!(error.starts_with("compiling the component takes more than 2 GiB of memory"), "{error}");
}

#[test]
fn compiling_that_computes_too_long_is_a_named_error() {
    let bounds = Bounds { time: Duration::from_secs(1), ..Bounds::default() };
    let error = refused(&bounds, &component(8000, 400)).to_string();
    assert!(error.starts_with("compiling the component takes more than 1 s of computing"), "{error}");
}

#[test]
fn a_process_that_was_killed_is_said_to_be() {
    let bytes = component(1, 1);
    let killed = Starter::new(program("/bin/sh", &["-c", "kill -KILL $$"]));
    let error = compile_within(&Bounds::default(), &killed, &inspect(&bytes).unwrap(), &bytes).unwrap_err().to_string();
    assert!(error.contains("signal: 9") && error.contains("memory"), "{error}");
}

#[test]
fn a_process_that_says_what_cannot_be_is_not_waited_for() {
    let (process, _socket) = Process::start(&program("/bin/sleep", &["100"])).unwrap();
    let end = process.end(&io::Error::from(io::ErrorKind::InvalidData)).to_string();
    assert_eq!(end, "it did not end by itself and was killed");
}

#[test]
fn compiling_that_never_ends_is_a_named_error() {
    let bytes = component(1, 1);
    let bounds = Bounds { wait: Duration::from_secs(1), ..Bounds::default() };
    let silent = program("/bin/sleep", &["100"]);
    let error =
        compile_within(&bounds, &Starter::new(silent), &inspect(&bytes).unwrap(), &bytes).unwrap_err().to_string();
    assert!(error.starts_with("compiling the component takes more than 1 s,"), "{error}");
}

#[test]
fn a_program_that_is_none_or_says_nothing_is_told() {
    let error = |program: &Program, patience| {
        let started = start(&Starter::new(program.clone()), &Task::Probe, None, patience, &Interrupt::new());
        started.err().unwrap().into_io().to_string()
    };
    let minute = Duration::from_mins(1);
    assert!(error(&program("/nowhere", &[]), minute).contains("No such file"));
    assert!(error(&program("/bin/sh", &["-c", "echo it breaks >&2; exit 3"]), minute).contains("it breaks"));
    let silent = error(&program("/bin/sleep", &["100"]), Duration::from_secs(1));
    assert!(silent.contains("it said nothing for 1 s"), "{silent}");
}

#[test]
fn a_worker_that_does_not_start_is_not_waited_for_by_a_call_that_is_interrupted() {
    let interrupt = Interrupt::new();
    interrupt.interrupt();
    let silent = Starter::new(program("/bin/sleep", &["100"]));
    let started = start(&silent, &Task::Probe, None, Duration::from_mins(1), &interrupt);
    assert!(matches!(started.err(), Some(NotStarted::Stopped(Failure::Interrupted))));
}

#[test]
fn a_worker_has_the_memory_of_its_guest_and_some_for_itself() {
    let limits = Limits::default();
    let needs = Needs::of_calls(&limits, Vec::new());
    assert_eq!((limits.memory, needs.memory), (512 << 20, 1536 << 20));
    assert!(needs.file > limits.disk && needs.file < 2 * limits.disk);
}

#[test]
fn a_worker_may_compute_for_two_calls_and_some_time_of_its_own() {
    let limits = Limits { cpu_time: Duration::from_millis(1), ..Limits::default() };
    let needs = |limits| Needs::of_calls(limits, Vec::new()).cpu_time;
    assert_eq!(needs(&limits), PROCESS_TIME + 2 * limits.cpu_time);
    assert_eq!(needs(&Limits { cpu_time: Duration::MAX, ..limits }), Duration::MAX);
}

#[test]
fn only_so_many_workers_that_make_no_call_are_kept() {
    let workers = Workers::new(Arc::new(Starter::new(this_program())), Durability::None);
    for purpose in 0..=IDLE_WORKERS {
        let (process, connection) = Process::start(&program("/bin/sleep", &["100"])).unwrap();
        workers.keep_for(vec![u8::try_from(purpose).unwrap()], process, connection);
    }
    let purposes = workers.purposes();
    assert_eq!(purposes.len(), IDLE_WORKERS);
    assert!(!purposes.contains(&vec![0]), "the one that was idle longest goes");
}
