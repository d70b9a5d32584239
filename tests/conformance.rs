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

/// The test of a component whose calls are made in processes of their own.
fn isolated(component: &str, config: &Value, code: i32) -> Value {
    let ran = folder().run(&["test", component, "--config", &config.to_string(), "--format", "json"]);
    document(&ran, code)
}

/// The same in one process, which takes a fraction of the time and has to find the same.
fn test(component: &str, config: &Value, code: i32) -> Value {
    let ran = folder().run(&["test", component, "--config", &config.to_string(), "--format", "json", "--isolate=no"]);
    document(&ran, code)
}

fn case<'a>(test: &'a Value, name: &str) -> &'a Value {
    test["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap()
}

fn finding<'a>(test: &'a Value, name: &str) -> &'a Value {
    &case(test, name)["findings"][0]
}

/// That a component passes all that it claims, as it is called where nothing is said: isolated.
fn assert_sound(component: &str, config: &Value) -> Value {
    let test = isolated(component, config, 0);
    assert_eq!((cases(&test, "failed"), cases(&test, "not-tried")), (vec![], vec![]), "{test:#}");
    test
}

/// That the component with this fault fails these cases and no others, and that the first of them says what it found.
fn assert_found(config: &Value, expected: &[&str], says: &str) {
    assert_finds(&test(&guest("test-broken"), config, 1), config, expected, says);
}

fn assert_finds(test: &Value, config: &Value, expected: &[&str], says: &str) {
    assert_eq!(cases(test, "failed"), expected, "{test:#}");
    // Of a kind that it lacks there is nothing to begin with.
    let not_tried: &[&str] = if config["fault"] == "lacks_a_kind" { &["json"] } else { &[] };
    assert_eq!(cases(test, "not-tried"), not_tried);
    let finding = finding(test, expected[0]);
    assert!(finding["found"].as_str().unwrap().contains(says), "{finding:#}");
}

