//! The worker processes of a sandbox: started when there is a call for one, kept for the next call of their kind.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::child::{End, Process};
use super::conversation::{Conversation, Ended, Lost, Subject};
use super::distrust::shown_line;
use super::layers::Layers;
use super::memory;
use super::message::{CallTask, Outcome, PackedGrant, Readiness, Reply, Task};
use super::starter::Starter;
use super::wire::{Broken, Connection, invalid};
use crate::call::{Call, Interrupt, failed};
use crate::component::Code;
use crate::limits::{IDLE_WORKERS, WORKER_START};
use crate::mount::{Durability, MemoryDirectory};
use crate::report::{Failure, Report, StorageFailure};

/// The workers of a sandbox.
pub(crate) struct Workers {
    starter: Arc<Starter>,
    durability: Durability,
    /// Those that make no call, the one that ended one last at the end.
    idle: Mutex<Vec<Worker>>,
}

/// A worker that makes no call.
struct Worker {
    /// Digest, grant and directories in memory, which it was started for and serves alone.
    purpose: Vec<u8>,
    process: Process,
    connection: Connection,
    /// Whether all that is lent was there when it was started; what comes later it cannot see.
    complete: bool,
}

impl Workers {
    /// Workers that `starter` starts.
    pub fn new(starter: Arc<Starter>, durability: Durability) -> Self {
        Self { starter, durability, idle: Mutex::default() }
    }

    /// How this system confines a worker.
    pub fn layers(&self) -> io::Result<Layers> {
        let probed = start(&self.starter, &Task::Probe, None, WORKER_START, &Interrupt::new());
        probed.map(|(_, ready)| ready.layers).map_err(NotStarted::into_io)
    }

    /// Has a worker make `call`.
    pub fn call<T: Outcome>(&self, call: &Call<'_>, code: &Code, subject: Subject<'_>) -> Report<T> {
        let purpose = match purpose(call) {
            Ok(purpose) => purpose,
            Err(error) => return failed(Failure::Host { reason: format!("the call cannot be passed on: {error}") }),
        };
        if let Some(worker) = self.find_idle(&purpose)
            && let Some(report) = self.make(worker, call, subject.clone())
        {
            return report;
        }
        let worker = match self.start(call, code, &subject, purpose) {
            Ok(worker) => worker,
            Err(NotStarted::Stopped(failure)) => return failed(failure),
            Err(NotStarted::Failed(reason)) => {
                return failed(Failure::Host { reason: format!("there is no worker process: {reason}") });
            }
        };
        self.make(worker, call, subject).unwrap_or_else(|| failed(replaced()))
    }

    /// Has `worker` make the call; nothing where what is lent is no longer what the worker can reach.
    fn make<T: Outcome>(&self, worker: Worker, call: &Call<'_>, subject: Subject<'_>) -> Option<Report<T>> {
        let held = Conversation::new(&worker.connection, call).hold(subject);
        Some(match held {
            Ok(Ended { report, reusable }) => {
                // The system ends one that computes for longer than two calls may.
                let is_fresh = worker.process.cpu_time().is_some_and(|time| time <= call.grant.limits().cpu_time);
                if reusable && worker.complete && is_fresh {
                    self.keep(worker);
                }
                report
            }
            Err(Lost::Stale) => return None,
            Err(Lost::Stopped(failure)) => failed(failure),
            Err(Lost::Worker(error)) => {
                let reason = worker.autopsy(&error, call);
                failed(Failure::Host { reason })
            }
        })
    }

    fn find_idle(&self, purpose: &[u8]) -> Option<Worker> {
        while let Some(mut worker) = self.take_idle(purpose) {
            // It may have been ended since, where the machine had no more memory say. One that speaks without being asked was taken
            // over by a guest.
            if worker.process.is_alive() && !worker.connection.is_heard() {
                return Some(worker);
            }
        }
        None
    }

    fn start(
        &self,
        call: &Call<'_>,
        code: &Code,
        subject: &Subject<'_>,
        purpose: Vec<u8>,
    ) -> Result<Worker, NotStarted> {
        let task = Task::Call(CallTask {
            name: call.component.name().to_owned(),
            inspection: call.component.inspection().clone(),
            grant: PackedGrant::pack(call.grant),
            durability: self.durability,
            makes: !matches!(subject, Subject::Input(_)),
        });
        let ((process, connection), ready) = start(&self.starter, &task, Some(code), WORKER_START, call.interrupt)?;
        Ok(Worker { purpose, process, connection, complete: ready.complete })
    }

