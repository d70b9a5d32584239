//! Which partitions an input loads, from end to end.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::{Project, guest};

/// Days that add what they are given to the day before, in words.
const BALANCE: &str = r#"
[partitions.days]
daily = { start = "2024-01-01", end = "2024-01-05" }

[assets.balance]
type = "text"
partitions = "days"
inputs.before = { asset = "balance", partition_mapping = { time_window = { start_offset = -1, end_offset = -1 } } }
"#;

#[test]
fn a_day_loads_the_day_before_and_the_first_finds_none() {
    let command = r#"command = ["sh", "-c", '(test -z "$AIRLOCK_INPUT_BEFORE" || cat "$AIRLOCK_INPUT_BEFORE"; printf "$AIRLOCK_PARTITION;") > "$AIRLOCK_OUTPUT"']"#;
    let project = Project::new(&format!("{BALANCE}{command}"));
    project.run(&["run", "--partition", "all", "--jobs", "4"]).ok();
    let load = |key| project.run(&["load", "balance", "--partition", key]).ok();
    assert_eq!(load("2024-01-01"), "2024-01-01;");
    assert_eq!(load("2024-01-04"), "2024-01-01;2024-01-02;2024-01-03;2024-01-04;");

    std::fs::remove_file(project.path("data/balance/days=2024-01-02.txt")).unwrap();
    assert!(project.run(&["run", "--missing"]).ok().contains("balance  "));
    assert_eq!(load("2024-01-04"), "2024-01-01;2024-01-02;2024-01-03;2024-01-04;");
    let again = project.run(&["run", "--missing"]);
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), "nothing to do: nothing is missing\n"));
}

#[test]
fn a_component_finds_the_day_before_as_one_value_without_a_key_or_no_part() {
    let component = guest("test-ops");
    let component = format!("component = {{ path = \"{component}\", config = {{ op = \"join\" }} }}");
    let project = Project::new(&format!("{BALANCE}{component}"));
    project.run(&["run", "--partition", "all"]).ok();
    let load = |key| project.run(&["load", "balance", "--partition", key]).ok();
    assert_eq!((load("2024-01-01"), load("2024-01-03")), (String::new(), "-=-=;;".to_owned()));
}

#[test]
fn days_after_one_that_failed_are_skipped() {
    let command =
        r#"command = ["sh", "-c", 'test "$AIRLOCK_PARTITION" != 2024-01-02 && echo done > "$AIRLOCK_OUTPUT"']"#;
    let project = Project::new(&format!("{BALANCE}{command}"));
    let ran = project.run(&["run", "--partition", "all"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("1 done, 1 failed, 2 not run"), "{}", ran.stdout);
}

#[test]
fn an_asset_that_loads_itself_without_going_back_is_told_how() {
    let project = Project::new(
        r#"
[partitions.days]
daily = { start = "2024-01-01" }

[assets.balance]
type = "text"
partitions = "days"
inputs = ["balance"]
command = ["true"]
"#,
    );
    project.run(&["check"]).fails(
        2,
        "
error: the asset `balance` depends on itself
  --> airlock.toml:12:9
…
   = help: it may load earlier partitions of itself, such as the one before: `partition_mapping = { time_window = { start_offset = -1, end_offset = -1 } }`
…",
    );
}

#[test]
fn the_last_partition_some_of_them_or_those_that_are_listed_for_a_key_are_loaded() {
    let component = guest("test-ops");
    let join = format!("component = {{ path = \"{component}\", config = {{ op = \"join\" }} }}");
    let project = Project::new(&format!(
        r#"
[partitions.cities]
static = ["oslo", "rome", "nyc"]

[partitions.regions]
static = ["eu", "us"]

[assets.city]
type = "text"
partitions = "cities"
command = ["sh", "-c", 'printf "$AIRLOCK_PARTITION" > "$AIRLOCK_OUTPUT"']

[assets.region]
type = "text"
partitions = "regions"
inputs.of = {{ asset = "city", partition_mapping = {{ static = {{ eu = ["rome", "oslo"], us = ["nyc"] }} }} }}
inputs.last = {{ asset = "city", partition_mapping = "last" }}
inputs.one = {{ asset = "city", partition_mapping = {{ specific = "rome" }} }}
{join}

[assets.report]
type = "text"
inputs.some = {{ asset = "city", partition_mapping = {{ specific = ["rome"] }} }}
inputs.last = {{ asset = "region", partition_mapping = "last" }}
{join}
"#
    ));
    project.run(&["run", "--partition", "all"]).ok();
    let load = |key| project.run(&["load", "region", "--partition", key]).ok();
    assert_eq!(load("eu"), "oslo=oslo;rome=rome;-=nyc;-=rome;");
    assert_eq!(load("us"), "nyc=nyc;-=nyc;-=rome;");
    assert_eq!(project.load("report"), format!("rome=rome;-={};", load("us")));
    // Rome is loaded by both regions, and the last one of these by the report.
    std::fs::remove_file(project.path("data/city/cities=oslo.txt")).unwrap();
    let ran = project.run(&["run", "--missing"]).ok();
    assert!(ran.contains("city[oslo]") && ran.contains("region[eu]") && ran.contains("2 steps done"), "{ran}");
}
