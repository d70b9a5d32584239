//! Ops that are components: what they are given, what they may give, and parts that are loaded as they ask for them.
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "each test file uses its part of it")]
mod support;

use std::sync::{Arc, Mutex};

use airlock_sandbox::limits::{Limit, Limits};
use airlock_sandbox::report::{Computed, Failure, Report};
use airlock_sandbox::value::{Input, LoadParts, NotLoaded, Part, Value};
use serde_json::json;
use support::{Lab, days, limit, part, text};

fn op(name: &str) -> Lab {
    Lab::without_mounts("test-ops").config(json!({ "op": name }))
}

fn loaded(parts: Vec<Part>) -> Input {
    Input::Loaded(Value { parts })
}

/// What the op gave as `result`.
fn result(report: Report<Computed>) -> String {
    let outputs = report.outcome.unwrap().outputs;
    text(&outputs.iter().find(|output| output.name == "result").unwrap().value)
}

/// The code of the error that the op gave back.
fn refused(report: Report<Computed>) -> String {
    match report.outcome {
        Err(Failure::Guest { error }) => error.code,
        other => panic!("{other:?}"),
    }
}

/// The parts `a`, `b` and `c`, and a note of each that is loaded; those from `fails` on cannot be.
#[derive(Debug)]
struct Letters {
    asked: Mutex<Vec<usize>>,
    fails: usize,
}

impl Letters {
    fn until(fails: usize) -> Arc<Self> {
        Arc::new(Self { asked: Mutex::default(), fails })
    }

    fn asked(&self) -> Vec<usize> {
        self.asked.lock().unwrap().clone()
    }
}

impl LoadParts for Letters {
    fn load(&self, place: usize, _: &dyn Fn() -> bool) -> Result<Option<Part>, NotLoaded> {
        self.asked.lock().unwrap().push(place);
        if place >= self.fails {
            return Err(NotLoaded("it is not there".to_owned()));
        }
        Ok(["a", "b", "c"].get(place).map(|key| part(Some(key), &key.to_uppercase())))
    }
}

#[test]
fn an_op_is_given_its_inputs_by_name_and_part_by_part() {
    let inputs = vec![
        ("one", loaded(vec![part(None, "x")])),
        ("many", loaded(vec![part(Some("a"), "1"), part(Some("b"), "2")])),
        ("absent", loaded(Vec::new())),
    ];
    assert_eq!(result(op("join").run(inputs, &["result"])), "-=x;a=1;b=2;");
    assert_eq!(refused(op("first_part").run(vec![("other", loaded(Vec::new()))], &["result"])), "unknown-input");
}

#[test]
fn parts_are_loaded_when_they_are_asked_for_and_not_before() {
    let letters = Letters::until(9);
    let input = |letters: &Arc<Letters>| vec![("parts", Input::Lazy(Arc::clone(letters) as Arc<dyn LoadParts>))];
    assert_eq!(result(op("first_part").run(input(&letters), &["result"])), "a");
    assert_eq!(letters.asked(), [0]);
    let letters = Letters::until(9);
    assert_eq!(result(op("join").run(input(&letters), &["result"])), "a=A;b=B;c=C;");
    assert_eq!(letters.asked(), [0, 1, 2, 3]);
    let letters = Letters::until(9);
    op("nothing").run(input(&letters), &["result"]).outcome.unwrap();
    assert_eq!(letters.asked(), [0; 0]);
}

#[test]
fn an_input_can_be_read_again_from_its_start() {
    let letters = Input::Lazy(Letters::until(9));
    assert_eq!(result(op("join_twice").run(vec![("parts", letters)], &["result"])), "a=A;b=B;c=C; a=A;b=B;c=C;");
}

#[test]
fn an_op_is_told_that_a_part_could_not_be_loaded() {
    let letters = || vec![("parts", Input::Lazy(Letters::until(1)))];
    assert_eq!(refused(op("join").run(letters(), &["result"])), "not-loaded");
    assert_eq!(result(op("ignore_errors").run(letters(), &["result"])), "not loaded");
}

/// Parts of which the first never comes.
#[derive(Debug)]
struct Never;

impl LoadParts for Never {
    fn load(&self, _: usize, wanted: &dyn Fn() -> bool) -> Result<Option<Part>, NotLoaded> {
        while wanted() {
            std::thread::yield_now();
        }
        Err(NotLoaded("nobody waits".to_owned()))
    }
}

#[test]
fn who_waits_for_a_part_waits_no_longer_than_the_call_may_take() {
    let lab = op("ignore_errors").limits(|limits: &mut Limits| limits.time = std::time::Duration::from_millis(50));
    assert_eq!(limit(lab.run(vec![("parts", Input::Lazy(Arc::new(Never)))], &["result"])), Limit::Time);
}

#[test]
fn an_op_is_told_which_partition_it_computes() {
    let mut lab = op("tell");
    lab.partitions = days(&["2012-01-01"]);
    let report = lab.run(vec![("days", loaded(Vec::new()))], &["result", "rest"]);
    let computed = report.outcome.unwrap();
    let told: serde_json::Value = serde_json::from_str(&text(&computed.outputs[0].value)).unwrap();
    assert_eq!(
        told,
        json!({
            "step": "orders", "attempt": 1, "keys": ["2012-01-01"], "dimensions": [[["days", "2012-01-01"]]],
            "window": null, "zone": null, "inputs": ["days"], "outputs": ["result", "rest"],
        })
    );
    assert_eq!(computed.outputs[0].metadata[0].label, "told");
}

#[test]
fn an_op_gives_several_outputs_and_skips_others() {
    let computed = op("every_other_output").run(Vec::new(), &["a", "b", "c"]).outcome.unwrap();
    let given: Vec<_> = computed
        .outputs
        .iter()
        .map(|output| (output.name.as_str(), output.value.is_absent(), output.metadata.len()))
        .collect();
    assert_eq!(given, [("a", false, 1), ("b", true, 0), ("c", false, 1)]);
    assert_eq!(text(&computed.outputs[2].value), "c");
}

#[test]
fn a_part_has_a_key_of_the_call_or_none_and_is_begun_once() {
    assert_eq!(refused(op("wrong_key").run(Vec::new(), &["result"])), "unknown-key");
    let mut lab = op("wrong_key");
    lab.partitions = days(&["1", "2"]);
    assert_eq!(refused(lab.run(Vec::new(), &["result"])), "unknown-key");
    assert_eq!(refused(op("twice").run(Vec::new(), &["result"])), "begun-before");
    let mut lab = op("twice");
    lab.partitions = days(&["1", "2"]);
    assert_eq!(refused(lab.run(Vec::new(), &["result"])), "unknown-key");
}
