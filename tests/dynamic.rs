//! Partitions that are added and removed by command, and how all kinds are listed.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::{Project, assert_prints};
use serde_json::json;

/// Accounts of customers, and of each day what each of them did.
const CUSTOMERS: &str = r#"
[partitions.customers]
dynamic = true

[partitions.days]
daily = { start = "2024-01-01", end = "2024-01-03" }

[partitions.activity]
dimensions = { day = "days", customer = "customers" }

[assets.account]
type = "text"
partitions = "customers"
command = ["sh", "-c", 'echo $AIRLOCK_PARTITION >> computed; printf "$AIRLOCK_PARTITION" > $AIRLOCK_OUTPUT']

[assets.active]
type = "text"
partitions = "activity"
inputs = ["account"]
command = ["sh", "-c", 'printf "$AIRLOCK_PARTITION $(cat $AIRLOCK_INPUT_ACCOUNT)" > $AIRLOCK_OUTPUT']
"#;

fn added(project: &Project, keys: &[&str]) -> String {
    let ran = project.run(&[&["partitions", "add", "customers"], keys].concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    ran.stderr
}

fn listed(project: &Project, name: &str) -> String {
    project.run(&["partitions", "list", name]).ok()
}

#[test]
fn dynamic_partitions_are_computed_in_the_order_in_which_they_were_added() {
    let project = Project::new(CUSTOMERS);
    assert_eq!(added(&project, &["globex", "acme"]), "2 partitions added to `customers`\n");
    assert_eq!(added(&project, &["acme", "initech"]), "1 partition added to `customers`; 1 of them there already\n");
    assert_eq!(listed(&project, "customers"), "globex\nacme\ninitech\n");
    project.run(&["run", "account", "--partition", "globex..acme", "--jobs", "1"]).ok();
    assert_eq!(std::fs::read_to_string(project.path("computed")).unwrap(), "globex\nacme\n");
    project.run(&["run", "--missing"]).ok();
    assert_eq!(std::fs::read_to_string(project.path("computed")).unwrap(), "globex\nacme\ninitech\n");
    let active = project.run(&["load", "active", "--partition", "initech|2024-01-02"]).ok();
    assert_eq!(active, "initech|2024-01-02 initech");
    // A customer more is missing, and of each day.
    added(&project, &["umbrella"]);
    let run = project.run(&["run", "--missing", "--format", "json"]).json();
    let steps: Vec<&str> =
        run["run"]["steps"].as_array().unwrap().iter().map(|step| step["key"].as_str().unwrap()).collect();
    assert_eq!(steps, ["account[umbrella]", "active[umbrella|2024-01-01]", "active[umbrella|2024-01-02]"]);
}

#[test]
fn what_is_stored_of_a_partition_that_is_removed_stays() {
    let project = Project::new(CUSTOMERS);
    added(&project, &["acme", "globex"]);
    project.run(&["run", "account", "--partition", "all"]).ok();
    let removed = project.run(&["partitions", "remove", "customers", "acme", "acme"]);
    assert_eq!(
        (removed.code, removed.stderr.as_str()),
        (Some(0), "1 partition removed from `customers`; what is stored stays where it is\n")
    );
    assert!(project.path("data/account/customers=acme.txt").exists());
    assert!(project.run(&["ls"]).ok().contains("█ 1 of 1"));
    project
        .run(&["load", "account", "--partition", "acme"])
        .fails(2, "error: `account`: `customers` has no partition \"acme\"…\n…");
    added(&project, &["acme"]);
    assert_eq!(project.run(&["load", "account", "--partition", "acme"]).ok(), "acme");
    assert_eq!(project.run(&["run", "account", "--missing"]).stderr, "nothing to do: nothing is missing\n");
    project.run(&["partitions", "remove", "customers", "acme", "acne"]).fails(
        2,
        "
error: `customers` has no partition \"acne\"
hint: nothing was removed; `airlock partitions list customers` lists them",
    );
    assert_eq!(listed(&project, "customers"), "globex\nacme\n");
}

#[test]
fn where_none_was_added_there_is_nothing_to_compute() {
    let project = Project::new(CUSTOMERS);
    project.run(&["check"]).ok();
    assert_eq!((listed(&project, "customers"), listed(&project, "activity")), (String::new(), String::new()));
    assert!(project.run(&["ls"]).ok().contains("0 of 0"));
    assert!(project.run(&["show", "account"]).ok().contains("customers: none yet"));
    assert_eq!(project.run(&["run", "--missing"]).stderr, "nothing to do: nothing is missing\n");
    project.run(&["run", "account", "--partition", "all"]).fails(
        2,
        "
error: `account`: `customers` has no partitions yet
hint: those of time are there once they have ended; dynamic ones are added by `airlock partitions add NAME KEY`",
    );
}

#[test]
fn only_dynamic_partitions_are_changed_and_only_by_keys_that_can_be() {
    let project = Project::new(CUSTOMERS);
    project.run(&["partitions", "add", "days", "2024-01-09"]).fails(
        2,
        "
error: the partitions `days` are not dynamic: which there are follows from their definition
hint: those that are defined with `dynamic = true` are added and removed by command",
    );
    project.run(&["partitions", "list", "customer"]).fails(
        2,
        "
error: there are no partitions `customer`
hint: the definitions have `customers`, `days`, `activity`",
    );
    for (key, reason) in [
        ("", "is empty"),
        ("all", "is `all`, which means all partitions"),
        ("a\tb", "holds a control character"),
        ("a|b", "holds a `|`, which separates the keys of dimensions"),
        ("*", "is `*`, which means all of a dimension"),
    ] {
        let refused = format!("error: {key:?} cannot be a partition, since it {reason}\n");
        project.run(&["partitions", "add", "customers", "fine", key]).fails(2, &refused);
    }
    assert_eq!(listed(&project, "customers"), "");
}

#[test]
fn partitions_of_every_kind_are_listed() {
    let project = Project::new(CUSTOMERS);
    added(&project, &["acme"]);
    assert_eq!(listed(&project, "days"), "2024-01-01\n2024-01-02\n");
    assert_eq!(listed(&project, "activity"), "acme|2024-01-01\nacme|2024-01-02\n");
    let document = project.run(&["partitions", "list", "activity", "--format", "json"]).json();
    assert_eq!(
        document["partitions"][1],
        json!({ "key": "acme|2024-01-02", "dimensions": { "customer": "acme", "day": "2024-01-02" } })
    );
    let lines = project.run(&["partitions", "list", "days", "--format", "jsonl"]).ok();
    assert_prints(&lines, "{\"key\":\"2024-01-01\"}\n{\"key\":\"2024-01-02\"}");
}

#[test]
fn two_processes_that_add_at_once_lose_nothing() {
    let project = Project::new(CUSTOMERS);
    let add = |key: &str| project.command(&["partitions", "add", "customers", key]).spawn().unwrap();
    let keys: Vec<String> = (0..8).map(|number| number.to_string()).collect();
    for mut child in keys.iter().map(|key| add(key)).collect::<Vec<_>>() {
        assert!(child.wait().unwrap().success());
    }
    let listed = listed(&project, "customers");
    let mut listed: Vec<&str> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, keys);
}
