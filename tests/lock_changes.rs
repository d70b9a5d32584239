//! What differs from the lock is told in words, and nothing that may touch or asks for more is recorded without a yes.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/locked.rs"]
mod locked;
#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;
#[path = "support/versions.rs"]
mod versions;

use locked::{LENT, definitions, lock_of, locked, needs_a_yes, project, refused};
use project::{Project, assert_prints};
use versions::rebuilt;

#[test]
fn whatever_may_touch_more_needs_a_yes() {
    for (from, to, said) in [
        ("path = \"data\"", "path = \"lake\"", "has lake as /data; it had data"),
        ("path = \"data\"", "memory = true", "has memory as /data; it had data"),
        ("path = \"more\"", "path = { \"$env\" = \"MORE\" }", "has $MORE as /more; it had more"),
        ("{ path = \"more\"", "{ access = \"write\", path = \"more\"", "may write to /more; it could only read it"),
        (
            "{ path = \"more\"",
            "{ scope = \"mount\", path = \"more\"",
            "may touch all of /more; it could touch the files of one value",
        ),
        (
            "environment",
            "mounts.\"/third\" = { path = \"third\" }\nenvironment",
            "is lent /third = third, to read, the files of one value",
        ),
        ("{ TZ = ", "{ LANG = \"C\", TZ = ", "is given the environment entry LANG, a text of the definitions"),
        (
            "\"a-secret-of-the-definitions\"",
            "{ \"$env\" = \"TOKEN\" }",
            "is given what $TOKEN has as the environment entry TZ; it was a text of the definitions",
        ),
        (
            "environment",
            "config.extension = { \"$env\" = \"TOKEN\" }\nenvironment",
            "is told $TOKEN in a configuration or a constant",
        ),
        ("64MiB", "65MiB", "has the limit memory = 65MiB; it was 64MiB"),
        ("memory = \"64MiB\", ", "", "has the limit memory = 512 MiB (unset); it was 64MiB"),
        ("\"64MiB\"", "{ \"$env\" = \"MEMORY\" }", "has the limit memory = $MEMORY; it was 64MiB"),
        ("files = 10", "files = 11", "has the limit files = 11; it was 10"),
    ] {
        let said = format!("io.lake {said}");
        let project = locked(LENT);
        project.put("airlock.toml", &definitions(&LENT.replace(from, to)));
        let _ = std::fs::create_dir(project.path("third"));
        refused(&project, 6, &format!("+ {said}\n"));
        needs_a_yes(&project, &said);
        let accepted = project.run(&["lock", "--accept", "io.lake"]).ok();
        assert!(accepted.contains(&format!("+ {said}\n")), "{accepted}");
        assert!(lock_of(&project).contains("[accept]\n\"io.lake\" = \"sha256:"), "{}", lock_of(&project));
        assert_eq!(project.run(&["lock"]).ok(), "airlock.lock is up to date\n");
        project.run_after("export MORE=more MEMORY=64MiB TOKEN=md", &["run", "--locked"]).ok();
    }
}

#[test]
fn what_may_touch_less_is_told_and_needs_no_yes() {
    let wide = LENT.replace("{ path = \"more\"", "{ scope = \"mount\", access = \"write\", path = \"more\"");
    for (from, to, said) in [
        ("access = \"write\", path = \"more\"", "path = \"more\"", "may only read /more; it could write to it"),
        (
            "{ scope = \"mount\"",
            "{ scope = \"output\"",
            "may touch only the files of one value in /more; it could touch all of it",
        ),
        (
            &wide[wide.find("mounts.\"/more\"").unwrap()..wide.find("environment").unwrap()],
            "",
            "is not lent /more any more",
        ),
        (
            "environment = { TZ = \"a-secret-of-the-definitions\" }\n",
            "",
            "is not given the environment entry TZ any more",
        ),
        ("64MiB", "63MiB", "has the limit memory = 63MiB; it was 64MiB"),
        ("files = 10", "files = 10, time = \"1s\"", "has the limit time = 1s; it was 300s (unset)"),
    ] {
        let project = locked(&wide);
        project.put("airlock.toml", &definitions(&wide.replace(from, to)));
        refused(&project, 6, &format!("  io.lake {said}\n"));
        let told = project.run(&["lock"]).ok();
        assert_eq!(told, format!("  io.lake {said}\nairlock.lock is rewritten: 1 change\n"));
        project.run(&["check", "--locked"]).ok();
    }
}

