//! Values on a disk that is full, has no room for more files, is read-only or is taken away, and an event log that cannot be
//! used: small file systems in memory, where the machine allows them.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/own_mounts.rs"]
mod own_mounts;
#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;
#[expect(dead_code, reason = "each test file uses its part of it")]
mod support;

use airlock_sandbox::report::Failure;
use own_mounts::{bind, forbid_writing, mount, remount, unmount, used, with_own_mounts};
use project::{LAKE, Project};
use serde_json::json;
use support::Lab;

/// Bytes of a page of a file system in memory.
const PAGE: u64 = 4096;

/// The managers that store here: one whose bytes the host moves, and one that writes files of 2,000 bytes by itself.
fn managers() -> [Lab; 2] {
    [Lab::new("files"), Lab::program("stores_many_files").config(json!({ "piece": 2000 }))]
}

/// A value of about `bytes`, of which each line is the same.
fn value(line: &str, bytes: usize) -> String {
    format!("{line}\n").repeat(bytes / (line.len() + 1))
}

/// Stores with `room` left, which has to fail as `said` says and leave the value that was there before, or to succeed.
/// Gives whether it succeeded.
fn store_with(lab: &Lab, room: &str, said: &[&str]) -> bool {
    let data = lab.path("data");
    let (old, new) = (value("old", 10_000), value("new", 30_000));
    mount(&data, "size=1m,nr_inodes=1000");
    lab.store(&old).outcome.unwrap();
    let (pages, files) = used(&data);
    let (size, file_count) = room.split_once(' ').unwrap();
    let size = (pages + size.parse::<u64>().unwrap()) * PAGE;
    remount(&data, &format!("size={size},nr_inodes={}", files + file_count.parse::<u64>().unwrap()));
    let stored = lab.store(&new).outcome;
    let is_stored = stored.is_ok();
    if let Err(failure) = stored {
        let Failure::Storage { failure } = failure else { panic!("with {room}: {failure}") };
        assert!(said.iter().any(|said| failure.reason.contains(said)), "with {room}: {failure}");
        assert!(failure.path.starts_with(data.to_str().unwrap()), "with {room}: {failure}");
    }
    // With as little room as there is, what is stored can still be loaded, and nothing else is left.
    assert_eq!(&lab.load_text(), if is_stored { &new } else { &old }, "with {room}");
    assert_eq!(lab.leftovers("data"), [""; 0], "with {room}");
    remount(&data, "size=1m,nr_inodes=1000");
    lab.store(&new).outcome.unwrap();
    assert_eq!(lab.load_text(), new);
    unmount(&data);
    is_stored
}

#[test]
fn a_disk_that_is_full_is_named_and_keeps_the_old_value() {
    with_own_mounts("a_disk_that_is_full_is_named_and_keeps_the_old_value", || {
        let mut stored = Vec::new();
        for lab in managers() {
            let said = ["No space left on device", "stay free for others"];
            stored.push((0..20).map(|pages| store_with(&lab, &format!("{pages} 900"), &said)).collect::<Vec<_>>());
        }
        tell("full disk", &stored);
    });
}

#[test]
fn a_disk_that_has_no_room_for_more_files_is_named_and_keeps_the_old_value() {
    with_own_mounts("a_disk_that_has_no_room_for_more_files_is_named_and_keeps_the_old_value", || {
        let mut stored = Vec::new();
        for lab in managers() {
            let said = ["No space left on device"];
            stored.push((0..30).map(|files| store_with(&lab, &format!("100 {files}"), &said)).collect::<Vec<_>>());
        }
        tell("full table of inodes", &stored);
    });
}

/// Tells how many cases there were and checks that there were some of both kinds.
fn tell(what: &str, stored: &[Vec<bool>]) {
    let (cases, stored) = (stored.concat().len(), stored.concat().iter().filter(|stored| **stored).count());
    println!("| {what} | {cases} | {stored} | {} |", cases - stored);
    assert!(stored > 0 && stored < cases, "{stored} of {cases} were stored");
}

