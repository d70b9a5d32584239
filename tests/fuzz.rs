//! What Airlock reads that others wrote: each saved input, and each of many that are those changed at random, is taken or
//! refused, none makes it panic, and its memory stays bounded. `make fuzz` gives each target 100,000.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "fuzz/inputs.rs"]
mod inputs;
#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use std::collections::BTreeSet;
use std::path::Path;

use airlock_fuzz_targets as targets;
use airlock_pipeline::Home;
use inputs::{Inputs, corpus};
use nix::sys::resource::{UsageWho, getrusage};
use project::{Project, guest, repository};

/// Kibibytes of memory that the process may have taken at any time, compiled code of the guests included.
const MEMORY: i64 = 1 << 20;
/// Bytes of all that is saved, at most: it is in every checkout, and given with every test.
const SAVED: u64 = 1 << 20;

/// That the process never took more than it may.
fn assert_bounded() {
    let taken = getrusage(UsageWho::RUSAGE_SELF).unwrap().max_rss();
    assert!(taken < MEMORY, "{taken} KiB");
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(repository().join(name)).unwrap()
}

#[test]
fn definitions_are_read_or_their_mistakes_told() {
    let examples = ["examples/weather/airlock.toml", "examples/jobs/airlock.toml", "examples/io-managers/parquet.toml"];
    let words = [
        "[assets.x]",
        "[graphs.g]",
        "graph = \"g\"",
        "inputs = { a = { input = \"a\" } }",
        "partitions_per_step = \"all\"",
        "{ \"$env\" = \"X\", default = 1 }",
        "static = []",
        "cron = { schedule = \"* * * * *\", start = \"2024-01-01\" }",
        "start = \"-9999-01-01\"",
        "9223372036854775807",
        "\"\"\"",
        "parent = \"lake\"",
        "each = \"list\"",
        "\u{feff}",
        "[[",
        "..",
    ];
    Inputs::saved("definitions", &words).with(examples.map(read)).give(targets::definitions());
    assert_bounded();
}

#[test]
fn a_lock_is_read_or_refused() {
    let words = ["[profile.p.\"io.lake\"]", "limits = { memory = \"1GiB\" }", "told = [\"X\"]", "version = 2"];
    Inputs::saved("locks", &words).give(targets::locks());
}

#[test]
fn a_component_is_inspected_or_refused() {
    let words = ["\u{0}asm", "airlock:io/input@0.1.0", "airlock:manifest", "\u{7f}\u{7f}\u{7f}"];
    let files = std::fs::read(guest("files")).unwrap();
    Inputs::saved("components", &words).with([files]).give(targets::components());
    assert_bounded();
}

#[test]
fn a_manifest_is_read_or_refused() {
    let ours = ["guests/files/manifest.json", "guests/tables/manifest.json", "tests/programs/manifest.json"];
    let words = [
        "\"many_partitions\": true",
        "{\"type\":\"object\",\"properties\":{}}",
        "\"anyOf\": []",
        "\"$ref\": \"#\"",
        "1e999",
        "\\u0000",
        "\"enum\": [null]",
        "\"minimum\": -1",
        "[[[[",
        "{\"const\":",
    ];
    Inputs::saved("manifests", &words).with(ours.map(read)).give(targets::manifests());
    assert_bounded();
}

#[test]
fn keys_become_places_that_never_meet_and_never_lead_out() {
    let words =
        ["\n", "..", "/", "\u{0}", "con", "COM1", "-", "%-", "%_", "=", "ß", "K", "\u{301}", "aaaaaaaaaaaaaaaa"];
    Inputs::saved("keys", &words).give(targets::keys());
}

#[test]
fn partitions_are_selected_or_refused_and_what_is_selected_is_named_back() {
    let words = ["..", "|", "*", "all", "2024-01-02", "eu", "a", "ü"];
    Inputs::saved("partitions", &words).give(targets::partitions());
}

