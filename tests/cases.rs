//! What is expected of I/O managers in everyday use, a small case each, from end to end.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use std::collections::BTreeSet;

use project::{Project, guest, join};
use serde_json::{Value, json};

/// The path that an event has recorded.
fn path(event: &Value) -> &str {
    let entries = event["metadata"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["label"] == "path").unwrap();
    entry["value"]["value"][1].as_str().unwrap()
}

/// The value of a partition, which is stored.
fn load(project: &Project, asset: &str, key: &str) -> String {
    project.run(&["load", asset, "--partition", key]).ok()
}

#[test]
fn where_each_output_lies_is_recorded_with_it() {
    let project = Project::new(
        r#"
        [partitions.days]
        daily = { start = "2024-01-01", end = "2024-01-02" }

        [assets."one/two/three/value"]
        type = "text"
        command = ["sh", "-c", 'printf value > "$AIRLOCK_OUTPUT"']

        [assets."one/day"]
        type = "json"
        partitions = "days"
        command = ["sh", "-c", 'echo 1 > "$AIRLOCK_OUTPUT"']

        [jobs.list.steps.files]
        command = ["sh", "-c", 'for key in a b; do printf $key > "$AIRLOCK_OUTPUT_FOUND/$key"; done; echo > "$AIRLOCK_OUTPUT_REST"']
        outputs.found = { type = "text", dynamic = true }
        outputs.rest = "bytes"
        "#,
    );
    // Steps end in any order.
    let paths = || -> BTreeSet<String> {
        project.events("HANDLED_OUTPUT").iter().map(|event| path(event).to_owned()).collect()
    };
    project.run(&["run", "--partition", "all"]).ok();
    let expected = ["/data/one/two/three/value.txt", "/data/one/day/days=2024-01-01.json"];
    assert_eq!(paths(), expected.map(str::to_owned).into());
    let run = project.run(&["run", "job:list", "--format", "json"]).json();
    let run = run["run"]["run_id"].as_str().unwrap().to_owned();
    let of = |path: &str| format!("/data/runs={run}/files/{path}");
    let expected = [of("found/mapping_key=a.txt"), of("found/mapping_key=b.txt"), of("rest.bin")];
    assert_eq!(paths(), expected.into());
    for path in paths() {
        assert!(project.path(&path[1..]).is_file(), "{path}");
    }
}

#[test]
fn assets_that_are_computed_together_are_each_stored_as_the_partition_by_a_manager_of_their_own() {
    let project = Project::new(&format!(
        r#"
        [io.attic]
        component = "builtin:files"
        mounts."/data" = {{ path = "attic", access = "write" }}

        [partitions.letters]
        static = ["a", "b"]

        [multi_assets.both]
        partitions = "letters"
        component = {{ path = "{}", config = {{ op = "every_output" }} }}
        assets.kept = {{ type = "text" }}
        assets.rest = {{ type = "text", io = "attic" }}

        [assets.all]
        type = "text"
        partitions = "letters"
        inputs = ["kept", "rest"]
        {}
        "#,
        guest("test-ops"),
        join()
    ));
    project.run(&["run", "--partition", "b"]).ok();
    let made = project.events("ASSET_MATERIALIZATION");
    let told: Vec<Value> =
        made.iter().map(|event| json!([event["asset"], event["partition"], event["manager"]["name"]])).collect();
    assert_eq!(told, [json!(["kept", "b", "lake"]), json!(["rest", "b", "attic"]), json!(["all", "b", "lake"])]);
    assert!(project.path("data/kept/letters=b.txt").is_file() && project.path("attic/rest/letters=b.txt").is_file());
    assert_eq!(load(&project, "all", "b"), "-=kept of b;-=rest of b;");
}

#[test]
fn what_waits_for_something_without_a_value_runs_after_it_and_loads_nothing() {
    let project = Project::new(
        r#"
        [assets.prepared]
        type = "none"
        command = ["touch", "ready"]

        [assets.value]
        type = "text"
        deps = ["prepared"]
        command = ["sh", "-c", 'test -e ready && printf value > "$AIRLOCK_OUTPUT"']

        [jobs.two.steps.prepare]
        type = "none"
        command = ["touch", "prepared"]

        [jobs.two.steps.use]
        type = "text"
        deps = ["prepare"]
        command = ["sh", "-c", 'test -e prepared && printf used > "$AIRLOCK_OUTPUT"']
        "#,
    );
    for (selection, step) in [("+value", "value"), ("job:two", "use")] {
        project.run(&["run", selection]).ok();
        let handled = project.events("HANDLED_OUTPUT");
        assert_eq!((handled.len(), &handled[0]["step_key"]), (1, &json!(step)));
        let (ended, started) = (project.event("STEP_SUCCESS"), project.events("STEP_START").pop().unwrap());
        assert!(ended["id"].as_u64() < started["id"].as_u64(), "{started} came before {ended}");
        assert_eq!(project.events("LOADED_INPUT"), Vec::<Value>::new());
    }
    assert_eq!((project.load("value"), project.given("use")), ("value".to_owned(), "used".to_owned()));
}

