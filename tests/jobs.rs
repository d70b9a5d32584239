//! Jobs from end to end: graphs of steps whose outputs lie under the run that computes them.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use std::collections::BTreeSet;

use project::{Project, guest};
use serde_json::{Value, json};

/// A job of two steps, the second of which loads the first.
const TWO_STEPS: &str = r#"
[ops.count]
type = "text"
command = ["sh", "-c", 'wc -c < "$AIRLOCK_INPUT_TEXT" | tr -d " \n" > "$AIRLOCK_OUTPUT"']

[jobs.nightly]
description = "Says hello, and counts"

[jobs.nightly.steps.hello]
type = "text"
command = ["sh", "-c", 'printf hello > "$AIRLOCK_OUTPUT"']

[jobs.nightly.steps.count]
op = "count"
inputs.text = "hello"
"#;

#[test]
fn outputs_of_a_job_lie_under_its_run_and_are_never_overwritten() {
    let project = Project::new(TWO_STEPS);
    let (first, second) = (project.run_job("nightly"), project.run_job("nightly"));
    let of = |run: &str| [format!("data/runs={run}/count/result.txt"), format!("data/runs={run}/hello/result.txt")];
    let expected: BTreeSet<String> = of(&first).into_iter().chain(of(&second)).collect();
    assert_eq!(project.files("data", "no run"), expected);
    assert_eq!((project.given("hello"), project.given("count")), ("hello".to_owned(), "5".to_owned()));
    assert_eq!(project.run(&["load", "--run", &first, "count"]).ok(), "5");
}

#[test]
fn events_of_a_job_name_steps_and_outputs_and_no_assets() {
    let project = Project::new(TWO_STEPS);
    let id = project.run_job("nightly");
    let events = project.events_of(&id);
    let told: Vec<String> = events
        .iter()
        .map(|event| format!("{} {}", event["step_key"].as_str().unwrap_or("-"), event["kind"].as_str().unwrap()))
        .collect();
    let expected = [
        "- RUN_START",
        "hello STEP_START",
        "hello STEP_OUTPUT",
        "hello HANDLED_OUTPUT",
        "hello STEP_SUCCESS",
        "count STEP_START",
        "count LOADED_INPUT",
        "count STEP_INPUT",
        "count STEP_OUTPUT",
        "count HANDLED_OUTPUT",
        "count STEP_SUCCESS",
        "- RUN_SUCCESS",
    ];
    assert_eq!(told, expected);
    let loaded = &events[6];
    assert_eq!(loaded["upstream_step_key"], "hello");
    assert_eq!(loaded["upstream_output"], "result");
    assert_eq!(loaded["upstream_run_id"], id.as_str());
    assert_eq!(loaded["asset"], Value::Null);
    assert_eq!(events[0]["job"], "nightly");
}

#[test]
fn each_output_may_have_a_manager_of_its_own() {
    let project = Project::new(
        r#"
        [io.memory]
        component = "builtin:files"
        mounts."/data" = { memory = true, access = "write" }

        [io.attic]
        component = "builtin:files"
        mounts."/data" = { path = "attic", access = "write" }

        [jobs.two]
        io = "attic"

        [jobs.two.steps.split]
        command = ["sh", "-c", 'printf a > "$AIRLOCK_OUTPUT_KEPT"; printf b > "$AIRLOCK_OUTPUT_PASSED_ON"']
        outputs.kept = "text"
        outputs.passed-on = { type = "text", io = "memory" }

        [jobs.two.steps.join]
        type = "text"
        inputs.a = "split.kept"
        inputs.b = "split.passed-on"
        command = ["sh", "-c", 'cat "$AIRLOCK_INPUT_A" "$AIRLOCK_INPUT_B" > "$AIRLOCK_OUTPUT"']
        "#,
    );
    let id = project.run_job("two");
    let expected = ["attic/runs=RUN/join/result.txt", "attic/runs=RUN/split/kept.txt"].map(str::to_owned);
    assert_eq!(project.files("attic", &id), BTreeSet::from(expected));
    assert!(!project.path("data").exists());
    assert_eq!(project.given("join"), "ab");
    assert_eq!(project.given("split.kept"), "a");
    project.run(&["load", "--run", "latest", "split.passed-on"]).fails(
        1,
        "
error: cannot load `split.passed-on` with the I/O manager `memory`: it has no stored value
hint: `memory` kept it in memory, which ended with the run …",
    );
}

#[test]
fn an_op_is_reused_with_other_inputs_and_what_a_step_says_wins() {
    let project = Project::new(
        r#"
        [ops.greet]
        type = "text"
        inputs.greeting = { value = "hello" }
        command = ["sh", "-c", 'tr -d \" < "$AIRLOCK_INPUT_GREETING" > "$AIRLOCK_OUTPUT"']

        [jobs.greetings]
        steps.hello = "greet"
        steps.welcome = { op = "greet", inputs.greeting.value = "welcome" }
        steps.again = { op = "greet", inputs.greeting = "welcome" }
        "#,
    );
    project.run_job("greetings");
    let greetings = ["hello", "welcome", "again"].map(|step| project.given(step));
    assert_eq!(greetings, ["hello", "welcome", "welcome"]);
}

