//! The sandbox's end of a call that a worker makes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ENDING;
use super::claims::{Claims, Expected};
use super::memory;
use super::message::{Outcome, PackedOp, PackedSubject, Phase, Reply, Request};
use super::packing::Parcel;
use super::wire::{Broken, Connection, Descriptors, invalid};
use crate::call::{Call, Interrupt};
use crate::context::{InputContext, OpContext, OutputContext};
use crate::contract::HELD_FILES;
use crate::limits::{GIVEN_FILES, MEMORY_DIRECTORY_FILES, PUBLISH_TIME};
use crate::report::{Failure, Report, StorageFailure};
use crate::value::{Input, Shelf, Value};

/// What a call is about.
#[derive(Clone)]
pub(crate) enum Subject<'a> {
    Output(OutputContext, &'a Value),
    Input(InputContext),
    Op(OpContext),
}

/// Why a worker is of no more use.
pub(crate) enum Lost {
    /// It ended, or said what cannot be understood.
    Worker(io::Error),
    /// It cannot reach what is lent now, and did nothing.
    Stale,
    /// It did not answer in time, the call was interrupted and it went on, or the sandbox cannot do its own part.
    Stopped(Failure),
}

impl From<Broken<Failure>> for Lost {
    fn from(broken: Broken<Failure>) -> Self {
        match broken {
            Broken::Connection(error) => Self::Worker(error),
            Broken::Unable(error) => Self::unable("exchange", "messages with a worker process")(error),
            Broken::Stopped(failure) => Self::Stopped(failure),
        }
    }
}

impl Lost {
    /// The worker said what cannot be, in these words.
    pub fn invalid(reason: &str) -> Self {
        Self::Worker(invalid(reason))
    }

    /// The sandbox itself cannot do `operation` on `path`, which is told as what it is.
    pub fn unable(operation: &str, path: &str) -> impl FnOnce(io::Error) -> Self {
        let (operation, path) = (operation.to_owned(), path.to_owned());
        move |error| {
            let failure = StorageFailure { operation, path, reason: error.to_string() };
            Self::Stopped(Failure::Storage { failure })
        }
    }
}

/// A call that a worker makes.
pub(super) struct Conversation<'a> {
    connection: &'a Connection,
    call: &'a Call<'a>,
    clock: Clock<'a>,
    /// Whether the worker was told to end the call.
    told: bool,
    /// The files that the worker fills.
    given: Vec<Arc<Shelf>>,
}

/// How long a worker may still take.
struct Clock<'a> {
    interrupt: &'a Interrupt,
    /// Of the call.
    allowed: Duration,
    since: Instant,
    /// Nothing while the files of the call are opened.
    phase: Option<Phase>,
    /// Since when the call is to end.
    interrupted: Option<Instant>,
}

impl Clock<'_> {
    /// Whether the worker is waited for longer.
    fn check(&mut self) -> Result<(), Failure> {
        if self.interrupted.is_none() && self.interrupt.is_interrupted() {
            self.interrupted = Some(Instant::now());
        }
        if self.interrupted.is_some_and(|since| since.elapsed() > ENDING) {
            return Err(Failure::Interrupted);
        }
        let (doing, allowed) = match self.phase {
            None => ("opening its files", self.allowed),
            // It ends a guest that computes or waits by itself.
            Some(Phase::Running) => ("a call of the system", self.allowed),
            Some(Phase::Publishing) => ("publishing what it wrote", self.allowed.max(PUBLISH_TIME)),
        };
        if self.since.elapsed() <= allowed.saturating_add(ENDING) {
            return Ok(());
        }
        let reason = format!(
            "after {} s it was still in {doing}, and its process was killed; look whether the file system answers",
            self.since.elapsed().as_secs()
        );
        Err(Failure::Storage {
            failure: StorageFailure { operation: "end".to_owned(), path: "the call".to_owned(), reason },
        })
    }

    /// A call goes from phase to phase and not back, which would give it the time of a phase again.
    fn enter(&mut self, phase: Phase) -> Result<(), Lost> {
        if self.phase >= Some(phase) {
            return Err(Lost::invalid("it goes back to what it did before"));
        }
        self.phase = Some(phase);
        self.since = Instant::now();
        Ok(())
    }
}

