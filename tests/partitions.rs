//! Assets in partitions, from end to end: which are computed, what each loads, what is stored and recorded.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use std::io::{BufRead, BufReader};

use project::{Project, assert_prints, guest};
use serde_json::{Value, json};

/// Days that say which they are, months that join their days, and a report of all months.
const CALENDAR: &str = r#"
[partitions.days]
daily = { start = "2012-01-30", end = "2012-03-01" }

[partitions.months]
monthly = { start = "2012-02-01", end = "2012-03-01" }

[assets.day]
type = "text"
partitions = "days"
command = ["sh", "-c", 'printf "$AIRLOCK_PARTITION" > $AIRLOCK_OUTPUT']

[assets.month]
type = "text"
partitions = "months"
component = { path = "TEST_OPS", config = { op = "join" } }
inputs.parts = "day"

[assets.report]
type = "text"
command = ["sh", "-c", "cat $AIRLOCK_INPUT_MONTHS/* > $AIRLOCK_OUTPUT"]
inputs.months = "month"
"#;

fn calendar() -> Project {
    Project::new(&CALENDAR.replace("TEST_OPS", &guest("test-ops")))
}

/// The keys of the steps of the latest run that have an event of this kind.
fn steps(project: &Project, kind: &str) -> Vec<String> {
    let events = project.run(&["events", "--format", "jsonl"]).ok();
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut steps: Vec<String> = events
        .filter(|event| event["kind"] == kind)
        .map(|event| event["step_key"].as_str().unwrap().to_owned())
        .collect();
    steps.sort();
    steps
}

#[test]
fn every_partition_is_computed_stored_and_loaded_by_what_maps_to_it() {
    let project = calendar();
    let printed = project.run(&["run", "--partition", "all"]).ok();
    assert_prints(
        &printed,
        "
✓ day …  31 partitions
✓ month[2012-02-01]  …
✓ report …
run …: 33 steps done in …, … a second",
    );
    let days: Vec<String> = (1..=29).map(|day| format!("2012-02-{day:02}=2012-02-{day:02};")).collect();
    assert_eq!(project.load("report"), days.concat());
    assert_eq!(project.run(&["load", "day", "--partition", "2012-02-29"]).ok(), "2012-02-29");
    assert_eq!(std::fs::read_to_string(project.path("data/day/days=2012-01-31.txt")).unwrap(), "2012-01-31");
    assert_eq!(std::fs::read_to_string(project.path("data/month/months=2012-02-01.txt")).unwrap(), days.concat());
}

#[test]
fn a_range_is_computed_with_what_depends_on_it() {
    let project = calendar();
    project.run(&["run", "-p", "all"]).ok();
    project.run(&["run", "day+", "--partition", "2012-02-28..2012-02-29"]).ok();
    assert_eq!(steps(&project, "STEP_START"), ["day[2012-02-28]", "day[2012-02-29]", "month[2012-02-01]", "report"]);
    // No month has this day.
    project.run(&["run", "day", "month", "--partition", "2012-01-31"]).ok();
    assert_eq!(steps(&project, "STEP_START"), ["day[2012-01-31]"]);
}

#[test]
fn what_is_missing_is_found_by_what_is_stored() {
    let project = calendar();
    project.run(&["run", "--missing"]).ok();
    let nothing = project.run(&["run", "--missing"]);
    assert_eq!((nothing.code, nothing.stderr.as_str()), (Some(0), "nothing to do: nothing is missing\n"));
    std::fs::remove_file(project.path("data/day/days=2012-02-14.txt")).unwrap();
    project.run(&["run", "--missing"]).ok();
    assert_eq!(steps(&project, "STEP_START"), ["day[2012-02-14]", "month[2012-02-01]", "report"]);
    // Nor does it matter that nothing is recorded.
    std::fs::remove_dir_all(project.path(".airlock")).unwrap();
    assert_eq!(project.run(&["run", "--missing"]).stderr, "nothing to do: nothing is missing\n");
}

