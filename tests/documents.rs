//! Runs every command that the documents show, and compares what it prints with what they show.
//!
//! In a block of `console`, a line that begins with `$ ` is a command and what follows is what it prints; `…` stands for
//! anything, alone on a line for any lines. The commands of a document run one after the other in one folder, which
//! holds a copy of the examples, or in one below it after a `cd`. A command `make TARGET` is looked up in the Makefile
//! instead, since this test is part of it.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/pattern.rs"]
mod pattern;

use std::path::{Path, PathBuf};
use std::process::Command;

use pattern::matches;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A folder that looks like the project to the commands that documents show.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&root().join("examples"), &folder.path().join("examples"));
        let guests = std::env::var_os("AIRLOCK_GUESTS").map_or_else(|| root().join("target/guests"), PathBuf::from);
        std::fs::create_dir_all(folder.path().join("target")).unwrap();
        std::os::unix::fs::symlink(guests, folder.path().join("target/guests")).unwrap();
        Self(folder)
    }

    /// What `command` prints in the folder `below` this one, on both streams in one.
    fn run(&self, below: &Path, command: &str) -> String {
        let binary = Path::new(env!("CARGO_BIN_EXE_airlock")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let home = self.0.path().join("home");
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{command}")])
            .current_dir(self.0.path().join(below))
            .env("PATH", format!("{}:{path}", binary.display()))
            .env("HOME", &home)
            // Compiling a large component takes long, so all tests share what was compiled.
            .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
            .env("XDG_STATE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("state"))
            // So does what projects that are made depend on; the network is not asked for it.
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("new/rust"))
            .env("CARGO_HOME", of_home("CARGO_HOME", ".cargo"))
            .env("RUSTUP_HOME", of_home("RUSTUP_HOME", ".rustup"))
            .env("CARGO_NET_OFFLINE", "true")
            .env_remove("AIRLOCK_HOME")
            // By these a make that runs the tests would have another one say where it is.
            .env_remove("MAKEFLAGS")
            .env_remove("MAKELEVEL")
            .env("COLUMNS", "80")
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The folder that `variable` names, or that is called so in the home directory.
fn of_home(variable: &str, name: &str) -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(name);
    std::env::var_os(variable).map_or_else(home, PathBuf::from)
}

/// Copies what a checkout has: no folders that runs made.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(source, target).unwrap();
        } else if !matches!(entry.file_name().to_str(), Some(".airlock" | "data" | "target" | "__pycache__")) {
            copy(&source, &target);
        }
    }
}

/// The commands of a document with what it says they print.
fn shown(document: &str) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
                (None, Some((command, lines))) if command.ends_with('\\') && lines.is_empty() => {
                    command.push('\n');
                    command.push_str(line.strip_prefix("> ").unwrap_or(line));
                }
                (None, Some((_, lines))) => lines.push(line.to_owned()),
                (None, None) => panic!("a block begins with no command: {line}"),
            },
        }
    }
    commands
}

fn check(document: &str) {
    let path = root().join(document);
    let text = std::fs::read_to_string(&path).unwrap();
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let folder = Folder::new();
    let commands = shown(&text);
    assert!(!commands.is_empty(), "{document} shows no command");
    let mut below = PathBuf::new();
    for (command, expected) in commands {
        if let Some(target) = command.strip_prefix("make ") {
            assert!(
                makefile.contains(&format!("\n{target}:")),
                "{document} shows `{command}`, which make does not know"
            );
            continue;
        }
        if let Some(directory) = command.strip_prefix("cd ") {
            below.push(directory);
            continue;
        }
        let printed = folder.run(&below, &command);
        let lines: Vec<&str> = printed.lines().collect();
        let shown = expected.join("\n");
        assert!(matches(&expected, &lines), "{document} shows\n$ {command}\n{shown}\n\nbut it prints\n{printed}");
    }
}

#[test]
fn the_readme_shows_what_the_commands_print() {
    check("README.md");
}

#[test]
fn the_examples_of_io_managers_show_what_the_commands_print() {
    check("examples/io-managers/README.md");
}

#[test]
fn a_component_can_be_called_by_hand_as_is_documented() {
    check("docs/guests.md");
}

#[test]
fn a_component_is_tested_as_is_documented() {
    check("docs/testing.md");
}

#[cfg(target_os = "linux")]
#[test]
fn isolation_says_what_is_documented() {
    check("docs/isolation.md");
}

#[test]
fn a_component_of_ones_own_is_made_as_is_documented() {
    check("docs/writing-a-guest.md");
}

#[cfg(target_os = "linux")]
#[test]
fn components_in_ci_are_told_of_as_is_documented() {
    check("docs/ci.md");
}

#[test]
fn the_lock_that_is_documented_is_kept_to() {
    check("docs/lock.md");
}

#[test]
fn the_job_that_is_documented_runs() {
    check("docs/jobs.md");
}
