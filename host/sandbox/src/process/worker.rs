//! A worker process: it confines itself, and then makes the calls of one component with one grant.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use cap_std::fs::Dir;

use super::layers::{Needs, confine};
use super::memory;
use super::message::{CallTask, Outcome, PackedReport, PackedSubject, Readiness, Reply, Request};
use super::packing::{Parcel, Unpacker};
use super::patiently;
use super::wire::{Connection, Descriptors};
use crate::call::{Call, Interrupt, Sandbox};
use crate::component::{Code, Component};
use crate::grant::{Access, DirectoryPath, Grant, MountSource};
use crate::limits::{FRAME_DESCRIPTORS, INLINE_BYTES, Limits};
use crate::mount::MemoryDirectory;
use crate::report::Report;
use crate::value::{Budget, Input, LoadParts, NotLoaded, Part, Shelf};

/// Answers how this system confines a worker.
pub(super) fn serve_probe(connection: &Connection) -> io::Result<()> {
    let layers = confine(&Needs::of_calls(&Limits::default(), Vec::new()));
    patiently(|wait| connection.send(&Reply::Ready(Ok(Readiness { layers, complete: true })), &[], wait))
}

/// Makes calls until the sandbox wants no more.
pub(super) fn serve(connection: Connection, task: CallTask, mut beside: Descriptors) -> io::Result<()> {
    let grant = task.grant.unpack().map_err(io::Error::other)?;
    let Opened { directories, lent, complete } = open_directories(&grant, task.makes);
    let layers = confine(&Needs::of_calls(grant.limits(), directories));
    let sandbox_end = SandboxEnd::listen(connection)?;
    let code = Code::sealed(beside.take(0)?)?;
    let phase = Arc::clone(&sandbox_end.replies);
    let made = Sandbox::for_worker(task.durability, move |now| {
        // One that is not heard is noticed by who reads.
        let _ = send(&phase, &Reply::Phase(now), None);
    });
    let ready = made.map_err(|error| error.to_string()).and_then(|sandbox| {
        let component = sandbox.load_compiled(&task.name, task.inspection, &code).map_err(|error| error.to_string())?;
        Ok((sandbox, component))
    });
    match ready {
        Ok((sandbox, component)) => {
            sandbox_end.reply(&Reply::Ready(Ok(Readiness { layers, complete })))?;
            let in_memory = memory::directories(&grant);
            Worker { sandbox, component, grant, lent, in_memory, sandbox_end }.work()
        }
        Err(reason) => sandbox_end.reply(&Reply::Ready(Err(reason))),
    }
}

/// The directories of a grant.
struct Opened {
    /// Those that could be opened, and whether they are lent to be written.
    directories: Vec<(Dir, bool)>,
    /// All of them.
    lent: Vec<Lent>,
    /// Whether none was missing.
    complete: bool,
}

/// A directory that is lent: by its path, and which one was there when the process was confined, which is what it can reach.
struct Lent {
    path: DirectoryPath,
    identity: Option<(u64, u64)>,
}

impl Lent {
    fn is_stale(&self) -> bool {
        crate::mount::identify_root(self.path.as_path()).ok() != self.identity
    }
}

/// Opens the directories that `grant` lends, and makes those that are lent to be written where `makes` says so: a confined process
/// makes none beside what is lent.
fn open_directories(grant: &Grant, makes: bool) -> Opened {
    let (mut directories, mut lent, mut complete) = (Vec::new(), Vec::new(), true);
    for mount in grant.mounts() {
        let MountSource::Directory(path) = &mount.source else { continue };
        let is_written = mount.access == Access::Write;
        let identity = match crate::mount::reach_root(path.as_path(), makes && is_written) {
            Ok(directory) => {
                let identity = crate::mount::identify(&directory);
                directories.push((directory, is_written));
                identity
            }
            Err(error) => {
                complete &= error.kind() != io::ErrorKind::NotFound;
                // The call will meet it, and say it as it does without a worker.
                crate::mount::identify_root(path.as_path())
            }
        };
        lent.push(Lent { path: path.clone(), identity: identity.ok() });
    }
    Opened { directories, lent, complete }
}

/// The socket to the sandbox, which a thread listens to.
struct SandboxEnd {
    replies: Replies,
    requests: Mutex<Receiver<Said>>,
}

type Replies = Arc<Mutex<Connection>>;
/// What the sandbox said, and what it raises to end the call that is made.
type Said = (Request, Descriptors, Interrupt);

fn send(replies: &Replies, reply: &Reply, parcel: Option<&Parcel<'_>>) -> io::Result<()> {
    let descriptors = parcel.map(Parcel::descriptors).unwrap_or_default();
    let connection = replies.lock().unwrap_or_else(PoisonError::into_inner);
    patiently(|wait| connection.send(reply, &descriptors, wait))
}

impl SandboxEnd {
    fn listen(connection: Connection) -> io::Result<Arc<Self>> {
        let (sender, receiver) = channel();
        let requests = connection.try_clone()?;
        std::thread::Builder::new().name("listener".to_owned()).spawn(move || {
            // Nobody waits for this process any more, whatever it does: what it left half-done, the next call finishes.
            match listen(&requests, &sender) {
                Ok(()) => std::process::exit(0),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => std::process::exit(0),
                Err(error) => {
                    eprintln!("it does not understand what it is to do: {error}");
                    std::process::exit(1);
                }
            }
        })?;
        let replies = Arc::new(Mutex::new(connection));
        Ok(Arc::new(Self { replies, requests: Mutex::new(receiver) }))
    }