#[test]
fn what_a_call_left_in_a_mount_is_done_or_refused_and_nothing_outside_is_changed() {
    let words = [
        "{\"remove\":\"directory\"}",
        "{\"put\":{\"staged\":0,\"path\":\"file.txt\"}}",
        "{\"make-directory\":\"link/x\"}",
        "{\"clear-file\":\"link\"}",
        "\"stripes\":[0,255]",
        "\"staged\":18446744073709551615",
        "../outside/secret",
        "link/secret",
        ".airlock/call-1/plan",
        "\\u0000",
    ];
    Inputs::saved("journals", &words).give(targets::journals());
}

#[test]
fn an_entry_of_the_cache_is_authentic_or_compiled_anew() {
    Inputs::saved("code_cache", &["\u{7f}ELF", "\u{0}\u{0}\u{0}\u{0}"]).give(targets::code_cache());
    assert_bounded();
}

#[test]
fn an_event_log_is_read_or_said_to_be_damaged() {
    let project =
        Project::new("[assets.a]\ntype = \"text\"\ncommand = [\"sh\", \"-c\", 'printf x > $AIRLOCK_OUTPUT']\n");
    for _ in 0..3 {
        project.run(&["run"]).ok();
    }
    let log = std::fs::read(Home::locate(&project.path("airlock.toml")).events()).unwrap();
    let words = ["SQLite format 3", "RUN_START", "{\"kind\":", "\u{0}\u{0}\u{0}\u{7f}"];
    Inputs::saved("event_logs", &words).with([log]).give(targets::event_logs());
    assert_bounded();
}

/// A table that `tables` stored as `format`, and the same as an Arrow stream.
fn table(format: &str) -> (Vec<u8>, Vec<u8>) {
    let table = "a,b,c\\n1,x,2024-01-01\\n2,,2024-01-02\\n,ü,\\n";
    let project = Project::of(&format!(
        r#"
        [io.tables]
        component = "builtin:tables"
        config = {{ format = "{format}" }}
        mounts."/data" = {{ path = "data", access = "write" }}
        [assets.t]
        type = "table"
        io = "tables"
        schema = {{ a = "int64", b = "string", c = "date" }}
        command = ["sh", "-c", 'printf "{table}" > $AIRLOCK_OUTPUT']
        "#
    ));
    project.run(&["run"]).ok();
    project.run(&["load", "t", "--as", "arrow", "--output", "t.arrows"]).ok();
    let stored = std::fs::read(project.path("data/t").with_extension(format)).unwrap();
    (stored, std::fs::read(project.path("t.arrows")).unwrap())
}

#[test]
fn a_stored_table_is_loaded_or_refused_within_the_sandbox() {
    let words = ["PAR1", "ARROW1", "\u{7f}\u{7f}\u{7f}\u{7f}"];
    Inputs::saved("parquet_files", &words).with([table("parquet").0]).give(targets::parquet_files());
    Inputs::saved("arrow_files", &words).with([table("arrow").0]).give(targets::arrow_files());
    assert_bounded();
}

#[test]
fn an_arrow_stream_is_stored_or_refused_within_the_sandbox() {
    let words = ["\u{7f}\u{7f}\u{7f}\u{7f}", "ARROW1"];
    Inputs::saved("arrow_streams", &words).with([table("parquet").1]).give(targets::arrow_streams());
    assert_bounded();
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| entry.path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn each_target_is_given_by_chance_and_led_by_coverage_from_inputs_that_are_saved_and_small() {
    let saved = names(&corpus());
    let this_file = String::from_utf8(read("tests/fuzz.rs")).unwrap();
    let given = this_file.split("Inputs::saved(\"").skip(1).filter_map(|rest| rest.split_once('"'));
    assert_eq!(given.map(|(name, _)| name.to_owned()).collect::<BTreeSet<_>>(), saved);
    assert_eq!(names(&repository().join("fuzz/fuzz_targets")), saved);
    let files = saved.iter().flat_map(|name| std::fs::read_dir(corpus().join(name)).unwrap());
    let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= SAVED, "{bytes} bytes are saved");
}