#[test]
fn what_is_changed_is_what_was_computed_by_something_else_or_from_older_values() {
    let project = calendar();
    project.run(&["run", "-p", "all"]).ok();
    assert_eq!(project.run(&["run", "--changed"]).stderr, "nothing to do: nothing is missing or changed\n");
    project.run(&["run", "day", "--partition", "2012-02-02"]).ok();
    project.run(&["run", "--changed"]).ok();
    assert_eq!(steps(&project, "STEP_START"), ["month[2012-02-01]", "report"]);
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    std::fs::write(project.path("airlock.toml"), definitions.replace("cat $AIRLOCK", "echo; cat $AIRLOCK")).unwrap();
    project.run(&["run", "--changed"]).ok();
    assert_eq!(steps(&project, "STEP_START"), ["report"]);
    assert_eq!(project.run(&["run", "--changed"]).stderr, "nothing to do: nothing is missing or changed\n");
}

#[test]
fn partitions_that_end_with_now_are_those_that_ended() {
    let project = Project::new(
        r#"
[partitions.hours]
hourly = { start = "2024-03-30-22:00", time_zone = "Europe/Berlin" }

[assets.hour]
type = "text"
partitions = "hours"
command = ["sh", "-c", 'printf "$AIRLOCK_PARTITION_START $AIRLOCK_PARTITION_END" > $AIRLOCK_OUTPUT']
"#,
    );
    let now = "2024-03-31T03:30:00+02:00";
    project.run(&["run", "--partition", "all", "--now", now]).ok();
    let keys = ["2024-03-30-22:00", "2024-03-30-23:00", "2024-03-31-00:00", "2024-03-31-01:00"];
    assert_eq!(steps(&project, "STEP_SUCCESS"), keys.map(|key| format!("hour[{key}]")));
    // The hour from two to three was left out that night.
    let last = project.run(&["load", "hour", "-p", keys[3], "--now", now]).ok();
    assert_eq!(last, "2024-03-31T01:00:00+01:00 2024-03-31T03:00:00+02:00");
    let shown = project.run(&["show", "hour", "--now", "2024-03-31T05:30:00+02:00"]).ok();
    assert!(shown.contains("4 of 6 stored") && shown.contains("2024-03-31-03:00..2024-03-31-04:00"), "{shown}");
}

#[test]
fn it_must_be_said_which_partitions_are_meant() {
    let project = calendar();
    project.run(&["run"]).fails(
        2,
        "
error: `day` and `month` are partitioned: say which partitions are meant
hint: add `--partition KEY`, `--partition A..B`, `--partition all`, or `--missing`",
    );
    project.run(&["run", "day", "--partition", "2012-02-30"]).fails(
        2,
        "
error: `day`: `days` has no partition \"2012-02-30\": its partitions are \"2012-01-30\" to \"2012-02-29\"; did you mean `…`?
hint: `airlock show day` shows which partitions there are; name assets to leave others out",
    );
    project.run(&["load", "day"]).fails(
        2,
        "
error: `day` is partitioned: say which partition is meant
hint: add `--partition KEY`; `airlock show day` shows which partitions there are",
    );
    project
        .run(&["load", "report", "-p", "x"])
        .fails(2, "error: `report` is not partitioned\nhint: leave `--partition` out");
    project.run(&["run", "month", "-p", "all"]).fails(
        1,
        "
error: month[2012-02-01]: cannot load `day[2012-02-01]` with the I/O manager `lake`: it has no stored value
hint: run it first: airlock run day --partition 2012-02-01",
    );
}

