//! Where inputs come from, from end to end: from other I/O managers than those that store, and from elsewhere.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::{Project, guest};
use serde_json::Value;

/// Orders that come from elsewhere, and what is made of them.
const ORDERS: &str = r#"
[assets."raw/orders"]
type = "text"
external = true

[assets.copy]
type = "text"
inputs = ["raw/orders"]
command = ["sh", "-c", 'cat "$AIRLOCK_INPUT_ORDERS" > "$AIRLOCK_OUTPUT"']
"#;

#[test]
fn what_is_made_elsewhere_is_loaded_and_not_run() {
    let project = Project::new(ORDERS);
    project.put("data/raw/orders.txt", "three orders");
    assert!(project.run(&["run"]).ok().contains("1 step done"));
    assert!(project.run(&["run", "+copy"]).ok().contains("1 step done"));
    assert_eq!(
        (project.load("raw/orders"), project.load("copy")),
        ("three orders".to_owned(), "three orders".to_owned())
    );
    project.run(&["run", "raw/orders"]).fails(
        2,
        "
error: `raw/orders` is external: something else makes it, so there is nothing to run
hint: `airlock load raw/orders` loads it",
    );
}

#[test]
fn what_is_made_elsewhere_and_is_not_there_is_not_to_be_run() {
    let project = Project::new(ORDERS);
    project.run(&["run"]).fails(
        1,
        "
error: copy: cannot load `raw/orders` with the I/O manager `lake`: it has no stored value
hint: `raw/orders` is external: what makes it has to store it first",
    );
}

#[test]
fn what_is_made_elsewhere_is_shown_as_that() {
    let project = Project::new(ORDERS);
    let listed = project.run(&["ls"]).ok();
    assert!(listed.contains("raw/orders  -      text  lake  external, not there"), "{listed}");
    project.put("data/raw/orders.txt", "three orders");
    let listed = project.run(&["ls"]).ok();
    assert!(listed.contains("raw/orders  -      text  lake  external\n"), "{listed}");
    let listed = project.run(&["ls", "--format", "json"]).json();
    assert_eq!(listed["assets"][0]["external"], true, "{listed}");
    let shown = project.run(&["show", "raw/orders"]).ok();
    assert!(shown.contains("none: something else makes it"), "{shown}");
    project.run(&["check"]).ok();
}

#[test]
fn partitions_that_are_made_elsewhere_are_counted_where_they_lie() {
    let project = Project::new(
        r#"
[partitions.regions]
static = ["eu", "us"]

[assets.sales]
type = "text"
partitions = "regions"
external = true

[assets.total]
type = "text"
inputs.sales = { asset = "sales", allow_missing = true }
command = ["sh", "-c", 'cat "$AIRLOCK_INPUT_SALES"/* > "$AIRLOCK_OUTPUT"']
"#,
    );
    project.put("data/sales/regions=us.txt", "7");
    assert!(project.run(&["ls"]).ok().contains("1 of 2"));
    // It needs no partition, since nothing of it is computed.
    project.run(&["run"]).ok();
    assert_eq!(project.load("total"), "7");
}

#[test]
fn what_makes_no_sense_of_an_external_asset_is_a_mistake() {
    let project = Project::new(
        r#"
[assets.a]
type = "text"
external = true
command = ["true"]
deps = ["b"]

[assets.b]
type = "none"
external = true
"#,
    );
    let told = project.run(&["check"]);
    assert_eq!(told.code, Some(2), "{told:?}");
    for expected in [
        "the asset `a` is external, so nothing computes it here, and it takes no `command`",
        "the asset `a` is external, so nothing computes it here, and it takes no `deps`",
        "the asset `b` has no value that could be made elsewhere (`type = \"none\"`)",
    ] {
        assert!(told.stderr.contains(expected), "{}", told.stderr);
    }
}

