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
fn partitions_may_be_missing_whatever_the_manager_makes_of_that() {
    // This one fails where it has no file.
    let project = told(&["a".to_owned(), "b".to_owned()]);
    project.run(&["run", "letter", "-p", "a"]).ok();
    project.run(&["run", "word"]).ok();
    assert_eq!(project.load("word"), "a=a; a=a;");
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

/// Letters, a partition each, and a word that has all of them, loaded by a manager that tells where it found each.
fn told(letters: &[String]) -> Project {
    Project::of(&format!(
        r#"
[io.teller]
component = "{}"
config = {{ program = "tells_what_it_loads" }}
mounts."/data" = {{ path = "data", access = "write" }}

[defaults]
io = "teller"

[partitions.letters]
static = {letters:?}

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
    ))
}

#[test]
fn what_a_manager_told_of_the_only_part_is_recorded() {
    let project = told(&["a".to_owned(), "b".to_owned()]);
    project.run(&["run", "letter", "-p", "a"]).ok();
    project.run(&["run", "word"]).ok();
    let loaded = project.event("LOADED_INPUT");
    assert_eq!(loaded["partitions"]["count"], 1);
    assert_eq!(loaded["metadata"][0]["label"], "file", "{loaded}");
    assert_eq!(project.events("ASSET_OBSERVATION"), [""; 0]);
}

#[test]
fn what_a_manager_told_of_each_of_several_partitions_is_recorded_of_that() {
    let project = told(&["a", "b", "c"].map(str::to_owned));
    project.run(&["run", "letter", "-p", "a..b"]).ok();
    project.run(&["run", "word"]).ok();
    // Together there would be no telling which it is of. The op asks for each twice, and it is told once.
    let loaded = project.event("LOADED_INPUT");
    assert_eq!((&loaded["partitions"]["count"], &loaded["metadata"]), (&json!(2), &json!([])), "{loaded}");
    let observed = project.events("ASSET_OBSERVATION");
    let told: Vec<_> =
        observed.iter().map(|event| (&event["asset"], &event["partition"], &event["metadata"])).collect();
    let file = |key: &str| {
        let path = format!("/data/letter/letters={key}.bin");
        json!([{ "label": "file", "value": { "kind": "tagged", "value": ["path", path] } }])
    };
    let letter = &json!("letter");
    assert_eq!(told, [(letter, &json!("a"), &file("a")), (letter, &json!("b"), &file("b"))]);
    let shown = project.run(&["events"]).ok();
    assert!(shown.contains("ASSET_OBSERVATION") && shown.contains("word: letter[b]\n"), "{shown}");
}

#[test]
fn what_a_manager_told_of_more_than_a_thousand_partitions_is_counted() {
    let keys: Vec<String> = (0..1002).map(|number| format!("{number}")).collect();
    let project = told(&keys);
    for key in &keys {
        project.put(&format!("data/letter/letters={key}.bin"), "a");
    }
    project.run(&["run", "word"]).ok();
    let observed = project.events("ASSET_OBSERVATION");
    assert_eq!(observed.len(), 1001);
    assert_eq!(observed[999]["partition"], "999");
    assert_eq!(
        (&observed[1000]["partition"], &observed[1000]["description"]),
        (&Value::Null, &json!("`teller` told something of 2 partitions more, which is not recorded"))
    );
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
