//! The command from end to end, as its users meet it: pipelines of commands and real guests, what is printed, how it ends.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pattern::matches;
use serde_json::Value;

/// A folder with definitions, and a home of its own.
struct Project(tempfile::TempDir);

/// An I/O manager that every project here has.
const LAKE: &str = r#"
[defaults]
io = "lake"

[io.lake]
component = "builtin:files"
mounts."/data" = { path = "data", access = "write" }
"#;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn guest(name: &str) -> String {
    let folder = std::env::var_os("AIRLOCK_GUESTS").map_or_else(|| repository().join("target/guests"), PathBuf::from);
    folder.join(name).with_extension("wasm").display().to_string()
}

impl Project {
    /// A project of these definitions and nothing else.
    fn of(definitions: &str) -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        std::fs::write(project.path("airlock.toml"), definitions).unwrap();
        project
    }

    /// A project that stores in a folder `data`.
    fn new(assets: &str) -> Self {
        Self::of(&format!("{LAKE}{assets}"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_airlock"));
        command.args(arguments).current_dir(self.0.path()).env("HOME", self.path("home"));
        for variable in ["XDG_CACHE_HOME", "XDG_STATE_HOME", "AIRLOCK_HOME", "COLUMNS", "NO_COLOR"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ran::from(child.wait_with_output().unwrap())
    }

    /// The value of an asset, which is stored.
    fn load(&self, asset: &str) -> String {
        self.run(&["load", asset]).ok()
    }
}

/// What a command printed and how it ended.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ran {
    /// What it printed on standard output, after it ended well.
    fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.stdout
    }

    /// Checks how it ended and what it said on standard error.
    fn fails(&self, code: i32, said: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert_prints(&self.stderr, said);
    }

    fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }
}

/// Checks `printed` against `expected`, in which `…` stands for anything.
fn assert_prints(printed: &str, expected: &str) {
    let pattern: Vec<String> = expected.trim_start_matches('\n').lines().map(str::to_owned).collect();
    let lines: Vec<&str> = printed.lines().collect();
    assert!(matches(&pattern, &lines), "expected\n{expected}\n\nbut it printed\n{printed}");
}

#[test]
fn every_value_of_the_weather_example_is_what_a_script_computes_by_itself() {
    let project = Project(tempfile::tempdir().unwrap());
    let example = repository().join("examples/weather");
    for entry in std::fs::read_dir(&example).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), project.path(entry.file_name().to_str().unwrap())).unwrap();
        }
    }
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    let definitions = definitions.replace("../../target/guests/hottest-days.wasm", &guest("hottest-days"));
    std::fs::write(project.path("airlock.toml"), definitions).unwrap();

    // The second run replaces what the first one stored.
    for _ in 0..2 {
        project.run(&["run"]).ok();
    }
    std::fs::create_dir(project.path("loaded")).unwrap();
    for value in ["observations.csv", "summary.json", "hottest_days.csv", "chart.svg"] {
        let asset = value.split('.').next().unwrap();
        project.run(&["load", asset, "-o", &format!("loaded/{value}")]).ok();
    }
    let verified = Command::new("python3").arg(example.join("verify.py")).arg(project.path("loaded")).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let mut stored: Vec<_> =
        std::fs::read_dir(project.path("data")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    stored.sort();
    assert_eq!(stored, [".airlock", "chart.svg", "hottest_days.csv", "observations.csv", "summary.json"]);
    // Which code computed a value is recorded as which code stored it is.
    let events = project.run(&["events", "--format", "jsonl"]).ok();
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let computed_by = |step: &str| {
        let output = |event: &&Value| event["kind"] == "STEP_OUTPUT" && event["step_key"] == step;
        events.iter().find(output).unwrap()["computed_by"].clone()
    };
    let hottest_days = computed_by("hottest_days");
    assert!(hottest_days["digest"].as_str().unwrap().starts_with("sha256:"), "{hottest_days}");
    assert_eq!(hottest_days["receipt"]["denials"]["list"], serde_json::json!([]));
    assert_eq!(computed_by("summary"), Value::Null);
}

