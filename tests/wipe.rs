//! What `airlock wipe` removes, what it refuses, and what is known of it afterwards.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;

use project::{Project, assert_prints};

/// Assets whose names begin alike, one of which is partitioned.
const ASSETS: &str = r#"
[partitions.days]
static = ["1", "2", "3"]

[assets.day]
type = "text"
command = ["sh", "-c", 'echo day >> computed; printf day > "$AIRLOCK_OUTPUT"']

[assets."day/by"]
type = "text"
partitions = "days"
command = ["sh", "-c", 'echo by >> computed; printf "$AIRLOCK_PARTITION" > "$AIRLOCK_OUTPUT"']

[assets.days]
type = "text"
command = ["sh", "-c", 'echo days >> computed; printf days > "$AIRLOCK_OUTPUT"']
"#;

fn stored() -> Project {
    let project = Project::new(ASSETS);
    project.run(&["run", "--partition", "all"]).ok();
    project
}

/// Which of the values of [`stored`] are there.
fn there(project: &Project) -> Vec<&'static str> {
    let mut files = vec!["day.txt", "day/by/days=1.txt", "day/by/days=2.txt", "day/by/days=3.txt", "days.txt"];
    files.retain(|file| project.path("data").join(file).exists());
    files
}

/// What a run with `arguments` computes, in the order of the alphabet: steps run side by side.
fn computed(project: &Project, arguments: &[&str]) -> Vec<String> {
    std::fs::write(project.path("computed"), "").unwrap();
    project.run(&[&["run"], arguments].concat()).ok();
    let mut computed: Vec<String> =
        std::fs::read_to_string(project.path("computed")).unwrap().lines().map(str::to_owned).collect();
    computed.sort_unstable();
    computed
}

#[test]
fn the_value_of_an_asset_goes_and_its_neighbours_stay() {
    let project = stored();
    assert_prints(&project.run(&["wipe", "day", "--yes"]).ok(), "removed …/data/day.txt");
    assert_eq!(there(&project), ["day/by/days=1.txt", "day/by/days=2.txt", "day/by/days=3.txt", "days.txt"]);
    project.run(&["load", "day"]).fails(1, "…\nhint: run it first: airlock run day");
    // It is there again once it is computed again.
    project.run(&["run", "day"]).ok();
    assert_eq!(project.load("day"), "day");
}

#[test]
fn partitions_go_by_key_by_range_and_all() {
    let project = stored();
    let removed = project.run(&["wipe", "day/by", "--partition", "2", "--yes", "--format", "json"]).json();
    let file = std::fs::canonicalize(project.path("data")).unwrap().join("day/by/days=2.txt");
    assert_eq!(
        removed["wiped"],
        serde_json::json!([{ "asset": "day/by", "partition": "2", "manager": "lake", "path": file }])
    );
    assert_eq!(there(&project), ["day.txt", "day/by/days=1.txt", "day/by/days=3.txt", "days.txt"]);
    project.run(&["wipe", "day/by", "--partition", "1..2", "--yes"]).ok();
    assert_eq!(there(&project), ["day.txt", "day/by/days=3.txt", "days.txt"]);
    project.run(&["wipe", "day/by", "--partition", "all", "--yes"]).ok();
    assert_eq!(there(&project), ["day.txt", "days.txt"]);
}

#[test]
fn what_was_removed_is_known_as_missing_and_that_it_was_removed_is_shown() {
    let project = stored();
    project.run(&["wipe", "day", "days", "--yes"]).ok();
    project.run(&["wipe", "day/by", "--partition", "2", "--yes"]).ok();
    let listed = project.run(&["ls", "--format", "json"]).json();
    let asset = |name: &str| listed["assets"].as_array().unwrap().iter().find(|asset| asset["name"] == name).unwrap();
    assert_eq!((&asset("day")["is_stored"], &asset("day")["stored"]), (&false.into(), &serde_json::Value::Null));
    assert_eq!(asset("day/by")["partitions"]["missing"], serde_json::json!(["2"]));

    let shown = project.run(&["show", "day"]).ok();
    assert!(shown.contains("\nremoved 20") && !shown.contains("\nstored "), "{shown}");
    let shown = project.run(&["show", "day/by", "--format", "json"]).json();
    let made = shown["asset"]["materializations"].as_array().unwrap();
    let mut keys: Vec<&str> = made.iter().map(|made| made["partition"].as_str().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["1", "3"]);
    assert!(shown["asset"]["wiped"].is_string());

    assert_eq!(computed(&project, &["--skip-unchanged", "day/by", "days", "--partition", "all"]), ["by", "days"]);
    assert_eq!(computed(&project, &["--missing"]), ["day"]);
    assert!(computed(&project, &["--missing"]).is_empty());
}

