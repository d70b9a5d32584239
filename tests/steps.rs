//! Steps of jobs and the I/O managers of their inputs and outputs, a small case each, from end to end.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::{Project, guest, join};
use serde_json::{Value, json};

#[test]
fn a_step_without_a_value_cannot_be_loaded() {
    let project = Project::new(
        r#"
        [jobs.two.steps.prepare]
        type = "none"
        command = ["true"]

        [jobs.two.steps.use]
        type = "text"
        inputs = ["prepare"]
        command = ["true"]
        "#,
    );
    let ran = project.run(&["check"]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("`prepare` has no value to load"), "{}", ran.stderr);
}

#[test]
fn each_input_is_loaded_from_the_run_that_gave_it_however_many_runs_ago() {
    let project = Project::new(
        r#"
        [jobs.three.steps.one]
        type = "text"
        command = ["sh", "-c", 'printf 1 > "$AIRLOCK_OUTPUT"']

        [jobs.three.steps.two]
        type = "text"
        inputs = ["one"]
        command = ["sh", "-c", 'test -e two && printf 2 > "$AIRLOCK_OUTPUT"']

        [jobs.three.steps.three]
        type = "text"
        inputs = ["one", "two"]
        command = ["sh", "-c", 'test -e three && cat "$AIRLOCK_INPUT_ONE" "$AIRLOCK_INPUT_TWO" > "$AIRLOCK_OUTPUT"']
        "#,
    );
    assert_eq!(project.run(&["run", "job:three"]).code, Some(1));
    for ready in ["two", "three"] {
        project.put(ready, "");
        project.run(&["run", "--retry", "latest"]);
    }
    assert_eq!(project.given("three"), "12");
    let runs = project.run(&["runs", "--format", "json"]).json();
    let runs: Vec<&Value> = runs["runs"].as_array().unwrap().iter().map(|run| &run["run_id"]).collect();
    let loaded = project.events("LOADED_INPUT");
    let from: Vec<&Value> = loaded.iter().map(|event| &event["upstream_run_id"]).collect();
    assert_eq!(from, [runs[2], runs[1]]);
}

#[test]
fn each_of_several_outputs_is_loaded_by_the_manager_that_stored_it() {
    let project = Project::new(&format!(
        r#"
        [io.attic]
        component = "builtin:files"
        mounts."/data" = {{ path = "attic", access = "write" }}

        [ops.say]
        type = "text"
        command = ["sh", "-c", 'printf "$AIRLOCK_STEP" > "$AIRLOCK_OUTPUT"']

        [jobs.talk]
        steps.first = "say"
        steps.second = {{ op = "say", io = "attic" }}

        [jobs.talk.steps.all]
        type = "text"
        inputs.said = ["second", "first"]
        {}
        "#,
        join()
    ));
    let run = project.run(&["run", "job:talk", "--format", "json"]).json();
    assert_eq!(project.given("all"), "second=second;first=first;");
    assert!(
        project.path(&format!("attic/runs={}/second/result.txt", run["run"]["run_id"].as_str().unwrap())).is_file()
    );
    let loaded = project.events("LOADED_INPUT");
    let told: Vec<Value> = loaded
        .iter()
        .map(|event| json!([event["upstream_step_key"], event["manager"]["name"], event["receipt"]["read"]["bytes"]]))
        .collect();
    assert_eq!(told, [json!(["second", "attic", 6]), json!(["first", "lake", 5])]);
    assert!(loaded.iter().all(|event| event["upstream_run_id"] == run["run"]["run_id"]), "{loaded:?}");
}

#[test]
fn an_input_of_a_step_may_be_loaded_by_another_manager() {
    let project = Project::new(&format!(
        r#"
        [io.recorded]
        component = "{}"
        config = {{ program = "tells_what_is_recorded" }}
        mounts."/data" = {{ path = "data" }}

        [io.reader]
        component = "builtin:files"
        mounts."/data" = {{ path = "data" }}

        [jobs.one.steps.give]
        command = ["sh", "-c", 'printf given > "$AIRLOCK_OUTPUT_ROWS"; echo "{{\"count\": 1}}" > "$AIRLOCK_METADATA_ROWS"']
        outputs.rows = {{ type = "text", metadata = {{ of = "the output" }} }}

        [jobs.one.steps.take]
        type = "text"
        inputs.recorded = {{ from = "give.rows", io = "recorded" }}
        inputs.value = {{ from = "give.rows", io = "reader" }}
        {}
        "#,
        guest("test-programs"),
        join()
    ));
    project.run(&["run", "job:one"]).ok();
    assert_eq!(project.given("take"), "-=give rows of,count,path,digest,media_type,size;-=given;");
    let managers: Vec<Value> =
        project.events("LOADED_INPUT").iter().map(|event| event["manager"]["name"].clone()).collect();
    assert_eq!(managers, ["recorded", "reader"]);
}

#[test]
fn outputs_and_inputs_of_a_job_are_configured_and_checked_before_it_begins() {
    let definitions = |of: &str| {
        format!(
            r#"
            [io.teller]
            component = "{}"
            config = {{ program = "tells_its_configuration" }}
            mounts."/data" = {{ path = "told", access = "write" }}

            [jobs.one.steps.give]
            command = ["sh", "-c", 'printf given > "$AIRLOCK_OUTPUT_ROWS"']
            outputs.rows = {{ type = "text", io = "teller", config = {{ of = "the output" }} }}

            [jobs.one.steps.take]
            type = "text"
            inputs.rows = {{ from = "give.rows", config = {{ of = {of} }} }}
            {}
            "#,
            guest("test-programs"),
            join()
        )
    };
    let project = Project::new(&definitions("\"the input\""));
    project.run(&["run", "job:one"]).ok();
    assert_eq!(project.given("take"), r#"-={"of":"the input"} {"of":"the output"};"#);
    let project = Project::new(&definitions("7"));
    let ran = project.run(&["run", "job:one"]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(
        ran.stderr.contains("`rows` of the step `take`") && ran.stderr.contains("`/of` is a text"),
        "{}",
        ran.stderr
    );
    assert!(!project.path("told").exists());
}
