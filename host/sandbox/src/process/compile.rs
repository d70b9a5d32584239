//! Compiling in a process of its own, which has bounds of memory and time: what compiles untrusted code can be made to need
//! much of both.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::layers::{Layers, Needs, confine};
use super::message::{Compiled, Refusal, Task};
use super::starter::Starter;
use super::wire::{Broken, Connection, Descriptors, anonymous, invalid};
use crate::call::linker;
use crate::component::{Code, ComponentError, Inspection, check_and_compile};
use crate::limits::{Bytes, COMPILE_MEMORY, COMPILE_TIME, COMPILE_WAIT, COMPILED_BYTES, COMPONENT_BYTES};

/// Why compiling in a process gave nothing.
enum Failed {
    /// It took too long.
    Late,
    /// The process is confined less than it should be.
    Unconfined(io::Error),
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

/// The code of the component `bytes`, compiled by a process that `starter` starts.
///
/// # Errors
/// [`ComponentError`] where the compiler refuses it, needs more than it may have, or cannot be run.
pub(crate) fn compile(starter: &Starter, inspection: &Inspection, bytes: &[u8]) -> Result<Code, ComponentError> {
    compile_within(&Bounds::default(), starter, inspection, bytes)
}

/// The same within these bounds.
pub(super) fn compile_within(
    bounds: &Bounds,
    starter: &Starter,
    inspection: &Inspection,
    bytes: &[u8],
) -> Result<Code, ComponentError> {
    let unable = |error: io::Error| ComponentError::Compiler(format!("its process cannot be started: {error}"));
    let (process, connection) = starter.start().map_err(unable)?;
    match converse(starter, &connection, bounds, inspection, bytes) {
        Ok(Ok(code)) => Ok(code),
        // What the compiler maps says so itself.
        Ok(Err(Refusal::Rejected(reason))) if reason.contains("os error 12") => Err(bounds.memory_exceeded()),
        Ok(Err(refusal)) => Err(refusal.into()),
        Err(Failed::Late) => Err(Bounds::exceeded(format!("{} s", bounds.wait.as_secs()))),
        Err(Failed::Unconfined(error)) => Err(ComponentError::Compiler(format!("its process is not used: {error}"))),
        Err(Failed::Lost(error)) => {
            drop(connection);
            let end = process.end(&error);
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
    starter: &Starter,
    connection: &Connection,
    bounds: &Bounds,
    inspection: &Inspection,
    bytes: &[u8],
) -> Result<Result<Code, Refusal>, Failed> {
    let since = Instant::now();
    let mut wait = || if since.elapsed() > bounds.wait { Err(()) } else { Ok(()) };
    let failed = |broken| match broken {
        Broken::Connection(error) | Broken::Unable(error) => Failed::Lost(error),
        Broken::Stopped(()) => Failed::Late,
    };
    let component = anonymous(bytes).map_err(Failed::Lost)?;
    connection
        .send(&Task::Compile(inspection.clone(), bounds.clone()), &[component.as_fd()], &mut wait)
        .map_err(failed)?;
    let (layers, _): (Layers, _) = connection.receive(0, &mut wait).map_err(failed)?;
    starter.check(&layers).map_err(Failed::Unconfined)?;
    // The code.
    let (answer, mut descriptors): (Compiled, _) = connection.receive(1, &mut wait).map_err(failed)?;
    if let Err(refusal) = answer {
        return Ok(Err(refusal));
    }
    Ok(Ok(descriptors.take(0).and_then(take_code).map_err(Failed::Lost)?))
}

/// The code in `file`, which somebody else may have written until now.
fn take_code(file: File) -> io::Result<Code> {
    let code = Code::sealed(file)?;
    if code.size()? > COMPILED_BYTES { Err(invalid(too_large())) } else { Ok(code) }
}

/// In the process: confines itself, compiles and answers.
pub(super) fn serve(
    connection: &Connection,
    inspection: &Inspection,
    bounds: &Bounds,
    mut beside: Descriptors,
) -> io::Result<()> {
    let layers =
        confine(&Needs { directories: Vec::new(), memory: bounds.memory, file: COMPILED_BYTES, cpu_time: bounds.time });
    // Before it reads the component, which may have it say anything.
    super::patiently(|wait| connection.send(&layers, &[], wait))?;
    let bytes = beside.take(0).and_then(read_component)?;
    let linker = linker(1).map_err(io::Error::other)?;
    let code = match check_and_compile(&linker, inspection, &bytes) {
        Ok(code) => code,
        Err(error) => return answer(connection, &Err(error.into()), None),
    };
    if code.len() as u64 > COMPILED_BYTES {
        return answer(connection, &Err(Refusal::Rejected(too_large())), None);
    }
    let file = anonymous(&code)?;
    answer(connection, &Ok(()), Some(&file))
}

fn answer(connection: &Connection, compiled: &Compiled, code: Option<&File>) -> io::Result<()> {
    let descriptors: Vec<_> = code.iter().map(AsFd::as_fd).collect();
    super::patiently(|wait| connection.send(compiled, &descriptors, wait))
}

/// The bytes of the component in `file`.
fn read_component(mut file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(COMPONENT_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_large() -> String {
    format!("its compiled code takes more than {}", Bytes(COMPILED_BYTES))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::component::inspect;
    use crate::process::{Layer, Program};

    fn starter() -> Starter {
        Starter::new(Program::own("x"))
    }

    fn layers(file_system: Layer) -> Layers {
        Layers { file_system, system_calls: Layer::On, network: Layer::On, resources: Layer::On }
    }

    /// What is made of a process that answers `said`, with these files.
    fn answered(said: &Compiled, files: &[&File]) -> Result<Result<Code, ComponentError>, String> {
        answered_within(&starter(), said, files)
    }

    fn answered_within(
        starter: &Starter,
        said: &Compiled,
        files: &[&File],
    ) -> Result<Result<Code, ComponentError>, String> {
        let bytes = wat::parse_str("(component)").unwrap();
        let inspection = inspect(
            &wat::parse_str(r#"(component (instance $i) (export "airlock:io/output@0.1.0" (instance $i)))"#).unwrap(),
        );
        let (ours, theirs) = Connection::pair().unwrap();
        let theirs = Connection::of_process(theirs);
        let files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let asked = theirs.receive::<Task, ()>(1, &mut || Ok(()));
                let _ = theirs.send(&layers(Layer::Partly), &[], &mut || Ok::<_, ()>(()));
                let _ = theirs.send(said, &files, &mut || Ok::<_, ()>(()));
                drop(asked);
            });
            match converse(starter, &ours, &Bounds::default(), &inspection.unwrap(), &bytes) {
                Ok(answer) => Ok(answer.map_err(Into::into)),
                Err(Failed::Lost(error) | Failed::Unconfined(error)) => Err(error.to_string()),
                Err(Failed::Late) => Err("it is late".to_owned()),
            }
        })
    }

    #[test]
    fn code_that_is_too_large_or_can_change_is_not_taken() {
        let file = anonymous(b"code").unwrap();
        assert!(matches!(answered(&Ok(()), &[&file]), Ok(Ok(code)) if code.bytes().unwrap() == b"code"));
        assert!((&file).write_all(b"x").is_err(), "it is sealed");
        let large = anonymous(b"code").unwrap();
        large.set_len(COMPILED_BYTES + 1).unwrap();
        assert_eq!(answered(&Ok(()), &[&large]).unwrap_err(), "its compiled code takes more than 512 MiB");
        let mut named = tempfile::tempfile().unwrap();
        named.write_all(b"code").unwrap();
        assert!(answered(&Ok(()), &[&named]).is_err(), "no file in memory");
        assert!(answered(&Ok(()), &[]).is_err(), "no file");
    }

    #[test]
    fn code_of_a_process_that_is_confined_less_than_others_is_not_taken() {
        let file = anonymous(b"code").unwrap();
        let starter = starter();
        starter.check(&layers(Layer::On)).unwrap();
        let error = answered_within(&starter, &Ok(()), &[&file]).unwrap_err();
        assert!(error.contains("file system (Landlock)"), "{error}");
    }

    #[test]
    fn what_a_process_says_of_a_component_can_be_shown() {
        let hostile = || "\u{1b}[2J\n::add-mask::x".repeat(10_000);
        let shape = Refusal::Shape { what: hostile(), found: 1, allowed: 0 };
        for said in [Refusal::Rejected(hostile()), Refusal::Mismatch(hostile()), shape] {
            let error = answered(&Err(said), &[]).unwrap().unwrap_err().to_string();
            assert!(!error.contains('\u{1b}') && !error.contains("\n::") && error.len() < 200_000, "{error}");
        }
    }
}