/// An input that another manager loads than stored it.
fn other_manager() -> Project {
    Project::new(&format!(
        r#"
[io.recorded]
component = "{}"
config = {{ program = "tells_what_is_recorded" }}
mounts."/data" = {{ path = "other" }}

[assets.value]
type = "text"
command = ["sh", "-c", 'printf stored > "$AIRLOCK_OUTPUT"']

[assets.copy]
type = "text"
inputs.value = {{ asset = "value", io = "recorded" }}
command = ["sh", "-c", 'cat "$AIRLOCK_INPUT_VALUE" > "$AIRLOCK_OUTPUT"']
"#,
        guest("test-programs")
    ))
}

#[test]
fn an_input_may_be_loaded_by_another_manager_which_is_told_what_is_recorded() {
    let project = other_manager();
    std::fs::create_dir(project.path("other")).unwrap();
    project.run(&["check"]).ok();
    project.run(&["run"]).ok();
    assert_eq!(
        (project.load("value").as_str(), project.load("copy").as_str()),
        ("stored", "value result path,digest,media_type,size")
    );
    let events = project.run(&["events", "--format", "jsonl"]).ok();
    let mut events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let loaded = events.find(|event| event["kind"] == "LOADED_INPUT").unwrap();
    assert_eq!((&loaded["manager"]["name"], &loaded["asset"]), (&"recorded".into(), &"value".into()), "{loaded}");
}

#[test]
fn an_input_whose_manager_does_not_exist_is_a_mistake() {
    let project = Project::new(
        r#"
[assets.value]
type = "text"
command = ["true"]

[assets.copy]
type = "text"
inputs.value = { asset = "value", io = "lak" }
command = ["true"]
"#,
    );
    let told = project.run(&["check"]);
    assert!(told.stderr.contains("there is no I/O manager `lak`") && told.stderr.contains("did you mean `lake`?"));
}

#[test]
fn a_value_has_the_version_that_its_manager_set_or_its_digest_and_who_loads_it_is_told() {
    let programs = guest("test-programs");
    let project = Project::new(&format!(
        r#"
[io.versioned]
component = "{programs}"
config = {{ program = "sets_a_version" }}
mounts."/data" = {{ path = "versioned", access = "write" }}

[assets.plain]
type = "text"
command = ["sh", "-c", 'printf "abc" > "$AIRLOCK_OUTPUT"']

[assets.set]
type = "text"
io = "versioned"
command = ["sh", "-c", 'printf "abc" > "$AIRLOCK_OUTPUT"']

[assets.both]
type = "text"
inputs.plain = {{ asset = "plain", io = "versioned" }}
inputs.set = "set"
command = ["sh", "-c", 'cat "$AIRLOCK_INPUT_PLAIN" "$AIRLOCK_INPUT_SET" > "$AIRLOCK_OUTPUT"']
"#
    ));
    project.run(&["run"]).ok();
    let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(project.load("both"), format!("{digest}version 7"));
    let shown = project.run(&["show", "plain"]).ok();
    assert!(shown.contains(digest), "{shown}");
}

#[test]
fn what_is_not_external_has_an_op_and_may_have_no_value() {
    let project = Project::new("[assets.a]\ntype = \"none\"\nexternal = false\ncommand = [\"true\"]\n");
    project.run(&["check"]).ok();
    let project = Project::new("[assets.a]\ntype = \"text\"\nexternal = false\n");
    assert!(project.run(&["check"]).stderr.contains("the asset `a` lacks `command`"));
}

#[test]
fn what_comes_as_another_media_type_than_was_asked_for_is_refused() {
    let definitions = ORDERS
        .replace("inputs = [\"raw/orders\"]", "inputs.orders = { asset = \"raw/orders\", media_type = \"text/csv\" }");
    let project = Project::new(&definitions);
    project.put("data/raw/orders.txt", "three orders");
    project.run(&["run"]).fails(
        1,
        "
error: copy: cannot load `raw/orders` with the I/O manager `lake`: it came as text/plain, and text/csv was asked for",
    );
    std::fs::rename(project.path("data/raw/orders.txt"), project.path("data/raw/orders.csv")).unwrap();
    project.run(&["run"]).ok();
    assert_eq!(project.load("copy"), "three orders");
}
