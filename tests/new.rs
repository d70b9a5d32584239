//! Projects that `airlock new` makes: each is built by `make` outside of this repository, and what it gives stores and loads, or
//! computes. A language whose tools `make guests-all` did not install is named and counted, and with `AIRLOCK_LANGUAGES=all` in the
//! environment a failure; Rust is always there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/languages.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod languages;
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

/// A project that is not built yet, of an I/O manager or an op; none where the tools of the language are not there.
fn made_where_there_are_tools(language: &str, op: bool) -> Option<Project> {
    if language != "rust" {
        languages::built(&format!("{language}{}", if op { "-op" } else { "" }))?;
    }
    let (project, told) = made("my-own", &[&["--lang", language][..], if op { &["--op"] } else { &[] }].concat());
    assert!(told.contains(if op { "made my-own/: an op in" } else { "made my-own/: an I/O manager in" }), "{told}");
    Some(project)
}

/// The same, which `make` has built.
fn built(language: &str, op: bool) -> Option<Project> {
    let project = made_where_there_are_tools(language, op)?;
    build(&project, "my-own", language);
    Some(project)
}

fn stores_and_loads(language: &str) {
    let Some(project) = built(language, false) else { return };
    let inspected = run(&project, "my-own", "airlock", &["inspect", "my-own.wasm"]);
    assert!(inspected.contains("stores outputs, loads inputs"), "{inspected}");
    run(&project, "my-own", "airlock", &["run"]);
    assert_eq!(run(&project, "my-own", "airlock", &["load", "greeting"]), "hello\n");
    let stored = project.path("my-own/data/greeting.bin");
    assert_eq!(std::fs::read(stored).unwrap(), b"hello\n");
}

fn computes(language: &str) {
    let Some(project) = built(language, true) else { return };
    let inspected = run(&project, "my-own", "airlock", &["inspect", "my-own.wasm"]);
    assert!(inspected.contains("does        computes\n"), "{inspected}");
    run(&project, "my-own", "airlock", &["test", "my-own.wasm"]);
    run(&project, "my-own", "airlock", &["run"]);
    assert_eq!(run(&project, "my-own", "airlock", &["load", "greeting"]), "1\tgood day\n2\thi\n");
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
fn a_project_in_javascript_reads_and_writes_files_itself() {
    let Some(project) = made_where_there_are_tools("javascript", false) else { return };
    let source = project.path("my-own/manager.js");
    let text = std::fs::read_to_string(&source).unwrap();
    let edits = [
        ("import { entry,", "import { CHUNK, File, makeParents, entry,"),
        (
            "size += part.save(path);",
            "makeParents(path);
            using(File.create(path), (file) => {
              for (let chunk; (chunk = part.read(CHUNK)).length > 0; size += BigInt(chunk.length)) file.write(chunk);
            });
            let refused = '';
            try { entry.int('too-large', 2n ** 63n); } catch (error) { refused = String(error); }
            context.addMetadata([entry.int('least', -(2n ** 63n)), entry.text('refused', refused)]);",
        ),
        (
            "value.load('/data/' + context.path(key, EXTENSION));",
            "using(File.open('/data/' + context.path(key, EXTENSION)), (file) => {
              for (let chunk; (chunk = file.read()).length > 0;) value.write(chunk);
            });",
        ),
    ];
    let changed = edits.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    std::fs::write(source, changed).unwrap();
    build(&project, "my-own", "javascript");
    let call = |function: &str, more: &[&str], input: &[u8]| {
        let arguments = ["call", "my-own/my-own.wasm", function, "--asset", "a/b/c", "--mount"];
        project.run_with_input(&[&arguments[..], more].concat(), input)
    };
    let long = "0123456789".repeat(300_000);
    for given in [&long, "short", ""] {
        let stored = call("handle-output", &["lake::/data:write", "--media-type", "text/plain"], given.as_bytes());
        let told = format!("{}{}", stored.stdout, stored.stderr);
        for recorded in ["-9223372036854775808", "9223372036854775808 is no integer of 64 bits"] {
            assert!(told.contains(recorded), "{told}");
        }
        assert!(call("load-input", &["lake::/data"], b"").ok() == given, "{} bytes come back otherwise", given.len());
    }
    call("load-input", &["other::/data"], b"").fails(1, "…not-found…\n…");
}

#[test]
fn a_project_in_go_stores_and_loads() {
    stores_and_loads("go");
}

#[test]
fn an_op_in_rust_computes() {
    computes("rust");
}

#[test]
fn an_op_in_c_computes() {
    computes("c");
}

#[test]
fn an_op_in_cpp_computes() {
    computes("cpp");
}

#[test]
fn an_op_in_python_computes() {
    computes("python");
}

#[test]
fn an_op_in_javascript_computes() {
    computes("javascript");
}

#[test]
fn an_op_in_go_computes() {
    computes("go");
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

#[test]
fn a_manifest_that_says_what_none_may_is_not_made_a_part_of_a_component() {
    let project = Project(tempfile::tempdir().unwrap());
    let component = wat::parse_str(r#"(component (instance $it) (export "airlock:io/input@0.1.0" (instance $it)))"#);
    std::fs::write(project.path("bare.wasm"), component.unwrap()).unwrap();
    let componentize = |access: &str| {
        let mounts = format!(r#"[{{ "path": "/data", "access": "{access}", "reason": "Values." }}]"#);
        project.put("manifest.json", &format!(r#"{{ "name": "a", "version": "1", "mounts": {mounts} }}"#));
        project.run(&["componentize", "bare.wasm", "-o", "made.wasm", "--manifest", "manifest.json"])
    };
    componentize("steal").fails(6, "error: cannot make a component of bare.wasm: …manifest…`steal`…");
    assert!(!project.path("made.wasm").exists());
    componentize("read").ok();
    assert!(project.path("made.wasm").exists());
}
