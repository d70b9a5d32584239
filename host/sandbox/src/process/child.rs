//! A process of the sandbox's own, as who started it sees it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use super::wire::{Connection, anonymous};
use crate::text::safe_line;

/// What Linux counts computing in for whoever asks, whatever it does itself.
const TICKS: u32 = 100;
/// Bytes of what a process said before its end that are told.
const LAST_WORDS: u64 = 1000;

/// The program that processes of the sandbox run: one that calls [`serve`](super::serve) when it is started with these
/// arguments, which is best the program itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its file.
    pub path: PathBuf,
    /// What it is started with.
    pub arguments: Vec<OsString>,
}

impl Program {
    /// The program that runs, started with `argument`.
    pub fn own(argument: &str) -> Self {
        // The very file that runs, even where another has taken its place since.
        Self { path: PathBuf::from("/proc/self/exe"), arguments: vec![argument.into()] }
    }
}

/// What a thread is asked to start, and where it answers.
type Start = (Command, Sender<io::Result<Child>>);

/// Starts `command`, on a thread that lasts as long as this program: the system ends a process when the thread that started it
/// ends, which is how a process ends that does not notice that its socket was closed.
fn spawn(command: Command) -> io::Result<Child> {
    static STARTER: Mutex<Option<Sender<Start>>> = Mutex::new(None);
    let starter = {
        let mut starter = STARTER.lock().unwrap_or_else(PoisonError::into_inner);
        match &*starter {
            Some(starter) => starter.clone(),
            // Where it cannot be started now, it may be for the next process.
            None => starter.insert(start_starter()?).clone(),
        }
    };
    let gone = || io::Error::other("the thread that starts processes has ended");
    let (answer, answered) = channel();
    starter.send((command, answer)).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}

fn start_starter() -> io::Result<Sender<Start>> {
    let (sender, receiver) = channel::<Start>();
    let start = move || {
        for (mut command, answer) in receiver {
            let child = command.spawn();
            // With it goes the other end of the socket, which only the process is to hold.
            drop(command);
            let _ = answer.send(child);
        }
    };
    std::thread::Builder::new().name("starter".to_owned()).spawn(start)?;
    Ok(sender)
}

/// A started process, which ends when this goes.
pub(super) struct Process {
    child: Child,
    /// What it says as it dies.
    stderr: File,
}

/// How a process ended by itself.
#[derive(Debug)]
pub(super) struct End {
    status: Option<ExitStatus>,
    words: String,
}

impl Process {
    /// Starts `program`, and gives the socket to it.
    pub fn start(program: &Program) -> io::Result<(Self, Connection)> {
        let (connection, theirs) = Connection::pair()?;
        let stderr = anonymous(&[])?;
        let mut command = Command::new(&program.path);
        command.args(&program.arguments).env_clear().current_dir("/");
        command.stdin(theirs).stdout(Stdio::null()).stderr(stderr.try_clone()?);
        // Ctrl-C in a terminal is for who started it, who then ends it as it sees fit.
        command.process_group(0);
        Ok((Self { child: spawn(command)?, stderr }, connection))
    }

    /// Whether it did not end yet.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// How long it computed so far; nothing where the system does not say it.
    pub fn cpu_time(&self) -> Option<Duration> {
        // Of a process that was not waited for, whose number no other has.
        let said = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        // Behind its name, which may have any characters: the 14th and the 15th field, the name being the second.
        let fields = said.rsplit_once(')')?.1.split_whitespace().skip(11).take(2);
        let ticks = fields.map(|field| field.parse::<u64>().ok()).sum::<Option<u64>>()?;
        Some(Duration::from_secs(ticks) / TICKS)
    }

    /// How it ended after `error`, if it did or does so now that its end of the socket is closed.
    pub fn end(mut self, error: &io::Error) -> End {
        // One that closed its socket has nothing left to do but to end. One that said what cannot be has no reason to.
        let time = if error.kind() == io::ErrorKind::InvalidData { Duration::ZERO } else { super::ENDING };
        let status = super::within(time, || self.child.try_wait().ok().flatten());
        let mut words = Vec::new();
        if self.stderr.rewind().is_ok() {
            let _ = (&self.stderr).take(LAST_WORDS).read_to_end(&mut words);
        }
        End { status, words: safe_line(&String::from_utf8_lossy(&words), 300) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        // One that hangs in the kernel cannot be waited for here; the system clears it away when this program ends.
        super::within(super::ENDING, || self.child.try_wait().ok().flatten());
    }
}

impl End {
    /// Whether it asked for more memory than it may have.
    pub fn is_out_of_memory(&self) -> bool {
        self.words.contains("memory allocation of")
    }

    /// Whether it computed for longer than it may.
    pub fn is_out_of_time(&self) -> bool {
        self.has_signal(Signal::XCPU)
    }

    fn has_signal(&self, signal: Signal) -> bool {
        self.status.and_then(|status| status.signal()) == Some(signal.as_raw())
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.status {
            Some(status) => write!(f, "it ended with {status}")?,
            None => f.write_str("it did not end by itself and was killed")?,
        }
        if self.has_signal(Signal::KILL) {
            f.write_str(", as where the machine has no more memory")?;
        }
        if self.words.is_empty() { Ok(()) } else { write!(f, ", saying {:?}", self.words) }
    }
}
