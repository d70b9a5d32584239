//! Every program under `tests/programs`, and the outcome that it must have.
//!
//! A program without a test does not compile: each test is named after its program, and both are counted.
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/own_mounts.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod own_mounts;
#[expect(dead_code, reason = "each test file uses its part of it")]
mod support;

use support::Lab;

macro_rules! programs {
    ($($(#[$attribute:meta])* fn $name:ident() $body:block)*) => {
        $(#[test] $(#[$attribute])* fn $name() $body)*

        pub const TESTS: usize = [$(stringify!($name)),*].len();
        $(const _: () = assert!(
            crate::is_listed(crate::LIST, concat!("    ", stringify!($name), ",")),
            "a test has no program"
        );)*
    };
}

#[path = "outcomes/denials.rs"]
mod denials;
#[path = "outcomes/failures.rs"]
mod failures;
#[path = "outcomes/limits.rs"]
mod limits;
#[path = "outcomes/successes.rs"]
mod successes;

/// The list of programs in the package that holds them.
const LIST: &str = include_str!("programs/src/lib.rs");
const TESTS: usize = denials::TESTS + failures::TESTS + limits::TESTS + successes::TESTS;
const _: () = assert!(count(LIST, "programs! {\n") == TESTS, "a program has no test, or a test no program");

/// Entries of the block of `text` that `start` begins.
const fn count(text: &str, start: &str) -> usize {
    let (text, start) = (text.as_bytes(), start.as_bytes());
    let mut at = 0;
    while !starts_at(text, start, at) {
        at += 1;
    }
    at += start.len();
    let mut lines = 0;
    while text[at] != b'}' {
        if text[at] == b',' {
            lines += 1;
        }
        at += 1;
    }
    lines
}

const fn is_listed(text: &str, line: &str) -> bool {
    let (text, line) = (text.as_bytes(), line.as_bytes());
    let mut at = 0;
    while at + line.len() <= text.len() {
        if starts_at(text, line, at) {
            return true;
        }
        at += 1;
    }
    false
}

const fn starts_at(text: &[u8], part: &[u8], at: usize) -> bool {
    let mut index = 0;
    while index < part.len() {
        if text[at + index] != part[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Checks that nothing of a call is left.
fn assert_nothing_left(lab: &Lab) {
    assert_eq!(lab.leftovers("data"), Vec::<String>::new());
}
