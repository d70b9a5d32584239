//! Kills the command at every step of publishing, and looks at what the next one finds.
//!
//! The command is traced, so that it can be killed at the very system call that is meant, before it is done.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::zombie_processes,
    reason = "a test fails by panicking, and waits for what it traces by itself"
)]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

/// The system calls that change a file system.
const CHANGES: [libc::c_long; 13] = [
    libc::SYS_write,
    libc::SYS_pwrite64,
    libc::SYS_ftruncate,
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
];

/// A mount, and a cache of compiled code, in a folder of their own.
struct Store {
    folder: tempfile::TempDir,
    component: PathBuf,
}

impl Store {
    fn new(component: &str) -> Self {
        let guests = std::env::var_os("AIRLOCK_GUESTS")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests"), PathBuf::from);
        Self { folder: tempfile::tempdir().unwrap(), component: guests.join(component) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command that stores `value`, with more arguments, behind a shell that waits for a line first.
    fn storing(&self, value: &str, more: &[&str]) -> Command {
        std::fs::write(self.path("value"), value).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", r#"read go; exec "$@" <"$VALUE""#, "sh", env!("CARGO_BIN_EXE_airlock"), "call"]);
        command.arg(&self.component).args(["handle-output", "--asset", "sales/orders", "--mount"]);
        command.arg(format!("{}::/data:write", self.path("data").display())).args(more);
        self.quiet(&mut command).env("VALUE", self.path("value")).stdin(Stdio::piped());
        command
    }

    fn quiet<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let home = self.path("home");
        command.env("HOME", &home).env("XDG_CACHE_HOME", home.join("cache")).env("XDG_STATE_HOME", home.join("state"));
        command.stdout(Stdio::null()).stderr(Stdio::null())
    }

    /// Stores `value` and is not killed.
    fn store(&self, value: &str, more: &[&str]) {
        let mut child = self.storing(value, more).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "go").unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Stores `value` and is killed as it begins its change number `at`, counted from one. Gives whether it got there.
    fn store_killed(&self, value: &str, more: &[&str], at: usize) -> bool {
        killed(&mut self.storing(value, more), at)
    }

    /// The command with these arguments, in the folder, behind a shell that waits for a line first.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", r#"read go; exec "$@""#, "sh", env!("CARGO_BIN_EXE_airlock")]).args(arguments);
        self.quiet(&mut command).current_dir(self.folder.path()).stdin(Stdio::piped());
        command
    }

