//! A pipeline that stores again and again in one place while things go wrong, and what has to hold of it then.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Two assets in one mount: the one is a file, the other, computed from it, several.
const DEFINITIONS: &str = r#"
[io.lake]
component = "builtin:files"
mounts."/data" = { path = "data", access = "write" }

[io.pieces]
component = "PROGRAMS"
config = { program = "stores_many_files", piece = 100 }
mounts."/data" = { path = "data", access = "write" }

[assets.file]
type = "text"
io = "lake"
command = ["sh", "-c", 'cat "WHO" > "$AIRLOCK_OUTPUT"']

[assets.files]
type = "bytes"
io = "pieces"
inputs = ["file"]
command = ["sh", "-c", 'cat "$AIRLOCK_INPUT_FILE" > "$AIRLOCK_OUTPUT"']
"#;

/// Whether calls are isolated.
pub fn isolates() -> bool {
    std::env::var_os("AIRLOCK_TEST_ISOLATE").is_some()
}

/// Those that run, at once or alone, each with definitions of its own for the same places.
pub const RUNNERS: [&str; 2] = ["one", "two"];

/// The values of both assets.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub file: String,
    pub files: String,
}

pub struct Store {
    folder: tempfile::TempDir,
    /// Grows with each value that is stored.
    generation: usize,
    pub stored: Stored,
    /// The runs of which the log was looked at.
    pub known: BTreeSet<String>,
}

impl Store {
    pub fn new() -> Self {
        let guests = std::env::var_os("AIRLOCK_GUESTS")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests"), PathBuf::from);
        let programs = guests.join("test-programs.wasm").canonicalize().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let stored = Stored { file: String::new(), files: String::new() };
        let mut store = Self { folder, generation: 0, stored, known: BTreeSet::new() };
        let definitions = DEFINITIONS.replace("PROGRAMS", programs.to_str().unwrap());
        for who in RUNNERS {
            std::fs::write(store.path(&format!("{who}.toml")), definitions.replace("WHO", who)).unwrap();
        }
        std::fs::create_dir(store.path("tmp")).unwrap();
        let value = store.next_value("one");
        assert!(store.running("one").output().unwrap().status.success());
        store.stored = Stored { file: value.clone(), files: value };
        store.new_runs();
        store
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// Says what the next run of `who` is to store: another text than ever before, in another number of pieces than the last.
    pub fn next_value(&mut self, who: &str) -> String {
        self.next_value_of(who, 6 + 37 * self.generation % 71)
    }

    /// As [`Store::next_value`], of so many lines.
    pub fn next_value_of(&mut self, who: &str, lines: usize) -> String {
        self.generation += 1;
        let value = format!("{who} {:06}\n", self.generation).repeat(lines);
        std::fs::write(self.path(who), &value).unwrap();
        value
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_airlock"));
        command.args(arguments).current_dir(self.folder.path());
        for (variable, directory) in
            [("HOME", "home"), ("XDG_CACHE_HOME", "cache"), ("XDG_STATE_HOME", "state"), ("TMPDIR", "tmp")]
        {
            command.env(variable, self.path(directory));
        }
        command.env_remove("AIRLOCK_HOME").stdin(Stdio::null());
        command
    }

    pub fn running(&self, who: &str) -> Command {
        let isolate = if isolates() { "--isolate" } else { "--isolate=no" };
        self.command(&["run", isolate, "--jobs", "1", "--file", &format!("{who}.toml")])
    }

    pub fn output(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        assert!(status.success(), "{arguments:?} failed: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    /// What a verb lists, a value for each line.
    pub fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let printed = self.output(&[arguments, &["--format", "jsonl", "--file", "one.toml"]].concat());
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The runs that the log has now and had not before, each with its events.
    pub fn new_runs(&mut self) -> Vec<(Value, Vec<Value>)> {
        let runs = self.lines(&["runs", "--limit", "3"]);
        let mut new = Vec::new();
        for run in runs {
            let id = run["run_id"].as_str().unwrap().to_owned();
            if self.known.insert(id.clone()) {
                new.push((run, self.lines(&["events", &id])));
            }
        }
        new
    }

    /// Loads both values, as the next start, and checks that nothing else is left.
    pub fn start(&self) -> Stored {
        let load = |asset: &str| self.output(&["load", asset, "--file", "one.toml"]);
        let stored = Stored { file: load("file"), files: load("files") };
        self.check_files(&stored);
        stored
    }

    /// Checks that there is nothing but what is stored, what the log needs, and locks.
    fn check_files(&self, stored: &Stored) {
        let pieces = (0..stored.files.len().div_ceil(100)).map(|piece| format!("data/files.d/{piece:08}.bin"));
        let allowed: BTreeSet<String> = pieces.chain(ALWAYS_THERE.map(str::to_owned)).collect();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(self.path(&folder)).unwrap().map(Result::unwrap) {
                let name = format!("{folder}{}", entry.file_name().to_str().unwrap());
                let is_folder = entry.file_type().unwrap().is_dir();
                let name = if is_folder { format!("{name}/") } else { name };
                let is_lock = name.starts_with("data/.airlock/locks/");
                let code = name.strip_prefix("cache/airlock/compiled/").and_then(|name| name.strip_suffix(".cwasm"));
                let is_code = code.is_some_and(|digest| digest.len() == 64);
                assert!(is_lock || is_code || allowed.contains(&name), "{name} is left over");
                if is_folder {
                    folders.push(name);
                }
            }
        }
    }
}

/// What a project has whatever happened.
const ALWAYS_THERE: [&str; 23] = [
    ".airlock/",
    ".airlock/.gitignore",
    ".airlock/events.db",
    ".airlock/events.db-shm",
    ".airlock/events.db-wal",
    ".airlock/scratch/",
    ".airlock/scratch/.lock",
    "cache/",
    "cache/airlock/",
    "cache/airlock/compiled/",
    "data/",
    "data/.airlock/",
    "data/.airlock/.gitignore",
    "data/file.txt",
    "data/files.d/",
    "one",
    "one.toml",
    "state/",
    "state/airlock/",
    "state/airlock/cache.key",
    "tmp/",
    "two",
    "two.toml",
];

/// The number that the environment entry `name` has.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// The assets that `events` say were stored.
pub fn stored_by(events: &[Value]) -> Vec<String> {
    let of_assets = events.iter().filter(|event| event["kind"] == "ASSET_MATERIALIZATION");
    of_assets.map(|event| event["asset"].as_str().unwrap().to_owned()).collect()
}