#[test]
fn several_outputs_come_to_one_input_in_order_without_those_that_were_not_given() {
    let project = Project::new(
        r#"
        [ops.say]
        type = "text"
        optional = true

        [jobs.talk.steps.first]
        op = "say"
        command = ["sh", "-c", 'printf first > "$AIRLOCK_OUTPUT"']

        [jobs.talk.steps.silent]
        op = "say"
        command = ["true"]

        [jobs.talk.steps.last]
        op = "say"
        command = ["sh", "-c", 'printf last > "$AIRLOCK_OUTPUT"']

        [jobs.talk.steps.all]
        type = "json"
        inputs.said = ["last", "silent", "first"]
        command = ["python3", "-c", """
import airlock
parts = airlock.input_partitions("said")
airlock.store_json([[key, path.read_text()] for key, path in parts.items()])
"""]

        [jobs.talk.steps.echo]
        type = "text"
        inputs.said = "silent"
        command = ["sh", "-c", 'cat "$AIRLOCK_INPUT_SAID" > "$AIRLOCK_OUTPUT"']

        [jobs.talk.steps.after_echo]
        type = "none"
        deps = ["echo"]
        command = ["touch", "after_echo"]
        "#,
    );
    let ran = project.run(&["run", "job:talk"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stdout.contains("echo        not run, since silent gave no result"), "{}", ran.stdout);
    assert!(ran.stdout.contains("after_echo  not run, since silent gave no result"), "{}", ran.stdout);
    assert!(!project.path("after_echo").exists());
    assert_eq!(project.given("all"), r#"[["last", "last"], ["first", "first"]]"#);
}

#[test]
fn an_op_that_gives_no_value_where_it_has_to_has_failed() {
    let project = Project::new(
        r#"
        [jobs.silent.steps.say]
        type = "text"
        command = ["true"]
        "#,
    );
    project.run(&["run", "job:silent"]).fails(
        1,
        "
error: say: the command `true` ended well, and wrote no file to AIRLOCK_OUTPUT
hint: write the value to the path in the environment variable AIRLOCK_OUTPUT, in Python by airlock.store_json and its like; or say `optional = true` of an output that may be absent, and `type = \"none\"` where nothing is stored",
    );
}

#[test]
fn a_step_loads_assets_and_what_a_manager_finds_by_itself() {
    let project = Project::new(
        r#"
        [assets.rates]
        type = "text"
        external = true

        [jobs.prices.steps.price]
        type = "text"
        inputs.rates = { asset = "rates" }
        inputs.extra = { io = "lake", type = "text" }
        command = ["sh", "-c", 'cat "$AIRLOCK_INPUT_RATES" "$AIRLOCK_INPUT_EXTRA" > "$AIRLOCK_OUTPUT"']
        "#,
    );
    project.put("data/rates.txt", "rates ");
    project
        .run(&["run", "job:prices"])
        .fails(1, "error: price: cannot load `extra` with the I/O manager `lake`: it has no stored value\n…");
    project.put("data/inputs=prices/price/extra.txt", "and extra");
    project.run_job("prices");
    assert_eq!(project.given("price"), "rates and extra");
    let json = project.path("data/inputs=prices/price/extra.json");
    std::fs::rename(project.path("data/inputs=prices/price/extra.txt"), json).unwrap();
    project.run(&["run", "job:prices"]).fails(
        1,
        "error: price: cannot load `extra` with the I/O manager `lake`: it came as application/json, and text/plain was asked for",
    );
}

#[test]
fn a_step_that_cannot_be_stored_names_its_output() {
    let project = Project::of(&format!(
        r#"
        [io.refuses]
        component = "{}"
        config = {{ program = "guest_error" }}

        [jobs.bad]
        io = "refuses"
        steps.give = {{ command = ["sh", "-c", 'echo > "$AIRLOCK_OUTPUT_ROWS"'], outputs.rows = "text" }}
        "#,
        guest("test-programs")
    ));
    project
        .run(&["run", "job:bad"])
        .fails(1, "error: give: cannot store `give.rows` with the I/O manager `refuses`: …\n…");
    let failure = project.event("STEP_FAILURE");
    assert_eq!((&failure["stage"], &failure["name"]), (&"output".into(), &"rows".into()));
}

#[test]
fn jobs_are_listed_and_shown() {
    let project = Project::new(TWO_STEPS);
    assert_eq!(project.run(&["ls"]).ok(), "JOB          STEPS  ABOUT\njob:nightly  2      Says hello, and counts\n");
    let listed = project.run(&["ls", "--format", "json"]).json();
    let job = json!({ "job": "nightly", "steps": 2, "description": "Says hello, and counts" });
    assert_eq!(listed, json!({ "schema": 1, "assets": [], "jobs": [job] }));
    let shown = project.run(&["show", "job:nightly"]).ok();
    project::assert_prints(
        &shown,
        "
job     nightly
about   Says hello, and counts
defined …airlock.toml:…

step    hello
op      the command sh -c printf hello > \"$AIRLOCK_OUTPUT\"
outputs result: text with lake

step    count
op      the command sh -c …
inputs  text = hello
outputs result: text with lake",
    );
    let json = project.run(&["show", "job:nightly", "--format", "json"]).json();
    assert_eq!(json["job"]["steps"][1]["inputs"][0]["from"]["step"], "hello", "{json}");
    project.run(&["check"]).ok();
}

#[test]
fn what_is_no_job_is_told() {
    let project = Project::new(TWO_STEPS);
    project.run(&["run", "job:nightli"]).fails(
        2,
        "
error: there is no job `nightli`: did you mean `nightly`?
hint: `airlock ls` lists the jobs",
    );
    project
        .run(&["run", "job:nightly", "--partition", "x"])
        .fails(2, "error: a job has no partitions: leave `--partition` out");
    project.run(&["run", "job:nightly", "+x"]).fails(2, "error: a job is run by itself: name nothing beside it");
    project.run_job("nightly");
    project.run(&["load", "--run", "latest", "cuont"]).fails(
        2,
        "
error: the run … gave no `cuont`: did you mean `count`?
hint: `airlock events …` shows what it gave: STEP, STEP.OUTPUT, STEP.OUTPUT[KEY] or STEP[KEY].OUTPUT",
    );
}
