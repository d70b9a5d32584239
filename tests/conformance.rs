//! The conformance kit: it finds each fault by the cases about it, and takes the components that come with Airlock for sound.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::{Project, Ran, guest};
use serde_json::{Value, json};

/// A folder without definitions, which a test needs none of.
fn folder() -> Project {
    Project::of("")
}

/// The names of the cases of a test that ended so.
fn cases<'a>(test: &'a Value, result: &str) -> Vec<&'a str> {
    let cases = test["cases"].as_array().unwrap();
    cases.iter().filter(|case| case["result"] == result).map(|case| case["name"].as_str().unwrap()).collect()
}

/// The document of a test, which ended with this code.
fn document(ran: &Ran, code: i32) -> Value {
    assert_eq!(ran.code, Some(code), "{ran:#?}");
    let mut document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["schema"], 1);
    document["test"].take()
}

fn test(component: &str, config: &Value, code: i32) -> Value {
    let ran = folder().run(&["test", component, "--config", &config.to_string(), "--format", "json"]);
    document(&ran, code)
}

fn finding<'a>(test: &'a Value, case: &str) -> &'a Value {
    let cases = test["cases"].as_array().unwrap();
    &cases.iter().find(|found| found["name"] == case).unwrap()["findings"][0]
}

/// That a component passes all that it claims.
fn assert_sound(component: &str, config: &Value) -> Value {
    let test = test(component, config, 0);
    assert_eq!((cases(&test, "failed"), cases(&test, "not-tried")), (vec![], vec![]), "{component} {config}");
    test
}

macro_rules! faults {
    ($($fault:ident: $cases:expr, $found:expr;)*) => {
        $(#[test]
        fn $fault() {
            let test = test(&guest("test-broken"), &json!({ "fault": stringify!($fault) }), 1);
            let expected: &[&str] = &$cases;
            assert_eq!(cases(&test, "failed"), expected, "{test:#}");
            // Of a kind that it lacks there is nothing to begin with.
            let not_tried: &[&str] = if stringify!($fault) == "lacks_a_kind" { &["json"] } else { &[] };
            assert_eq!(cases(&test, "not-tried"), not_tried);
            let finding = finding(&test, expected[0]);
            let found = finding["found"].as_str().unwrap();
            assert!(found.contains($found), "{finding:#}");
        })*
    };
}

faults! {
    truncates: ["chunk-edges", "large", "cut-off", "full-disk"], "only the first 1048576 of 1048577 bytes";
    ignores_keys: ["many-partitions", "dimensions", "replace-partition", "missing", "allow-missing"], "were stored";
    drops_null: ["table-nulls"], "rows in the place of 4";
    leaks_parts: ["many-partitions"], "more after them";
    differs_each_time: ["repeatable"], "the second time";
    leaves_a_temporary_file: ["leaves-nothing"], "/data/leaves/nothing.tmp";
    hides_errors: ["cut-off", "read-only"], "it returned ok";
    mixes_media_types: ["overwrite-kind"], "one of application/octet-stream";
    keeps_the_longer_file: ["overwrite-shorter"], "more after them";
    lacks_a_kind: ["small"], "unsupported-type";
    panics_on_empty: ["empty"], "there is a first byte";
    forgets_metadata: ["metadata"], "none";
}

#[test]
fn without_a_fault_the_same_component_passes_all_that_it_claims() {
    let test = assert_sound(&guest("test-broken"), &json!({}));
    let expected = ["data-version", "op-errors", "op-unknown-type", "op-cut-off", "loads-other", "other-loads"];
    assert_eq!(cases(&test, "not-claimed"), expected);
}

#[test]
fn files_passes_all_that_it_claims() {
    let test = assert_sound("builtin:files", &json!({}));
    assert!(cases(&test, "passed").contains(&"table-metadata"), "{test:#}");
    assert_sound("builtin:files", &json!({ "extension": "dat" }));
}

#[test]
fn tables_passes_all_that_it_claims_in_every_format() {
    for format in ["parquet", "csv", "jsonl", "arrow"] {
        let test = assert_sound("builtin:tables", &json!({ "format": format }));
        assert!(cases(&test, "passed").contains(&"table-nested"), "{test:#}");
    }
}

#[test]
fn an_io_manager_on_paths_passes_all_that_it_claims() {
    assert_sound(&guest("parquet"), &json!({}));
}