#[test]
fn where_nothing_is_stored_nothing_happens() {
    let project = Project::new(ASSETS);
    let wiped = project.run(&["wipe", "day", "--yes"]);
    assert_eq!(wiped.stderr, "nothing is stored of day\n");
    assert_eq!(wiped.ok(), "");
    assert!(!project.path("data").exists());
    // What somebody removed by hand is forgotten as well.
    project.run(&["run", "day"]).ok();
    std::fs::remove_file(project.path("data/day.txt")).unwrap();
    project.run(&["wipe", "day", "--yes"]).ok();
    assert_eq!(
        project.run(&["show", "day", "--format", "json"]).json()["asset"]["materializations"],
        serde_json::json!([])
    );
}

#[test]
fn without_a_terminal_to_ask_at_it_has_to_be_said() {
    let project = stored();
    project.run(&["wipe", "day/by", "--partition", "1..2"]).fails(
        2,
        "
error: this would remove what is stored of day/by (2 partitions), and there is no terminal to ask at
hint: to remove it without being asked, add `--yes`",
    );
    project.run_with_input(&["wipe", "day"], b"y\n").fails(2, "…\nhint: …");
    assert_eq!(there(&project).len(), 5);
}

/// Runs the command at a terminal at which `typed` is typed, and gives what stands there in the end.
fn at_terminal(project: &Project, arguments: &[&str], typed: &str) -> String {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let (input, errors) = (Stdio::from(terminal.slave.try_clone().unwrap()), Stdio::from(terminal.slave));
    let mut child = project.command(arguments).stdin(input).stderr(errors).spawn().unwrap();
    let mut terminal = File::from(terminal.master);
    terminal.write_all(typed.as_bytes()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut shown = Vec::new();
    // It ends with an error once nobody has the terminal.
    let _ = terminal.read_to_end(&mut shown);
    String::from_utf8(shown).unwrap()
}

#[test]
fn at_a_terminal_it_asks_and_takes_only_a_yes() {
    let project = stored();
    for answer in ["n\n", "\n", "yesterday\n"] {
        let shown = at_terminal(&project, &["wipe", "day", "days"], answer);
        assert!(shown.contains("remove what is stored of day, days? [y/N] "), "{shown}");
        assert!(shown.contains("nothing was removed"), "{shown}");
        assert_eq!(there(&project).len(), 5);
    }
    at_terminal(&project, &["wipe", "day", "days"], "y\n");
    assert_eq!(there(&project).len(), 3);
}

#[test]
fn which_partitions_are_meant_has_to_be_said_and_has_to_be_true() {
    let project = stored();
    for (arguments, said) in [
        (
            &["day/by"][..],
            "error: `day/by` is partitioned: say which partitions are meant\nhint: add `--partition KEY`, …",
        ),
        (&["day", "--partition", "1"], "error: `day` is not partitioned\nhint: leave `--partition` out"),
        (
            &["day/by", "--partition", "4"],
            "error: `day/by`: …4…\nhint: `airlock show day/by` shows which partitions there are",
        ),
        (&["dya"], "error: …`dya`…\n…"),
        // Nothing of several is removed where one of them is a mistake.
        (&["day", "day/by"], "error: `day/by` is partitioned…\n…"),
    ] {
        project.run(&[&["wipe", "--yes"], arguments].concat()).fails(2, said);
    }
    assert_eq!(there(&project).len(), 5);
}

#[test]
fn what_airlock_cannot_find_or_did_not_make_is_refused() {
    let project = Project::of(
        r#"
[io.whole]
component = "builtin:files"
mounts."/data" = { path = "whole", access = "write", scope = "mount" }

[io.read]
component = "builtin:files"
mounts."/data" = { path = "read", access = "read" }

[io.memory]
component = "builtin:files"
mounts."/data" = { memory = true, access = "write" }

[assets.own]
type = "text"
io = "whole"
command = ["true"]

[assets.read]
type = "text"
io = "read"
command = ["true"]

[assets.elsewhere]
type = "text"
io = "whole"
external = true

[assets.none]
type = "none"
command = ["true"]

[assets.fleeting]
type = "text"
io = "memory"
command = ["true"]
"#,
    );
    for (asset, said) in [
        (
            "own",
            "error: cannot remove `own`: `whole` is lent a whole mount (`scope = \"mount\"`) and chooses its paths itself, …",
        ),
        ("read", "error: cannot remove `read`: `read` is lent no directory to write, …"),
        ("elsewhere", "error: `elsewhere` is external: what makes it is to remove it"),
        ("none", "error: `none` has no value: …"),
    ] {
        std::fs::create_dir_all(project.path("read")).unwrap();
        project.run(&["wipe", asset, "--yes"]).fails(2, said);
    }
    let wiped = project.run(&["wipe", "fleeting"]);
    assert_prints(
        &wiped.stderr,
        "`memory` keeps values in memory, which end with the program: there is nothing to remove",
    );
    wiped.ok();
}

#[test]
fn a_run_of_a_job_goes_with_all_that_it_stored() {
    let project = Project::new(
        r#"
[io.attic]
component = "builtin:files"
mounts."/data" = { path = "attic", access = "write" }

[io.whole]
component = "builtin:files"
mounts."/data" = { path = "whole", access = "write", scope = "mount" }

[assets.asset]
type = "text"
command = ["sh", "-c", 'printf a > "$AIRLOCK_OUTPUT"']

[jobs.nightly.steps]
one = { type = "text", command = ["sh", "-c", 'printf 1 > "$AIRLOCK_OUTPUT"'] }
two = { type = "text", io = "attic", command = ["sh", "-c", 'printf 2 > "$AIRLOCK_OUTPUT"'] }
three = { type = "text", io = "whole", command = ["sh", "-c", 'printf 3 > "$AIRLOCK_OUTPUT"'] }
"#,
    );
    let run = || {
        project.run(&["run", "job:nightly", "--format", "json"]).json()["run"]["run_id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (run(), run());
    let wiped = project.run(&["wipe", "--run", &first, "--yes"]);
    assert_prints(&wiped.stderr, "left alone: `whole` is lent a whole mount …");
    assert_prints(&wiped.ok(), &format!("removed …/attic/runs={first}\nremoved …/data/runs={first}"));
    for directory in ["attic", "data"] {
        assert!(!project.path(directory).join(format!("runs={first}")).exists());
        assert!(project.path(directory).join(format!("runs={second}")).exists());
    }
    assert!(project.path("whole").join(format!("runs={first}")).exists());
    let events = project.run(&["events", &first]).ok();
    assert!(events.trim_end().ends_with("RUN_WIPED"), "{events}");
    project
        .run(&["load", "--run", &first, "one"])
        .fails(1, "…\nhint: the run … stored it with `lake`: it was removed since, or that lies elsewhere now");
    assert_eq!(project.run(&["load", "--run", &second, "one"]).ok(), "1");

    let wiped = project.run(&["wipe", "--run", &first, "--yes"]);
    assert!(wiped.stderr.ends_with(&format!("nothing is stored of the run {first}\n")), "{wiped:?}");
    project.run(&["run", "asset"]).ok();
    project
        .run(&["wipe", "--run", "latest", "--yes"])
        .fails(2, "error: the run … computed assets, which are removed by their names: leave `--run` out");
}
