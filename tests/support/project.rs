//! A folder with definitions, the command run in it, and what it printed.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::pattern::matches;

/// A folder with definitions, and a home of its own.
pub struct Project(pub tempfile::TempDir);

/// Whether every call is isolated, so that all tests say of workers what they say without.
fn isolates() -> bool {
    std::env::var_os("AIRLOCK_TEST_ISOLATE").is_some()
}

/// An I/O manager that every project here has.
pub const LAKE: &str = r#"
[defaults]
io = "lake"

[io.lake]
component = "builtin:files"
mounts."/data" = { path = "data", access = "write" }
"#;

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub fn guest(name: &str) -> String {
    let folder = std::env::var_os("AIRLOCK_GUESTS").map_or_else(|| repository().join("target/guests"), PathBuf::from);
    folder.join(name).with_extension("wasm").display().to_string()
}

/// A component that gives the parts of all its inputs, `key=text;` of each, as a line of the definitions.
pub fn join() -> String {
    format!("component = {{ path = \"{}\", config = {{ op = \"join\" }} }}", guest("test-ops"))
}

impl Project {
    /// A project of these definitions and nothing else.
    pub fn of(definitions: &str) -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        std::fs::write(project.path("airlock.toml"), definitions).unwrap();
        project
    }

    /// A project that stores in a folder `data`.
    pub fn new(assets: &str) -> Self {
        Self::of(&format!("{LAKE}{assets}"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, in directories that are made where they are missing.
    pub fn put(&self, file: &str, text: &str) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_airlock"));
        match arguments {
            [verb @ ("run" | "load" | "call"), rest @ ..] if isolates() => {
                let says = rest.iter().any(|argument| argument.starts_with("--isolate"));
                command.arg(verb).args((!says).then_some("--isolate")).args(rest);
            }
            _ => drop(command.args(arguments)),
        }
        command.current_dir(self.0.path()).env("HOME", self.path("home"));
        for variable in ["AIRLOCK_HOME", "COLUMNS", "NO_COLOR"] {
            command.env_remove(variable);
        }
        // Compiling a large component takes long, so all tests share what was compiled.
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR"));
        command.env("XDG_CACHE_HOME", shared.join("cache")).env("XDG_STATE_HOME", shared.join("state"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// Its exit code where nobody reads its standard output.
    pub fn run_unread(&self, arguments: &[&str]) -> Option<i32> {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        self.command(arguments).stdout(writer).status().unwrap().code()
    }

    /// Runs the command after `setting`, a command of the shell.
    pub fn run_after(&self, setting: &str, arguments: &[&str]) -> Ran {
        let airlock = self.command(arguments);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{setting}; exec \"$@\""), "sh"]).arg(airlock.get_program()).args(arguments);
        for (name, value) in airlock.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        Ran::from(shell.current_dir(self.0.path()).stdin(Stdio::null()).output().unwrap())
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // Who is refused may end before it has read.
        let written = child.stdin.take().unwrap().write_all(input);
        assert!(written.as_ref().err().is_none_or(|error| error.kind() == ErrorKind::BrokenPipe), "{written:?}");
        Ran::from(child.wait_with_output().unwrap())
    }

    /// The events of this kind of the latest run, in order.
    pub fn events(&self, kind: &str) -> Vec<Value> {
        self.events_of("latest").into_iter().filter(|event| event["kind"] == kind).collect()
    }

    /// All events of a run, in order.
    pub fn events_of(&self, run: &str) -> Vec<Value> {
        let events = self.run(&["events", run, "--format", "jsonl"]).ok();
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs a job, which succeeds, and gives the run's id.
    pub fn run_job(&self, job: &str) -> String {
        let result = self.run(&["run", &format!("job:{job}"), "--format", "json"]).json();
        result["run"]["run_id"].as_str().unwrap().to_owned()
    }

    /// The files below a directory, without Airlock's own, with the run's id as `RUN`.
    pub fn files(&self, directory: &str, run: &str) -> BTreeSet<String> {
        let mut files = BTreeSet::new();
        let mut directories = vec![self.path(directory)];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap().is_dir() {
                    true if entry.file_name() == ".airlock" => {}
                    true => directories.push(entry.path()),
                    false => {
                        let path = entry.path().strip_prefix(self.path("")).unwrap().display().to_string();
                        files.insert(path.replace(run, "RUN"));
                    }
                }
            }
        }
        files
    }

    /// The first event of this kind of the latest run.
    pub fn event(&self, kind: &str) -> Value {
        self.events(kind).into_iter().next().unwrap()
    }

    /// What a step of the latest run gave.
    pub fn given(&self, name: &str) -> String {
        self.run(&["load", "--run", "latest", name]).ok()
    }

    /// The value of an asset, which is stored.
    pub fn load(&self, asset: &str) -> String {
        self.run(&["load", asset]).ok()
    }
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let mut stderr = text(output.stderr);
        if isolates() {
            let lines = stderr.split_inclusive('\n').filter(|line| !line.starts_with("isolation: "));
            stderr = lines.collect();
        }
        Self { code: output.status.code(), stdout: text(output.stdout), stderr }
    }
}

impl Ran {
    /// What it printed on standard output, after it ended well.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.stdout
    }

    /// Checks how it ended and what it said on standard error.
    pub fn fails(&self, code: i32, said: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert_prints(&self.stderr, said);
    }

    pub fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }
}

/// Checks `printed` against `expected`, in which `…` stands for anything.
pub fn assert_prints(printed: &str, expected: &str) {
    let pattern: Vec<String> = expected.trim_start_matches('\n').lines().map(str::to_owned).collect();
    let lines: Vec<&str> = printed.lines().collect();
    assert!(matches(&pattern, &lines), "expected\n{expected}\n\nbut it printed\n{printed}");
}
