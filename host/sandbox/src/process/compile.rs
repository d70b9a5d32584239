//! Compiling in a process of its own, which has bounds of memory and time: what compiles untrusted code can be made to need
//! much of both.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::child::{Process, Program};
use super::layers::{Needs, confine};
use super::message::{Compiled, Refusal, Task};
use super::wire::{Broken, Connection, Descriptors, anonymous};
use crate::call::linker;
use crate::component::{ComponentError, Inspection, check_and_compile};
use crate::limits::{Bytes, COMPILE_MEMORY, COMPILE_TIME, COMPILE_WAIT};

/// Why compiling in a process gave nothing.
enum Failed {
    /// It took too long.
    Late,
    /// The process cannot be talked to.
    Lost(io::Error),
}

/// What compiling may take.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bounds {
    /// Bytes.
    pub memory: u64,
    /// Of computing, on all processors together.
    pub time: Duration,
    /// From start to end.
    pub wait: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { memory: COMPILE_MEMORY, time: COMPILE_TIME, wait: COMPILE_WAIT }
    }
}

impl Bounds {
    fn exceeded(limit: String) -> ComponentError {
        ComponentError::TooCostly { limit }
    }

    fn memory_exceeded(&self) -> ComponentError {
        Self::exceeded(format!("{} of memory", Bytes(self.memory)))
    }
}

/// The code of the component `bytes`, compiled by a process of `program`.
///
/// # Errors
/// [`ComponentError`] where the compiler refuses it, needs more than it may have, or cannot be run.
pub(crate) fn compile(program: &Program, inspection: &Inspection, bytes: &[u8]) -> Result<Vec<u8>, ComponentError> {
    compile_within(&Bounds::default(), program, inspection, bytes)
}

/// The same within these bounds.
pub(super) fn compile_within(
    bounds: &Bounds,
    program: &Program,
    inspection: &Inspection,
    bytes: &[u8],
) -> Result<Vec<u8>, ComponentError> {
    let unable = |error: io::Error| ComponentError::Compiler(format!("its process cannot be started: {error}"));
    let (process, mut connection) = Process::start(program).map_err(unable)?;
    match converse(&mut connection, bounds, inspection, bytes) {
        Ok(Ok(code)) => Ok(code),
        // What the compiler maps says so itself.
        Ok(Err(Refusal::Rejected(reason))) if reason.contains("os error 12") => Err(bounds.memory_exceeded()),
        Ok(Err(refusal)) => Err(refusal.into()),
        Err(Failed::Late) => Err(Bounds::exceeded(format!("{} s", bounds.wait.as_secs()))),
        Err(Failed::Lost(error)) => {
            drop(connection);
            let end = process.end();
            if end.is_out_of_memory() {
                Err(bounds.memory_exceeded())
            } else if end.is_out_of_time() {
                Err(Bounds::exceeded(format!("{} s of computing", bounds.time.as_secs())))
            } else {
                Err(ComponentError::Compiler(format!("{error}; {end}")))
            }
        }
    }
}

fn converse(
    connection: &mut Connection,
    bounds: &Bounds,
    inspection: &Inspection,
    bytes: &[u8],
) -> Result<Result<Vec<u8>, Refusal>, Failed> {
    let started = Instant::now();
    let mut wait = || if started.elapsed() > bounds.wait { Err(()) } else { Ok(()) };
    let failed = |broken| match broken {
        Broken::Connection(error) => Failed::Lost(error),
        Broken::Stopped(()) => Failed::Late,
    };
    let component = anonymous(bytes).map_err(Failed::Lost)?;
    connection
        .send(&Task::Compile(inspection.clone(), bounds.clone()), &[component.as_fd()], &mut wait)
        .map_err(failed)?;
    let (answer, mut descriptors): (Compiled, _) = connection.receive(&mut wait).map_err(failed)?;
    if let Err(refusal) = answer {
        return Ok(Err(refusal));
    }
    let code = descriptors.take(0).and_then(read_whole).map_err(Failed::Lost)?;
    Ok(Ok(code))
}

/// In the process: confines itself, compiles and answers.
pub(super) fn serve(
    mut connection: Connection,
    inspection: &Inspection,
    bounds: &Bounds,
    mut beside: Descriptors,
) -> io::Result<()> {
    // If who started it is killed, nobody waits for the code.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    confine(&Needs {
        directories: Vec::new(),
        memory: bounds.memory,
        file: None,
        cpu_seconds: Some(bounds.time.as_secs()),
    });
    let bytes = beside.take(0).and_then(read_whole)?;
    let linker = linker(1).map_err(io::Error::other)?;
    let code = match check_and_compile(&linker, inspection, &bytes) {
        Ok(code) => code,
        Err(error) => return answer(&mut connection, &Err(error.into()), None),
    };
    let file = anonymous(&code)?;
    answer(&mut connection, &Ok(()), Some(&file))
}

fn answer(connection: &mut Connection, compiled: &Compiled, code: Option<&File>) -> io::Result<()> {
    let descriptors: Vec<_> = code.iter().map(AsFd::as_fd).collect();
    super::patiently(|wait| connection.send(compiled, &descriptors, wait))
}

fn read_whole(mut file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
