//! What is recorded of values, by whom, and what wins, from end to end.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::{Project, guest};
use serde_json::Value;

/// An asset of which its definition, its op and its manager each record something, and one that loads it.
fn recorded() -> Vec<Value> {
    let project = Project::of(&format!(
        r#"
[defaults]
io = "recorder"

[io.recorder]
component = "{}"
config = {{ program = "records_what_it_does" }}
mounts."/data" = {{ path = "data", access = "write" }}

[assets.value]
type = "text"
metadata = {{ of = "the definition", also = "the definition", by = "the definition" }}
command = ["sh", "-c", 'echo value > "$AIRLOCK_OUTPUT"; echo "{{\"also\": \"the op\", \"by\": \"the op\"}}" > "$AIRLOCK_METADATA"']

[assets.copy]
type = "text"
inputs.value = {{ asset = "value", metadata = {{ of = "the input", by = "the input" }} }}
command = ["sh", "-c", 'cat "$AIRLOCK_INPUT_VALUE" > "$AIRLOCK_OUTPUT"']
"#,
        guest("test-programs")
    ));
    project.run(&["run"]).ok();
    let events = project.run(&["events", "--format", "jsonl"]).ok();
    events.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The labels and texts of the first event of this kind of the asset `asset`.
fn metadata(events: &[Value], kind: &str, step: &str) -> Vec<(String, String)> {
    let event = events.iter().find(|event| event["kind"] == kind && event["step_key"] == step).unwrap();
    let entry = |entry: &Value| {
        assert_eq!(entry["value"]["kind"], "text", "{entry}");
        [&entry["label"], &entry["value"]["value"]].map(|text| text.as_str().unwrap().to_owned()).into()
    };
    event["metadata"].as_array().unwrap().iter().map(entry).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(label, text)| ((*label).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn the_manager_wins_over_the_op_and_the_op_over_the_definition() {
    let events = recorded();
    let refused = ("refused", "the label by was added before");
    let own = |event: &&Value| event["kind"] == "ASSET_MATERIALIZATION" && event["asset"] == "value";
    let made: Vec<Value> = events.iter().filter(own).cloned().collect();
    let mut found = metadata(&made, "ASSET_MATERIALIZATION", "value");
    found.sort();
    assert_eq!(found, pairs(&[("also", "the op"), ("by", "the manager"), ("of", "the definition"), refused]));
    // What the manager did says what the manager recorded.
    assert_eq!(metadata(&events, "HANDLED_OUTPUT", "value"), pairs(&[("by", "the manager"), refused]));
    assert_eq!(metadata(&events, "STEP_OUTPUT", "value"), pairs(&[("also", "the op"), ("by", "the op")]));
}

#[test]
fn what_is_recorded_of_an_input_is_its_definition_and_what_the_manager_said_last() {
    let loaded = metadata(&recorded(), "LOADED_INPUT", "copy");
    // The manager is told what the definition says.
    assert_eq!(loaded, pairs(&[("of", "the input"), ("by", "the manager again"), ("told", "of,by")]));
}

#[test]
fn events_name_the_manager_and_what_it_touched() {
    let events = recorded();
    for (kind, step, named, touched) in [
        ("HANDLED_OUTPUT", "value", ("output", "result"), "written"),
        ("LOADED_INPUT", "copy", ("input", "value"), "read"),
    ] {
        let event = events.iter().find(|event| event["kind"] == kind && event["step_key"] == step).unwrap();
        assert_eq!((&event["manager"]["name"], &event[named.0]), (&"recorder".into(), &named.1.into()), "{event}");
        assert!(event["manager"]["digest"].as_str().unwrap().starts_with("sha256:"), "{event}");
        assert_eq!(event["receipt"][touched]["files"][0]["path"], "/data/value.bin", "{event}");
    }
}

#[test]
fn what_a_manager_logs_of_other_assets_is_recorded_as_its_word() {
    let events = recorded();
    let of_value: Vec<&Value> = events.iter().filter(|event| event["step_key"] == "value").collect();
    let kinds: Vec<&str> = of_value.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "STEP_START",
            "STEP_OUTPUT",
            "HANDLED_OUTPUT",
            "ASSET_OBSERVATION",
            "ASSET_MATERIALIZATION",
            "ASSET_MATERIALIZATION",
            "STEP_SUCCESS"
        ]
    );
    let (observed, logged, own) = (of_value[3], of_value[4], of_value[5]);
    assert_eq!((&observed["asset"], &observed["description"]), (&"other/asset".into(), &"seen on the way".into()));
    assert_eq!((&logged["asset"], &logged["logged"]), (&"other/asset".into(), &true.into()), "{logged}");
    assert_eq!((&own["asset"], &own["logged"]), (&"value".into(), &false.into()), "{own}");
}
