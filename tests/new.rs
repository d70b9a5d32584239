//! Projects that `airlock new` makes: each is built by `make` outside of this repository, and what it gives stores and loads.
//! A language whose tools `make guests-all` did not install is named and passed over; Rust is always there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
#[expect(clippy::indexing_slicing, clippy::string_slice, reason = "a test fails by panicking")]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
#[expect(clippy::indexing_slicing, reason = "a test fails by panicking")]
mod project;

use std::path::{Path, PathBuf};
use std::process::Command;

use project::{Project, Ran, repository};

/// A folder in which `airlock new` was told `arguments`, after a name.
fn made(name: &str, arguments: &[&str]) -> (Project, String) {
    let project = Project(tempfile::tempdir().unwrap());
    let ran = project.run(&[&["new", name][..], arguments].concat());
    let told = ran.stderr.clone();
    ran.ok();
    (project, told)
}

/// A command that is run in the project `name`, where `airlock` is in the path.
fn inside(project: &Project, name: &str, program: &str, arguments: &[&str]) -> Command {
    let airlock = project.command(&[]);
    let mut command = Command::new(program);
    command.args(arguments).current_dir(project.path(name)).env_remove("AIRLOCK_HOME");
    let environment = airlock.get_envs().filter_map(|(variable, value)| Some((variable, value?)));
    // The home has what Cargo and Rust need; Airlock's own is where these entries say.
    command.envs(environment.filter(|(variable, _)| *variable != "HOME"));
    let folder = Path::new(env!("CARGO_BIN_EXE_airlock")).parent().unwrap();
    command.env("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()));
    command
}

fn run(project: &Project, name: &str, program: &str, arguments: &[&str]) -> String {
    Ran::from(inside(project, name, program, arguments).output().unwrap()).ok()
}

/// Where builds of projects keep what they need not build again: what a project in Rust depends on takes a while.
fn kept(language: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("new").join(language)
}

/// Builds the project without the network, by the tools that `make guests-all` installed.
fn build(project: &Project, name: &str, language: &str) {
    let toolchains = target().join("toolchains").display().to_string();
    let modules = format!("{toolchains}/javascript/installed");
    let mut command = inside(project, name, "make", &["-o", &modules, &format!("TOOLCHAINS={toolchains}")]);
    command.env("CARGO_TARGET_DIR", kept(language)).env("CARGO_NET_OFFLINE", "true");
    Ran::from(command.output().unwrap()).ok();
}

fn target() -> PathBuf {
    let guests = std::env::var_os("AIRLOCK_GUESTS").map_or_else(|| repository().join("target/guests"), PathBuf::from);
    guests.parent().unwrap().to_owned()
}

/// What there is of the language `language` on this machine is tried: made, built, and a value stored and loaded.
fn stores_and_loads(language: &str) {
    let guest = target().join("guests/languages").join(language).with_extension("wasm");
    if language != "rust" && !guest.exists() {
        println!("{language} was not tried, since its tools are not there: `make guests-all` installs them");
        return;
    }
    let (project, told) = made("my-own", &["--lang", language]);
    assert!(told.contains("made my-own/: an I/O manager in"), "{told}");
    build(&project, "my-own", language);
    let inspected = run(&project, "my-own", "airlock", &["inspect", "my-own.wasm"]);
    assert!(inspected.contains("stores outputs, loads inputs"), "{inspected}");
    run(&project, "my-own", "airlock", &["run"]);
    assert_eq!(run(&project, "my-own", "airlock", &["load", "greeting"]), "hello\n");
    let stored = project.path("my-own/data/greeting.bin");
    assert_eq!(std::fs::read(stored).unwrap(), b"hello\n");
}

#[test]
fn a_project_in_rust_stores_and_loads() {
    stores_and_loads("rust");
}

#[test]
fn a_project_in_c_stores_and_loads() {
    stores_and_loads("c");
}

#[test]
fn a_project_in_cpp_stores_and_loads() {
    stores_and_loads("cpp");
}

#[test]
fn a_project_in_python_stores_and_loads() {
    stores_and_loads("python");
}

#[test]
fn a_project_in_javascript_stores_and_loads() {
    stores_and_loads("javascript");
}

#[test]
fn a_project_in_go_stores_and_loads() {
    stores_and_loads("go");
}

#[test]
fn a_project_of_an_op_computes() {
    let (project, told) = made("hottest", &["--lang", "rust", "--op"]);
    assert!(told.contains("made hottest/: an op in Rust"), "{told}");
    build(&project, "hottest", "rust");
    run(&project, "hottest", "airlock", &["run"]);
    assert_eq!(run(&project, "hottest", "airlock", &["load", "greeting"]), "good day\n");
}

#[test]
fn what_cannot_be_made_is_told_and_nothing_is_left() {
    let project = Project(tempfile::tempdir().unwrap());
    std::fs::create_dir(project.path("there")).unwrap();
    std::os::unix::fs::symlink("nowhere", project.path("link")).unwrap();
    let cases = [
        (&["there", "--lang", "c"][..], "error: cannot make the project: there is there already\nhint: …"),
        (&["link", "--lang", "c"], "error: cannot make the project: link is there already\nhint: …"),
        (&["../up", "--lang", "c"], "error: invalid value '../up' for '<NAME>': it has lower-case letters, …\n…"),
        (&["test", "--lang", "c"], "error: invalid value 'test' for '<NAME>': a package cannot be called so; …\n…"),
        (
            &["a", "--lang", "cobol"],
            "error: invalid value 'cobol' for '--lang <LANGUAGE>'\n  [possible values: rust, c, cpp, …\n…",
        ),
        (&["a"], "error: the following required arguments were not provided:\n  --lang <LANGUAGE>\n…"),
        (&["a", "--lang", "go", "--op"], "error: there is no op in Go to begin with yet\nhint: …--lang rust --op"),
    ];
    for (arguments, told) in cases {
        project.run(&[&["new"][..], arguments].concat()).fails(2, told);
    }
    let mut left: Vec<_> =
        std::fs::read_dir(project.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["link", "there"]);
}

#[test]
fn bindings_that_are_there_are_left_as_they_are() {
    let project = Project(tempfile::tempdir().unwrap());
    project.run(&["bindings", "c", "bindings"]).ok();
    let header = project.path("bindings/airlock.h");
    let written = || std::fs::metadata(&header).unwrap().modified().unwrap();
    let before = written();
    std::fs::write(project.path("bindings/guest.h"), "changed").unwrap();
    project.run(&["bindings", "c", "bindings"]).ok();
    assert_eq!(written(), before);
    assert_ne!(std::fs::read(project.path("bindings/guest.h")).unwrap(), b"changed");
}

#[test]
fn what_is_no_module_is_not_made_a_component() {
    let project = Project(tempfile::tempdir().unwrap());
    project.put("text.wasm", "no WebAssembly");
    // The smallest module.
    std::fs::write(project.path("empty.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let componentize = |module: &str| project.run(&["componentize", module, "-o", "made.wasm"]);
    componentize("text.wasm").fails(6, "error: cannot make a component of text.wasm: it is no WebAssembly: …\n…");
    componentize("empty.wasm").fails(6, "error: cannot make a component of empty.wasm: …`airlock:io/output@0.1.0`…");
    componentize("absent.wasm").fails(2, "error: cannot read absent.wasm: …");
    assert!(!project.path("made.wasm").exists());
}
