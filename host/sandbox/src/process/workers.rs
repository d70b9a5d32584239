//! The worker processes of a sandbox: started when there is a call for one, kept for the next call of their kind.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::child::{End, Process};
use super::conversation::{Conversation, Ended, Lost, Subject};
use super::distrust::shown_line;
use super::layers::Layers;
use super::message::{CallTask, Outcome, PackedGrant, Reply, Task};
use super::starter::Starter;
use super::wire::{Broken, Connection, invalid};
use crate::call::{Call, failed};
use crate::component::Code;
use crate::grant::{Access, MountSource};
use crate::limits::{IDLE_WORKERS, WORKER_START};
use crate::mount::Durability;
use crate::report::{Failure, Report};

/// The workers of a sandbox.
pub(crate) struct Workers {
    starter: Arc<Starter>,
    durability: Durability,
    /// Those that make no call, the one that ended one last at the end.
    idle: Mutex<Vec<Worker>>,
}

/// A worker that makes no call.
struct Worker {
    /// Digest and grant, which it was started for and serves alone.
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
        let (_, layers) = start(&self.starter, &Task::Probe, None, WORKER_START)?;
        Ok(layers)
    }

    /// Has a worker make `call`.
    pub fn call<T: Outcome>(&self, call: &Call<'_>, code: &Code, subject: Subject<'_>) -> Report<T> {
        let worker = match self.find(call, code, &subject) {
            Ok(worker) => worker,
            Err(reason) => return failed(Failure::Host { reason: format!("there is no worker process: {reason}") }),
        };
        let held = Conversation::new(&worker.connection, call).hold(subject);
        match held {
            Ok(Ended { report, reusable }) => {
                // The system ends one that computes for longer than two calls may.
                let is_fresh = worker.process.cpu_time().is_some_and(|time| time <= call.grant.limits().cpu_time);
                if reusable && worker.complete && is_fresh {
                    self.keep(worker);
                }
                report
            }
            Err(Lost::Stopped(failure)) => failed(failure),
            Err(Lost::Worker(error)) => {
                let reason = worker.autopsy(&error, call);
                failed(Failure::Host { reason })
            }
        }
    }

    fn find(&self, call: &Call<'_>, code: &Code, subject: &Subject<'_>) -> io::Result<Worker> {
        let grant = PackedGrant::pack(call.grant);
        let purpose = rmp_serde::to_vec_named(&(call.component.digest(), &grant)).map_err(io::Error::other)?;
        while let Some(mut worker) = self.take_idle(&purpose) {
            // It may have been ended since, where the machine had no more memory say. One that speaks without being asked was taken
            // over by a guest.
            if worker.process.is_alive() && !worker.connection.is_heard() {
                return Ok(worker);
            }
        }
        let makes = !matches!(subject, Subject::Input(_));
        let complete = open_directories(call, makes);
        let task = Task::Call(CallTask {
            name: call.component.name().to_owned(),
            inspection: call.component.inspection().clone(),
            grant,
            durability: self.durability,
        });
        let ((process, connection), _) = start(&self.starter, &task, Some(code), WORKER_START)?;
        Ok(Worker { purpose, process, connection, complete })
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
        let end: End = self.process.end();
        if end.is_out_of_memory() {
            let memory = crate::limits::Bytes(call.grant.limits().memory.saturating_add(crate::limits::PROCESS_MEMORY));
            return format!("the worker process of the call needed more than {memory} of memory in all");
        }
        format!("the worker process of the call was lost ({error}): {end}")
    }
}

/// Starts a process with `task`, and waits until it is confined, as the first process of `starter` was.
pub(super) fn start(
    starter: &Starter,
    task: &Task,
    code: Option<&Code>,
    patience: Duration,
) -> io::Result<((Process, Connection), Layers)> {
    let (process, connection) = starter.start()?;
    let since = Instant::now();
    let mut wait = || if since.elapsed() > patience { Err(since.elapsed()) } else { Ok(()) };
    let descriptors: Vec<_> = code.iter().map(|code| code.file().as_fd()).collect();
    let mut converse = || {
        connection.send(task, &descriptors, &mut wait)?;
        connection.receive::<Reply, Duration>(0, &mut wait)
    };
    match converse() {
        Ok((Reply::Ready(Ok(layers)), _)) => starter.check(&layers).map(|()| ((process, connection), layers)),
        Ok((Reply::Ready(Err(reason)), _)) => Err(io::Error::other(shown_line(&reason))),
        Ok(_) => Err(invalid("it says something else than that it is ready")),
        Err(Broken::Stopped(after)) => {
            Err(io::Error::other(format!("it said nothing for {} s and was killed", after.as_secs())))
        }
        Err(Broken::Connection(error)) => {
            drop(connection);
            Err(io::Error::other(format!("{error}; {}", process.end())))
        }
    }
}

/// Makes the directories that are lent to be written where `makes` says so, since a worker may make none beside what is lent.
/// Gives whether all that are lent are there.
fn open_directories(call: &Call<'_>, makes: bool) -> bool {
    let mut complete = true;
    for mount in call.grant.mounts() {
        let MountSource::Directory(path) = &mount.source else { continue };
        match crate::mount::reach_root(path.as_path(), makes && mount.access == Access::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => complete = false,
            // The call will meet it, and say it as it does without a worker.
            Ok(_) | Err(_) => {}
        }
    }
    complete
}
