//! Runs a command of the author's own: started in a process group, its output kept, ended with all that it started.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use airlock_sandbox::Interrupt;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::step_log::StepLog;

/// How often a running command looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);
/// How long an interrupted command has to end by itself.
const GRACE: Duration = Duration::from_secs(5);
/// How long what a command wrote is waited for once it has ended; what left its process group may hold on to it.
const DRAIN: Duration = Duration::from_secs(1);
/// Bytes that are kept of the end of its standard error.
const TAIL_BYTES: usize = 8 << 10;

/// A command that ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// How; none where it was interrupted.
    pub status: Option<ExitStatus>,
    /// The end of its standard error, as it wrote it.
    pub stderr: Vec<u8>,
}

/// Runs the program `program` with `arguments` in `directory` until it ends or is interrupted.
pub(super) fn run(
    program: &str,
    arguments: &[String],
    directory: &Path,
    environment: &[(String, OsString)],
    log: &Arc<StepLog>,
    interrupt: &Interrupt,
) -> io::Result<Ended> {
    // A program that is named by a path is looked for where it runs, as its arguments are.
    let mut command = if program.contains('/') { Command::new(directory.join(program)) } else { Command::new(program) };
    command.args(arguments).current_dir(directory);
    // What a run above this one gave its command is not this command's.
    let is_of_step = |name: &str| {
        let of_step = ["OUTPUT", "METADATA", "INPUT_", "PARTITION", "MAPPING_KEY", "ASSET", "JOB"];
        let rest = name.strip_prefix("AIRLOCK_");
        rest.is_some_and(|rest| of_step.iter().any(|begin| rest.starts_with(begin)))
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_of_step)) {
        command.env_remove(name);
    }
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let (mut child, group) = start(&mut command)?;
    let tail = Arc::new(Mutex::new(VecDeque::new()));
    let (sender, receiver) = channel();
    let follow = || -> io::Result<()> {
        keep(child.stdout.take(), log, None, &sender)?;
        keep(child.stderr.take(), log, Some(Arc::clone(&tail)), &sender)?;
        watch(group, sender)
    };
    let followed = follow();
    if let Err(error) = followed {
        reap(&mut child, group)?;
        return Err(error);
    }
    let (status, was_interrupted) = wait(&mut child, group, &receiver, interrupt)?;
    let stderr = tail.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
    Ok(Ended { status: (!was_interrupted).then_some(status), stderr })
}

enum Notice {
    /// The command ended and is not yet reaped.
    Exited,
    /// One of its outputs is closed.
    Closed,
}

/// Copies `output` to the log until it is closed, on a thread of its own.
fn keep(
    output: Option<impl Read + Send + 'static>,
    log: &Arc<StepLog>,
    tail: Option<Arc<Mutex<VecDeque<u8>>>>,
    sender: &Sender<Notice>,
) -> io::Result<()> {
    let (log, sender) = (Arc::clone(log), sender.clone());
    let copy = move || {
        let mut buffer = vec![0; 64 << 10];
        let mut output = output;
        while let Some(Ok(length)) = output.as_mut().map(|output| output.read(&mut buffer)).filter(is_data) {
            let bytes = buffer.get(..length).unwrap_or_default();
            log.write(bytes);
            if let Some(tail) = &tail {
                let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                tail.extend(bytes);
                let excess = tail.len().saturating_sub(TAIL_BYTES);
                tail.drain(..excess);
            }
        }
        // Who waits may have given up.
        let _ = sender.send(Notice::Closed);
    };
    std::thread::Builder::new().name("command output".to_owned()).spawn(copy).map(drop)
}

fn is_data(read: &io::Result<usize>) -> bool {
    read.as_ref().is_ok_and(|length| *length > 0)
}

/// Sees the command end, on a thread of its own. It is not reaped, so that its process group stays its own.
fn watch(group: Pid, sender: Sender<Notice>) -> io::Result<()> {
    let wait = move || {
        let ended = || waitid(WaitId::Pid(group), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        while matches!(ended(), Err(Errno::INTR)) {}
        let _ = sender.send(Notice::Exited);
    };
    std::thread::Builder::new().name("command".to_owned()).spawn(wait).map(drop)
}

fn wait(
    child: &mut Child,
    group: Pid,
    notices: &Receiver<Notice>,
    interrupt: &Interrupt,
) -> io::Result<(ExitStatus, bool)> {
    let mut kill_at = None;
    let mut open = 2;
    loop {
        match notices.recv_timeout(LOOK) {
            Ok(Notice::Exited) | Err(RecvTimeoutError::Disconnected) => break,
            Ok(Notice::Closed) => open -= 1,
            Err(RecvTimeoutError::Timeout) => {}
        }
        match kill_at {
            None if interrupt.is_interrupted() => {
                end(group, Signal::TERM);
                kill_at = Some(Instant::now() + GRACE);
            }
            Some(time) if Instant::now() >= time => end(group, Signal::KILL),
            _ => {}
        }
    }
    let status = reap(child, group)?;
    let until = Instant::now() + DRAIN;
    while open > 0 && notices.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok() {
        open -= 1;
    }
    Ok((status, kill_at.is_some()))
}

/// The process groups of the commands that run in this process.
static GROUPS: Mutex<Groups> = Mutex::new(Groups { living: Vec::new(), is_closed: false });

struct Groups {
    living: Vec<Pid>,
    /// Whether no command may be started any more.
    is_closed: bool,
}

impl Groups {
    fn lock() -> MutexGuard<'static, Self> {
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kills all commands that runs of this process have started, with what these started, and lets no other start: for a
/// program that ends at once and not as its runs do.
pub fn kill_commands() {
    let mut groups = Groups::lock();
    groups.is_closed = true;
    for group in &groups.living {
        end(*group, Signal::KILL);
    }
}

/// Starts `command`, the leader of a process group.
fn start(command: &mut Command) -> io::Result<(Child, Pid)> {
    // Held meanwhile, so that no command starts unseen while all are killed.
    let mut groups = Groups::lock();
    if groups.is_closed {
        return Err(io::Error::new(io::ErrorKind::Interrupted, "the program ends"));
    }
    let child = command.spawn()?;
    let group = Pid::from_child(&child);
    groups.living.push(group);
    Ok((child, group))
}

/// Ends what is left of `group` and takes the status of `child`, which leads it; until then no other group can have its
/// id.
fn reap(child: &mut Child, group: Pid) -> io::Result<ExitStatus> {
    end(group, Signal::KILL);
    Groups::lock().living.retain(|living| *living != group);
    child.wait()
}

fn end(group: Pid, signal: Signal) {
    // It fails where nothing of the group is left.
    let _ = kill_process_group(group, signal);
}

/// How a command ended, in words: `exited with status 3`.
pub(super) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended in an unknown way".to_owned(),
    }
}