    fn take_idle(&self, purpose: &[u8]) -> Option<Worker> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let place = idle.iter().rposition(|worker| worker.purpose == purpose)?;
        Some(idle.remove(place))
    }

    #[cfg(test)]
    pub(super) fn keep_for(&self, purpose: Vec<u8>, process: Process, connection: Connection) {
        self.keep(Worker { purpose, process, connection, complete: true });
    }

    #[cfg(test)]
    pub fn purposes(&self) -> Vec<Vec<u8>> {
        self.idle.lock().unwrap().iter().map(|worker| worker.purpose.clone()).collect()
    }

    fn keep(&self, worker: Worker) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(worker);
        let too_many = idle.len().saturating_sub(IDLE_WORKERS);
        let gone: Vec<Worker> = idle.drain(..too_many).collect();
        // Ending takes a moment.
        drop(idle);
        drop(gone);
    }
}

impl Worker {
    /// What became of a worker that said `error` or nothing.
    fn autopsy(self, error: &io::Error, call: &Call<'_>) -> String {
        drop(self.connection);
        let end: End = self.process.end(error);
        if end.is_out_of_memory() {
            let memory = crate::limits::Bytes(call.grant.limits().memory.saturating_add(crate::limits::PROCESS_MEMORY));
            return format!("the worker process of the call needed more than {memory} of memory in all");
        }
        format!("the worker process of the call was lost ({error}): {end}")
    }
}

/// What a worker is started for that can make `call`.
pub(super) fn purpose(call: &Call<'_>) -> io::Result<Vec<u8>> {
    // In a grant that is passed on, directories in memory are alike.
    let in_memory: Vec<usize> = memory::directories(call.grant).iter().map(MemoryDirectory::number).collect();
    let grant = PackedGrant::pack(call.grant);
    rmp_serde::to_vec_named(&(call.component.digest(), grant, in_memory)).map_err(io::Error::other)
}

/// Why no process was started.
pub(super) enum NotStarted {
    /// It cannot be, or failed.
    Failed(io::Error),
    /// It is not waited for any longer.
    Stopped(Failure),
}

impl NotStarted {
    pub fn into_io(self) -> io::Error {
        match self {
            Self::Failed(error) => error,
            Self::Stopped(failure) => io::Error::other(failure.to_string()),
        }
    }
}

impl From<io::Error> for NotStarted {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Starts a process with `task`, and waits until it is confined, as the first process of `starter` was. It opens what is lent before,
/// which takes for ever where a file system does not answer.
pub(super) fn start(
    starter: &Starter,
    task: &Task,
    code: Option<&Code>,
    patience: Duration,
    interrupt: &Interrupt,
) -> Result<((Process, Connection), Readiness), NotStarted> {
    let (process, connection) = starter.start()?;
    let since = Instant::now();
    let mut wait = || match since.elapsed() {
        _ if interrupt.is_interrupted() => Err(Failure::Interrupted),
        time if time > patience => Err(unanswered(time)),
        _ => Ok(()),
    };
    let descriptors: Vec<_> = code.iter().map(|code| code.file().as_fd()).collect();
    let mut converse = || {
        connection.send(task, &descriptors, &mut wait)?;
        connection.receive::<Reply, Failure>(0, &mut wait)
    };
    match converse() {
        Ok((Reply::Ready(Ok(ready)), _)) => {
            starter.check(&ready.layers)?;
            Ok(((process, connection), ready))
        }
        Ok((Reply::Ready(Err(reason)), _)) => Err(io::Error::other(shown_line(&reason)).into()),
        Ok(_) => Err(invalid("it says something else than that it is ready").into()),
        Err(Broken::Stopped(failure)) => Err(NotStarted::Stopped(failure)),
        Err(Broken::Unable(error)) => Err(error.into()),
        Err(Broken::Connection(error)) => {
            drop(connection);
            let end = process.end(&error);
            Err(io::Error::other(format!("{error}; {end}")).into())
        }
    }
}

fn replaced() -> Failure {
    let reason =
        "they were removed or replaced again and again while a worker process was started; look who does it".to_owned();
    let (operation, path) = ("lend".to_owned(), "the directories of the call".to_owned());
    Failure::Storage { failure: StorageFailure { operation, path, reason } }
}

fn unanswered(after: Duration) -> Failure {
    let reason = format!(
        "it said nothing for {} s, in which it opens the directories that are lent, and was killed; look whether their file systems \
         answer",
        after.as_secs()
    );
    Failure::Storage {
        failure: StorageFailure { operation: "start".to_owned(), path: "a worker process".to_owned(), reason },
    }
}
