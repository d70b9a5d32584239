//! Kills the command at every step of publishing, and looks at what the next one finds.
//!
//! The command is traced, so that it can be killed at the very system call that is meant, before it is done.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "support/traced.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod traced;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use traced::{SystemCall, Verdict, may_trace, trace_all};

/// Which process is killed.
#[derive(Clone, Copy, PartialEq)]
enum Kills {
    /// The command, which makes the call itself.
    Command,
    /// The command, while a worker makes the call.
    Isolated,
    /// The worker.
    Worker,
}

impl Kills {
    fn arguments(self) -> &'static [&'static str] {
        if self == Self::Command { &[] } else { &["--isolate"] }
    }
}

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
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// The command that stores `value`, with more arguments.
    fn storing(&self, value: &str, more: &[&str]) -> Command {
        std::fs::write(self.path("value"), value).unwrap();
        let mut command = self.command(&["call"]);
        command.arg(&self.component).args(["handle-output", "--asset", "sales/orders", "--mount"]);
        command.arg(format!("{}::/data:write", self.path("data").display())).args(more);
        command.env("STANDARD_INPUT", self.path("value"));
        command
    }

    /// The command with these arguments, in the folder.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_airlock"));
        let home = self.path("home");
        command.env("HOME", &home).env("XDG_CACHE_HOME", home.join("cache")).env("XDG_STATE_HOME", home.join("state"));
        command.args(arguments).current_dir(self.folder.path()).stderr(Stdio::null());
        command
    }

    /// Stores `value` and is not killed.
    fn store(&self, value: &str, more: &[&str]) {
        let mut command = self.storing(value, more);
        command.stdin(File::open(self.path("value")).unwrap());
        assert!(command.output().unwrap().status.success());
    }

    /// Whether `call` changes something in the mount.
    fn is_changed_by(&self, call: &SystemCall) -> bool {
        call.is_change() && call.path().is_some_and(|path| path.starts_with(self.path("data")))
    }

    /// Runs `command` and kills what `kills` says as the change number `at` of what is in the mount begins, counted from one.
    /// Gives whether it got there; where it did not, it succeeded.
    fn killed(&self, command: &Command, kills: Kills, at: usize) -> bool {
        let (mut changes, mut is_confined) = (0, false);
        let traced = trace_all(command, |call| {
            changes += usize::from(self.is_changed_by(call));
            if changes != at {
                return Verdict::Do;
            }
            is_confined = call.is_confined();
            if kills == Kills::Worker { Verdict::KillThis } else { Verdict::Kill }
        });
        let killed = changes >= at;
        match kills {
            Kills::Command => assert!(!killed || !is_confined, "no worker makes the call"),
            Kills::Isolated | Kills::Worker => assert!(!killed || is_confined, "a worker makes the call"),
        }
        let code = if killed { if kills == Kills::Worker { Some(70) } else { None } } else { Some(0) };
        assert_eq!(traced.code, code, "{}", traced.stderr);
        killed
    }

    /// Runs the command with these arguments, which may fail.
    fn run(&self, arguments: &[&str]) {
        self.command(arguments).output().unwrap();
    }

    /// Loads the value, through a call that also finishes or sweeps what was left.
    fn load(&self, more: &[&str]) -> Option<String> {
        let mut command = self.command(&["call"]);
        command.arg(&self.component).args(["load-input", "--asset", "sales/orders", "--mount"]);
        command.arg(format!("{}::/data:write", self.path("data").display()));
        let output = command.args(more).output().unwrap();
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

/// Kills a store of "new" over "old" at each of its changes in turn, and checks that what is found after the next call is
/// wholly the one or wholly the other. Gives how often it was killed, and how often each was found.
fn kill_everywhere(kills_what: Kills, component: &str, more: &[&str]) -> (usize, usize, usize) {
    let store = Store::new(component);
    let more = &[kills_what.arguments(), more].concat();
    store.store("new value", more);
    let new = store.files();
    let (mut kills, mut found_old, mut found_new) = (0, 0, 0);
    loop {
        std::fs::remove_dir_all(store.path("data")).unwrap();
        store.store("old", more);
        let old = store.files();
        assert_ne!(old, new);
        if !store.killed(&store.storing("new value", more), kills_what, kills + 1) {
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

#[test]
fn a_store_of_one_file_killed_at_any_step_leaves_the_old_value_or_the_new() {
    if !may_trace() {
        return;
    }
    for kills in [Kills::Command, Kills::Isolated, Kills::Worker] {
        let (kills, old, new) = kill_everywhere(kills, "files.wasm", &[]);
        assert!(kills >= 5 && old > 0 && new > 0, "{kills} kills, {old} times old, {new} times new");
    }
}

#[test]
fn a_store_of_several_files_killed_at_any_step_leaves_all_the_old_or_all_the_new() {
    if !may_trace() {
        return;
    }
    let stores = ["--config", r#"{"program": "stores_many_files", "piece": 1}"#];
    for kills in [Kills::Command, Kills::Isolated] {
        let (kills, old, new) = kill_everywhere(kills, "test-programs.wasm", &stores);
        assert!(kills >= 12 && old > 0 && new > 0, "{kills} kills, {old} times old, {new} times new");
    }
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
        if !store.killed(&store.command(&["wipe", "day", "--partition", "all", "--yes"]), Kills::Command, kills + 1) {
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