#[test]
fn a_missing_combination_of_dimensions_is_named_with_what_to_run() {
    let project = Project::new(&format!(
        r#"
        [partitions.regions]
        static = ["eu", "us"]

        [partitions.sales]
        dimensions = {{ region = "regions", kind = {{ static = ["a b", "c"] }} }}

        [assets.sale]
        type = "text"
        partitions = "sales"
        command = ["sh", "-c", 'printf x > "$AIRLOCK_OUTPUT"']

        [assets.region]
        type = "text"
        partitions = "regions"
        inputs = ["sale"]
        {}
        "#,
        join()
    ));
    project.run(&["run", "sale", "--partition", "c|*"]).ok();
    project.run(&["run", "region", "--partition", "eu"]).fails(
        1,
        "
error: region[eu]: cannot load `sale[a b|eu]` with the I/O manager `lake`: it has no stored value
hint: run it first: airlock run sale --partition 'a b|eu'",
    );
}

/// A JSON document that is what the file `written` is.
const WRITTEN: &str = r#"
[assets.value]
type = "json"
command = ["sh", "-c", 'cp written "$AIRLOCK_OUTPUT"']
"#;

#[test]
fn any_json_comes_back_as_it_was_written() {
    let project = Project::new(WRITTEN);
    for text in ["0", "\"hi\"", "null", "[1, 2.5, []]\n", "{\"b\": {\"\": true}, \"a\": \"\\u00fc\"}"] {
        project.put("written", text);
        project.run(&["run"]).ok();
        assert_eq!(project.load("value"), text);
    }
}

#[test]
fn a_value_that_is_not_of_its_type_leaves_what_was_stored() {
    let project = Project::new(WRITTEN);
    project.put("written", "{}");
    project.run(&["run"]).ok();
    project.put("written", "{\"half\": ");
    project.run(&["run"]).fails(1, "error: value: the value of `value` is not JSON: …");

    assert_eq!(project.load("value"), "{}");
    assert_eq!(project.events("HANDLED_OUTPUT"), Vec::<Value>::new());
}

#[test]
fn a_day_is_given_its_hours_by_their_keys_in_order() {
    let project = Project::new(&format!(
        r#"
        [partitions.hours]
        hourly = {{ start = "2024-03-30-00:00", end = "2024-04-01-00:00", time_zone = "Europe/Berlin" }}

        [partitions.days]
        daily = {{ start = "2024-03-30", end = "2024-04-01", time_zone = "Europe/Berlin" }}

        [assets.hour]
        type = "text"
        partitions = "hours"
        external = true

        [assets.day]
        type = "text"
        partitions = "days"
        inputs = ["hour"]
        {}
        "#,
        join()
    ));
    let hours = |day: &str, left_out: Option<usize>| -> Vec<String> {
        (0..24).filter(|hour| Some(*hour) != left_out).map(|hour| format!("{day}-{hour:02}:00")).collect()
    };
    // The hour from two to three is left out that night.
    for (day, left_out) in [("2024-03-30", None), ("2024-03-31", Some(2))] {
        for hour in hours(day, left_out) {
            project.put(&format!("data/hour/hours={}.txt", hour.replace(':', "%3a")), &hour);
        }
    }
    project.run(&["run", "day", "--partition", "all"]).ok();
    for (day, left_out) in [("2024-03-30", None), ("2024-03-31", Some(2))] {
        let expected: Vec<String> = hours(day, left_out).iter().map(|hour| format!("{hour}={hour};")).collect();
        assert_eq!(load(&project, "day", day), expected.concat());
    }
}

#[test]
fn keys_with_dots_have_files_of_their_own() {
    let keys = ["1", "1.5", "1.txt", "0.0-to-1.0", "..", "a.tar.gz"];
    let project = Project::new(&format!(
        r#"
        [partitions.versions]
        static = {keys:?}

        [assets.version]
        type = "text"
        partitions = "versions"
        command = ["sh", "-c", 'printf "$AIRLOCK_PARTITION" > "$AIRLOCK_OUTPUT"']

        [assets.all]
        type = "text"
        inputs = ["version"]
        {}
        "#,
        join()
    ));
    project.run(&["run", "--partition", "all"]).ok();
    assert_eq!(project.load("all"), keys.map(|key| format!("{key}={key};")).concat());
    // One that is stored again changes none of the others.
    project.run(&["run", "version", "--partition", "1"]).ok();
    assert_eq!(keys.map(|key| load(&project, "version", key)), keys);
    assert_eq!(std::fs::read_dir(project.path("data/version")).unwrap().count(), keys.len());
}

