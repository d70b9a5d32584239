//! The sandbox's end of a call that a worker makes.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ENDING;
use super::memory;
use super::message::{Outcome, PackedOp, PackedSubject, Phase, Reply, Request};
use super::packing::{Parcel, Unpacker};
use super::wire::{Broken, Connection};
use crate::call::Call;
use crate::context::{InputContext, OpContext, OutputContext};
use crate::limits::PUBLISH_TIME;
use crate::report::{Failure, Report, StorageFailure};
use crate::value::{Input, Shelf, Value};

/// What a call is about.
pub(crate) enum Subject<'a> {
    Output(OutputContext, &'a Value),
    Input(InputContext),
    Op(OpContext),
}

/// Why a worker is of no more use.
pub(super) enum Lost {
    /// It ended, or said what cannot be understood.
    Worker(io::Error),
    /// It did not answer in time, or the call was interrupted and it went on.
    Stopped(Failure),
}

impl From<Broken<Failure>> for Lost {
    fn from(broken: Broken<Failure>) -> Self {
        match broken {
            Broken::Connection(error) => Self::Worker(error),
            Broken::Stopped(failure) => Self::Stopped(failure),
        }
    }
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        Self::Worker(error)
    }
}

/// A call that a worker makes.
pub(super) struct Conversation<'a> {
    connection: &'a mut Connection,
    call: &'a Call<'a>,
    clock: Clock,
    /// The files that the worker fills.
    given: Vec<Arc<Shelf>>,
}

/// How long a worker may still take.
struct Clock {
    since: Instant,
    /// Nothing while the files of the call are opened.
    phase: Option<Phase>,
    /// Since when the call is to end.
    interrupted: Option<Instant>,
}