    /// Runs the command with these arguments, which may fail.
    fn run(&self, arguments: &[&str]) {
        let mut child = self.command(arguments).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "go").unwrap();
        child.wait().unwrap();
    }

    /// Loads the value, through a call that also finishes or sweeps what was left.
    fn load(&self, more: &[&str]) -> Option<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_airlock"));
        command.arg("call").arg(&self.component).args(["load-input", "--asset", "sales/orders", "--mount"]);
        command.arg(format!("{}::/data:write", self.path("data").display()));
        let output = self.quiet(command.args(more)).stdout(Stdio::piped()).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// All files of the mount and what they hold, but for the locks.
    fn files(&self) -> Vec<(String, String)> {
        let root = self.path("data");
        let mut files = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() && name != ".airlock/locks" {
                    folders.push(path);
                } else if path.is_file() {
                    files.push((name, std::fs::read_to_string(&path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }
}

/// Runs `command`, which a line on its standard input begins, and kills it as it begins its change number `at`, counted from
/// one. Gives whether it got there.
fn killed(command: &mut Command, at: usize) -> bool {
    let mut child = command.spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    ptrace::seize(pid, ptrace::Options::PTRACE_O_TRACESYSGOOD | ptrace::Options::PTRACE_O_EXITKILL).unwrap();
    ptrace::interrupt(pid).unwrap();
    writeln!(child.stdin.take().unwrap(), "go").unwrap();
    let mut changes = 0;
    let mut entering = true;
    loop {
        let signal = match waitpid(pid, None).unwrap() {
            WaitStatus::PtraceSyscall(_) => {
                let call = libc::c_long::try_from(ptrace::getregs(pid).unwrap().orig_rax).unwrap_or(-1);
                changes += usize::from(entering && CHANGES.contains(&call));
                entering = !entering;
                if changes == at {
                    kill(pid, Signal::SIGKILL).unwrap();
                    while !matches!(waitpid(pid, None).unwrap(), WaitStatus::Signaled(..)) {}
                    return true;
                }
                None
            }
            WaitStatus::Stopped(_, signal) => Some(signal),
            WaitStatus::Exited(_, status) => {
                assert_eq!(status, 0, "it failed before it was killed");
                return false;
            }
            _ => None,
        };
        ptrace::syscall(pid, signal).unwrap();
    }
}

/// Kills a store of "new" over "old" at each of its changes in turn, and checks that what is found after the next call is
/// wholly the one or wholly the other. Gives how often it was killed, and how often each was found.
fn kill_everywhere(component: &str, more: &[&str]) -> (usize, usize, usize) {
    let store = Store::new(component);
    store.store("new value", more);
    let new = store.files();
    let (mut kills, mut found_old, mut found_new) = (0, 0, 0);
    loop {
        std::fs::remove_dir_all(store.path("data")).unwrap();
        store.store("old", more);
        let old = store.files();
        assert_ne!(old, new);
        if !store.store_killed("new value", more, kills + 1) {
            assert_eq!(store.files(), new);
            return (kills, found_old, found_new);
        }
        kills += 1;
        let loaded = store.load(more);
        let files = store.files();
        match loaded.as_deref() {
            Some("old") if files == old => found_old += 1,
            Some("new value") if files == new => found_new += 1,
            other => panic!("killed at change {kills}, {other:?} was loaded and there is {files:#?}"),
        }
    }
}

/// Whether this machine lets a process trace its children; some containers do not.
fn may_trace() -> bool {
    let mut child = Command::new("sh").args(["-c", "read go"]).stdin(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let seized = ptrace::seize(pid, ptrace::Options::PTRACE_O_EXITKILL);
    child.kill().unwrap();
    child.wait().unwrap();
    if let Err(error) = seized {
        eprintln!("skipped: this machine does not let a process trace its children ({error})");
    }
    seized.is_ok()
}

#[test]
fn a_store_of_one_file_killed_at_any_step_leaves_the_old_value_or_the_new() {
    if !may_trace() {
        return;
    }
    let (kills, old, new) = kill_everywhere("files.wasm", &[]);
    assert!(kills >= 5 && old > 0 && new > 0, "{kills} kills, {old} times old, {new} times new");
}

#[test]
fn a_store_of_several_files_killed_at_any_step_leaves_all_the_old_or_all_the_new() {
    if !may_trace() {
        return;
    }
    let (kills, old, new) =
        kill_everywhere("test-programs.wasm", &["--config", r#"{"program": "stores_many_files", "piece": 1}"#]);
    assert!(kills >= 12 && old > 0 && new > 0, "{kills} kills, {old} times old, {new} times new");
}

/// An asset of three partitions, which are removed together.
const PARTITIONED: &str = r#"
[partitions.days]
static = ["1", "2", "3"]

[io.lake]
component = "builtin:files"
mounts."/data" = { path = "data", access = "write" }

[assets.day]
type = "text"
io = "lake"
partitions = "days"
command = ["sh", "-c", 'printf "$AIRLOCK_PARTITION" > "$AIRLOCK_OUTPUT"']
"#;

#[test]
fn a_wipe_of_several_partitions_killed_at_any_step_leaves_all_of_them_or_none() {
    if !may_trace() {
        return;
    }
    let store = Store::new("files.wasm");
    std::fs::write(store.path("airlock.toml"), PARTITIONED).unwrap();
    let (mut kills, mut found_all, mut found_none) = (0, 0, 0);
    loop {
        store.run(&["run", "--partition", "all"]);
        let all = store.files();
        assert_eq!(all.len(), 3 + 1, "the values, and what keeps Airlock's directory out of git: {all:?}");
        if !killed(&mut store.command(&["wipe", "day", "--partition", "all", "--yes"]), kills + 1) {
            assert_eq!(store.files().len(), 1);
            break;
        }
        kills += 1;
        // The next call finishes what was begun.
        store.run(&["load", "day", "--partition", "1"]);
        match store.files().len() {
            1 => found_none += 1,
            _ if store.files() == all => found_all += 1,
            _ => panic!("killed at change {kills}, there is {:#?}", store.files()),
        }
    }
    assert!(
        kills >= 6 && found_all > 0 && found_none > 0,
        "{kills} kills, {found_all} times all, {found_none} times none"
    );
}
