//! Dynamic outputs of steps of jobs from end to end: what is done for each element, and with all of them.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mapped.rs"]
mod mapped;
#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use mapped::mapped;
use project::{Project, guest};
use serde_json::{Value, json};

/// A job whose step `next` is done for each element, and takes all of them as well.
fn each_and_all(more: &str) -> String {
    format!(
        r#"
        [jobs.j.steps.list]
        type = "text"
        dynamic = true
        command = ["sh", "-c", 'echo a > "$AIRLOCK_OUTPUT/a"; echo b > "$AIRLOCK_OUTPUT/b"']

        [jobs.j.steps.count]
        type = "text"
        inputs.x = {{ each = "list" }}
        command = ["sh", "-c", 'test -e go || test $AIRLOCK_MAPPING_KEY = a && cat "$AIRLOCK_INPUT_X" > "$AIRLOCK_OUTPUT"']

        [jobs.j.steps.next]
        type = "text"
        inputs.one = {{ each = "count" }}
        {more}
        command = ["sh", "-c", 'ls "$AIRLOCK_INPUT_ALL" > "$AIRLOCK_OUTPUT"']
        "#
    )
}

#[test]
fn a_step_is_done_for_each_element_of_a_dynamic_output_and_what_it_gives_is_collected() {
    let project = Project::new(&mapped("true"));
    let id = project.run_job("files");
    assert_eq!(project.given("all"), "a:aaaab:bbbbc:ccccaabbcc");
    assert_eq!(project.given("double[b]"), "bbbb");
    assert_eq!(project.given("list.files[c]"), "cc");
    let expected = [
        "data/runs=RUN/all/result.txt",
        "data/runs=RUN/double%5ba%5d/result.txt",
        "data/runs=RUN/double%5bb%5d/result.txt",
        "data/runs=RUN/double%5bc%5d/result.txt",
        "data/runs=RUN/list/files/mapping_key=a.txt",
        "data/runs=RUN/list/files/mapping_key=b.txt",
        "data/runs=RUN/list/files/mapping_key=c.txt",
        "data/runs=RUN/name%5ba%5d/result.txt",
        "data/runs=RUN/name%5bb%5d/result.txt",
        "data/runs=RUN/name%5bc%5d/result.txt",
    ];
    assert_eq!(project.files("data", &id), expected.map(str::to_owned).into());
    let handled: Vec<Value> =
        project.events_of(&id).into_iter().filter(|event| event["kind"] == "HANDLED_OUTPUT").collect();
    assert_eq!(handled.len(), 10);
    let keys: Vec<&Value> = handled.iter().take(3).map(|event| &event["mapping_key"]).collect();
    assert_eq!(keys, ["a", "b", "c"]);
}

#[test]
fn elements_of_one_step_have_one_line_together() {
    let project = Project::new(&mapped("true"));
    let said = project.run(&["run", "job:files"]).ok();
    let lines: Vec<&str> = said.lines().map(str::trim_end).collect();
    assert!(lines.iter().any(|line| line.starts_with("✓ double") && line.ends_with("3 elements")), "{said}");
    assert!(said.contains("8 steps done"), "{said}");
}

