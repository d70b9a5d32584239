//! Runs a command under trace, so that each of its system calls can be seen before it is done, failed, or made its last.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::libc::{self, c_long};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// What becomes of a system call.
pub enum Verdict {
    /// It is done.
    Do,
    /// The process that was started is killed before it is done.
    Kill,
    /// The process that is about to do it is killed, which another may have started.
    KillThis,
    /// It is not done, and gives this: the negative number of an error, or what it would have given.
    Give(i64),
}

/// A system call that is about to be done.
pub struct SystemCall {
    thread: Pid,
    pub number: c_long,
    arguments: [u64; 4],
}

/// The system calls that change a file system or take a lock in it.
const CHANGES: [c_long; 16] = [
    libc::SYS_write,
    libc::SYS_pwrite64,
    libc::SYS_copy_file_range,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_rmdir,
    libc::SYS_flock,
];

/// Further system calls on files.
const LOOKS: [c_long; 11] = [
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fstatfs,
    libc::SYS_getdents64,
    libc::SYS_fcntl,
];

impl SystemCall {
    /// Whether a process is about to do it that confined itself, as workers do.
    pub fn is_confined(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.thread)).unwrap_or_default();
        status.contains("Seccomp:\t2")
    }

    /// Whether it changes a file system or takes a lock in it.
    pub fn is_change(&self) -> bool {
        CHANGES.contains(&self.number) || self.makes_file()
    }

    /// Whether it may have to do with files.
    pub fn is_of_files(&self) -> bool {
        CHANGES.contains(&self.number) || LOOKS.contains(&self.number)
    }

    /// Whether it opens a file and makes it where there is none.
    pub fn makes_file(&self) -> bool {
        self.opens_with(libc::O_CREAT)
    }

    /// Whether it opens a file to change it.
    pub fn opens_to_change(&self) -> bool {
        self.opens_with(libc::O_CREAT | libc::O_WRONLY | libc::O_RDWR)
    }

    /// Whether it opens a file with any of `flags`.
    fn opens_with(&self, flags: i32) -> bool {
        let given = match self.number {
            libc::SYS_open => self.arguments[1],
            libc::SYS_openat => self.arguments[2],
            _ => return false,
        };
        given & u64::from(flags.cast_unsigned()) != 0
    }

    /// The file that it is about, where it is about one; of two the one that is changed.
    pub fn path(&self) -> Option<PathBuf> {
        let [first, second, third, fourth] = self.arguments;
        match self.number {
            libc::SYS_open
            | libc::SYS_mkdir
            | libc::SYS_unlink
            | libc::SYS_rmdir
            | libc::SYS_stat
            | libc::SYS_lstat
            | libc::SYS_access
            | libc::SYS_readlink => self.at(None, first),
            libc::SYS_rename => self.at(None, second),
            libc::SYS_openat | libc::SYS_mkdirat | libc::SYS_unlinkat | libc::SYS_newfstatat | libc::SYS_statx => {
                self.at(Some(first), second)
            }
            libc::SYS_renameat | libc::SYS_renameat2 => self.at(Some(third), fourth),
            libc::SYS_copy_file_range => self.descriptor(third),
            libc::SYS_read
            | libc::SYS_pread64
            | libc::SYS_write
            | libc::SYS_pwrite64
            | libc::SYS_ftruncate
            | libc::SYS_fallocate
            | libc::SYS_fsync
            | libc::SYS_fdatasync
            | libc::SYS_flock
            | libc::SYS_fstatfs
            | libc::SYS_fstat
            | libc::SYS_getdents64 => self.descriptor(first),
            _ => None,
        }
    }

    fn descriptor(&self, number: u64) -> Option<PathBuf> {
        let number = descriptor_of(number)?;
        std::fs::read_link(format!("/proc/{}/fd/{number}", self.thread)).ok()
    }

    fn at(&self, directory: Option<u64>, address: u64) -> Option<PathBuf> {
        let name = self.text(address)?;
        if Path::new(&name).is_absolute() {
            return Some(name.into());
        }
        let directory = match directory.filter(|number| descriptor_of(*number) != Some(libc::AT_FDCWD)) {
            Some(number) => self.descriptor(number)?,
            None => std::fs::read_link(format!("/proc/{}/cwd", self.thread)).ok()?,
        };
        Some(if name.is_empty() { directory } else { directory.join(name) })
    }

    /// The text at `address` in the memory of the process.
    fn text(&self, address: u64) -> Option<String> {
        let memory = std::fs::File::open(format!("/proc/{}/mem", self.thread)).ok()?;
        let mut bytes = vec![0; 4096];
        let read = memory.read_at(&mut bytes, address).ok()?;
        bytes.truncate(bytes.iter().take(read).position(|byte| *byte == 0)?);
        String::from_utf8(bytes).ok()
    }
}

/// The descriptor in a register, whose upper half nobody sets.
fn descriptor_of(register: u64) -> Option<i32> {
    u32::try_from(register & u64::from(u32::MAX)).ok().map(u32::cast_signed)
}

/// How a command that was traced ended.
#[derive(Debug)]
pub struct Traced {
    /// Its exit code; none where it was killed.
    pub code: Option<i32>,
    /// What it wrote to its standard error.
    pub stderr: String,
}

