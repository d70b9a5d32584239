//! Steps that compute several partitions together, from end to end.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::{Project, guest};
use serde_json::{Value, json};

/// Days, each by itself, and the same in upper case, several in one step.
const DAYS: &str = r#"
[partitions.days]
daily = { start = "2024-01-01", end = "2024-01-06" }

[assets.day]
type = "text"
partitions = "days"
command = ["sh", "-c", 'printf "day $AIRLOCK_PARTITION" > $AIRLOCK_OUTPUT']

[assets.loud]
type = "text"
partitions = "days"
partitions_per_step = 3
component = { path = "TEST_OPS", config = { op = "each_partition" } }
inputs = ["day"]
"#;

fn days() -> Project {
    Project::new(&DAYS.replace("TEST_OPS", &guest("test-ops")))
}

/// The same, stored by a manager that takes many partitions in one call.
fn days_in_one_call() -> Project {
    let project = days();
    let programs = guest("test-programs");
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    project.put(
        "airlock.toml",
        &format!(
            r#"{definitions}io = "many"

[io.many]
component = "{programs}"
config = {{ program = "stores_many_partitions" }}
mounts."/data" = {{ path = "many", access = "write" }}
"#
        ),
    );
    project
}

/// What stands under `key` of each of `events`.
fn of<'a>(events: &'a [Value], key: &str) -> Vec<&'a Value> {
    events.iter().map(|event| &event[key]).collect()
}

#[test]
fn one_step_computes_several_partitions_each_of_which_is_stored_and_recorded() {
    let project = days();
    let said = project.run(&["run", "-p", "all"]).ok();
    project::assert_prints(
        &said,
        "
✓ day  …  5 partitions
✓ loud …  5 partitions
run …: 7 steps done in …",
    );
    assert_eq!(project.run(&["load", "loud", "-p", "2024-01-04"]).ok(), "DAY 2024-01-04");
    let steps = project.events("STEP_START");
    let loud = ["loud[2024-01-01..2024-01-03]", "loud[2024-01-04..2024-01-05]"];
    let loud_steps: Vec<&Value> =
        of(&steps, "step_key").into_iter().filter(|key| key.as_str().unwrap().starts_with("loud")).collect();
    assert_eq!(loud_steps, loud);

    // A manager that takes one at a time is called for each, and each is recorded by itself.
    let of_first = |kind: &str| -> Vec<Value> {
        project.events(kind).into_iter().filter(|event| event["step_key"] == loud[0]).collect()
    };
    let keys = ["2024-01-01", "2024-01-02", "2024-01-03"];
    assert_eq!(of(&of_first("HANDLED_OUTPUT"), "partition"), keys);
    let materialized = of_first("ASSET_MATERIALIZATION");
    assert_eq!(of(&materialized, "partition"), keys);
    let versions = of(&materialized, "data_version");
    assert!(versions[0] != versions[1] && versions.iter().all(|version| version.is_string()), "{versions:?}");
    // What the op recorded of all, of this one, and what the manager did.
    assert_eq!(of(&materialized[0]["metadata"].as_array().unwrap()[..2], "label"), ["keys", "bytes"]);
    let given = of_first("STEP_OUTPUT");
    assert_eq!((given.len(), &given[0]["size"]), (1, &json!(3 * "DAY 2024-01-01".len())));
    assert_eq!(
        of_first("LOADED_INPUT")[0]["partitions"],
        json!({ "count": 3, "first": keys[0], "last": keys[2], "missing": 0 })
    );
}

#[test]
fn a_manager_that_takes_many_partitions_is_called_once_for_all_of_a_step() {
    let project = days_in_one_call();
    project.run(&["run", "-p", "2024-01-01..2024-01-03"]).ok();
    assert_eq!(project.run(&["load", "loud", "-p", "2024-01-02"]).ok(), "DAY 2024-01-02");
    let stored: Vec<Value> =
        project.events("HANDLED_OUTPUT").into_iter().filter(|event| event["manager"]["name"] == "many").collect();
    assert_eq!((stored.len(), &stored[0]["partition"]), (1, &Value::Null));
    let recorded: Vec<Value> =
        project.events("ASSET_MATERIALIZATION").into_iter().filter(|event| event["asset"] == "loud").collect();
    assert_eq!(of(&recorded, "partition"), ["2024-01-01", "2024-01-02", "2024-01-03"]);
    for event in &recorded {
        let parts = event["metadata"].as_array().unwrap().iter().find(|entry| entry["label"] == "parts").unwrap();
        assert_eq!(parts["value"]["value"], 3, "what the manager recorded is of all");
        assert!(event["data_version"].as_str().unwrap().starts_with("sha256:"), "and each has its own version");
    }
    let versions = of(&recorded, "data_version");
    assert!(versions[0] != versions[1] && versions[1] != versions[2]);
}