/// What a call gave, and whether its worker can make another.
pub(super) struct Ended<T> {
    pub report: Report<T>,
    pub reusable: bool,
}

impl<'a> Conversation<'a> {
    pub fn new(connection: &'a Connection, call: &'a Call<'a>) -> Self {
        let (interrupt, allowed) = (call.interrupt, call.grant.limits().time);
        let clock = Clock { interrupt, allowed, since: Instant::now(), phase: None, interrupted: None };
        Self { connection, call, clock, told: false, given: Vec::new() }
    }

    /// Has the worker make the call.
    pub fn hold<T: Outcome>(mut self, subject: Subject<'_>) -> Result<Ended<T>, Lost> {
        let mut parcel = Parcel::for_worker(self.call.budget);
        let mut inputs = Vec::new();
        let stores = !matches!(subject, Subject::Input(_));
        let in_memory = memory::directories(self.call.grant);
        let _held = memory::hold(&in_memory, self.call, stores).map_err(Lost::Stopped)?;
        let expected = Expected::of(&subject, self.call);
        let subject = match subject {
            Subject::Output(context, value) => PackedSubject::Output(context, parcel.value(value).map_err(uncopied())?),
            Subject::Input(context) => PackedSubject::Input(context),
            Subject::Op(context) => {
                let (op, kept) = PackedOp::pack(context, &mut parcel).map_err(uncopied())?;
                inputs = kept;
                PackedSubject::Op(op)
            }
        };
        let unlent = Lost::unable("lend", "the directories in memory to a worker process");
        let memory = memory::pack(&in_memory, &mut parcel).map_err(unlent)?;
        let Call { strict, deterministic, .. } = *self.call;
        let request = Request::Call { subject: Box::new(subject), strict, deterministic, memory };
        // It waits no longer for the directories in memory.
        let since = Instant::now();
        self.clock.since = since;
        self.send(&request, &parcel.descriptors())?;
        drop((request, parcel));
        // The files of the values at the end, but for those that the worker was given: each that a value holds, and between them
        // what it collected. A call that stores also says what it made of the directories in memory.
        let changed = if stores { in_memory.len() } else { 0 };
        let most = expected.values().saturating_mul(2 * HELD_FILES + 1) + changed * MEMORY_DIRECTORY_FILES;
        loop {
            let (reply, beside) = self.receive(most.saturating_add(self.given.len()))?;
            if !matches!(reply, Reply::Ended(..)) && !beside.are_none() {
                return Err(Lost::invalid("files come with a message that has none"));
            }
            match reply {
                Reply::Phase(phase) => self.clock.enter(phase)?,
                Reply::Part { input, place } => self.give_part(inputs.get(input), place)?,
                Reply::File => self.give_file(expected.values())?,
                Reply::Ended(packed, memory) => {
                    for shelf in &self.given {
                        shelf.seal().map_err(Lost::Worker)?;
                    }
                    let mut claims = Claims::new(self.call, since, expected, beside, &self.given, &in_memory);
                    let report = packed.unpack(&mut claims)?;
                    if stores && report.outcome.is_ok() {
                        let descriptors = &mut claims.descriptors;
                        memory::unpack_of_worker(memory, &in_memory, self.call.grant, descriptors)
                            .map_err(Lost::Worker)?;
                    }
                    // Into a file on disk it could write for as long as it lives.
                    let reusable = !claims.holds_changeable && self.given.iter().all(|shelf| shelf.is_memory());
                    return Ok(Ended { report, reusable });
                }
                Reply::Stale if self.clock.phase.is_none() && self.given.is_empty() => return Err(Lost::Stale),
                Reply::Stale => return Err(Lost::invalid("it says too late that it cannot make the call")),
                Reply::Ready(_) => return Err(Lost::invalid("it says again that it is ready")),
            }
        }
    }