/// The command `program`, behind a shell that waits for a line and lets each process that comes of it hold on to the
/// standard output of the shell, so that it can be seen when the last of them has ended. Its standard input is the file that
/// `STANDARD_INPUT` in its environment names, and nothing where that is not there.
fn held_back(program: &Command) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#"read go; exec "$@" 3>&1 >/dev/null <"${STANDARD_INPUT:-/dev/null}""#, "sh"]);
    command.arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(directory) = program.get_current_dir() {
        command.current_dir(directory);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs `program`, and asks `judge` about each system call of its threads before it is done. Returns once every process that
/// came of it has ended.
pub fn trace(program: &Command, judge: impl FnMut(&SystemCall) -> Verdict) -> Traced {
    trace_with(program, Options::empty(), judge)
}

/// The same of its threads and of the processes that it starts.
pub fn trace_all(program: &Command, judge: impl FnMut(&SystemCall) -> Verdict) -> Traced {
    trace_with(program, Options::PTRACE_O_TRACEVFORK | Options::PTRACE_O_TRACEFORK, judge)
}

fn trace_with(program: &Command, processes: Options, mut judge: impl FnMut(&SystemCall) -> Verdict) -> Traced {
    let mut child = held_back(program).spawn().unwrap();
    let leader = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_EXITKILL
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | processes;
    ptrace::seize(leader, options).unwrap();
    ptrace::interrupt(leader).unwrap();
    writeln!(child.stdin.take().unwrap(), "go").unwrap();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let told = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stderr.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let code = follow(leader, processes.is_empty(), &mut judge);
    stdout.read_to_end(&mut Vec::new()).unwrap();
    // It was waited for where it was traced; this only closes what is kept of it.
    let _ = child.try_wait();
    Traced { code, stderr: told.join().unwrap() }
}

/// Follows the threads of the process `leader` to its end, and, unless it is traced `alone`, those of the processes that it starts to
/// theirs; then this thread has no other child. Gives the exit code of `leader`.
fn follow(leader: Pid, alone: bool, judge: &mut impl FnMut(&SystemCall) -> Verdict) -> Option<i32> {
    // What the calls give that threads are in and that are not done.
    let mut instead: HashMap<Pid, i64> = HashMap::new();
    let mut begun = false;
    let mut killed = false;
    let mut exit = None;
    loop {
        // Of the children of this thread, not of those of other tests.
        let status = match waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
            Err(Errno::ECHILD) => return exit,
            status => status.unwrap(),
        };
        let (thread, signal) = match status {
            WaitStatus::Exited(pid, code) if pid == leader => {
                exit = Some(code);
                if alone {
                    return exit;
                }
                continue;
            }
            WaitStatus::Signaled(pid, ..) if pid == leader && alone => return None,
            WaitStatus::PtraceSyscall(thread) => {
                let begins = ptrace::syscall_info(thread).is_ok_and(|info| info.op == libc::PTRACE_SYSCALL_INFO_ENTRY);
                let given = instead.remove(&thread);
                // Each of these fails where the thread was killed meanwhile.
                if let Ok(mut registers) = ptrace::getregs(thread) {
                    let number = registers.orig_rax.cast_signed();
                    let arguments = [registers.rdi, registers.rsi, registers.rdx, registers.r10];
                    let call = SystemCall { thread, number, arguments };
                    match if begins && begun && !killed { judge(&call) } else { Verdict::Do } {
                        Verdict::Do => {}
                        Verdict::Give(given) => {
                            registers.orig_rax = u64::MAX;
                            let _ = ptrace::setregs(thread, registers);
                            instead.insert(thread, given);
                        }
                        verdict @ (Verdict::Kill | Verdict::KillThis) => {
                            let whom = if matches!(verdict, Verdict::Kill) { leader } else { thread };
                            kill(whom, Signal::SIGKILL).unwrap();
                            // A thread of another process than that goes on, with this call; one that was killed does nothing more.
                            killed = true;
                        }
                    }
                    if let (false, Some(given)) = (begins, given) {
                        registers.rax = given.cast_unsigned();
                        let _ = ptrace::setregs(thread, registers);
                    }
                }
                (thread, None)
            }
            WaitStatus::PtraceEvent(thread, _, event) => {
                // From here on it is the program, and no shell.
                begun |= event == libc::PTRACE_EVENT_EXEC;
                (thread, None)
            }
            WaitStatus::Stopped(thread, signal) => (thread, Some(signal)),
            _ => continue,
        };
        // It fails where the thread was killed meanwhile.
        let _ = ptrace::syscall(thread, signal);
    }
}

/// Whether this machine lets a process trace its children; some containers do not.
pub fn may_trace() -> bool {
    let mut child = Command::new("sh").args(["-c", "read go"]).stdin(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let seized = ptrace::seize(pid, Options::PTRACE_O_EXITKILL);
    child.kill().unwrap();
    child.wait().unwrap();
    if let Err(error) = seized {
        eprintln!("skipped: this machine does not let a process trace its children ({error})");
    }
    seized.is_ok()
}
