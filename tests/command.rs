//! The manners of the command: what it prints, how it ends, what it takes.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use std::io::Read;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use project::{Project, Ran, assert_prints, guest};

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
fn a_pattern_that_means_the_definitions_themselves_includes_them_once() {
    let project = Project::of("include = [\"*.toml\"]\n[assets.a]\ntype = \"none\"\ncommand = [\"true\"]\n");
    std::fs::write(project.path("more.toml"), "[assets.b]\ntype = \"none\"\ncommand = [\"true\"]\n").unwrap();
    for file in ["airlock.toml", "./airlock.toml"] {
        project.run(&["check", "--file", file]).ok();
    }
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
    let op = guest("monthly");
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
fn a_component_that_is_called_to_load_is_told_which_media_type_is_asked_for() {
    let project = Project::new("");
    project.put("data/notes.bin", "a,b");
    let (programs, config) = (guest("test-programs"), r#"{"program": "tells_what_it_loads"}"#);
    let load = ["call", &programs, "load-input", "--asset", "notes", "--config", config, "--mount", "data::/data"];
    let requested = |more: &[&str]| {
        let call = project.run(&[&load[..], &["--format", "json", "-o", "loaded"], more].concat()).json();
        let metadata = call["call"]["metadata"].as_array().unwrap();
        let entry = metadata.iter().find(|entry| entry["label"] == "requested");
        entry.map(|entry| entry["value"]["value"].as_str().unwrap().to_owned())
    };
    assert_eq!(requested(&["--media-type", "text/csv"]).as_deref(), Some("text/csv"));
    assert_eq!(requested(&[]), None);
}

#[test]
fn an_output_of_a_step_and_a_partition_can_be_stored_and_loaded_without_definitions() {
    let project = Project::new("");
    for (subject, name, file) in [
        (&["--step", "clean", "--run", "r1"][..], "clean", "runs=r1/clean/result.txt"),
        (
            &["--step", "list.files", "--mapping-key", "Fox"],
            "list.files[Fox]",
            "runs=call/list/files/mapping_key=+fox.txt",
        ),
        (&["--asset", "day", "--partition", "days=2026-01-31"], "day[2026-01-31]", "day/days=2026-01-31.txt"),
    ] {
        let call = |function: &str, mount: &str| {
            let arguments = ["call", "builtin:files", function, "--media-type", "text/plain", "--mount", mount];
            let arguments: Vec<String> = arguments.iter().chain(subject).map(|word| (*word).to_owned()).collect();
            move |project: &Project| {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                project.run_with_input(&arguments, b"hello").ok()
            }
        };
        let printed = call("handle-output", "lake::/data:write")(&project);
        assert_prints(&printed, &format!("stored   {name} with builtin:files\nwrote    /data/{file} 5 B\n…"));
        assert_eq!(std::fs::read_to_string(project.path("lake").join(file)).unwrap(), "hello");
        assert_eq!(call("load-input", "lake::/data")(&project), "hello");
    }
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
fn the_schema_and_the_completions_are_printed() {
    let project = Project::new("");
    assert!(project.run(&["schema"]).json()["properties"]["assets"].is_object());
    for shell in ["bash", "fish", "zsh"] {
        assert!(project.run(&["completions", shell]).ok().contains("inspect"), "{shell}");
    }
}