#[test]
fn a_guest_that_looks_around_is_denied_and_the_line_that_would_allow_it_is_shown() {
    let snoop = guest("snoop");
    let definitions = format!(
        "[io.snoop]\ncomponent = {snoop:?}\nmounts.\"/data\" = {{ path = \"data\", access = \"write\" }}\n\
         [assets.diary]\nio = \"snoop\"\ntype = \"text\"\ncommand = [\"sh\", \"-c\", 'printf dear > $AIRLOCK_OUTPUT']\n"
    );
    let project = Project::of(&definitions);
    project.run(&["run"]).fails(
        3,
        "
error: diary: cannot store `diary` with the I/O manager `snoop`: denied by policy: read /etc/passwd: no mount covers it; …
hint: to let it read /etc/passwd, name the directory to lend:
      [io.snoop]
      mounts.\"/etc\" = { path = \"…\", access = \"read\", scope = \"mount\" }
hint: to let it … /data/…, lend the whole directory instead of the paths of one output:
      [io.snoop]
      mounts.\"/data\" = { path = \"data\", access = \"write\", scope = \"mount\" }
hint: nothing lets it reach the network by …: the network is never lent
hint: `airlock logs … diary` shows what it printed",
    );
    assert!(!project.path("data/diary.txt").exists());
    // The denials are in the log of events, for whoever looks later.
    let events = project.run(&["events", "--format", "jsonl"]).ok();
    let failure = events.lines().find(|line| line.contains("STEP_FAILURE")).unwrap();
    assert!(failure.contains("/etc/passwd") && failure.contains("no-network"), "{failure}");
}

#[test]
fn what_a_hint_says_to_add_lends_what_was_denied() {
    let programs = guest("test-programs");
    let asset = "type = \"text\"\nio = \"io\"\ncommand = [\"sh\", \"-c\", 'printf dear > $AIRLOCK_OUTPUT']\n";
    for (manager, stored) in [
        ("component = \"builtin:files\"\n".to_owned(), "data/notes/today.txt"),
        (format!("component = {programs:?}\nconfig = {{ program = \"stores_by_std_fs\" }}\n"), "data/notes"),
    ] {
        let definitions = format!("[assets.\"notes/today\"]\n{asset}[io.io]\n{manager}");
        let project = Project::of(&definitions);
        let denied = project.run(&["run"]);
        assert_eq!(denied.code, Some(3), "{denied:#?}");
        let line = denied.stderr.lines().find(|line| line.trim_start().starts_with("mounts.")).unwrap();
        std::fs::write(project.path("airlock.toml"), format!("{definitions}{}\n", line.replace('…', "data"))).unwrap();
        project.run(&["run"]).ok();
        assert!(project.path(stored).exists(), "{line}");
    }
}

