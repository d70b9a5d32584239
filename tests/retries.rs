//! Runs that go on from runs that did not succeed, from end to end.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mapped.rs"]
mod mapped;
#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use mapped::mapped;
use project::Project;

#[test]
fn a_run_goes_on_from_a_failed_step_with_what_the_run_before_stored() {
    let project = Project::new(&mapped("(test -e go || test $AIRLOCK_MAPPING_KEY != b)"));
    let ran = project.run(&["run", "job:files"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let first = project.events_of("latest")[0]["run_id"].as_str().unwrap().to_owned();
    project.put("go", "");
    let said = project.run(&["run", "--retry", "latest"]).ok();
    // `double[b]`, `name[b]` and `all`: the rest was done.
    assert!(said.contains("3 steps done"), "{said}");
    assert_eq!(project.given("all"), "a:aaaab:bbbbc:ccccaabbcc");
    let events = project.events_of("latest");
    assert_eq!(events[0]["parent"], first.as_str());
    let loaded = events.iter().find(|event| event["kind"] == "LOADED_INPUT" && event["step_key"] == "double[b]");
    assert_eq!(loaded.unwrap()["upstream_run_id"], first.as_str());
    let again = project.run(&["run", "--retry", "latest"]);
    assert!(again.stderr.contains("left nothing undone"), "{again:#?}");
}

#[test]
fn a_run_goes_on_from_one_that_went_on_from_another() {
    let project = Project::new(
        r#"
        [ops.step]
        type = "text"
        inputs.before = "one"

        [jobs.three.steps.one]
        type = "text"
        command = ["sh", "-c", 'printf x >> log; printf 1 > "$AIRLOCK_OUTPUT"']

        [jobs.three.steps.two]
        op = "step"
        command = ["sh", "-c", 'test -e two && cat "$AIRLOCK_INPUT_BEFORE" > "$AIRLOCK_OUTPUT"']

        [jobs.three.steps.three]
        op = "step"
        inputs.two = "two"
        command = ["sh", "-c", 'test -e three && cat "$AIRLOCK_INPUT_BEFORE" "$AIRLOCK_INPUT_TWO" > "$AIRLOCK_OUTPUT"']
        "#,
    );
    assert_eq!(project.run(&["run", "job:three"]).code, Some(1));
    project.put("two", "");
    assert_eq!(project.run(&["run", "--retry", "latest"]).code, Some(1));
    project.put("three", "");
    let said = project.run(&["run", "--retry", "latest"]).ok();
    assert!(said.contains("1 step done"), "{said}");
    assert_eq!(project.given("three"), "11");
    assert_eq!(std::fs::read_to_string(project.path("log")).unwrap(), "x");
}

#[test]
fn a_run_of_assets_goes_on_too() {
    let project = Project::new(
        r#"
        [partitions.letters]
        static = ["a", "b", "c"]

        [assets.letter]
        type = "text"
        partitions = "letters"
        command = ["sh", "-c", 'printf x >> log; test -e go || test $AIRLOCK_PARTITION != b; printf $AIRLOCK_PARTITION > "$AIRLOCK_OUTPUT"']

        [assets.all]
        type = "text"
        inputs.letter = "letter"
        command = ["sh", "-c", 'cat "$AIRLOCK_INPUT_LETTER"/* > "$AIRLOCK_OUTPUT"']
        "#,
    );
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    project.put("airlock.toml", &definitions.replace("printf x >> log;", "set -e; printf x >> log;"));
    assert_eq!(project.run(&["run", "--partition", "all"]).code, Some(1));
    project.put("go", "");
    let said = project.run(&["run", "--retry", "latest"]).ok();
    assert!(said.contains("2 steps done"), "{said}");
    assert_eq!(project.load("all"), "abc");
    assert_eq!(std::fs::read_to_string(project.path("log")).unwrap(), "xxxx");
}

#[test]
fn what_was_kept_in_memory_cannot_be_gone_on_from() {
    let project = Project::new(
        r#"
        [io.memory]
        component = "builtin:files"
        mounts."/data" = { memory = true, access = "write" }

        [jobs.short]
        io = "memory"
        steps.one = { type = "text", command = ["sh", "-c", 'printf 1 > "$AIRLOCK_OUTPUT"'] }
        steps.two = { type = "text", inputs = ["one"], command = ["false"] }
        "#,
    );
    assert_eq!(project.run(&["run", "job:short"]).code, Some(1));
    project.run(&["run", "--retry", "latest"]).fails(
        2,
        "error: the run … cannot be gone on from: `memory` kept `one` in memory, which ended with it; run the job from its \
         beginning",
    );
}

#[test]
fn an_output_that_was_defined_since_cannot_be_gone_on_from() {
    let project = Project::new(
        r#"
        [jobs.two.steps.one]
        command = ["sh", "-c", 'printf 1 > "$AIRLOCK_OUTPUT_GIVEN"']
        outputs.given = "text"

        [jobs.two.steps.two]
        type = "text"
        inputs = ["one.given"]
        command = ["false"]
        "#,
    );
    assert_eq!(project.run(&["run", "job:two"]).code, Some(1));
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    project
        .put("airlock.toml", &definitions.replace("outputs.given", "outputs.other").replace("one.given", "one.other"));
    project.run(&["run", "--retry", "latest"]).fails(
        2,
        "error: the run … cannot be gone on from: the step that gives `one.other` succeeded in it and did not give that; run \
         the job from its beginning",
    );
}

/// A step that succeeds, `one`, and one that loads it and fails, in a project whose definitions are then changed.
const TWO: &str = r#"
[io.other]
component = "builtin:files"
mounts."/data" = { path = "other", access = "write" }

[jobs.two.steps.one]
command = ["sh", "-c", 'printf 1 > "$AIRLOCK_OUTPUT_GIVEN"']
outputs.given = { type = "text" }

[jobs.two.steps.two]
type = "text"
inputs = ["one.given"]
command = ["false"]
"#;

#[test]
fn what_is_defined_otherwise_now_cannot_be_gone_on_from() {
    for (before, after, reason) in [
        ("{ type = \"text\" }", "{ type = \"text\", dynamic = true }", "gave that as another kind of output"),
        ("{ type = \"text\" }", "{ type = \"text\", io = \"other\" }", "stored that with another I/O manager"),
    ] {
        let project = Project::new(TWO);
        assert_eq!(project.run(&["run", "job:two"]).code, Some(1));
        let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
        project.put("airlock.toml", &definitions.replace(before, after));
        let ran = project.run(&["run", "--retry", "latest"]);
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    }
}

#[test]
fn what_follows_a_step_that_is_done_anew_is_done_anew() {
    let project = Project::new(
        r#"
        [ops.step]
        type = "text"
        command = ["sh", "-c", 'echo $AIRLOCK_STEP >> log; cat "$AIRLOCK_INPUT_X" > "$AIRLOCK_OUTPUT"']

        [jobs.j.steps.first]
        type = "text"
        command = ["sh", "-c", 'echo $AIRLOCK_STEP >> log; echo x > "$AIRLOCK_OUTPUT"']

        [jobs.j.steps]
        second = { op = "step", inputs.x = "first" }
        third = { op = "step", inputs.x = "second", command = ["false"] }
        "#,
    );
    assert_eq!(project.run(&["run", "job:j"]).code, Some(1));
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    let renamed = definitions.replace("steps.first", "steps.begin").replace("\"first\"", "\"begin\"");
    project.put("airlock.toml", &renamed.replace(", command = [\"false\"]", ""));
    project.run(&["run", "--retry", "latest"]).ok();
    let log = std::fs::read_to_string(project.path("log")).unwrap();
    assert_eq!(log.split_whitespace().collect::<Vec<_>>(), ["first", "second", "begin", "second", "third"]);
}

#[test]
fn memory_that_nothing_is_loaded_from_does_not_keep_a_run_from_going_on() {
    let memory = r#"
        [io.memory]
        component = "builtin:files"
        mounts."/data" = { memory = true, access = "write" }
    "#;
    let project = Project::new(&format!(
        r#"{memory}
        [jobs.j.steps.maybe]
        command = ["true"]
        outputs.o = {{ type = "text", io = "memory", optional = true }}

        [jobs.j.steps.other]
        type = "none"
        command = ["test", "-e", "go"]

        [jobs.j.steps.loads]
        type = "none"
        inputs = ["maybe.o"]
        command = ["true"]
        "#
    ));
    assert_eq!(project.run(&["run", "job:j"]).code, Some(1));
    project.put("go", "");
    let said = project.run(&["run", "--retry", "latest"]).ok();
    assert!(said.contains("1 step done"), "{said}");
    let project = Project::new(&format!(
        "{memory}{}",
        mapped("(test -e go || test $AIRLOCK_MAPPING_KEY != b)")
            .replace("[jobs.files.steps.double]", "[jobs.files.steps.double]\n        io = \"memory\"")
    ));
    assert_eq!(project.run(&["run", "job:files"]).code, Some(1));
    project.put("go", "");
    let refused = project.run(&["run", "--retry", "latest"]);
    assert!(refused.stderr.contains("`memory` kept `double` in memory"), "{refused:#?}");
}