    fn reply(&self, reply: &Reply) -> io::Result<()> {
        send(&self.replies, reply, None)
    }

    /// What the sandbox says next, but for an interrupt.
    fn next(&self) -> io::Result<Said> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.recv().map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }

    /// A file for a value that does not fit into a message.
    fn file(&self) -> io::Result<Shelf> {
        self.reply(&Reply::File)?;
        match self.next()? {
            (Request::File(Ok(room)), mut beside, _) => Ok(Shelf::with_room(beside.take(0)?, room)),
            (Request::File(Err(reason)), ..) => Err(io::Error::other(reason)),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

fn listen(connection: &Connection, sender: &Sender<Said>) -> io::Result<()> {
    let mut interrupt = Interrupt::new();
    loop {
        let (request, beside) = patiently(|wait| connection.receive(FRAME_DESCRIPTORS, wait))?;
        match request {
            Request::Interrupt => {
                interrupt.interrupt();
                continue;
            }
            Request::Call { .. } => interrupt = Interrupt::new(),
            Request::Part(_) | Request::File(_) => {}
        }
        if sender.send((request, beside, interrupt.clone())).is_err() {
            return Ok(());
        }
    }
}

/// What makes the calls.
struct Worker {
    sandbox: Sandbox,
    component: Component,
    grant: Grant,
    /// The directories that it lends.
    lent: Vec<Lent>,
    /// The directories in memory that the grant lends, copies of which come with each call.
    in_memory: Vec<MemoryDirectory>,
    sandbox_end: Arc<SandboxEnd>,
}

impl Worker {
    fn work(self) -> io::Result<()> {
        loop {
            let (Request::Call { subject, strict, deterministic, memory }, beside, interrupt) =
                self.sandbox_end.next()?
            else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            if self.lent.iter().any(Lent::is_stale) {
                self.sandbox_end.reply(&Reply::Stale)?;
                continue;
            }
            let files = Arc::clone(&self.sandbox_end);
            // What is small passes in the message, what is larger in files that the sandbox gives and counts.
            let budget = Budget::giving(INLINE_BYTES as u64, move || files.file());
            let (component, grant) = (&self.component, &self.grant);
            let call = Call { component, grant, budget: &budget, interrupt: &interrupt, strict, deterministic };
            let here = Budget::giving(u64::MAX, || Err(io::ErrorKind::OutOfMemory.into()));
            let mut unpacker = Unpacker::new(beside, &here);
            memory::unpack(memory, &self.in_memory, unpacker.descriptors())?;
            match *subject {
                PackedSubject::Output(context, value) => {
                    let value = unpacker.value(value)?;
                    self.end(self.sandbox.handle_output(&call, context, &value), &budget, &self.in_memory)?;
                }
                // It leaves the directories in memory as they were.
                PackedSubject::Input(context) => self.end(self.sandbox.load_input(&call, context), &budget, &[])?,
                PackedSubject::Op(op) => {
                    let lazy =
                        |input| Input::Lazy(Arc::new(Asked { input, sandbox_end: Arc::clone(&self.sandbox_end) }));
                    let context = op.unpack(&mut unpacker, lazy)?;
                    self.end(self.sandbox.run_op(&call, context), &budget, &self.in_memory)?;
                }
            }
        }
    }

    /// Says what a call gave, and what it made of the directories `changed` in memory where it succeeded.
    fn end<T: Outcome>(&self, report: Report<T>, budget: &Budget, changed: &[MemoryDirectory]) -> io::Result<()> {
        let mut parcel = Parcel::new(budget);
        let report = PackedReport::pack(report, &mut parcel);
        let memory = if report.outcome.is_ok() { memory::pack(changed, &mut parcel)? } else { Vec::new() };
        send(&self.sandbox_end.replies, &Reply::Ended(Box::new(report), memory), Some(&parcel))
    }
}

/// The parts of an op's input, which the sandbox loads when they are asked for.
struct Asked {
    input: usize,
    sandbox_end: Arc<SandboxEnd>,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").field("input", &self.input).finish_non_exhaustive()
    }
}

impl LoadParts for Asked {
    fn load(&self, place: usize, _: &dyn Fn() -> bool) -> Result<Option<Part>, NotLoaded> {
        let lost = |error: io::Error| NotLoaded(format!("the part cannot be had: {error}"));
        self.sandbox_end.reply(&Reply::Part { input: self.input, place }).map_err(lost)?;
        let here = Budget::giving(u64::MAX, || Err(io::ErrorKind::OutOfMemory.into()));
        match self.sandbox_end.next().map_err(lost)? {
            (Request::Part(Ok(Some(part))), beside, _) => {
                Unpacker::new(beside, &here).part(part).map(Some).map_err(lost)
            }
            (Request::Part(Ok(None)), ..) => Ok(None),
            (Request::Part(Err(reason)), ..) => Err(NotLoaded(reason)),
            _ => Err(lost(io::ErrorKind::InvalidData.into())),
        }
    }
}