#[test]
fn an_op_is_asked_what_makes_sense_of_one() {
    let test = assert_sound(&guest("monthly"), &json!({}));
    let passed = ["op-errors", "op-unknown-type", "op-cut-off", "errors", "denials"];
    assert_eq!(cases(&test, "passed"), passed, "{test:#}");
    let inputs = &test["cases"].as_array().unwrap().iter().find(|case| case["name"] == "op-errors").unwrap()["note"];
    assert_eq!(inputs, "it asked for days");
}

#[test]
fn a_component_that_looks_around_is_found_by_what_it_was_denied_and_nothing_more_is_tried() {
    let test = test(&guest("snoop"), &json!({}), 1);
    assert_eq!(cases(&test, "failed"), ["small", "denials"], "{test:#}");
    assert!(cases(&test, "not-tried").contains(&"cut-off"), "{test:#}");
    assert!(finding(&test, "denials")["found"].as_str().unwrap().contains("/etc/passwd"), "{test:#}");
}

#[test]
fn an_op_that_hides_that_its_input_was_not_loaded_is_found() {
    let test = test(&guest("test-ops"), &json!({ "op": "ignore_errors" }), 1);
    assert_eq!(cases(&test, "failed"), ["op-cut-off"], "{test:#}");
}

#[test]
fn versions_that_load_what_the_other_stored_pass_and_others_do_not() {
    let project = folder();
    let broken = guest("test-broken");
    let against = |component: &str, other: &str, config: &str, code| {
        let only = ["--only", "loads-other", "--only", "other-loads", "--format", "json"];
        let ran = project.run(&[&["test", component, "--against", other, "--config", config][..], &only].concat());
        document(&ran, code)
    };
    let test = against("builtin:files", &broken, "{}", 0);
    assert_eq!(cases(&test, "passed"), ["loads-other", "other-loads"], "{test:#}");
    let test = against("builtin:tables", &guest("parquet"), "{}", 0);
    assert_eq!(cases(&test, "passed"), ["loads-other", "other-loads"], "{test:#}");
    // One keeps a table as Parquet, and the other would load it as it is.
    let test = against("builtin:tables", "builtin:files", "{}", 1);
    assert_eq!(cases(&test, "failed"), ["loads-other", "other-loads"], "{test:#}");
    assert!(finding(&test, "other-loads")["done"].as_str().unwrap().ends_with("loaded it with builtin:files"));
}

#[test]
fn what_failed_is_told_in_words_and_in_junit_xml() {
    let project = folder();
    let fault = "{\"fault\": \"leaves_a_temporary_file\"}";
    let broken = guest("test-broken");
    let only = ["--only", "small", "--only", "leaves-nothing", "--only", "op-errors", "--junit", "results.xml"];
    let ran = project.run(&[&["test", &broken, "--config", fault][..], &only].concat());
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    project::assert_prints(
        &ran.stdout,
        "
CASE …
small … passed …
leaves-nothing … FAILED …
op-errors … not claimed … it is no op

failed: leaves-nothing
  done      stored a value of application/octet-stream twice in one place, and loaded it
  expected  no files but those that loading reads: one that is made on the way is removed before the store ends
  found     /data/leaves/nothing.tmp, which loading did not read
…
…test-broken.wasm: 1 passed, 1 failed, 1 not claimed in …",
    );
    let xml = std::fs::read_to_string(project.path("results.xml")).unwrap();
    for expected in ["tests=\"3\"", "failures=\"1\"", "name=\"leaves-nothing\"", "found: /data/leaves/nothing.tmp"] {
        assert!(xml.contains(expected), "{expected}: {xml}");
    }
}

#[test]
fn what_cannot_be_tested_is_refused_before_anything_is_called() {
    let project = folder();
    project.run(&["test", "builtin:files", "--config", "{\"extention\": \"a\"}"]).fails(
        2,
        "
error: `--config` does not fit builtin:files: `/extention` is not a key that is taken
…",
    );
    let ran = project.run(&["test", "builtin:files", "--only", "no-such-case"]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    std::fs::write(project.path("none.wasm"), "none").unwrap();
    assert_eq!(project.run(&["test", "none.wasm"]).code, Some(6));
    let ran = project.run(&["test", "builtin:files", "--only", "small", "--junit", "no/such/directory.xml"]);
    assert_eq!(ran.code, Some(7), "{ran:#?}");
}