#[test]
fn a_mount_that_is_read_only_loads_and_refuses_to_store() {
    with_own_mounts("a_mount_that_is_read_only_loads_and_refuses_to_store", || {
        for lab in managers() {
            let data = lab.path("data");
            mount(&data, "size=1m");
            lab.store("old").outcome.unwrap();
            forbid_writing(&data);
            let Err(Failure::Storage { failure }) = lab.store("new").outcome else { panic!("it was stored") };
            assert_eq!(failure.reason, "Read-only file system (os error 30)");
            assert!(failure.path.starts_with(data.to_str().unwrap()), "{failure}");
            assert_eq!(lab.load_text(), "old");
            remount(&data, "");
            lab.store("new").outcome.unwrap();
            assert_eq!(lab.load_text(), "new");
        }
    });
}

#[test]
fn a_mount_that_is_taken_away_has_its_values_when_it_is_back() {
    with_own_mounts("a_mount_that_is_taken_away_has_its_values_when_it_is_back", || {
        let lab = Lab::new("files");
        let (data, kept) = (lab.path("data"), lab.path("kept"));
        std::fs::create_dir(&kept).unwrap();
        mount(&kept, "size=1m");
        bind(&kept, &data);
        lab.store("old").outcome.unwrap();
        unmount(&data);
        assert!(matches!(lab.load().outcome, Err(Failure::Guest { error }) if error.code == "not-found"));
        bind(&kept, &data);
        assert_eq!(lab.load_text(), "old");
    });
}

/// A project of one asset, which is stored, and the folder of its home.
fn stored_project() -> Project {
    let project = Project::of(&format!(
        "{LAKE}\n[assets.a]\ntype = \"text\"\ncommand = [\"sh\", \"-c\", 'cat value > \"$AIRLOCK_OUTPUT\"']"
    ));
    project.put("value", "old");
    project
}

/// Runs with a home that fails, which has to be told as storage that failed, with the home and the cause.
fn run_fails(project: &Project, said: &[&str]) {
    let ran = project.run(&["run"]);
    let told = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(ran.code, Some(7), "{ran:#?}");
    assert!(said.iter().any(|said| told.contains(said)), "{told}");
    assert!(told.contains(project.path(".airlock").to_str().unwrap()), "{told}");
}

#[test]
fn a_home_that_is_full_or_read_only_is_named_and_costs_no_value() {
    with_own_mounts("a_home_that_is_full_or_read_only_is_named_and_costs_no_value", || {
        let project = stored_project();
        let home = project.path(".airlock");
        std::fs::create_dir(&home).unwrap();
        mount(&home, "size=1m,nr_inodes=100,mode=700");
        project.run(&["run"]).ok();
        for pages in 0..8 {
            let (in_use, _) = used(&home);
            remount(&home, &format!("size={},nr_inodes=100", (in_use + pages) * PAGE));
            run_fails(&project, &["No space left on device", "database or disk is full"]);
            remount(&home, "size=1m");
            assert_eq!(project.load("a"), "old", "with {pages} pages left");
        }
        for files in 0..4 {
            let (_, in_use) = used(&home);
            remount(&home, &format!("size=1m,nr_inodes={}", in_use + files));
            run_fails(&project, &["No space left on device"]);
            remount(&home, "nr_inodes=100");
            assert_eq!(project.load("a"), "old", "with {files} files left");
        }
        forbid_writing(&home);
        run_fails(&project, &["Read-only file system"]);
        let loaded = project.run(&["load", "a"]);
        assert_eq!((loaded.code, loaded.stderr.contains("set AIRLOCK_HOME")), (Some(7), true), "{loaded:#?}");
        let elsewhere =
            project.command(&["load", "a"]).env("AIRLOCK_HOME", project.path("elsewhere")).output().unwrap();
        assert_eq!(elsewhere.stdout, b"old");
        remount(&home, "");
        project.put("value", "new");
        project.run(&["run"]).ok();
        assert_eq!(project.load("a"), "new");
    });
}
