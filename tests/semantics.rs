//! What an I/O manager does, row by row of `docs/semantics.md`: that each row is pinned, and what no other test pins.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/functions.rs"]
mod functions;
#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use std::sync::Arc;

use airlock_pipeline::plan::PlanRequest;
use airlock_pipeline::{Definitions, Home, RunOptions, Runner};
use airlock_sandbox::{Sandbox, Settings};
use functions::functions;
use project::{Project, guest, repository};
use serde_json::Value;

#[test]
fn every_row_is_pinned_by_tests_that_there_are_or_says_that_it_is_not_done() {
    let known = functions(&["tests", "host", "guests", "examples"]);
    let document = std::fs::read_to_string(repository().join("docs/semantics.md")).unwrap();
    let mut ids = Vec::new();
    for row in document.lines().filter_map(|line| line.strip_prefix("| ")) {
        let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
        let [id, dagster, airlock, pinned] = cells.as_slice() else { panic!("{row}") };
        if *id == "id" {
            continue;
        }
        ids.push((*id).to_owned());
        assert!(!dagster.is_empty() && !airlock.is_empty(), "{row}");
        let tests: Vec<&str> = pinned.split(", ").filter(|name| !name.is_empty()).collect();
        let is_open = airlock.starts_with("not yet") || airlock.starts_with("does not apply");
        assert_eq!(tests.is_empty(), is_open, "{id} is pinned by nothing, or is not done and pinned");
        for test in tests {
            let name = test.trim_matches('`');
            assert!(known.contains(name), "{id} is pinned by `{name}`, which is not there");
        }
    }
    let sections = [("B", 13), ("I", 18), ("L", 14), ("E", 21), ("C", 13), ("T", 7)];
    let all = sections.iter().flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number}")));
    assert_eq!(ids, all.collect::<Vec<_>>());
}

/// An asset that has the text of the file `value`.
fn copied(name: &str) -> String {
    format!("[assets.\"{name}\"]\ntype = \"text\"\ncommand = [\"sh\", \"-c\", 'cp value \"$AIRLOCK_OUTPUT\"']\n")
}

#[test]
fn what_is_kept_in_memory_lives_as_long_as_the_process() {
    let project = Project::of(&format!(
        r#"
[io.memory]
component = "{files}"
mounts."/data" = {{ memory = true, access = "write" }}

[io.other]
component = "{files}"
mounts."/data" = {{ memory = true, access = "write" }}

[assets.kept]
type = "text"
io = "memory"
command = ["sh", "-c", 'printf kept > "$AIRLOCK_OUTPUT"']

[assets.copy]
type = "none"
inputs = ["kept"]
command = ["sh", "-c", 'cp "$AIRLOCK_INPUT_KEPT" copied']

[assets.astray]
type = "none"
inputs.kept = {{ asset = "kept", io = "other" }}
command = ["true"]
"#,
        files = guest("files")
    ));
    let home = Home::at(project.path(".airlock"));
    let definitions = Definitions::read(&project.path("airlock.toml"), None, &home, &[]).unwrap();
    let runner = Runner::new(Arc::new(definitions), home, Sandbox::new(&Settings::default()).unwrap(), &[]);
    // Each manager has a directory of its own.
    for (asset, code) in [("kept", 0), ("copy", 0), ("astray", 1)] {
        let plan = runner.plan(&PlanRequest::of(&[asset.to_owned()])).unwrap();
        let result = runner.run(&plan, &RunOptions::default(), &|_| {}).unwrap();
        assert_eq!(result.exit_code(), code, "{result:#?}");
    }
    assert_eq!(std::fs::read_to_string(project.path("copied")).unwrap(), "kept");
    let another = project.run(&["run", "copy"]);
    assert_eq!(another.code, Some(1), "{another:#?}");
    assert!(another.stderr.contains("`memory` keeps values in memory, which end with the program"), "{another:#?}");
}

#[test]
fn a_mount_is_lent_to_read_unless_the_definitions_say_otherwise() {
    let lake = project::LAKE.replace(", access = \"write\"", "");
    let project = Project::of(&format!("{lake}{}", copied("a")));
    project.put("value", "x");
    project.put("data/a.txt", "old");
    let refused = project.run(&["run"]);
    assert_eq!(refused.code, Some(3), "{refused:#?}");
    assert!(refused.stderr.contains("/data is lent to read only"), "{refused:#?}");
    assert_eq!(project.load("a"), "old");
}

#[test]
fn an_asset_lies_under_its_key_and_is_replaced_when_it_is_made_again() {
    let project = Project::new(&copied("sales/orders"));
    for value in ["first", "second"] {
        project.put("value", value);
        project.run(&["run"]).ok();
        assert_eq!(std::fs::read_to_string(project.path("data/sales/orders.txt")).unwrap(), value);
    }
    assert_eq!(project.files("data", "-").len(), 1);
}

