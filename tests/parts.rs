//! Partitions of an input as an op finds them, from end to end.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::{Project, guest};
use serde_json::{Value, json};

#[test]
fn partitions_that_may_be_missing_are_left_out_and_counted() {
    let project = Project::new(&format!(
        r#"
[partitions.regions]
static = ["eu", "us", "apac"]

[assets.sales]
type = "text"
partitions = "regions"
command = ["sh", "-c", 'printf "$AIRLOCK_PARTITION" > $AIRLOCK_OUTPUT']

[assets.total]
type = "text"
component = {{ path = "{}", config = {{ op = "join" }} }}
inputs.sales = {{ asset = "sales", allow_missing = true }}
"#,
        guest("test-ops")
    ));
    // Nothing at all may be there.
    project.run(&["run", "total"]).ok();
    assert_eq!(project.load("total"), "");
    project.run(&["run", "sales", "-p", "eu"]).ok();
    project.run(&["run", "sales", "-p", "apac"]).ok();
    project.run(&["run", "total"]).ok();
    // In the order of the definition, each under its own key.
    assert_eq!(project.load("total"), "eu=eu;apac=apac;");
    let loaded = project.event("LOADED_INPUT");
    assert_eq!(loaded["partitions"], json!({ "count": 2, "first": "eu", "last": "apac", "missing": 1 }));
}

#[test]
fn a_command_finds_many_partitions_as_files_and_a_list_of_them() {
    let project = Project::new(
        r#"
[partitions.regions]
static = ["north east", "../up"]

[assets.sales]
type = "json"
partitions = "regions"
command = ["python3", "-c", "import airlock; airlock.store_json(airlock.partition())"]

[assets.total]
type = "json"
inputs = ["sales"]
command = ["python3", "total.py"]
"#,
    );
    std::fs::write(
        project.path("total.py"),
        "import json, airlock\n\
         parts = airlock.input_partitions('sales')\n\
         assert all(path.parent == airlock.input_path('sales') for path in parts.values())\n\
         assert airlock.input_media_type('sales') == 'application/json'\n\
         airlock.store_json([[key, path.name, json.loads(path.read_text())] for key, path in parts.items()])\n",
    )
    .unwrap();
    project.run(&["run", "-p", "all"]).ok();
    let total: Value = serde_json::from_str(&project.load("total")).unwrap();
    assert_eq!(
        total,
        json!([["north east", "north%20east.json", "north east"], ["../up", "%2e%2e%2fup.json", "../up"]])
    );
    assert!(project.path("data/sales/regions=%2e%2e%2fup.json").exists());
}

#[test]
fn what_an_op_asked_for_is_recorded_after_it_ended_and_before_what_it_gave() {
    let project = Project::new(&format!(
        r#"
[partitions.letters]
static = ["a", "b", "c"]

[assets.letter]
type = "text"
partitions = "letters"
command = ["sh", "-c", 'printf "$AIRLOCK_PARTITION" > $AIRLOCK_OUTPUT']

[assets.first]
type = "text"
component = {{ path = "{}", config = {{ op = "first_part" }} }}
inputs.parts = "letter"
"#,
        guest("test-ops")
    ));
    project.run(&["run", "-p", "all"]).ok();
    project.run(&["run", "first"]).ok();
    assert_eq!(project.load("first"), "a");
    let events = project.run(&["events", "--format", "jsonl"]).ok();
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    let expected = [
        "RUN_START",
        "STEP_START",
        "LOADED_INPUT",
        "STEP_INPUT",
        "STEP_OUTPUT",
        "HANDLED_OUTPUT",
        "ASSET_MATERIALIZATION",
        "STEP_SUCCESS",
        "RUN_SUCCESS",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(events[2]["partitions"], json!({ "count": 1, "first": "a", "last": "a", "missing": 0 }));
}

#[test]
fn what_a_manager_told_of_the_only_part_is_recorded() {
    let project = Project::of(&format!(
        r#"
[io.teller]
component = "{}"
config = {{ program = "tells_what_it_loads" }}
mounts."/data" = {{ path = "data", access = "write" }}

[defaults]
io = "teller"

[partitions.letters]
static = ["a", "b"]

[assets.letter]
type = "text"
partitions = "letters"
command = ["sh", "-c", 'printf "$AIRLOCK_PARTITION" > $AIRLOCK_OUTPUT']

[assets.word]
type = "text"
component = {{ path = "{}", config = {{ op = "join_twice" }} }}
inputs.parts = {{ asset = "letter", allow_missing = true }}
"#,
        guest("test-programs"),
        guest("test-ops")
    ));
    project.run(&["run", "letter", "-p", "a"]).ok();
    project.run(&["run", "word"]).ok();
    let loaded = project.event("LOADED_INPUT");
    assert_eq!(loaded["partitions"]["count"], 1);
    assert_eq!(loaded["metadata"][0]["label"], "file", "{loaded}");
    // Of several there is no telling which it is of.
    project.run(&["run", "letter", "-p", "b"]).ok();
    project.run(&["run", "word"]).ok();
    let loaded = project.event("LOADED_INPUT");
    assert_eq!((&loaded["partitions"]["count"], &loaded["metadata"]), (&json!(2), &json!([])), "{loaded}");
}

#[test]
fn a_command_has_no_variable_for_a_value_that_may_be_missing_and_is() {
    let project = Project::new(
        r#"
[partitions.regions]
static = ["eu", "us"]

[assets.sales]
type = "json"
partitions = "regions"
command = ["python3", "-c", "import airlock; airlock.store_json(1)"]

[assets.total]
type = "json"
partitions = "regions"
inputs.sales = { asset = "sales", allow_missing = true }
command = ["python3", "-c", "import airlock; airlock.store_json(airlock.has_input('sales'))"]
"#,
    );
    project.run(&["run", "sales", "-p", "eu"]).ok();
    project.run(&["run", "total", "-p", "all"]).ok();
    let total = |key| project.run(&["load", "total", "-p", key]).ok();
    assert_eq!((total("eu").as_str(), total("us").as_str()), ("true", "false"));
}

#[test]
fn an_op_may_hold_more_parts_at_once_than_a_process_may_open_files_at_first() {
    let keys: Vec<String> = (0..200).map(|key| key.to_string()).collect();
    let component = guest("test-ops");
    let project = Project::new(&format!(
        r#"
[partitions.numbers]
static = {keys:?}

[assets.part]
type = "text"
partitions = "numbers"
command = ["sh", "-c", "echo part > $AIRLOCK_OUTPUT"]

[assets.all]
type = "text"
component = {{ path = "{component}", config = {{ op = "hold_parts" }} }}
inputs.parts = "part"
"#
    ));
    project.run(&["run", "part", "--partition", "all"]).ok();
    project.run_after("ulimit -S -n 150", &["run", "all"]).ok();
    assert_eq!(project.load("all"), "200");
}
