//! An event log that is damaged, of another version, no file, or locked, and a clock that jumps back.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "support/traced.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod traced;

use std::fs;
use std::process::Command;

use project::{LAKE, Project};
use serde_json::Value;

/// A project of one asset that was stored twice.
fn stored_project() -> Project {
    let project = Project::of(&format!(
        "{LAKE}\n[assets.a]\ntype = \"text\"\ncommand = [\"sh\", \"-c\", 'cat value > \"$AIRLOCK_OUTPUT\"']"
    ));
    for value in ["older", "old"] {
        project.put("value", value);
        project.run(&["run"]).ok();
    }
    project
}

/// Does `statement` to the log of `project`, as another program would.
fn change(project: &Project, statement: &str) {
    let program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()";
    let log = project.path(".airlock/events.db");
    let status = Command::new("python3").args(["-c", program]).arg(log).arg(statement).status().unwrap();
    assert!(status.success());
}

/// Puts `spoil` to work on the log. What uses it has to fail with the log and one of the causes `said`; once it is moved
/// away, the value is there.
fn spoiled(name: &str, said: &[&str], spoil: impl FnOnce(&Project)) {
    let project = stored_project();
    spoil(&project);
    project.put("value", "new");
    let log = project.path(".airlock/events.db");
    let mut is_stored = false;
    for arguments in [&["runs"][..], &["load", "a"], &["run"]] {
        let ran = project.run(arguments);
        let told = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(ran.code, Some(7), "{name}: {arguments:?}: {ran:#?}");
        assert!(told.contains(log.to_str().unwrap()), "{name}: {arguments:?}: {told}");
        assert!(said.iter().any(|said| told.contains(said)), "{name}: {arguments:?}: {told}");
        // The run may have come to where it could not be recorded any more.
        is_stored |= ran.stdout.contains('✓');
    }
    fs::rename(&log, project.path("moved away")).unwrap();
    assert_eq!(project.load("a"), if is_stored { "new" } else { "old" }, "{name}");
    project.run(&["run"]).ok();
    assert_eq!(project.load("a"), "new", "{name}");
    let runs = project.run(&["runs", "--format", "jsonl"]).ok();
    assert_eq!(runs.lines().count(), 1, "{name}: a new log was begun");
}

#[test]
fn a_log_that_cannot_be_used_is_named_and_costs_no_value() {
    let bytes = |project: &Project| fs::read(project.path(".airlock/events.db")).unwrap();
    let put = |project: &Project, bytes: &[u8]| fs::write(project.path(".airlock/events.db"), bytes).unwrap();
    for length in [100, 4096, 20_000] {
        spoiled(&format!("cut to {length} bytes"), &["is damaged"], |project| {
            put(project, &bytes(project).into_iter().take(length).collect::<Vec<_>>());
        });
    }
    for from in [0, 100, 4096] {
        spoiled(&format!("overwritten from byte {from} on"), &["is damaged"], |project| {
            let overwritten = bytes(project).into_iter().enumerate();
            put(project, &overwritten.map(|(at, byte)| if at < from { byte } else { byte ^ 0x5a }).collect::<Vec<_>>());
        });
    }
    spoiled("no database", &["is damaged"], |project| put(project, "no database at all. ".repeat(500).as_bytes()));
    spoiled("of a later version", &["has version 99; this program knows version 3"], |project| {
        change(project, "PRAGMA user_version = 99");
    });
    let replace = |project: &Project, make: &str| {
        let script = format!("cd .airlock && rm -f events.db* && {make}");
        assert!(Command::new("sh").args(["-c", &script]).current_dir(project.path("")).status().unwrap().success());
    };
    spoiled("a directory", &["Is a directory", "it is no regular file"], |project| replace(project, "mkdir events.db"));
    spoiled("a FIFO", &["it is no regular file"], |project| replace(project, "mkfifo events.db"));
    spoiled("a link to itself", &["Too many levels of symbolic links"], |project| {
        replace(project, "ln -s events.db events.db");
    });
}

#[test]
fn a_log_beside_which_garbage_lies_is_used() {
    for beside in ["events.db-wal", "events.db-shm", "events.db-journal"] {
        let project = stored_project();
        fs::write(project.path(".airlock").join(beside), "garbage. ".repeat(5000)).unwrap();
        project.put("value", "new");
        project.run(&["run"]).ok();
        assert_eq!(project.load("a"), "new");
        assert_eq!(project.run(&["runs", "--format", "jsonl"]).ok().lines().count(), 3, "{beside}");
    }
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn a_log_that_another_program_holds_is_waited_for_and_then_named() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    use nix::libc;
    use traced::{Verdict, may_trace, trace};

    if !may_trace() {
        return;
    }
    let project = stored_project();
    let program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()";
    let mut holder = Command::new("python3");
    holder.args(["-c", program]).arg(project.path(".airlock/events.db")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    project.put("value", "new");
    // The waiting is left out.
    let traced = trace(&project.command(&["run"]), |call| match call.number {
        libc::SYS_clock_nanosleep | libc::SYS_nanosleep => Verdict::Give(0),
        _ => Verdict::Do,
    });
    let told = traced.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(traced.code, Some(7), "{told}");
    let said = format!("the event log {} is locked by another program", project.path(".airlock/events.db").display());
    assert!(told.contains(&said), "{told}");
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert_eq!(project.load("a"), "old");
    project.run(&["run"]).ok();
    assert_eq!(project.load("a"), "new");
}

#[test]
fn a_run_after_the_clock_was_set_back_is_the_latest() {
    let project = stored_project();
    let runs = || -> Vec<String> {
        let listed = project.run(&["runs", "--format", "jsonl"]).ok();
        let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["run_id"].as_str().unwrap().to_owned();
        listed.lines().map(id).collect()
    };
    // As if the clock had been decades ahead when it ran.
    let before = runs().into_iter().next().unwrap();
    let ahead = format!("f{}", &before[1..]);
    change(
        &project,
        &format!(
            "UPDATE runs SET id = '{ahead}' WHERE id = '{before}';
        UPDATE events SET run = '{ahead}' WHERE run = '{before}'"
        ),
    );
    project.put("value", "new");
    project.run(&["run"]).ok();
    let after = runs();
    assert_eq!((after.len(), after.get(1)), (3, Some(&ahead)));
    assert_eq!(project.event("RUN_START")["run_id"], *after.first().unwrap());
    assert_eq!(project.load("a"), "new");
    assert_eq!(project.run(&["run", "--missing"]).stderr.trim(), "nothing to do: nothing is missing");
}