#[test]
fn an_asset_may_have_a_key_that_another_begins_with() {
    let project = Project::new(&format!("{}{}", copied("a"), copied("a/b")));
    for asset in ["a", "a/b", "a"] {
        project.put("value", asset);
        project.run(&["run", asset]).ok();
    }
    assert_eq!((project.load("a"), project.load("a/b")), ("a".to_owned(), "a/b".to_owned()));
}

/// An asset `value`, with or without partitions.
fn value(partitions: &str) -> String {
    format!(
        r#"
[partitions.letters]
static = ["a", "b", "c"]

[assets.value]
type = "text"
{partitions}
command = ["sh", "-c", 'printf "of $AIRLOCK_PARTITION" > "$AIRLOCK_OUTPUT"']

[assets.other]
type = "none"
partitions = "letters"
command = ["true"]
"#
    )
}

#[test]
fn an_asset_may_become_partitioned_and_go_back() {
    let project = Project::new(&value(""));
    project.run(&["run", "value"]).ok();
    let define = |partitions| {
        std::fs::write(project.path("airlock.toml"), format!("{}{}", project::LAKE, value(partitions))).unwrap();
    };
    define("partitions = \"letters\"");
    project.run(&["run", "value", "--partition", "a"]).ok();
    assert_eq!(project.run(&["load", "value", "--partition", "a"]).ok(), "of a");
    define("");
    assert_eq!(project.load("value"), "of ");
    assert!(project.path("data/value/letters=a.txt").exists());
}

/// Letters of which those that the file `there` names are stored, and what a component makes of them.
fn letters(op: &str, value_type: &str, command: &str) -> Project {
    Project::new(&format!(
        r#"
[partitions.letters]
static = ["a", "b", "c"]

[assets.letter]
type = "{value_type}"
partitions = "letters"
command = ["sh", "-c", '{command}']

[assets.all]
type = "text"
component = {{ path = "{}", config = {{ op = "{op}" }} }}
inputs.letters = {{ asset = "letter", allow_missing = true }}
"#,
        guest("test-ops")
    ))
}

#[test]
fn of_several_missing_partitions_each_of_the_others_keeps_its_key() {
    for (missing, expected) in [("a", "b=b;c=c;"), ("b", "a=a;c=c;"), ("c", "a=a;b=b;")] {
        let project = letters("join", "text", r#"printf "$AIRLOCK_PARTITION" > "$AIRLOCK_OUTPUT""#);
        for key in ["a", "b", "c"].into_iter().filter(|key| *key != missing) {
            project.run(&["run", "letter", "--partition", key]).ok();
        }
        project.run(&["run", "all"]).ok();
        assert_eq!(project.load("all"), expected);
    }
}

#[test]
fn a_stored_null_is_a_value() {
    let project = letters("join", "json", r#"echo null > "$AIRLOCK_OUTPUT""#);
    project.run(&["run", "letter", "--partition", "a..b"]).ok();
    project.run(&["run", "all"]).ok();
    assert_eq!(project.load("all"), "a=null\n;b=null\n;");
}

#[test]
fn what_has_no_value_calls_no_manager_and_is_materialized() {
    let project = Project::new("[assets.done]\ntype = \"none\"\ncommand = [\"true\"]\n");
    project.run(&["run"]).ok();
    let events = project.run(&["events", "--format", "jsonl"]).ok();
    let kind = |line| serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned();
    let kinds: Vec<String> = events.lines().map(kind).collect();
    assert_eq!(kinds, ["RUN_START", "STEP_START", "ASSET_MATERIALIZATION", "STEP_SUCCESS", "RUN_SUCCESS"]);
    assert!(!project.path("data").exists());
}

#[test]
fn a_component_that_ends_without_its_value_has_failed() {
    let project = letters("nothing", "text", "true");
    project.run(&["run", "all"]).fails(
        1,
        "
error: all: the component ended well, and gave no value of `all`",
    );
}

#[test]
fn a_manager_is_told_the_configuration_of_an_output_and_of_an_input() {
    let project = Project::of(&format!(
        r#"
[defaults]
io = "teller"

[io.teller]
component = "{}"
config = {{ program = "tells_its_configuration" }}
mounts."/data" = {{ path = "data", access = "write" }}

[assets.value]
type = "text"
config = {{ of = "the output" }}
command = ["sh", "-c", 'echo value > "$AIRLOCK_OUTPUT"']

[assets.copy]
type = "text"
inputs.value = {{ asset = "value", config = {{ of = "the input" }} }}
command = ["sh", "-c", 'cp "$AIRLOCK_INPUT_VALUE" copied; cp copied "$AIRLOCK_OUTPUT"']
"#,
        guest("test-programs")
    ));
    project.run(&["run"]).ok();
    let told = std::fs::read_to_string(project.path("copied")).unwrap();
    assert_eq!(told, r#"{"of":"the input"} {"of":"the output"}"#);
    assert!(project.run(&["show", "value"]).ok().contains(r#"{"of":"the output"}"#));
}
