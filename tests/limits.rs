//! The limits, number by number: that the page of them says what is enforced, and which test fails where one is not.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/functions.rs"]
mod functions;
#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use std::collections::{BTreeMap, BTreeSet};

use airlock_sandbox::limits::{self as l, Bytes, Limits};
use functions::functions;
use project::repository;

fn count(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

fn bytes(number: usize) -> String {
    if number < 1024 || number == l::PATH_BYTES {
        format!("{} B", count(number))
    } else {
        Bytes(number as u64).to_string()
    }
}

fn large(number: u64) -> String {
    Bytes(number).to_string()
}

/// Each limit, and how the page writes its number.
fn enforced() -> BTreeMap<&'static str, String> {
    let call = Limits::default();
    [
        ("memory", large(call.memory)),
        ("time", format!("{} minutes", call.time.as_secs() / 60)),
        ("cpu_time", format!("{} s", call.cpu_time.as_secs())),
        ("disk", large(call.disk)),
        ("files", count(call.files as usize)),
        ("CHUNK", bytes(l::CHUNK)),
        ("HOST_CALL_BYTES", bytes(l::HOST_CALL_BYTES)),
        ("CALLS", count(l::CALLS)),
        ("HANDLES", count(l::HANDLES)),
        ("DESCRIPTORS", count(l::DESCRIPTORS)),
        ("RANDOM_BYTES", large(l::RANDOM_BYTES)),
        ("CLOCK_RESOLUTION", format!("{} ms", l::CLOCK_RESOLUTION.as_millis())),
        ("WASM_STACK", bytes(l::WASM_STACK)),
        ("NATIVE_STACK", bytes(l::NATIVE_STACK)),
        ("LOG_BYTES", bytes(l::LOG_BYTES)),
        ("LOG_LINE_BYTES", bytes(l::LOG_LINE_BYTES)),
        ("METADATA_ENTRIES", count(l::METADATA_ENTRIES)),
        ("METADATA_LABEL_BYTES", bytes(l::METADATA_LABEL_BYTES)),
        ("METADATA_VALUE_BYTES", bytes(l::METADATA_VALUE_BYTES)),
        ("METADATA_BYTES", bytes(l::METADATA_BYTES)),
        ("ASSET_KEY_PARTS", count(l::ASSET_KEY_PARTS)),
        ("EVENTS", count(l::EVENTS)),
        ("ERROR_BYTES", bytes(l::ERROR_BYTES)),
        ("DENIALS", count(l::DENIALS)),
        ("RECEIPT_FILES", count(l::RECEIPT_FILES)),
        ("DIRECTORY_ENTRIES", count(l::DIRECTORY_ENTRIES)),
        ("LISTED_ENTRIES", count(l::LISTED_ENTRIES)),
        ("PATH_DEPTH", count(l::PATH_DEPTH)),
        ("PATH_BYTES", bytes(l::PATH_BYTES)),
        ("PARTS", count(l::PARTS)),
        ("PART_BYTES", large(l::PART_BYTES)),
        ("CHANGED_PATH_BYTES", large(l::CHANGED_PATH_BYTES)),
        ("COMPONENT_NAMES", count(l::COMPONENT_NAMES)),
        ("MEDIA_TYPE_BYTES", bytes(l::MEDIA_TYPE_BYTES)),
        ("MEMORY_DIRECTORY_BYTES", large(l::MEMORY_DIRECTORY_BYTES)),
        ("MEMORY_DIRECTORY_FILES", count(l::MEMORY_DIRECTORY_FILES)),
        ("PLAN_BYTES", large(l::PLAN_BYTES)),
        ("FREE_SPACE_FLOOR", large(l::FREE_SPACE_FLOOR)),
        ("COMPILE_MEMORY", large(l::COMPILE_MEMORY)),
        ("COMPILE_TIME", format!("{} s", l::COMPILE_TIME.as_secs())),
        ("COMPILE_WAIT", format!("{} minutes", l::COMPILE_WAIT.as_secs() / 60)),
        ("COMPILED_BYTES", large(l::COMPILED_BYTES)),
        ("PROCESS_MEMORY", large(l::PROCESS_MEMORY)),
        ("PROCESS_TIME", format!("{} s", l::PROCESS_TIME.as_secs())),
        ("GIVEN_FILES", count(l::GIVEN_FILES)),
        ("WORKER_START", format!("{} s", l::WORKER_START.as_secs())),
        ("PUBLISH_TIME", format!("{} minutes", l::PUBLISH_TIME.as_secs() / 60)),
        ("IDLE_WORKERS", count(l::IDLE_WORKERS)),
        ("INLINE_BYTES", bytes(l::INLINE_BYTES)),
        ("FRAME_BYTES", bytes(l::FRAME_BYTES)),
        ("REPLY_BYTES", bytes(l::REPLY_BYTES)),
        ("REPLY_VALUES", count(l::REPLY_VALUES)),
        ("FRAME_DESCRIPTORS", count(l::FRAME_DESCRIPTORS)),
        ("COMPONENT_BYTES", large(l::COMPONENT_BYTES)),
        ("FUNCTION_BYTES", bytes(l::FUNCTION_BYTES)),
        ("FUNCTIONS", count(usize::try_from(l::FUNCTIONS).unwrap())),
        ("MODULES", count(l::MODULES)),
        ("NESTING", count(l::NESTING)),
        ("INSTANCES", count(l::INSTANCES)),
        ("MEMORIES", count(l::MEMORIES)),
        ("TABLES", count(l::TABLES)),
        ("TABLE_ELEMENTS", count(l::TABLE_ELEMENTS)),
        ("MANIFEST_BYTES", bytes(l::MANIFEST_BYTES)),
    ]
    .into()
}

#[test]
fn each_number_is_the_one_that_is_enforced_and_has_a_test() {
    let known = functions(&["tests", "host"]);
    let page = std::fs::read_to_string(repository().join("docs/limits.md")).unwrap();
    let mut told = BTreeMap::new();
    for row in page.lines().filter_map(|line| line.strip_prefix("| `")) {
        let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [name, of, number, pinned] = cells.as_slice() else { panic!("{row}") };
        assert!(!of.is_empty(), "{row}");
        for test in pinned.split(", ").map(|test| test.trim_matches('`')) {
            assert!(known.contains(test), "`{name}` is pinned by `{test}`, which is not there");
        }
        told.insert(*name, (*number).to_owned());
    }
    assert_eq!(told, enforced());
}

#[test]
fn no_number_is_left_out() {
    let source = std::fs::read_to_string(repository().join("host/sandbox/src/limits.rs")).unwrap();
    let names = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    let constants: BTreeSet<&str> = names.collect();
    let enforced: BTreeSet<&str> = enforced().into_keys().filter(|name| name.starts_with(char::is_uppercase)).collect();
    assert_eq!(constants, enforced);
}