#[test]
fn what_an_op_does_not_give_of_its_partitions_is_named_and_nothing_is_stored() {
    let project = days();
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    project
        .put("airlock.toml", &definitions.replace("\"each_partition\"", "\"each_partition\", skip = \"2024-01-02\""));
    project.run(&["run", "-p", "2024-01-01..2024-01-03"]).fails(
        1,
        "
error: loud[2024-01-01..2024-01-03]: the op ended well, and gave no value of `loud[2024-01-02]`: it gave 2 of 3
hint: it has to give a part of each partition of the step, with its key",
    );
    assert!(!project.path("data/loud").exists());
}

#[test]
fn a_command_finds_where_to_write_each_partition_and_what_it_loads() {
    let project = Project::new(
        r#"
[partitions.sales]
dimensions = { day = { daily = { start = "2024-03-30", end = "2024-04-01", time_zone = "Europe/Berlin" } }, region = { static = ["eu", "us/ca"] } }

[multi_assets.both]
partitions = "sales"
partitions_per_step = "all"
command = ["python3", "both.py"]
assets.first = { type = "json" }
assets.second = { type = "text" }

[assets.total]
type = "json"
inputs = ["first"]
command = ["python3", "total.py"]
"#,
    );
    project.put(
        "both.py",
        r#"
import json, os, airlock

listed = json.load(open(os.environ["AIRLOCK_PARTITIONS"]))
assert airlock.partitions() == [each["partition"] for each in listed]
assert "AIRLOCK_PARTITION" not in os.environ
for wrong in [{}, {"partition": "2024-03-30|apac"}]:
    try:
        airlock.store_text("", "second", **wrong)
        raise SystemExit("it was taken")
    except LookupError as error:
        print(error)
try:
    airlock.partition()
except LookupError as error:
    print(error)
for each in listed:
    told = [each["dimensions"], each["start"], each["end"]]
    airlock.store_json(told, "first", partition=each["partition"])
    airlock.store_text(each["partition"], "second", partition=each["partition"])
    airlock.add_output_metadata("second", {"key": each["partition"]}, partition=each["partition"])
airlock.add_output_metadata("first", {"window": [os.environ["AIRLOCK_PARTITION_START"], os.environ["AIRLOCK_PARTITION_END"]]})
"#,
    );
    project.put(
        "total.py",
        "import airlock\nairlock.store_json([path.name for path in airlock.input_partitions('first').values()])\n",
    );
    project.run(&["run", "-p", "all"]).ok();
    assert_eq!(project.run(&["load", "second", "-p", "2024-03-30|us/ca"]).ok(), "2024-03-30|us/ca");
    let last: Value = serde_json::from_str(&project.run(&["load", "first", "-p", "2024-03-31|us/ca"]).ok()).unwrap();
    let dimensions = json!({ "day": "2024-03-31", "region": "us/ca" });
    assert_eq!(last, json!([dimensions, "2024-03-31T00:00:00+01:00", "2024-04-01T00:00:00+02:00"]));
    let window = &project.event("ASSET_MATERIALIZATION")["metadata"][0]["value"]["value"];
    assert_eq!(*window, json!(["2024-03-30T00:00:00+01:00", "2024-04-01T00:00:00+02:00"]));
    let made = project.events("ASSET_MATERIALIZATION");
    let second: Vec<&Value> = made
        .iter()
        .filter(|event| event["asset"] == "second")
        .map(|event| &event["metadata"][0]["value"]["value"])
        .collect();
    assert_eq!(second, ["2024-03-30|eu", "2024-03-30|us/ca", "2024-03-31|eu", "2024-03-31|us/ca"]);
    let said = project.run(&["logs", "latest", "both[2024-03-30|eu..2024-03-31|us/ca]"]).ok();
    for line in [
        "the output 'second' has several partitions: name the `partition`",
        "this step does not compute the partition '2024-03-30|apac': `partitions` has those that it computes",
        "this step computes any number of partitions: ask `partitions` for their keys",
    ] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn a_command_that_writes_nothing_is_told_where_each_partition_goes() {
    let project = Project::new(
        r#"
[partitions.regions]
static = ["eu", "us"]

[assets.sales]
type = "text"
partitions = "regions"
partitions_per_step = 2
command = ["true"]
"#,
    );
    project.run(&["run", "-p", "all"]).fails(
        1,
        "
error: sales[eu..us]: the command `true` ended well, and wrote no file to AIRLOCK_OUTPUT
hint: write a file for each partition, where the list in AIRLOCK_PARTITIONS says, in Python by airlock.store_json(value, partition=key) and its like",
    );
}

#[test]
fn a_run_goes_on_with_the_steps_of_several_partitions_that_failed() {
    let project = days();
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    project
        .put("airlock.toml", &definitions.replace("\"each_partition\"", "\"each_partition\", skip = \"2024-01-05\""));
    assert_eq!(project.run(&["run", "-p", "all"]).code, Some(1));
    project.put("airlock.toml", &definitions);
    let said = project.run(&["run", "--retry", "latest"]).ok();
    project::assert_prints(
        &said,
        "
✓ loud[2024-01-04..2024-01-05] …
run …: 1 step done in …",
    );
    assert_eq!(project.run(&["run", "--missing"]).stderr, "nothing to do: nothing is missing\n");
}

#[test]
fn a_step_of_several_partitions_is_passed_over_where_nothing_changed_for_any_of_them() {
    let project = days();
    project.run(&["run", "-p", "all"]).ok();
    let said = project.run(&["run", "loud", "-p", "all", "--skip-unchanged"]).ok();
    assert!(said.contains("2 unchanged"), "{said}");
    // Other steps would load other parts together.
    let said = project.run(&["run", "loud", "-p", "2024-01-02..2024-01-03", "--skip-unchanged"]).ok();
    assert!(said.contains("✓ loud[2024-01-02..2024-01-03]") && said.contains("1 step done"), "{said}");
    let said = project.run(&["run", "loud", "-p", "2024-01-01..2024-01-03", "--skip-unchanged"]).ok();
    assert!(said.contains("1 step done"), "the first day was computed from other days than the others: {said}");
}

#[test]
fn what_has_no_value_is_materialized_once_for_each_partition() {
    let project = Project::new(
        r#"
[partitions.regions]
static = ["eu", "us", "apac"]

[assets.sent]
type = "none"
partitions = "regions"
partitions_per_step = "all"
command = ["python3", "-c", "import airlock; airlock.add_metadata(count=len(airlock.partitions()))"]
"#,
    );
    project.run(&["run", "-p", "all"]).ok();
    let made = project.events("ASSET_MATERIALIZATION");
    assert_eq!(of(&made, "partition"), ["eu", "us", "apac"]);
    assert!(made.iter().all(|event| event["metadata"][0]["value"]["value"] == 3), "{made:?}");
}

#[test]
fn several_partitions_in_a_step_are_asked_for_where_that_makes_sense() {
    let project = days();
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    let refused = |from: &str, to: &str, said: &str| {
        project.put("airlock.toml", &definitions.replace(from, to));
        let checked = project.run(&["check"]);
        assert_eq!(checked.code, Some(2));
        assert!(checked.stderr.contains(said), "{}", checked.stderr);
    };
    refused(
        "partitions_per_step = 3",
        "partitions_per_step = 0",
        "error: `partitions_per_step` is a number from 1 to 100000, not 0\n",
    );
    refused(
        "partitions_per_step = 3",
        "partitions_per_step = \"every\"",
        "error: `partitions_per_step` is a number, or \"all\", and this is a text\n",
    );
    refused(
        "partitions = \"days\"\npartitions_per_step = 3",
        "partitions_per_step = 3",
        "error: the asset `loud` has no partitions of which a step could compute several\n",
    );
    refused(
        "inputs = [\"day\"]",
        "inputs.before = { asset = \"loud\", partition_mapping = { time_window = { start_offset = -1, end_offset = -1 } } }",
        "`loud` loads partitions of itself that one step may compute together\n",
    );
}
