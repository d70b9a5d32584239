//! Processes of the sandbox's own: one compiles, others make calls, each confined to what it needs.
//!
//! Compiling untrusted code can be made to need much time and memory, so it has a process with bounds of both. Where calls are
//! isolated, a worker process makes them: it has the compiled code and the directories of one grant, and is confined by the
//! kernel ([`Layers`]), so that escaping takes a fault of WebAssembly's sandbox and one of the kernel's. Who started it kills it
//! when it does not answer, which is the only way to end a call of the kernel that hangs. Nothing that a worker says is
//! trusted more than a guest is.
//!
//! The way of a call: [`workers`] finds an idle worker or starts one, [`conversation`] holds the sandbox's end of the call,
//! [`worker`] the other. Between them, [`message`] says what they say, [`packing`] how values pass, and [`wire`] carries it.

mod child;
mod claims;
mod compile;
mod conversation;
mod distrust;
mod filter;
#[cfg(test)]
mod hostile;
mod layers;
mod memory;
mod message;
mod packing;
mod starter;
#[cfg(test)]
mod tests;
mod values;
mod wire;
mod worker;
mod workers;

use std::convert::Infallible;
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

pub use child::Program;
pub(crate) use compile::compile;
pub(crate) use conversation::Subject;
pub use layers::{Layer, Layers};
pub(crate) use message::Phase;
use message::Task;
pub(crate) use starter::Starter;
use wire::{Broken, Connection, Wait};
pub(crate) use workers::Workers;

use crate::limits::FRAME_DESCRIPTORS;

/// How long a process may take to end after it was told to.
const ENDING: Duration = Duration::from_secs(2);

/// Serves as the process of a sandbox whose [`Program`] this is, until it is no longer needed.
///
/// To be called before anything else, while the process has one thread: it refuses where there are others, which would not be
/// confined.
pub fn serve() -> ExitCode {
    match check_alone().and_then(|()| serve_task()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // It is read by who started this process.
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn check_alone() -> io::Result<()> {
    // A system that does not list them shows no program to start either.
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        return Err(io::Error::other("it has more than one thread, and so cannot confine itself"));
    }
    Ok(())
}

fn serve_task() -> io::Result<()> {
    layers::leave_descriptors()?;
    let connection = Connection::inherited()?;
    let (task, beside) = patiently(|wait| connection.receive(FRAME_DESCRIPTORS, wait))?;
    match task {
        Task::Compile(inspection, bounds) => compile::serve(&connection, &inspection, &bounds, beside),
        Task::Call(task) => worker::serve(connection, task, beside),
        Task::Probe => worker::serve_probe(&connection),
    }
}

/// Does what waits as long as it takes.
fn patiently<T>(act: impl FnOnce(Wait<'_, Infallible>) -> Result<T, Broken<Infallible>>) -> io::Result<T> {
    act(&mut || Ok(())).map_err(|broken| match broken {
        Broken::Connection(error) | Broken::Unable(error) => error,
        Broken::Stopped(never) => match never {},
    })
}

/// What `look` finds, which is asked again and again for so long.
fn within<T>(time: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    let mut pause = Duration::from_micros(100);
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if started.elapsed() > time {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}