impl Clock {
    /// Whether the worker, which says nothing, is waited for longer.
    fn check(&self, allowed: Duration) -> Result<(), Failure> {
        if self.interrupted.is_some_and(|since| since.elapsed() > ENDING) {
            return Err(Failure::Interrupted);
        }
        let (doing, allowed) = match self.phase {
            None => ("opening its files", allowed),
            // It ends a guest that computes or waits by itself.
            Some(Phase::Running) => ("a call of the system", allowed),
            Some(Phase::Publishing) => ("publishing what it wrote", allowed.max(PUBLISH_TIME)),
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
}

/// What a call gave, and whether its worker can make another.
pub(super) struct Ended<T> {
    pub report: Report<T>,
    pub reusable: bool,
}

impl<'a> Conversation<'a> {
    pub fn new(connection: &'a mut Connection, call: &'a Call<'a>) -> Self {
        let clock = Clock { since: Instant::now(), phase: None, interrupted: None };
        Self { connection, call, clock, given: Vec::new() }
    }

    /// Has the worker make the call.
    pub fn hold<T: Outcome>(mut self, subject: Subject<'_>) -> Result<Ended<T>, Lost> {
        let mut parcel = Parcel::new(self.call.budget);
        let mut inputs = Vec::new();
        let stores = !matches!(subject, Subject::Input(_));
        let in_memory = memory::directories(self.call.grant);
        let _held = memory::hold(&in_memory, self.call, stores).map_err(Lost::Stopped)?;
        let subject = match subject {
            Subject::Output(context, value) => PackedSubject::Output(context, parcel.value(value)?),
            Subject::Input(context) => PackedSubject::Input(context),
            Subject::Op(context) => {
                let (op, kept) = PackedOp::pack(context, &mut parcel)?;
                inputs = kept;
                PackedSubject::Op(op)
            }
        };
        let memory = memory::pack(&in_memory, &mut parcel)?;
        let Call { strict, deterministic, .. } = *self.call;
        let request = Request::Call { subject: Box::new(subject), strict, deterministic, memory };
        // It waits no longer for the directories in memory.
        self.clock.since = Instant::now();
        self.send(&request, &parcel.descriptors())?;
        drop((request, parcel));
        loop {
            let (reply, beside) = self.receive()?;
            match reply {
                Reply::Phase(phase) => {
                    self.clock.phase = Some(phase);
                    self.clock.since = Instant::now();
                }
                Reply::Part { input, place } => self.give_part(inputs.get(input), place)?,
                Reply::File => self.give_file()?,
                Reply::Ended(packed, memory) => {
                    for shelf in &self.given {
                        shelf.seal()?;
                    }
                    let mut unpacker = Unpacker::of_worker(beside, self.call.budget, &self.given);
                    let report = packed.unpack(&mut unpacker)?;
                    if stores && report.outcome.is_ok() {
                        memory::unpack(memory, &in_memory, &mut unpacker)?;
                    }
                    // Into a file on disk it could write for as long as it lives.
                    let reusable = self.given.iter().all(|shelf| shelf.is_memory());
                    return Ok(Ended { report, reusable });
                }
                Reply::Ready(_) => return Err(io::Error::from(io::ErrorKind::InvalidData).into()),
            }
        }
    }

    fn give_part(&mut self, input: Option<&Input>, place: usize) -> Result<(), Lost> {
        let Some(input) = input else { return Err(io::Error::from(io::ErrorKind::InvalidData).into()) };
        let (call, clock) = (self.call, &self.clock);
        let allowed = call.grant.limits().time;
        let wanted = || !call.interrupt.is_interrupted() && clock.since.elapsed() <= allowed;
        let mut parcel = Parcel::new(call.budget);
        let part = match input.part(place, &wanted) {
            Ok(Some(part)) => Ok(Some(parcel.part(&part)?)),
            Ok(None) => Ok(None),
            Err(error) => Err(error.0),
        };
        self.send(&Request::Part(part), &parcel.descriptors())
    }

    fn give_file(&mut self) -> Result<(), Lost> {
        match self.call.budget.shelf_to_fill() {
            Ok(file) => {
                let file = Arc::new(file);
                self.given.push(Arc::clone(&file));
                self.send(&Request::File(Ok(file.room)), &[file.file.as_fd()])
            }
            Err(error) => self.send(&Request::File(Err(error.to_string())), &[]),
        }
    }

    fn send(&mut self, request: &Request, descriptors: &[std::os::fd::BorrowedFd<'_>]) -> Result<(), Lost> {
        let (clock, allowed) = (&self.clock, self.call.grant.limits().time);
        Ok(self.connection.send(request, descriptors, &mut || clock.check(allowed))?)
    }

    fn receive(&mut self) -> Result<(Reply, super::wire::Descriptors), Lost> {
        let (call, clock) = (self.call, &mut self.clock);
        let mut to_worker = self.connection.try_clone()?;
        let mut wait = || {
            if clock.interrupted.is_none() && call.interrupt.is_interrupted() {
                clock.interrupted = Some(Instant::now());
                // Where it is not taken, the process is killed in a moment.
                let _ = to_worker.send(&Request::Interrupt, &[], &mut || Err(()));
            }
            clock.check(call.grant.limits().time)
        };
        Ok(self.connection.receive(&mut wait)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_waited_for_as_long_as_what_it_does_may_take() {
        let second = Duration::from_secs(1);
        let clock = |phase, ago| Clock { since: Instant::now().checked_sub(ago).unwrap(), phase, interrupted: None };
        for phase in [None, Some(Phase::Running)] {
            assert!(clock(phase, second).check(second).is_ok());
            assert!(matches!(clock(phase, 4 * second).check(second), Err(Failure::Storage { .. })));
        }
        let publishing = Some(Phase::Publishing);
        assert!(clock(publishing, PUBLISH_TIME).check(second).is_ok());
        assert!(clock(publishing, PUBLISH_TIME + 4 * second).check(second).is_err());
        assert!(clock(publishing, PUBLISH_TIME + 4 * second).check(2 * PUBLISH_TIME).is_ok());
        let interrupted = Clock { interrupted: Instant::now().checked_sub(4 * second), ..clock(None, second) };
        assert_eq!(interrupted.check(100 * second), Err(Failure::Interrupted));
    }
}
