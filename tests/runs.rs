//! Pipelines of commands and real guests from end to end: what runs, what is stored, what is recorded.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use std::io::Write;
use std::process::{Command, Stdio};

use project::{Project, Ran, guest, repository};
use serde_json::Value;

/// The weather example, in a folder of its own.
fn weather() -> Project {
    let project = Project(tempfile::tempdir().unwrap());
    let example = repository().join("examples/weather");
    for entry in std::fs::read_dir(&example).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), project.path(entry.file_name().to_str().unwrap())).unwrap();
        }
    }
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    let definitions = definitions.replace("../../target/guests/monthly.wasm", &guest("monthly"));
    std::fs::write(project.path("airlock.toml"), definitions).unwrap();
    project
}

#[test]
fn the_weather_of_a_year_is_what_a_script_computes_by_itself() {
    let project = weather();
    project.run(&["run", "--partition", "2015-01-01..2015-12-31"]).ok();
    // What is stored is replaced, and the rest stays.
    project.run(&["run", "daily+", "--partition", "2015-02-27..2015-03-02"]).ok();
    for folder in ["daily", "monthly", "yearly"] {
        std::fs::create_dir_all(project.path("loaded").join(folder)).unwrap();
    }
    let load = |asset: &str, key: &str, file: &str| {
        project.run(&["load", asset, "--partition", key, "-o", &format!("loaded/{asset}/{file}")]).ok();
    };
    for month in 1..=12 {
        let (first, middle) = (format!("2015-{month:02}-01"), format!("2015-{month:02}-14"));
        load("monthly", &first, &format!("{first}.json"));
        load("daily", &middle, &format!("{middle}.csv"));
    }
    load("yearly", "2015-01-01", "2015-01-01.jsonl");
    project.run(&["load", "chart", "-o", "loaded/chart.svg"]).ok();
    let script = repository().join("examples/weather/verify.py");
    let verified = Command::new("python3").arg(script).arg(project.path("loaded")).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let shown = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(shown.starts_with("verify: 12 days, 12 months, 1 years and the chart agree"), "{shown}");

    // A day that is lost is computed again, with its month, its year and the chart.
    std::fs::remove_file(project.path("data/daily/days=2015-03-14.parquet")).unwrap();
    let missing = ["run", "--missing", "--partition", "2015-01-01..2015-12-31", "--format", "json"];
    let run = project.run(&missing).json();
    let steps: Vec<&str> = run["run"]["steps"].as_array().unwrap().iter().map(|s| s["key"].as_str().unwrap()).collect();
    assert_eq!(steps, ["daily[2015-03-14]", "monthly[2015-03-01]", "yearly[2015-01-01]", "chart"]);

    // Which code computed a value is recorded as which code stored it is.
    let events = project.run(&["events", "--format", "jsonl"]).ok();
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let computed_by = |step: &str| {
        let output = |event: &&Value| event["kind"] == "STEP_OUTPUT" && event["step_key"] == step;
        events.iter().find(output).unwrap()["computed_by"].clone()
    };
    let monthly = computed_by("monthly[2015-03-01]");
    assert!(monthly["digest"].as_str().unwrap().starts_with("sha256:"), "{monthly}");
    assert_eq!(monthly["receipt"]["denials"]["list"], serde_json::json!([]));
    assert_eq!(computed_by("chart"), Value::Null);
    let loaded = events.iter().find(|event| event["kind"] == "LOADED_INPUT" && event["step_key"] == "chart").unwrap();
    assert_eq!(loaded["partitions"]["count"], 12);
    assert_eq!(loaded["partitions"]["missing"], 36);
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
config = {{ of = {{ "$env" = "AIRLOCK_TEST_TOKEN" }} }}
command = ["sh", "-c", "printf x > $AIRLOCK_OUTPUT"]

[assets.failing]
type = "none"
command = ["false", {{ "$env" = "AIRLOCK_TEST_TOKEN" }}]
"#
    ));
    project.run(&["run", "secret"]).fails(
        2,
        "
error: …AIRLOCK_TEST_TOKEN…
…",
    );
    let with_token =
        |arguments| Ran::from(project.command(arguments).env("AIRLOCK_TEST_TOKEN", "hush-hush").output().unwrap());
    let ran = with_token(&["run", "secret"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    with_token(&["run", "failing"]).fails(
        1,
        "
…
error: failing: the command `false $AIRLOCK_TEST_TOKEN` exited with status 1
…",
    );
    for verb in [
        &["events", "--format", "json"][..],
        &["show", "secret"],
        &["logs", "latest"],
        &["check"],
        &["check", "--format", "json"],
    ] {
        let ran = with_token(verb);
        assert!(!format!("{ran:?}").contains("hush"), "{ran:#?}");
    }
    let database = std::fs::read(project.path(".airlock/events.db")).unwrap();
    assert!(!database.windows(9).any(|bytes| bytes == b"hush-hush"));
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
fn what_is_listed_as_stored_is_what_the_directories_hold() {
    let project = Project::new(
        r#"
[assets.word]
type = "text"
command = ["sh", "-c", "printf word > $AIRLOCK_OUTPUT"]

[assets.done]
type = "none"
command = ["true"]
"#,
    );
    let stored = |asset: &str| {
        let listed = project.run(&["ls"]).ok();
        let row = listed.lines().find(|line| line.starts_with(asset)).unwrap().to_owned();
        row.split("  ").last().unwrap().trim().to_owned()
    };
    assert_eq!((stored("word").as_str(), stored("done").as_str()), ("-", "-"));
    project.run(&["run"]).ok();
    assert!(stored("word").ends_with('Z') && stored("done").ends_with('Z'), "{}", stored("word"));
    std::fs::remove_file(project.path("data/word.txt")).unwrap();
    assert_eq!(stored("word"), "-");
    std::fs::remove_dir_all(project.path(".airlock")).unwrap();
    std::fs::write(project.path("data/word.bin"), "by hand").unwrap();
    assert_eq!((stored("word").as_str(), stored("done").as_str()), ("by something else", "-"));
    assert_eq!(project.run(&["ls", "--format", "json"]).json()["assets"][0]["is_stored"], true);
}

#[test]
fn what_cannot_be_told_without_the_environment_is_listed_as_that() {
    let project = Project::of(
        r#"
[defaults]
io = "lake"

[io.lake]
component = "builtin:files"
mounts."/data" = { path = { "$env" = "AIRLOCK_TEST_IS_NOT_SET" }, access = "write" }

[assets.word]
type = "text"
command = ["true"]
"#,
    );
    let listed = project.run(&["ls"]).ok();
    assert!(listed.contains("lake  unknown"), "{listed}");
}