#[test]
fn a_component_that_is_added_or_replaced_needs_a_yes_and_one_that_moved_does_not() {
    let project = locked(LENT);
    let other = "[io.other]\ncomponent = \"x.wasm\"\nmounts.\"/data\" = { path = \"data\" }\n";
    project.put("airlock.toml", &(definitions(LENT) + other));
    needs_a_yes(&project, "io.other is new, with the component x.wasm");

    std::fs::rename(project.path("x.wasm"), project.path("y.wasm")).unwrap();
    let moved = definitions(LENT).replace("x.wasm", "y.wasm");
    project.put("airlock.toml", &moved);
    refused(&project, 6, "  io.lake has the component y.wasm; it had x.wasm");
    project.run(&["lock"]).ok();

    project.put("airlock.toml", &moved.replace("y.wasm", "builtin:tables"));
    needs_a_yes(&project, "io.lake has the component builtin:tables; it had y.wasm");
    project.put("airlock.toml", "");
    assert_prints(
        &project.run(&["lock"]).ok(),
        "  y.wasm is not used any more\n  io.lake is gone\nairlock.lock is rewritten: 2 changes",
    );
}

#[test]
fn a_yes_that_is_written_into_the_file_is_to_what_was_seen_and_to_nothing_else() {
    let project = locked(LENT);
    let wider = LENT.replace("64MiB", "65MiB");
    project.put("airlock.toml", &definitions(&wider));
    let ran = needs_a_yes(&project, "io.lake has the limit memory = 65MiB; it was 64MiB");
    let line = ran.stderr.lines().map(str::trim).find(|line| line.starts_with("\"io.lake\" = \"sha256:")).unwrap();
    let lock = lock_of(&project);
    let with_yes = lock.replace("version = 1\n", &format!("version = 1\n\n[accept]\n{line}\n"));

    // More than that, and the same of another component, were not seen.
    project.put("airlock.lock", &with_yes);
    project.put("airlock.toml", &definitions(&LENT.replace("64MiB", "66MiB")));
    needs_a_yes(&project, "io.lake has the limit memory = 66MiB; it was 64MiB");
    project.put("airlock.toml", &definitions(&wider));
    let bytes = std::fs::read(project.path("x.wasm")).unwrap();
    std::fs::write(project.path("x.wasm"), rebuilt(&bytes, 1)).unwrap();
    needs_a_yes(&project, "io.lake has the limit memory = 65MiB; it was 64MiB");
    std::fs::write(project.path("x.wasm"), bytes).unwrap();

    // A yes alone lets nothing run: it is recorded first.
    refused(&project, 6, "+ io.lake has the limit memory = 65MiB");
    project.run(&["lock"]).ok();
    project.run(&["run", "--locked"]).ok();

    // What was given up is not taken back by the old yes.
    project.put("airlock.toml", &definitions(LENT));
    project.run(&["lock"]).ok();
    project.put("airlock.toml", &definitions(&wider));
    needs_a_yes(&project, "io.lake has the limit memory = 65MiB; it was 64MiB");
}