#[test]
fn a_stored_table_that_is_damaged_fails_the_step_that_loads_it_by_its_input() {
    let project = Project::of(
        r#"
        [defaults]
        io = "lake"

        [io.lake]
        component = "builtin:tables"
        mounts."/data" = { path = "data", access = "write" }

        [assets.orders]
        type = "table"
        command = ["sh", "-c", 'printf "a\n1\n" > "$AIRLOCK_OUTPUT"']

        [assets.copy]
        type = "table"
        inputs.rows = "orders"
        command = ["sh", "-c", 'cp "$AIRLOCK_INPUT_ROWS" "$AIRLOCK_OUTPUT"']
        "#,
    );
    project.run(&["run"]).ok();
    project.put("data/orders.parquet", "no parquet");
    project
        .run(&["run", "copy"])
        .fails(1, "error: copy: cannot load `orders` with the I/O manager `lake`: …corrupt…/data/orders.parquet…\n…");
    let failure = project.event("STEP_FAILURE");
    assert_eq!((&failure["stage"], &failure["name"]), (&json!("input"), &json!("rows")), "{failure}");
    assert_eq!(project.events("LOADED_INPUT"), Vec::<Value>::new());
    // What was stored before is there still.
    assert_eq!(project.load("copy"), "a\n1\n");
}

#[test]
fn an_asset_loads_what_a_manager_finds_by_itself_of_which_nothing_is_recorded() {
    let project = Project::new(&format!(
        r#"
        [assets.prices]
        type = "text"
        inputs.rates = {{ io = "lake", type = "text" }}
        {}
        "#,
        join()
    ));
    project.put("data/inputs=prices/rates.txt", "rates");
    project.run(&["run"]).ok();
    assert_eq!(project.load("prices"), "-=rates;");
    let loaded = project.event("LOADED_INPUT");
    assert_eq!(
        [&loaded["upstream_run_id"], &loaded["asset"], &loaded["upstream_step_key"]],
        [&Value::Null; 3],
        "{loaded}"
    );
    // This manager has only what is recorded.
    let project = Project::new(&format!(
        r#"
        [io.recorded]
        component = "{}"
        config = {{ program = "tells_what_is_recorded" }}

        [assets.prices]
        type = "text"
        inputs.rates = {{ io = "recorded", type = "text" }}
        {}
        "#,
        guest("test-programs"),
        join()
    ));
    let ran = project.run(&["run"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("`rates` with the I/O manager `recorded`: it has no stored value"), "{ran:#?}");
}

#[test]
fn a_manager_finds_in_the_metadata_of_a_definition_where_a_value_lies() {
    let project = Project::of(&format!(
        r#"
        [defaults]
        io = "placed"

        [io.placed]
        component = "{}"
        config = {{ program = "lies_where_metadata_says" }}
        mounts."/data" = {{ path = "data", access = "write", scope = "mount" }}

        [assets.found]
        type = "text"
        external = true
        metadata = {{ path = "shared/found.csv" }}

        [multi_assets.both]
        component = {{ path = "{ops}", config = {{ op = "every_output" }} }}
        assets.one = {{ type = "text", metadata = {{ path = "both/1" }} }}
        assets.two = {{ type = "text", metadata = {{ path = "both/2" }} }}

        [assets.all]
        type = "text"
        metadata = {{ path = "all.txt" }}
        inputs = ["found", "one", "two"]
        {}

        [jobs.give.steps.rows]
        type = "text"
        metadata = {{ path = "rows of a job" }}
        command = ["sh", "-c", 'printf rows > "$AIRLOCK_OUTPUT"']
        "#,
        guest("test-programs"),
        join(),
        ops = guest("test-ops"),
    ));
    project.put("data/shared/found.csv", "found");
    // What no run stored is found as well.
    project.put("data/both/1", "put there");
    project.put("data/both/2", "put there");
    project.run(&["run", "all"]).ok();
    assert_eq!(project.load("all"), "-=found;-=put there;-=put there;");
    project.run(&["run"]).ok();
    assert_eq!(project.load("all"), "-=found;-=one of ;-=two of ;");
    assert_eq!(project.load("found"), "found");
    project.run(&["run", "job:give"]).ok();
    assert_eq!(project.given("rows"), "rows");
    assert_eq!(std::fs::read_to_string(project.path("data/rows of a job")).unwrap(), "rows");
}

#[test]
fn the_first_of_partitions_that_build_on_one_another_calls_no_manager_to_load() {
    let project = Project::new(&format!(
        r#"
        [partitions.days]
        daily = {{ start = "2024-01-01", end = "2024-01-03" }}

        [assets.balance]
        type = "text"
        partitions = "days"
        inputs.before = {{ asset = "balance", partition_mapping = {{ time_window = {{ start_offset = -1, end_offset = -1 }} }} }}
        {}
        "#,
        join()
    ));
    project.run(&["run", "--partition", "all"]).ok();
    let loaded = project.events("LOADED_INPUT");
    let told: Vec<Value> =
        loaded.iter().map(|event| json!([event["step_key"], event["partitions"]["first"]])).collect();
    assert_eq!(told, [json!(["balance[2024-01-02]", "2024-01-01"])]);
}
