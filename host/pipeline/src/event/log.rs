//! Writes the event log: one thread that commits what concurrent steps append, many events at once.
//!
//! A commit to disk takes as long as hundreds of events take to write, so events wait until someone needs them to
//! last: a step that ends, or a run. Whoever else looks on sees them a moment later.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{Event, EventLogError, store};

/// How long an event waits at most for others to be committed with.
const PATIENCE: Duration = Duration::from_millis(200);
/// Events that wait at most; who appends more waits.
const WAITING: usize = 4096;

/// The writer of an event log. What was appended is committed when it is dropped.
#[derive(Debug)]
pub(crate) struct EventLog {
    path: PathBuf,
    /// The last run by its id, of those that were recorded when it was opened.
    last_run: Option<String>,
    sender: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
}

enum Request {
    Append(Box<Event>),
    /// Answer once all that was appended before is durable.
    Flush(SyncSender<Result<(), EventLogError>>),
}

impl EventLog {
    /// Opens the log at `path`, and makes it where there is none.
    pub fn open(path: &Path) -> Result<Self, EventLogError> {
        let connection = store::open_to_write(path)?;
        let last_run = store::last_run(&connection).map_err(|error| store::failed(path, &error))?;
        let (sender, receiver) = sync_channel(WAITING);
        let mut writer = Writer {
            path: path.to_owned(),
            connection,
            receiver,
            events: Vec::new(),
            commit_at: None,
            waiting: Vec::new(),
            failed: None,
        };
        let thread = std::thread::Builder::new().name("event log".to_owned()).spawn(move || writer.work());
        let thread = thread.map_err(|error| store::unusable(path, format!("cannot start a thread: {error}")))?;
        Ok(Self { path: path.to_owned(), last_run, sender: Some(sender), thread: Some(thread) })
    }

    /// The last run by its id, of those that were recorded when it was opened.
    pub fn last_run(&self) -> Option<&str> {
        self.last_run.as_deref()
    }

    /// Appends `event`, to be committed soon. That it cannot be shows in [`flush`](Self::flush).
    pub fn append(&self, event: Event) {
        if let Some(sender) = &self.sender {
            // It fails when the writer is gone, which the next flush reports.
            let _ = sender.send(Request::Append(Box::new(event)));
        }
    }

    /// Waits until all that this thread appended is durable.
    pub fn flush(&self) -> Result<(), EventLogError> {
        let (sender, receiver) = sync_channel(1);
        let request = self.sender.as_ref().and_then(|log| log.send(Request::Flush(sender)).ok());
        let answer = request.and_then(|()| receiver.recv().ok());
        answer.unwrap_or_else(|| Err(store::unusable(&self.path, "its writer ended".to_owned())))
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the writer was reported by the flush that had no answer.
            let _ = thread.join();
        }
    }
}

struct Writer {
    path: PathBuf,
    connection: Connection,
    receiver: Receiver<Request>,
    events: Vec<Event>,
    /// When they are committed at the latest.
    commit_at: Option<Instant>,
    waiting: Vec<SyncSender<Result<(), EventLogError>>>,
    /// After a commit failed nothing more is written, so that what is there has no gaps.
    failed: Option<EventLogError>,
}

impl Writer {
    fn work(&mut self) {
        loop {
            let request = match self.commit_at {
                None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(time) => self.receiver.recv_timeout(time.saturating_duration_since(Instant::now())),
            };
            match request {
                Ok(request) => self.take(request),
                Err(RecvTimeoutError::Timeout) => self.commit(),
                Err(RecvTimeoutError::Disconnected) => return self.commit(),
            }
            // Events that keep coming do not put it off.
            let is_due = self.commit_at.is_some_and(|time| Instant::now() >= time);
            if is_due || !self.waiting.is_empty() || self.events.len() >= WAITING {
                self.take_what_is_there();
                self.commit();
            }
        }
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Append(event) => {
                self.commit_at.get_or_insert_with(|| Instant::now() + PATIENCE);
                self.events.push(*event);
            }
            Request::Flush(sender) => self.waiting.push(sender),
        }
    }

    /// Steps that end at the same time share a commit.
    fn take_what_is_there(&mut self) {
        while self.events.len() < 2 * WAITING {
            match self.receiver.try_recv() {
                Ok(request) => self.take(request),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    fn commit(&mut self) {
        let events = std::mem::take(&mut self.events);
        self.commit_at = None;
        if self.failed.is_none()
            && !events.is_empty()
            && let Err(error) = store::write(&mut self.connection, &events)
        {
            self.failed = Some(store::failed(&self.path, &error));
        }
        for sender in self.waiting.drain(..) {
            // Who asked may have gone.
            let _ = sender.send(self.failed.clone().map_or(Ok(()), Err));
        }
    }
}