#[test]
fn only_what_widens_is_accepted_and_all_of_it_at_once() {
    let project = locked(LENT);
    for name in ["io.lake", "io.other"] {
        let ran = project.run(&["lock", "--accept", name]);
        ran.fails(2, &format!("error: there is nothing to accept of `{name}`\nhint: leave `--accept` out…"));
    }
    let other = "[io.other]\ncomponent = \"x.wasm\"\n";
    project.put("airlock.toml", &(definitions(&LENT.replace("64MiB", "65MiB")) + other));
    let before = lock_of(&project);
    let ran = project.run(&["lock", "--accept", "io.other"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("nobody accepted that: io.lake\n"), "{}", ran.stderr);
    assert_eq!(lock_of(&project), before);
    project.run(&["lock", "--accept", "io.other", "--accept", "io.lake"]).ok();
    project.run(&["check", "--locked"]).ok();
}

/// A component that exports `exports`, imports `imports` and has this manifest; it cannot be called.
fn component(exports: &[&str], imports: &[&str], manifest: &str) -> Vec<u8> {
    let manifest = manifest.bytes().map(|byte| format!("\\{byte:02x}")).collect::<Vec<_>>().concat();
    let imports = imports.iter().map(|name| format!("(import \"{name}\" (instance))")).collect::<Vec<_>>().concat();
    let exports = exports
        .iter()
        .map(|name| format!("(export \"airlock:io/{name}@0.1.0\" (instance $i))"))
        .collect::<Vec<_>>()
        .concat();
    wat::parse_str(format!(
        "(component (@custom \"airlock:manifest\" \"{manifest}\") {imports} (instance $i) {exports})"
    ))
    .unwrap()
}

#[test]
fn a_new_version_that_asks_for_or_can_do_more_needs_a_yes() {
    let (output, poll) = (&["output"][..], &["wasi:io/poll@0.2.0"][..]);
    let manifest = r#"{ "name": "x", "mounts": [{ "path": "/data", "access": "read" }] }"#;
    let asking = |mounts: &str| format!(r#"{{ "name": "x", {mounts} }}"#);
    let old = component(output, poll, manifest);
    for (new, said) in [
        (
            component(output, poll, &asking(r#""mounts": [{ "path": "/data", "access": "write" }]"#)),
            "asks to write to /data; it asked to read it",
        ),
        (
            // Asked for twice, it is asked for as the more of both, in whatever order.
            component(
                output,
                poll,
                &asking(r#""mounts": [{ "path": "/data", "access": "write" }, { "path": "/data", "access": "read" }]"#),
            ),
            "asks to write to /data; it asked to read it",
        ),
        (
            component(
                output,
                poll,
                &asking(r#""mounts": [{ "path": "/data", "access": "read" }, { "path": "/keys", "access": "read" }]"#),
            ),
            "asks for the mount /keys to read",
        ),
        (
            component(
                output,
                poll,
                &asking(
                    r#""mounts": [
                        { "path": "/data", "access": "read" }, { "path": "/keys", "access": "read", "scope": "mount" }
                    ]"#,
                ),
            ),
            "asks for the mount /keys to read, all of it",
        ),
        (
            component(output, poll, &asking(r#""mounts": [{ "path": "/data", "access": "read", "scope": "mount" }]"#)),
            "asks for all of /data; it asked for the files of one value",
        ),
        (
            component(output, poll, &manifest.replace("] }", r#"], "environment": [{ "name": "TOKEN" }] }"#)),
            "asks for the environment entry TOKEN",
        ),
        (component(&["output", "op"], poll, manifest), "can compute"),
    ] {
        let project = project(LENT);
        std::fs::write(project.path("x.wasm"), &old).unwrap();
        std::fs::write(project.path("old.wasm"), &old).unwrap();
        project.run(&["lock"]).ok();
        std::fs::write(project.path("x.wasm"), new).unwrap();
        // Without definitions the same is told, by the same words.
        let compared = project.run(&["inspect", "x.wasm", "--against", "old.wasm"]);
        assert!(compared.stdout.starts_with(&format!("+ x.wasm {said}\n  x.wasm is another build")), "{compared:#?}");
        compared.fails(3, &format!("error: x.wasm does or asks for more than old.wasm: it {said}\nhint: …"));
        refused(&project, 6, &format!("+ x.wasm {said}\n  x.wasm is another build"));
        let told = project.run(&["check"]).stderr;
        assert!(told.contains(&format!("+ x.wasm {said}\n")), "{told}");
        needs_a_yes(&project, &format!("x.wasm {said}"));
        project.run(&["lock", "--accept", "x.wasm"]).ok();
        project.run(&["check", "--locked"]).ok();
    }
}

#[test]
fn versions_are_compared_without_definitions_and_what_asks_for_no_more_is_well() {
    let project = Project(tempfile::tempdir().unwrap());
    let put = |name: &str, manifest: &str| {
        std::fs::write(project.path(name), component(&["output"], &[], manifest)).unwrap();
    };
    put("old.wasm", r#"{ "name": "x", "version": "1.0.0", "environment": [{ "name": "A" }] }"#);
    put("same.wasm", r#"{ "name": "x", "version": "1.0.0", "environment": [{ "name": "A" }] }"#);
    put("new.wasm", r#"{ "name": "x", "version": "2.0.0" }"#);
    let compare = |new: &str, more: &[&str]| project.run(&[&["inspect", new, "--against", "old.wasm"], more].concat());
    assert_eq!(compare("same.wasm", &[]).ok(), "same.wasm is the same as old.wasm\n");
    assert_prints(
        &compare("new.wasm", &[]).ok(),
        "
  new.wasm is another build, sha256:…; it was sha256:…
  new.wasm calls itself `x 2.0.0`; it called itself `x 1.0.0`
  new.wasm does not ask for the environment entry A any more
new.wasm does and asks for no more than old.wasm",
    );
    let entries: Vec<String> = (0..7).map(|number| format!(r#"{{ "name": "E{number}" }}"#)).collect();
    put("new.wasm", &format!(r#"{{ "name": "x", "version": "1.0.0", "environment": [{}] }}"#, entries.join(", ")));
    let ran = compare("new.wasm", &["--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["component"]["manifest"]["environment"][6]["name"], "E6", "{document}");
    let changes = document["component"]["changes"].as_array().unwrap();
    let widening: Vec<&str> = changes
        .iter()
        .filter(|change| change["widens"] == true)
        .map(|change| change["text"].as_str().unwrap())
        .collect();
    assert_eq!((changes.len(), widening.len()), (9, 7), "{document}");
    assert_eq!(widening[0], "asks for the environment entry E0");
    ran.fails(
        3,
        "error: new.wasm does or asks for more than old.wasm: it asks for the environment entry E0; …E4; and 2 more\nhint: …",
    );
    assert!(project.run(&["inspect", "new.wasm", "--format", "json"]).json()["component"]["changes"].is_null());
    std::fs::write(project.path("old.wasm"), "text").unwrap();
    compare("new.wasm", &[]).fails(6, "error: old.wasm: this is not a WebAssembly component: …");
    std::fs::remove_file(project.path("old.wasm")).unwrap();
    compare("new.wasm", &[]).fails(2, "error: cannot read old.wasm: …");
}

#[test]
fn a_new_version_that_imports_or_configures_otherwise_is_told() {
    let project = project(LENT);
    let with = |import: &str, manifest: &str| {
        std::fs::write(project.path("x.wasm"), component(&["output"], &[import], manifest)).unwrap();
    };
    with("wasi:io/poll@0.2.0", r#"{ "name": "x", "version": "1.0.0" }"#);
    project.run(&["lock"]).ok();
    with("wasi:io/poll@0.2.1", r#"{ "name": "x", "version": "1.0.0" }"#);
    let told = project.run(&["lock"]).ok();
    assert!(told.contains("  x.wasm imports the same interfaces in other versions\n"), "{told}");
    with(
        "wasi:sockets/tcp@0.2.1",
        r#"{ "name": "y", "version": "2.0.0", "config": { "properties": { "of": true } } }"#,
    );
    assert_prints(
        &project.run(&["lock"]).ok(),
        "
  x.wasm is another build, …
  x.wasm imports wasi:sockets/tcp
  x.wasm does not import wasi:io/poll any more
  x.wasm calls itself `y 2.0.0`; it called itself `x 1.0.0`
  x.wasm takes `of` in its configuration
airlock.lock is rewritten: 5 changes",
    );
}

#[test]
fn what_a_guest_says_of_itself_cannot_move_the_cursor() {
    let project = project(LENT);
    let (path, name) = (r"/a\u001b[2J\nairlock.lock is up to date", r"T\u001b]0;x\u0007\u202e");
    let hostile = format!(
        r#"{{ "name": "{name}", "config": {{ "properties": {{ "{name}": true }} }},
              "mounts": [{{ "path": "{path}", "access": "read" }}], "environment": [{{ "name": "{name}" }}] }}"#
    );
    std::fs::write(project.path("x.wasm"), component(&["output"], &[], r#"{ "name": "x" }"#)).unwrap();
    project.run(&["lock"]).ok();
    std::fs::write(project.path("x.wasm"), component(&["output"], &[], &hostile)).unwrap();
    let is_safe = |text: &str| !text.contains(['\u{1b}', '\u{7}', '\u{202e}']);
    for arguments in [&["check"][..], &["check", "--locked"], &["check", "--format", "json"], &["lock"]] {
        let ran = project.run(arguments);
        assert!(is_safe(&ran.stdout) && is_safe(&ran.stderr), "{arguments:?}: {ran:#?}");
        let told = ran.stdout + &ran.stderr;
        assert!(!told.lines().any(|line| line.starts_with("airlock.lock is up to date")), "{told}");
    }
    needs_a_yes(&project, r"x.wasm asks for the mount /a\u{1b}[2J\nairlock.lock is up to date to read");
    project.run(&["lock", "--accept", "x.wasm"]).ok();
    let lock = lock_of(&project);
    assert!(is_safe(&lock) && lock.contains(r"T\u{1b}]0;x\u{7}\u{202e}"), "{lock}");
    project.run(&["check", "--locked"]).ok();
}

#[test]
fn what_widens_is_told_before_however_much_else_is_otherwise() {
    let project = project(LENT);
    std::fs::write(project.path("x.wasm"), component(&["output"], &[], r#"{ "name": "x" }"#)).unwrap();
    project.run(&["lock"]).ok();
    let keys: Vec<String> = (0..500).map(|key| format!("\"k{key}\": true")).collect();
    let manifest = format!(
        r#"{{ "name": "x", "config": {{ "properties": {{ {} }} }}, "environment": [{{ "name": "ZZ" }}] }}"#,
        keys.join(", ")
    );
    std::fs::write(project.path("x.wasm"), component(&["output"], &[], &manifest)).unwrap();
    let told = project.run(&["lock"]).stdout;
    assert!(told.starts_with("+ x.wasm asks for the environment entry ZZ\n"), "{told}");
    assert!(told.ends_with("  x.wasm is otherwise in 402 more ways\n") && told.lines().count() == 101, "{told}");
}

#[test]
fn all_that_widens_is_told_however_much_it_is() {
    let project = project(LENT);
    std::fs::write(project.path("x.wasm"), component(&["output"], &[], r#"{ "name": "x" }"#)).unwrap();
    project.run(&["lock"]).ok();
    let entries: Vec<String> = (0..150).map(|entry| format!("{{ \"name\": \"E{entry}\" }}")).collect();
    let manifest = format!(r#"{{ "name": "y", "environment": [{}] }}"#, entries.join(", "));
    std::fs::write(project.path("x.wasm"), component(&["output"], &[], &manifest)).unwrap();
    let told = project.run(&["lock"]).stdout;
    for entry in 0..150 {
        let line = format!("+ x.wasm asks for the environment entry E{entry}\n");
        assert!(told.contains(&line), "{line}{told}");
    }
    assert!(told.ends_with("  x.wasm is otherwise in 2 more ways\n"), "{told}");
}

#[test]
fn a_yes_to_one_long_name_is_not_to_another() {
    let name = |end: &str| format!("{}{end}", "n".repeat(500));
    let managers = |lent: &str| {
        let manager = |end: &str| format!("[io.{}]\ncomponent = \"builtin:files\"\n{lent}", name(end));
        manager("a") + &manager("b")
    };
    let project = project(LENT);
    project.put("airlock.toml", &managers(""));
    project.run(&["lock"]).ok();
    project.put("airlock.toml", &managers("limits.files = 4000000000\n"));
    let told = project.run(&["lock"]).stdout;
    let names: Vec<&str> =
        told.lines().filter_map(|line| line.strip_prefix("+ ")?.split(" has the limit ").next()).collect();
    let [first, second] = names[..] else { panic!("{told}") };
    assert_ne!(first, second);
    let ran = project.run(&["lock", "--accept", first]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    project.run(&["lock", "--accept", first, "--accept", second]).ok();
}