/// Each fault, the cases that find it, and what the first of them says; those `in_its_own_places` are of a manager that is lent a
/// whole directory and chooses its paths itself.
macro_rules! faults {
    ($($(#[$own:ident])? $fault:ident: $cases:expr, $says:expr;)*) => {
        $(#[test]
        fn $fault() {
            let whole = [$(stringify!($own))?].contains(&"in_its_own_places");
            assert_found(&json!({ "fault": stringify!($fault), "whole": whole }), &$cases, $says);
        })*
    };
}

faults! {
    cuts_wide_tables: ["table-wide"], "the columns";
    differs_each_time: ["repeatable"], "the second time";
    drops_null: ["table-nulls"], "rows in the place of 4";
    drops_table_metadata: ["table-metadata"], "a schema without its metadata";
    fails_on_decimals: ["table-types", "table-nulls"], "no-decimals";
    fails_on_lists: ["table-types", "table-nulls", "table-nested"], "no-lists";
    #[in_its_own_places]
    folds_case: ["elements", "runs", "awkward-keys"], "were stored";
    forgets_metadata: ["metadata"], "none";
    #[in_its_own_places]
    forgets_runs: ["runs"], "were stored";
    #[in_its_own_places]
    has_one_place: ["runs", "awkward-keys", "at-once"], "were stored";
    hides_errors: ["cut-off", "full-disk", "read-only"], "it returned ok";
    ignores_keys: ["many-partitions", "dimensions", "replace-partition", "missing", "allow-missing"], "were stored";
    keeps_the_first_batch: ["chunk-edges", "table-batches"], "rows in the place of";
    keeps_the_longer_file: ["overwrite-shorter"], "more after them";
    keeps_twelve_columns: ["table-types", "table-nulls", "table-wide"], "the columns";
    lacks_a_kind: ["small"], "unsupported-type";
    leaks_parts: ["many-partitions"], "more after them";
    leaves_a_temporary_file: ["leaves-nothing"], "/data/leaves/nothing.tmp";
    lies_of_its_path: ["metadata"], "/data/elsewhere, where nothing is";
    loads_the_first_column: ["table-columns"], "without the column \"measure\"";
    looks_around: ["denials"], "read /etc/passwd";
    loses_one_byte: ["one-byte"], "only the first 0 of 1 bytes";
    lowercases_columns: ["table-names"], "the columns";
    mixes_media_types: ["overwrite-kind"], "one of application/octet-stream";
    needs_a_record: ["no-record", "overwrite-kind"], "nothing is known of it";
    needs_rows: ["table-no-rows"], "no-rows";
    panics_on_config: ["wrong-config"], "panicked";
    panics_on_empty: ["empty"], "there is a first byte";
    rounds_numbers: ["json"], "in the place of `9007199254740993`";
    says_nothing: ["errors"], "It broke!";
    sets_one_version: ["data-version"], "the version `1` of both";
    stamps_the_day: ["repeatable"], "those from byte 0 on are others";
    stamps_the_run: ["repeatable"], "those from byte 0 on are others";
    strips_marks: ["texts"], "4 were stored";
    takes_everything: ["unknown-type"], "one of application/octet-stream";
    truncates: ["chunk-edges", "large", "cut-off", "full-disk"], "only the first 1048576 of 1048577 bytes";
}

#[test]
fn a_trap_a_denial_and_a_failure_of_storage_are_found_through_workers_too() {
    for (fault, expected, says) in [
        ("panics_on_empty", &["empty"][..], "there is a first byte"),
        ("looks_around", &["denials"], "read /etc/passwd"),
        ("hides_errors", &["cut-off", "full-disk", "read-only"], "it returned ok"),
    ] {
        let config = json!({ "fault": fault });
        assert_finds(&isolated(&guest("test-broken"), &config, 1), &config, expected, says);
    }
}

#[test]
fn without_a_fault_the_same_component_passes_all_that_it_claims() {
    for config in [json!({}), json!({ "whole": true })] {
        let test = assert_sound(&guest("test-broken"), &config);
        let of_ops = ["op-errors", "op-unknown-type", "op-cut-off", "op-repeatable"];
        let expected = [&["data-version"][..], &of_ops, &["loads-other", "other-loads"]].concat();
        assert_eq!(cases(&test, "not-claimed"), expected);
    }
}

#[test]
fn a_file_that_is_read_only_where_nothing_is_recorded_is_not_left_over() {
    let config = json!({ "notes": true }).to_string();
    let only = ["--only", "no-record", "--only", "leaves-nothing"];
    folder().run(&[&["test", &guest("test-broken"), "--config", &config][..], &only].concat()).ok();
}

#[test]
fn files_passes_all_that_it_claims() {
    let test = assert_sound("builtin:files", &json!({}));
    assert!(cases(&test, "passed").contains(&"table-metadata"), "{test:#}");
    assert_sound("builtin:files", &json!({ "extension": "dat" }));
}

#[test]
fn tables_passes_all_that_it_claims_in_every_format() {
    let with = |format: &str| json!({ "format": format });
    let isolated = isolated("builtin:tables", &with("parquet"), 0);
    let others = ["csv", "jsonl", "arrow"].map(|format| test("builtin:tables", &with(format), 0));
    for test in others.iter().chain([&isolated]) {
        assert_eq!(cases(test, "failed"), [""; 0], "{test:#}");
        assert!(cases(test, "passed").contains(&"table-nested"), "{test:#}");
        // It is an op as well, which converts what another configuration says.
        assert_eq!(cases(test, "not-tried"), ["op-repeatable"], "{test:#}");
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
    assert_eq!(case(&test, "op-errors")["note"], "it asked for days");
}

#[test]
fn a_component_that_looks_around_is_found_by_what_it_was_denied_and_nothing_more_is_tried() {
    let test = test(&guest("snoop"), &json!({}), 1);
    assert_eq!(cases(&test, "failed"), ["small", "denials"], "{test:#}");
    assert!(cases(&test, "not-tried").contains(&"cut-off"), "{test:#}");
    assert!(finding(&test, "denials")["found"].as_str().unwrap().contains("/etc/passwd"), "{test:#}");
}

#[test]
fn an_op_with_a_fault_is_found_by_the_case_about_it() {
    for (op, expected, says) in [
        ("ignore_errors", &["op-cut-off"][..], "it returned ok"),
        // It has no input of a name, and reads those that it is given.
        ("ignore_all_errors", &["op-cut-off"], "it returned ok"),
        ("unwrap", &["op-errors"], "it lacks an input"),
        ("unwrap_text", &["op-unknown-type", "op-cut-off"], "it is of application/x-airlock-unheard-of"),
        ("stamp", &["op-repeatable"], "of result the second time"),
        ("shuffle", &["op-repeatable"], "of result the second time"),
    ] {
        let test = test(&guest("test-ops"), &json!({ "op": op }), 1);
        assert_eq!(cases(&test, "failed"), expected, "{op}: {test:#}");
        let finding = finding(&test, expected[0]);
        assert!(finding["found"].as_str().unwrap().contains(says), "{op}: {finding:#}");
    }
}

#[test]
fn an_op_is_held_to_computing_the_same_of_the_inputs_that_the_kit_has_for_it() {
    let note = |op: &str, result: &str| {
        let test = assert_no_failure(&json!({ "op": op }));
        assert!(cases(&test, result).contains(&"op-repeatable"), "{test:#}");
        case(&test, "op-repeatable")["note"].clone()
    };
    let note_of_copies = note("first_part", "passed");
    assert!(note_of_copies.as_str().unwrap().starts_with("parts was given no part, application/octet"));
    // It reads whatever inputs there are, as far as these are text.
    let note_of_join = note("join", "passed");
    assert!(note_of_join.as_str().unwrap().starts_with("input was given no part, text/plain, application/json"));
    // What it needs nobody knows.
    assert_eq!(note("every_output", "not-tried"), "of no value that the kit has does it compute anything");
}

#[test]
fn an_op_that_reads_whatever_inputs_there_are_is_offered_one() {
    let test = assert_no_failure(&json!({ "op": "join" }));
    assert_eq!(case(&test, "op-errors")["note"], "it reads whatever inputs there are");
    for name in ["op-unknown-type", "op-cut-off"] {
        assert_eq!(case(&test, name)["result"], "passed", "{test:#}");
    }
    // Who looks at none needs none.
    let test = assert_no_failure(&json!({ "op": "nothing" }));
    assert_eq!(case(&test, "op-errors")["note"], Value::Null);
    assert_eq!(cases(&test, "passed"), ["op-errors", "errors", "denials"], "{test:#}");
}

/// The test of an op that fails no case.
fn assert_no_failure(config: &Value) -> Value {
    let test = test(&guest("test-ops"), config, 0);
    assert_eq!(cases(&test, "failed"), [""; 0], "{test:#}");
    test
}

#[test]
fn what_the_other_cases_begin_with_is_told_where_it_failed_whichever_were_asked_for() {
    let project = folder();
    let ran = project.run(&["test", &guest("snoop"), "--only", "cut-off", "--format", "json"]);
    let test = document(&ran, 1);
    assert_eq!((cases(&test, "failed"), cases(&test, "not-tried")), (vec!["small"], vec!["cut-off"]));
    // What there is to begin with does not fail because of a kind that there is not.
    let lacks = ["test", &guest("test-broken"), "--config", r#"{ "fault": "lacks_a_kind" }"#];
    project.run(&[&lacks[..], &["--only", "texts"]].concat()).ok();
    assert_eq!(project.run(&[&lacks[..], &["--only", "json"]].concat()).code, Some(1));
}

#[test]
fn what_sums_up_the_calls_of_other_cases_says_nothing_without_them() {
    let project = folder();
    let only = |cases: &[&str], code: i32| {
        let cases = cases.iter().flat_map(|case| ["--only", *case]);
        let arguments = ["test", "builtin:files", "--format", "json"].into_iter().chain(cases).collect::<Vec<_>>();
        document(&project.run(&arguments), code)
    };
    let test = only(&["errors", "denials"], 1);
    assert_eq!(cases(&test, "not-tried"), ["errors", "denials"], "{test:#}");
    assert!(case(&test, "denials")["note"].as_str().unwrap().contains("name other cases beside it"), "{test:#}");
    // What is not claimed makes no call either.
    assert_eq!(cases(&only(&["op-errors", "denials"], 1), "not-tried"), ["denials"]);
    assert_eq!(cases(&only(&["small", "denials"], 0), "passed"), ["small", "denials"]);
}

#[test]
fn where_nothing_is_stored_that_some_partitions_are_missing_is_not_tried() {
    let config = r#"{ "fault": "stores_nothing" }"#;
    let only = ["--only", "missing", "--only", "allow-missing", "--format", "json"];
    let ran = folder().run(&[&["test", &guest("test-broken"), "--config", config][..], &only].concat());
    let test = document(&ran, 1);
    assert_eq!(cases(&test, "failed"), ["small"], "{test:#}");
    assert_eq!(cases(&test, "not-tried"), ["missing", "allow-missing"], "{test:#}");
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
    // Of what neither stores nor loads nothing is asked.
    let test = against("builtin:files", &guest("monthly"), "{}", 0);
    assert_eq!(cases(&test, "not-claimed"), ["loads-other", "other-loads"], "{test:#}");
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
fn directories_that_cannot_be_lent_are_the_fault_of_the_machine() {
    let project = folder();
    let test = ["test", "builtin:files", "--only", "small"];
    // No mount lends a directory of the system, and not everybody may write there.
    let ran = Ran::from(project.command(&test).env("TMPDIR", "/run").output().unwrap());
    ran.fails(
        7,
        "
error: the test of builtin:files came to no end: the storage of this machine failed: …
hint: it keeps its files in /run; TMPDIR names another place",
    );
}

#[test]
fn a_verdict_and_its_file_do_not_depend_on_who_reads_standard_output() {
    let project = folder();
    let ended = |arguments: &[&str]| project.run_unread(arguments);
    let found = ["test", &guest("snoop"), "--only", "small", "--junit", "results.xml"];
    assert_eq!(ended(&found), Some(1));
    assert!(std::fs::read_to_string(project.path("results.xml")).unwrap().contains("failures=\"1\""));
    assert_eq!(ended(&["test", "builtin:files", "--only", "small"]), Some(0));
    // It asks for more than that one.
    assert_eq!(ended(&["inspect", &guest("test-broken"), "--against", &guest("monthly")]), Some(3));
    assert_eq!(ended(&["inspect", "builtin:files"]), Some(0));
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
    assert!(ran.stdout.contains("builtin:files: 1 passed"), "what was found is told: {ran:#?}");
}