#[test]
fn every_mistake_in_the_definitions_is_told_at_its_place_with_the_likely_name() {
    let project = Project::of(
        r#"
[defaults]
io = "lak"

[io.lake]
component = "builtin:file"
mounts."/data" = { path = "data", access = "wirte" }
limits = { memory = "64 apples", tiem = "30s" }

[io.machine]
component = "builtin:files"
mounts."/data" = { path = "/proc", access = "read" }

[assets.raw]
type = "texxt"
command = "python3 raw.py"

[assets.clean]
io = "lake"
type = "text"
inputs = ["rwa"]
command = ["sort"]
desciption = "sorted"

[assets.both]
io = "lake"
type = "text"
command = ["true"]
component = "op.wasm"
"#,
    );
    let ran = project.run(&["check"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    for (place, mistake, help) in [
        ("3:6", "there is no I/O manager `lak`", "did you mean `lake`?"),
        ("6:13", "there is no component `builtin:file`", "did you mean `builtin:files`?"),
        ("7:44", "`wirte` is not one of the values of `access`", "did you mean `write`?"),
        ("8:21", "`memory` is not \"64 apples\" but a quantity such as \"256MiB\"", ""),
        ("8:34", "`limits` has no key `tiem`", "did you mean `time`?"),
        ("12:8", "/proc cannot be lent", ""),
        ("15:8", "`texxt` is not one of the values of `type`", "did you mean `text`?"),
        ("16:11", "`command` is an array, and this is a text", ""),
        ("21:11", "there is no asset `rwa`", "did you mean `raw`?"),
        ("23:1", "the asset `clean` has no key `desciption`", "did you mean `description`?"),
        ("28:1", "the asset `both` has both `command` and `component`", ""),
    ] {
        let told = ran.stderr.split("\n\n").find(|told| told.contains(&format!("--> airlock.toml:{place}\n")));
        let told = told.unwrap_or_else(|| panic!("nothing is told of {place}:\n{}", ran.stderr));
        assert!(told.contains(mistake) && told.contains(help), "{place} {mistake} {help}:\n{told}");
    }
    assert!(ran.stderr.ends_with("error: 11 mistakes in the definitions: airlock.toml\n"), "{}", ran.stderr);
}

#[test]
fn a_failure_stops_only_what_depends_on_it() {
    let project = Project::new(
        r#"
[assets.raw]
type = "text"
command = ["sh", "-c", "echo some words; echo no such thing >&2; exit 3"]

[assets.after]
type = "text"
inputs = ["raw"]
command = ["true"]

[assets.other]
type = "text"
command = ["sh", "-c", "printf other > $AIRLOCK_OUTPUT"]
"#,
    );
    let ran = project.run(&["run"]);
    ran.fails(
        1,
        "
error: raw: the command `sh -c echo some words; echo no such thing >&2; exit 3` exited with status 3
  the end of its standard error:
    | no such thing
hint: `airlock logs … raw` shows what it printed",
    );
    assert_eq!(project.load("other"), "other");
    let logged = project.run(&["logs", "latest", "raw"]).ok();
    assert!(logged.contains("some words") && logged.contains("no such thing"), "{logged}");
}

#[test]
fn events_come_in_the_order_of_a_step() {
    let project = Project::new(
        r#"
[assets.first]
type = "text"
command = ["sh", "-c", "printf first > $AIRLOCK_OUTPUT"]

[assets.second]
type = "text"
inputs = ["first"]
command = ["sh", "-c", "cat $AIRLOCK_INPUT_FIRST $AIRLOCK_INPUT_FIRST > $AIRLOCK_OUTPUT"]
"#,
    );
    project.run(&["run"]).ok();
    assert_eq!(project.load("second"), "firstfirst");
    let events = project.run(&["events", "--format", "jsonl"]).ok();
    let kinds: Vec<String> = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    let stored = ["STEP_OUTPUT", "HANDLED_OUTPUT", "ASSET_MATERIALIZATION", "STEP_SUCCESS"];
    let expected: Vec<&str> = ["RUN_START", "STEP_START"]
        .into_iter()
        .chain(stored)
        .chain(["STEP_START", "LOADED_INPUT", "STEP_INPUT"])
        .chain(stored)
        .chain(["RUN_SUCCESS"])
        .collect();
    assert_eq!(kinds, expected);
}

#[test]
fn a_pattern_that_means_the_definitions_themselves_includes_them_once() {
    let project = Project::of("include = [\"*.toml\"]\n[assets.a]\ntype = \"none\"\ncommand = [\"true\"]\n");
    std::fs::write(project.path("more.toml"), "[assets.b]\ntype = \"none\"\ncommand = [\"true\"]\n").unwrap();
    for file in ["airlock.toml", "./airlock.toml"] {
        project.run(&["check", "--file", file]).ok();
    }
}

#[test]
fn an_input_may_have_a_longer_name_than_a_file() {
    let name = "x".repeat(300);
    let variable = name.to_uppercase();
    let project = Project::new(&format!(
        r#"
[assets.first]
type = "text"
command = ["sh", "-c", "printf first > $AIRLOCK_OUTPUT"]

[assets.second]
type = "text"
inputs = {{ {name} = "first" }}
command = ["sh", "-c", "cat $AIRLOCK_INPUT_{variable} > $AIRLOCK_OUTPUT"]
"#
    ));
    project.run(&["run"]).ok();
    assert_eq!(project.load("second"), "first");
}

#[test]
fn the_metadata_of_a_definition_is_recorded_with_what_is_stored() {
    let project = Project::new(
        r#"
[assets.a]
type = "text"
command = ["sh", "-c", "printf x > $AIRLOCK_OUTPUT"]
metadata = { owner = "weather team" }
"#,
    );
    project.run(&["run"]).ok();
    let shown = project.run(&["show", "a"]).ok();
    let recorded = shown.split_once("recorded").unwrap().1;
    assert!(recorded.contains("owner") && recorded.contains("weather team"), "{shown}");
}

#[test]
fn a_secret_of_the_environment_reaches_the_guest_that_names_it_and_nothing_else() {
    let programs = guest("test-programs");
    let project = Project::of(&format!(
        r#"
[io.guest]
component = {programs:?}
config = {{ program = "empty_environment", environment = {{ TOKEN = {{ "$env" = "AIRLOCK_TEST_TOKEN" }} }} }}
environment = {{ TOKEN = {{ "$env" = "AIRLOCK_TEST_TOKEN" }} }}

[assets.secret]
io = "guest"
type = "text"
command = ["sh", "-c", "printf x > $AIRLOCK_OUTPUT"]
"#
    ));
    project.run(&["run"]).fails(
        2,
        "
error: …AIRLOCK_TEST_TOKEN…
…",
    );
    let ran = Ran::from(project.command(&["run"]).env("AIRLOCK_TEST_TOKEN", "hush-hush").output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    for verb in [&["events", "--format", "json"][..], &["show", "secret"], &["logs", "latest"], &["check"]] {
        let ran = Ran::from(project.command(verb).env("AIRLOCK_TEST_TOKEN", "hush-hush").output().unwrap());
        assert!(!format!("{ran:?}").contains("hush"), "{ran:#?}");
    }
    let database = std::fs::read(project.path(".airlock/events.db")).unwrap();
    assert!(!database.windows(9).any(|bytes| bytes == b"hush-hush"));
}

#[test]
fn each_way_to_fail_has_its_exit_code() {
    let programs = guest("test-programs");
    let code = |io: &str| {
        let project = Project::of(&format!(
            "{io}\n[assets.a]\nio = \"io\"\ntype = \"bytes\"\ncommand = [\"sh\", \"-c\", 'printf x > $AIRLOCK_OUTPUT']\n"
        ));
        std::fs::write(project.path("a file"), "").unwrap();
        std::fs::create_dir(project.path("unusable")).unwrap();
        std::fs::write(project.path("unusable/.airlock"), "").unwrap();
        let ran = project.run(&["run"]);
        assert!(ran.stderr.starts_with("error: "), "{ran:#?}");
        ran.code.unwrap()
    };
    let program = |name: &str, more: &str| {
        format!(
            "[io.io]\ncomponent = {programs:?}\nconfig = {{ program = {name:?}{more} }}\n\
             mounts.\"/data\" = {{ path = \"data\", access = \"write\" }}\nlimits = {{ time = \"100ms\" }}"
        )
    };
    assert_eq!(code(&program("guest_error", ", error = \"corrupt\"")), 1);
    assert_eq!(code(&program("denied_passwd", "")), 3);
    assert_eq!(code(&program("limit_time_sleeping", "")), 4);
    assert_eq!(code(&program("trap_exit", ", status = 0")), 5);
    assert_eq!(code("[io.io]\ncomponent = \"airlock.toml\""), 6);
    let op = guest("hottest-days");
    assert_eq!(code(&format!("[io.io]\ncomponent = {op:?}")), 6);
    let lent = |path: &str| {
        let mount = format!("mounts.\"/data\" = {{ path = {path:?}, access = \"write\" }}");
        format!("[io.io]\ncomponent = \"builtin:files\"\n{mount}")
    };
    assert_eq!(code(&lent("a file")), 2);
    assert_eq!(code(&lent("unusable")), 7);
}

#[test]
fn an_interrupt_ends_a_run_cleanly() {
    let programs = guest("test-programs");
    let project = Project::of(&format!(
        r#"
[io.slow]
component = {programs:?}
config = {{ program = "slow_store" }}
mounts."/data" = {{ path = "data", access = "write" }}

[assets.a]
io = "slow"
type = "bytes"
command = ["sh", "-c", "printf new > $AIRLOCK_OUTPUT"]
"#
    ));
    std::fs::create_dir(project.path("data")).unwrap();
    std::fs::write(project.path("data/a.bin"), "old").unwrap();
    let mut child = project.command(&["run"]).spawn().unwrap();
    // The guest has written once its call's directory holds a staged file.
    let staged = || {
        let calls = std::fs::read_dir(project.path("data/.airlock")).into_iter().flatten().flatten();
        calls.into_iter().any(|call| call.path().join("0").exists())
    };
    while !staged() {
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::yield_now();
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    assert_eq!(std::fs::read_to_string(project.path("data/a.bin")).unwrap(), "old");
    assert!(!staged());
    let runs = project.run(&["runs", "--format", "json"]).json();
    assert_eq!(runs["runs"][0]["status"], "canceled", "{runs}");
}

#[test]
fn a_second_interrupt_ends_the_commands_of_a_run_too() {
    let project = Project::of(
        r#"
[assets.a]
type = "none"
command = ["sh", "-c", "trap '' TERM; exec > alive; mkfifo never; echo started; cat never"]
"#,
    );
    assert!(Command::new("mkfifo").arg(project.path("alive")).status().unwrap().success());
    let mut child = project.command(&["run"]).spawn().unwrap();
    let process = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let interrupt = || kill(process, Signal::SIGINT).unwrap();
    let mut alive = std::fs::File::open(project.path("alive")).unwrap();
    alive.read_exact(&mut [0; 8]).unwrap();
    interrupt();
    let mut said = [0; 11];
    child.stderr.as_mut().unwrap().read_exact(&mut said).unwrap();
    assert_eq!(&said, b"interrupted");
    interrupt();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // It ends once nobody can write to it.
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(alive.read_to_end(&mut Vec::new()).unwrap()));
    assert_eq!(ended.recv_timeout(std::time::Duration::from_secs(10)), Ok(0));
}

#[test]
fn two_processes_that_store_one_output_wait_for_each_other() {
    let project = Project::new("");
    let programs = guest("test-programs");
    let config = r#"{"program": "stores_many_files", "piece": 1}"#;
    let store = |value: &str| {
        let arguments = ["call", &programs, "handle-output", "--asset", "a", "--config", config];
        let mut child =
            project.command(&arguments).args(["--mount", "data::/data:write"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
        child
    };
    let values = ["a".repeat(300), "b".repeat(200), "c".repeat(100)];
    let children: Vec<_> = values.iter().map(|value| store(value)).collect();
    for child in children {
        Ran::from(child.wait_with_output().unwrap()).ok();
    }
    let arguments = ["call", &programs, "load-input", "--asset", "a", "--config", config, "--mount", "data::/data"];
    let loaded = project.run(&arguments).ok();
    assert!(values.contains(&loaded), "{loaded}");
    assert_eq!(std::fs::read_dir(project.path("data/a.d")).unwrap().count(), loaded.len());
}

#[test]
fn a_value_can_be_stored_and_loaded_without_definitions() {
    let project = Project::new("");
    let store = ["call", "builtin:files", "handle-output", "--asset", "notes/today", "--media-type", "text/csv"];
    let bytes = b"a,b\n1,2\n";
    let ran = project.run_with_input(&[&store[..], &["--mount", "lake::/data:write"]].concat(), bytes);
    assert_prints(&ran.ok(), "stored   notes/today with builtin:files\nwrote    /data/notes/today.csv 8 B\n…");
    assert_eq!(std::fs::read(project.path("lake/notes/today.csv")).unwrap(), bytes);
    let load = ["call", "builtin:files", "load-input", "--asset", "notes/today", "--mount", "lake::/data"];
    assert_eq!(project.run(&load).ok().as_bytes(), bytes);
    let unlent = project.run_with_input(&store, bytes);
    assert_eq!(unlent.code, Some(3), "{unlent:#?}");
    assert!(unlent.stderr.ends_with("      --mount DIRECTORY::/data:write\n"), "{}", unlent.stderr);
}

#[test]
fn what_is_no_component_is_told_in_words() {
    let project = Project::new("");
    project
        .run(&["inspect", "airlock.toml"])
        .fails(6, "error: airlock.toml: this is not a WebAssembly component: it does not begin as WebAssembly does\n…");
    let module = b"\0asm\x01\0\0\0";
    std::fs::write(project.path("module.wasm"), module).unwrap();
    project.run(&["inspect", "module.wasm"]).fails(
        6,
        "
error: module.wasm: this is a core WebAssembly module, not a component; build for wasm32-wasip2, or wrap it with `wasm-tools component new`
…",
    );
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let project = Project::new(
        "[assets.long]\ntype = \"text\"\ncommand = [\"sh\", \"-c\", \"yes | head -c 3000000 > $AIRLOCK_OUTPUT\"]\n",
    );
    project.run(&["run"]).ok();
    let mut child = project.command(&["load", "long"]).spawn().unwrap();
    let mut start = [0; 2];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str(), &start), (Some(0), "", b"y\n"));
}

#[test]
fn what_a_selection_means_is_what_runs() {
    let asset = |name: &str, inputs: &str| {
        format!(
            "[assets.{name}]\ntype = \"text\"\ngroup = \"{}\"\ninputs = [{inputs}]\n\
             command = [\"sh\", \"-c\", 'printf {name} > $AIRLOCK_OUTPUT']\n",
            if name < "c" { "early" } else { "late" },
        )
    };
    let definitions = [asset("a", ""), asset("b", "\"a\""), asset("c", "\"b\""), asset("d", "")].concat();
    let project = Project::new(&definitions);
    project.run(&["run"]).ok();
    for (selection, expected) in [
        (&["b"][..], &["b"][..]),
        (&["+b"], &["a", "b"]),
        (&["b+"], &["b", "c"]),
        (&["+b+"], &["a", "b", "c"]),
        (&["group:late"], &["c", "d"]),
        (&["d", "+b"], &["a", "b", "d"]),
    ] {
        let ran = project.run(&[&["run", "--format", "json"], selection].concat()).json();
        let steps: Vec<&str> =
            ran["run"]["steps"].as_array().unwrap().iter().map(|step| step["key"].as_str().unwrap()).collect();
        let mut sorted = steps.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, expected, "{selection:?}");
    }
    project.run(&["run", "+bb"]).fails(2, "error: …`bb`…did you mean `b`?\n…");
}

#[test]
fn a_profile_changes_where_values_go() {
    let project = Project::new(
        "[profile.prod.io.lake]\nmounts.\"/data\" = { path = { \"$env\" = \"AIRLOCK_TEST_LAKE\" }, access = \"write\" }\n\
         [assets.a]\ntype = \"text\"\ncommand = [\"sh\", \"-c\", 'printf a > $AIRLOCK_OUTPUT']\n",
    );
    let mut run = project.command(&["run", "--profile", "prod"]);
    let ran = Ran::from(run.env("AIRLOCK_TEST_LAKE", project.path("elsewhere")).output().unwrap());
    ran.ok();
    assert_eq!(std::fs::read_to_string(project.path("elsewhere/a.txt")).unwrap(), "a");
    assert!(!project.path("data").exists());
    project.run(&["run", "--profile", "prd"]).fails(2, "error: …`prd`…\n…");
}

#[test]
fn a_store_that_fails_leaves_the_value_that_was_there() {
    let programs = guest("test-programs");
    let project = Project::of(&format!(
        r#"
[io.lake]
component = {programs:?}
config = {{ program = "trap_half_way" }}
mounts."/data" = {{ path = "data", access = "write" }}

[assets.a]
io = "lake"
type = "bytes"
command = ["sh", "-c", "printf 'a new value' > $AIRLOCK_OUTPUT"]
"#
    ));
    std::fs::create_dir(project.path("data")).unwrap();
    std::fs::write(project.path("data/a.bin"), "a good value").unwrap();
    let ran = project.run(&["run"]);
    assert_eq!(ran.code, Some(5), "{ran:#?}");
    assert!(ran.stderr.contains("the guest gave up half-way"), "{}", ran.stderr);
    assert_eq!(project.load("a"), "a good value");
}

#[test]
fn the_schema_and_the_completions_are_printed() {
    let project = Project::new("");
    assert!(project.run(&["schema"]).json()["properties"]["assets"].is_object());
    for shell in ["bash", "fish", "zsh"] {
        assert!(project.run(&["completions", shell]).ok().contains("inspect"), "{shell}");
    }
}