    fn give_part(&mut self, input: Option<&Input>, place: usize) -> Result<(), Lost> {
        let Some(input) = input else { return Err(Lost::invalid("it asks for an input that the op does not have")) };
        let (interrupt, clock) = (self.call.interrupt, &self.clock);
        let wanted = || !interrupt.is_interrupted() && clock.since.elapsed() <= clock.allowed;
        let mut parcel = Parcel::for_worker(self.call.budget);
        let part = match input.part(place, &wanted) {
            Ok(Some(part)) => Ok(Some(parcel.part(&part).map_err(uncopied())?)),
            Ok(None) => Ok(None),
            Err(error) => Err(error.0),
        };
        self.send(&Request::Part(part), &parcel.descriptors())
    }

    fn give_file(&mut self, values: usize) -> Result<(), Lost> {
        let budget = self.call.budget;
        let on_disk = self.given.iter().filter(|shelf| !shelf.is_memory()).count();
        let has_memory_left = self.given.len() - on_disk < GIVEN_FILES;
        let file = if has_memory_left { budget.shelf_to_fill() } else { budget.overflow() };
        match file {
            // One on disk takes all that a value has from then on. What lies there is not counted before the end.
            Ok(file) if values == 0 || (!file.is_memory() && on_disk >= values) => {
                Err(Lost::invalid("it asks for more files than its values can fill"))
            }
            Ok(file) => {
                let file = Arc::new(file);
                self.given.push(Arc::clone(&file));
                self.send(&Request::File(Ok(file.room)), &[file.file.as_fd()])
            }
            Err(error) => self.send(&Request::File(Err(error.to_string())), &[]),
        }
    }

    fn send(&mut self, request: &Request, descriptors: &[BorrowedFd<'_>]) -> Result<(), Lost> {
        let clock = &mut self.clock;
        Ok(self.connection.send(request, descriptors, &mut || clock.check())?)
    }

    /// What the worker says next, with `most` descriptors at most.
    fn receive(&mut self, most: usize) -> Result<(Reply, Descriptors), Lost> {
        let Self { connection, clock, told, .. } = self;
        let mut wait = || {
            clock.check()?;
            if clock.interrupted.is_some() && !*told {
                *told = true;
                // Where it is not taken, the process is killed in a moment.
                let _ = connection.send(&Request::Interrupt, &[], &mut || Err(()));
            }
            Ok(())
        };
        // Also where one message follows the other.
        wait().map_err(Lost::Stopped)?;
        Ok(connection.receive(most, &mut wait)?)
    }
}

fn uncopied() -> impl FnOnce(io::Error) -> Lost {
    Lost::unable("copy", "a value to a worker process")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_waited_for_as_long_as_what_it_does_may_take() {
        let second = Duration::from_secs(1);
        let interrupt = Interrupt::new();
        let check = |phase, ago, allowed| {
            let since = Instant::now().checked_sub(ago).unwrap();
            Clock { interrupt: &interrupt, allowed, since, phase, interrupted: None }.check()
        };
        for phase in [None, Some(Phase::Running)] {
            assert!(check(phase, second, second).is_ok());
            assert!(matches!(check(phase, 4 * second, second), Err(Failure::Storage { .. })));
        }
        let publishing = Some(Phase::Publishing);
        assert!(check(publishing, PUBLISH_TIME, second).is_ok());
        assert!(check(publishing, PUBLISH_TIME + 4 * second, second).is_err());
        assert!(check(publishing, PUBLISH_TIME + 4 * second, 2 * PUBLISH_TIME).is_ok());
    }

    #[test]
    fn one_that_is_interrupted_is_waited_for_a_little_longer_whatever_it_may_take() {
        let interrupt = Interrupt::new();
        let allowed = Duration::from_secs(100);
        let mut clock = Clock { interrupt: &interrupt, allowed, since: Instant::now(), phase: None, interrupted: None };
        assert_eq!(clock.check(), Ok(()));
        interrupt.interrupt();
        assert_eq!(clock.check(), Ok(()));
        clock.interrupted = clock.interrupted.and_then(|since| since.checked_sub(2 * ENDING));
        assert_eq!(clock.check(), Err(Failure::Interrupted));
    }
}