#[test]
fn where_a_dynamic_output_is_empty_nothing_is_done_and_the_collection_is_empty() {
    let project = Project::new(&mapped("true").replace(r#"("b", "a", "c")"#, "()"));
    project.run(&["run", "job:files"]).fails(1, "error: all: the command …\n…");
    let project = Project::new(
        &mapped("true")
            .replace(r#"("b", "a", "c")"#, "()")
            .replace("cat \"$AIRLOCK_INPUT_NAMES\"/*", "ls \"$AIRLOCK_INPUT_NAMES\"")
            .replace(r#" "$AIRLOCK_INPUT_FILES"/*"#, ""),
    );
    let said = project.run(&["run", "job:files"]).ok();
    assert!(said.contains("2 steps done"), "{said}");
    assert_eq!(project.given("all"), "");
}

#[test]
fn what_depends_on_a_dynamic_output_of_a_step_that_failed_is_not_run() {
    let project = Project::new(&mapped("true").replace("import airlock\nfor", "import airlock, sys\nsys.exit(3)\nfor"));
    let ran = project.run(&["run", "job:files"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    for step in ["double", "name", "all"] {
        assert!(ran.stdout.contains(&format!("- {step:<6}  not run, since list did not succeed")), "{}", ran.stdout);
    }
}

#[test]
fn a_mapping_key_has_letters_digits_and_underscores() {
    let project = Project::new(&mapped("true").replace(r#""a", "c""#, r#""a-1", "c""#));
    project.run(&["run", "job:files"]).fails(
        1,
        "
error: list: cannot take the output `files` of the command `python3 -c …`: the file \"a-1\" has no mapping key as its name: only A-Z, a-z, 0-9 and _ before a dot
…",
    );
}

#[test]
fn a_component_gives_several_outputs_and_elements() {
    let project = Project::new(&format!(
        r#"
        [ops.test]
        component = {{ path = "{ops}", config = {{ op = "every_other_output" }} }}

        [jobs.parts.steps.give]
        op = "test"
        outputs.one = "text"
        outputs.two = {{ type = "text", optional = true }}
        outputs.three = "text"

        [jobs.parts.steps.elements]
        component = {{ path = "{ops}", config = {{ op = "elements" }} }}
        type = "text"
        dynamic = true

        [jobs.parts.steps.each]
        component = {{ path = "{ops}", config = {{ op = "join" }} }}
        type = "text"
        inputs.element = {{ each = "elements" }}

        [jobs.parts.steps.all]
        component = {{ path = "{ops}", config = {{ op = "join" }} }}
        type = "text"
        inputs.each = "each"
        inputs.elements = "elements"
        inputs.several = ["give.three", "give.one"]
        "#,
        ops = guest("test-ops")
    ));
    let id = project.run_job("parts");
    let all = "a=-=first;;b=-=second;;a=first;b=second;give.three=three;give.one=one;";
    assert_eq!(project.given("all"), all);
    let outputs: Vec<Value> = project
        .events_of(&id)
        .into_iter()
        .filter(|event| event["kind"] == "STEP_OUTPUT" && event["step_key"] == "give")
        .map(|event| event["metadata"].clone())
        .collect();
    assert_eq!(outputs[0][0]["value"]["value"], "one", "{outputs:?}");
}

#[test]
fn a_component_cannot_give_an_element_without_a_mapping_key() {
    let definitions = |config: &str| {
        format!(
            r#"
            [jobs.elements.steps.give]
            component = {{ path = "{}", config = {config} }}
            type = "text"
            dynamic = true
            "#,
            guest("test-ops")
        )
    };
    for (config, said) in [
        ("{ op = \"every_other_output\" }", "a part of a dynamic output has a mapping key"),
        ("{ op = \"wrong_key\" }", "\"no such key\" is no mapping key: it has 1 to 200 of A-Z, a-z, 0-9 and _"),
        ("{ op = \"wrong_part\" }", "\"no such key\" is no mapping key: it has 1 to 200 of A-Z, a-z, 0-9 and _"),
    ] {
        let ran = Project::new(&definitions(config)).run(&["run", "job:elements"]);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}

#[test]
fn a_step_that_takes_one_element_and_all_of_them_waits_for_all() {
    for more in ["inputs.all = \"count\"", "deps = [\"count\"]"] {
        let project = Project::new(&each_and_all(more));
        let ran = project.run(&["run", "job:j", "--jobs", "1"]);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert!(ran.stdout.contains("- next") && ran.stdout.contains("2 not run"), "{more}: {}", ran.stdout);
    }
    let project = Project::new(&each_and_all("inputs.all = \"count\""));
    project.put("go", "");
    project.run(&["run", "job:j"]).ok();
    assert_eq!(
        (project.given("next[a]"), project.given("next[b]")),
        ("a.txt\nb.txt\n".into(), "a.txt\nb.txt\n".into())
    );
}

#[test]
fn what_each_element_of_a_step_printed_is_shown() {
    let project = Project::new(&mapped("echo at $AIRLOCK_MAPPING_KEY"));
    project.run(&["run", "job:files"]).ok();
    assert_eq!(project.run(&["logs", "latest", "double[b]"]).ok(), "at b\n");
    let all = project.run(&["logs", "latest"]).ok();
    assert!(all.contains("==> double[a] <==\nat a\n"), "{all}");
}

#[test]
fn what_collects_the_elements_of_a_step_that_was_passed_over_is_passed_over_too() {
    let project = Project::new(
        r#"
        [jobs.j.steps.maybe]
        type = "text"
        optional = true
        command = ["true"]

        [jobs.j.steps.list]
        type = "text"
        dynamic = true
        inputs = ["maybe"]
        command = ["true"]

        [jobs.j.steps.total]
        type = "none"
        inputs.all = "list"
        command = ["touch", "total"]
        "#,
    );
    let said = project.run(&["run", "job:j"]).ok();
    assert!(said.contains("total  not run, since maybe gave no result"), "{said}");
    assert!(!project.path("total").exists());
}

#[test]
fn what_an_op_says_is_recorded_once_and_where_it_gives_nothing_too() {
    let project = Project::new(
        r#"
        [jobs.j.steps.quiet]
        type = "none"
        command = ["sh", "-c", 'echo "{\"rows\": 12}" > "$AIRLOCK_METADATA"']

        [jobs.j.steps.list]
        type = "text"
        dynamic = true
        command = ["sh", "-c", 'echo a > "$AIRLOCK_OUTPUT/a"; echo b > "$AIRLOCK_OUTPUT/b"; echo "{\"rows\": 2}" > "$AIRLOCK_METADATA"']
        "#,
    );
    let result = project.run(&["run", "job:j", "--format", "json"]).json();
    let quiet = result["run"]["steps"].as_array().unwrap().iter().find(|step| step["key"] == "quiet").unwrap();
    assert_eq!(quiet["metadata"][0]["label"], "rows");
    let told: Vec<usize> = project
        .events_of("latest")
        .iter()
        .filter(|event| event["kind"] == "STEP_OUTPUT")
        .map(|event| event["metadata"].as_array().unwrap().len())
        .collect();
    assert_eq!(told.iter().sum::<usize>(), 2, "{told:?}");
    assert_eq!(told.len(), 3);
}

#[test]
fn what_an_op_records_of_an_element_is_of_that_alone_and_told_where_it_is_loaded() {
    let project = Project::new(&format!(
        r#"
        [io.recorded]
        component = "{}"
        config = {{ program = "tells_what_is_recorded" }}
        mounts."/data" = {{ path = "data" }}

        [jobs.parts.steps.elements]
        component = {{ path = "{}", config = {{ op = "elements" }} }}
        type = "text"
        dynamic = true

        [jobs.parts.steps.command]
        type = "text"
        dynamic = true
        command = ["python3", "-c", """
import airlock
airlock.add_output_metadata("result", {{"whole": True}})
for key in ("one", "two"):
    airlock.store_text(key, mapping_key=key)
    airlock.add_output_metadata("result", {{"name": key}}, mapping_key=key)
"""]

        [jobs.parts.steps.told]
        type = "text"
        inputs.element = {{ each = "elements", io = "recorded" }}
        {}

        [jobs.parts.steps.told_of_command]
        type = "text"
        inputs.element = {{ each = "command", io = "recorded" }}
        command = ["sh", "-c", 'test -e ready && cp "$AIRLOCK_INPUT_ELEMENT" "$AIRLOCK_OUTPUT"']
        "#,
        guest("test-programs"),
        guest("test-ops"),
        project::join()
    ));
    assert_eq!(project.run(&["run", "job:parts"]).code, Some(1));
    let first = project.events("STEP_OUTPUT");
    let labels = |event: &Value, key: &str| {
        event[key].as_array().unwrap().iter().map(|entry| entry["label"].clone()).collect::<Vec<_>>()
    };
    let of_step = |name: &str| first.iter().filter(|event| event["step_key"] == name).collect::<Vec<_>>();
    for (step, whole, part) in [("elements", "elements", "text"), ("command", "whole", "name")] {
        let [a, b] = of_step(step).try_into().unwrap();
        assert_eq!((labels(a, "metadata"), labels(a, "part_metadata")), (vec![json!(whole)], vec![json!(part)]));
        // What is of all elements stands with the first.
        assert_eq!((labels(b, "metadata"), labels(b, "part_metadata")), (vec![], vec![json!(part)]));
    }
    assert!(project.given("told[a]").contains("elements,text,"), "{}", project.given("told[a]"));
    // Also where a later run loads it.
    project.put("ready", "");
    project.run(&["run", "--retry", "latest"]).ok();
    assert!(project.given("told_of_command[two]").contains("whole,name,"), "{}", project.given("told_of_command[two]"));
}

#[test]
fn what_an_op_gives_of_elements_and_records_of_them_is_bounded_together() {
    for (op, said) in [
        ("many_facts", "it recorded more metadata or events than the 1048576 allowed"),
        ("many_parts", "it began more than 100000 parts"),
        ("many_long_keys", "the keys and media types of its parts took more than 64 MiB"),
    ] {
        let project = Project::new(&format!(
            r#"
            [jobs.parts.steps.elements]
            component = {{ path = "{}", config = {{ op = "{op}" }} }}
            type = "text"
            dynamic = true
            "#,
            guest("test-ops")
        ));
        let ran = project.run(&["run", "job:parts"]);
        assert_eq!(ran.code, Some(4), "{ran:#?}");
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}