#[test]
fn a_month_whose_days_are_not_all_defined_is_refused_before_anything_runs() {
    let project = calendar();
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    std::fs::write(project.path("airlock.toml"), definitions.replace("2012-01-30", "2012-02-10")).unwrap();
    let ran = project.run(&["run", "month", "-p", "all"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.starts_with("error: `month` cannot load its input `parts`: "), "{ran:?}");
    assert!(!project.path("data").exists());
}

#[test]
fn a_partition_that_fails_stops_only_what_needs_it() {
    let project = calendar();
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    let failing = r#"'test $AIRLOCK_PARTITION != 2012-02-03 && printf "$AIRLOCK_PARTITION" > $AIRLOCK_OUTPUT'"#;
    let definitions = definitions.replace(r#"'printf "$AIRLOCK_PARTITION" > $AIRLOCK_OUTPUT'"#, failing);
    std::fs::write(project.path("airlock.toml"), definitions).unwrap();
    let ran = project.run(&["run", "-p", "all"]);
    assert_prints(
        &ran.stdout,
        "
✗ day     …  30 done, 1 failed
- month[2012-02-01]  not run, since day[2012-02-03] did not succeed
- report …
run …: 30 done, 1 failed, 2 not run in …",
    );
    assert_eq!(ran.code, Some(1));
    assert_eq!(project.run(&["load", "day", "-p", "2012-02-04"]).ok(), "2012-02-04");
}

#[test]
fn a_store_is_tried_again_without_the_op_and_the_attempts_are_recorded() {
    let project = Project::of(&format!(
        r#"
[io.flaky]
component = "{}"
config = {{ program = "flaky_store", succeeds = 3 }}
retry = {{ attempts = 3, delay = "1ms", backoff = "exponential", jitter = "full" }}
mounts."/data" = {{ path = "data", access = "write" }}

[assets.value]
type = "bytes"
io = "flaky"
command = ["sh", "-c", "echo once >> count; printf x > $AIRLOCK_OUTPUT"]
"#,
        guest("test-programs")
    ));
    project.run(&["run"]).ok();
    assert_eq!(std::fs::read_to_string(project.path("count")).unwrap(), "once\n");
    let events = project.run(&["events", "--format", "jsonl"]).ok();
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let retries: Vec<&Value> = events.iter().filter(|event| event["kind"] == "HANDLE_OUTPUT_RETRY").collect();
    assert_eq!((retries.len(), &retries[0]["attempt"], &retries[1]["attempt"]), (2, &json!(1), &json!(2)));
    let handled = events.iter().find(|event| event["kind"] == "HANDLED_OUTPUT").unwrap();
    assert_eq!(handled["attempt"], 3);
    assert!(project.run(&["logs", "latest", "value"]).ok().contains("attempt 2 to store `value`"));

    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    std::fs::write(project.path("airlock.toml"), definitions.replace("succeeds = 3", "succeeds = 9")).unwrap();
    project.run(&["run"]).fails(
        1,
        "
error: value: cannot store `value` with the I/O manager `flaky` after 3 attempts: the component returned an error: unavailable: busy at attempt 3
hint: `airlock logs … value` shows what it printed",
    );
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    std::fs::write(project.path("airlock.toml"), definitions.replace("succeeds = 9", "succeeds = 9, gives_up = true"))
        .unwrap();
    // An error that says that it will not get better is not tried again.
    project.run(&["run"]).fails(
        1,
        "error: value: cannot store `value` with the I/O manager `flaky`: the component returned an error: gone: the store is gone for good",
    );
}

/// An asset whose manager is unavailable as long as `busy` is stored, and one that loads it.
fn flaky_load() -> Project {
    let project = Project::of(&format!(
        r#"
[io.flaky]
component = "{}"
config = {{ program = "flaky_load" }}
retry = {{ attempts = 100, delay = "50ms" }}
mounts."/data" = {{ path = "data", access = "write" }}

[assets.value]
type = "bytes"
io = "flaky"
external = true

[assets.copy]
type = "bytes"
io = "flaky"
inputs = ["value"]
command = ["sh", "-c", "cp $AIRLOCK_INPUT_VALUE $AIRLOCK_OUTPUT"]
"#,
        guest("test-programs")
    ));
    project.put("data/value.bin", "busy");
    project
}

#[test]
fn a_load_is_tried_again_until_it_goes_well() {
    let project = flaky_load();
    let mut run = project.command(&["run", "--format", "jsonl"]).spawn().unwrap();
    let mut retries = Vec::new();
    for line in BufReader::new(run.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if event["kind"] == "LOAD_INPUT_RETRY" {
            // What kept it from being loaded is over.
            project.put("data/value.bin", "done");
            retries.push(event);
        }
    }
    assert!(run.wait().unwrap().success());
    assert_eq!(project.load("copy"), "done");
    let told = [&retries[0]["input"], &retries[0]["asset"], &retries[0]["attempt"], &retries[0]["delay"]];
    assert_eq!(told, [&json!("value"), &json!("value"), &json!(1), &json!(0.05)]);
    assert!(
        retries[0]["message"].as_str().unwrap().starts_with("attempt 1 to load `value` with the I/O manager `flaky`")
    );
}

#[test]
fn a_load_is_tried_so_often_and_the_error_says_so_in_a_run_and_outside() {
    let project = flaky_load();
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    project.put("airlock.toml", &definitions.replace("attempts = 100, delay = \"50ms\"", "attempts = 3"));
    project.run(&["run"]).fails(
        1,
        "
error: copy: cannot load `value` with the I/O manager `flaky` after 3 attempts: the component returned an error: unavailable: busy",
    );
    assert_eq!(project.events("LOAD_INPUT_RETRY").len(), 2);
    project.run(&["load", "value"]).fails(
        1,
        "
error: cannot load `value` with the I/O manager `flaky` after 3 attempts: the component returned an error: unavailable: busy",
    );
}

#[test]
fn partitions_are_listed_with_a_bar_and_counted() {
    let project = calendar();
    project.run(&["run", "day", "-p", "2012-01-30..2012-02-14"]).ok();
    let listed = project.run(&["ls"]).ok();
    assert_prints(
        &listed,
        "
ASSET …
day    …  ██████▒····· 16 of 31
month  …  · 0 of 1
report …  -",
    );
    let shown = project.run(&["show", "day"]).ok();
    assert!(shown.contains("days: 2012-01-30 to 2012-02-29, 16 of 31 stored"), "{shown}");
    assert!(shown.contains("2012-02-15..2012-02-29"), "{shown}");
    let listed = project.run(&["ls", "--format", "json"]).json();
    let partitions = &listed["assets"][0]["partitions"];
    assert_eq!(
        (&partitions["count"], &partitions["stored"], &partitions["missing"]),
        (&json!(31), &json!(16), &json!(["2012-02-15..2012-02-29"]))
    );
}

#[test]
fn what_a_failed_run_left_undone_is_computed_by_the_next() {
    let project = calendar();
    project.run(&["run", "-p", "all"]).ok();
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    std::fs::remove_file(project.path("data/day/days=2012-02-14.txt")).unwrap();
    std::fs::write(project.path("airlock.toml"), definitions.replace(r#"op = "join""#, r#"op = "wrong_key""#)).unwrap();
    assert_eq!(project.run(&["run", "--missing"]).code, Some(1));
    std::fs::write(project.path("airlock.toml"), definitions).unwrap();
    project.run(&["run", "--missing"]).ok();
    assert_eq!(steps(&project, "STEP_START"), ["month[2012-02-01]", "report"]);
}

#[test]
fn what_one_profile_stored_says_nothing_of_another() {
    let project = calendar();
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    let profile = "\n[profile.prod.io.lake]\nmounts.\"/data\" = { path = \"prod\", access = \"write\" }\n";
    std::fs::write(project.path("airlock.toml"), definitions + profile).unwrap();
    project.run(&["run", "-p", "all"]).ok();
    project.run(&["run", "-p", "all", "--profile", "prod"]).ok();
    project.run(&["run", "day", "-p", "2012-02-01"]).ok();
    project.run(&["run", "month", "-p", "2012-02-01", "--profile", "prod"]).ok();
    assert_eq!(
        project.run(&["run", "--changed", "month", "--profile", "prod"]).stderr,
        "nothing to do: nothing is missing or changed\n"
    );
    project.run(&["run", "--changed", "month"]).ok();
    assert_eq!(steps(&project, "STEP_START"), ["month[2012-02-01]"]);
}

#[test]
fn a_script_that_is_another_now_computes_anew() {
    let project = Project::new("[assets.a]\ntype = \"text\"\ncommand = [\"sh\", \"a.sh\"]\n");
    std::fs::write(project.path("a.sh"), "printf 1 > $AIRLOCK_OUTPUT").unwrap();
    project.run(&["run"]).ok();
    assert_eq!(project.run(&["run", "--changed"]).stderr, "nothing to do: nothing is missing or changed\n");
    std::fs::write(project.path("a.sh"), "printf 2 > $AIRLOCK_OUTPUT").unwrap();
    project.run(&["run", "--changed"]).ok();
    assert_eq!(project.load("a"), "2");
}

#[test]
fn what_an_op_said_is_kept_where_one_of_its_inputs_cannot_be_loaded() {
    let project = calendar();
    project.run(&["run", "day", "-p", "2012-02-01"]).ok();
    project.run(&["run", "month", "-p", "all"]).fails(
        1,
        "
error: month[2012-02-01]: cannot load `day[2012-02-02]` with the I/O manager `lake`: it has no stored value
hint: run it first: airlock run day --partition 2012-02-02",
    );
    // The one that was loaded is recorded.
    assert_eq!(project.event("LOADED_INPUT")["partitions"]["count"], 1);
}
