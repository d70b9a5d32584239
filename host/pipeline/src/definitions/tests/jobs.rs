//! Jobs and ops, as definitions have them.

use super::{definitions, messages};
use crate::definitions::{InputSource, Setting};

const HEAD: &str = "defaults.io = \"lake\"\nio.lake.component = \"builtin:files\"\n";

/// What is wrong with the job `j` that has `steps`.
fn of_steps(steps: &str) -> Vec<String> {
    messages(&format!("{HEAD}\n[jobs.j.steps]\n{steps}"))
}

#[test]
fn steps_follow_what_they_depend_on() {
    let definitions = definitions(&format!(
        r#"{HEAD}
        [jobs.j.steps]
        last = {{ command = ["x"], type = "none", deps = ["second"] }}
        second = {{ command = ["x"], type = "json", inputs.a = "first" }}
        first = {{ command = ["x"], type = "json" }}
        "#
    ));
    let names: Vec<&str> = definitions.job("j").unwrap().steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["first", "second", "last"]);
}

#[test]
fn a_step_is_merged_over_its_op_input_by_input_and_output_by_output() {
    let definitions = definitions(&format!(
        r#"{HEAD}
        io.attic.component = "builtin:files"

        [ops.o]
        description = "Of the op"
        command = ["x"]
        inputs.a = {{ value = 1 }}
        inputs.b = {{ value = {{ c = 2 }} }}
        outputs.rows = "table"
        outputs.rest = {{ type = "json", optional = true }}

        [jobs.j]
        io = "attic"
        steps.first = "o"
        steps.second = {{ op = "o", description = "Of the step", inputs.a = "first.rest", outputs.rest.io = "lake" }}
        "#
    ));
    let [first, second] = definitions.job("j").unwrap().steps.as_slice() else { panic!() };
    assert_eq!(first.description.as_deref(), Some("Of the op"));
    assert_eq!(second.description.as_deref(), Some("Of the step"));
    assert_eq!(first.inputs[0].source_value(), Some(&Setting::Integer(1)));
    assert_eq!(second.inputs[0].source.outputs()[0].to_string(), "first.rest");
    assert!(second.inputs[1].source_value().is_some());
    let stored = |step: &crate::definitions::JobStep| -> Vec<String> {
        step.outputs.iter().filter_map(|output| output.io.clone()).collect()
    };
    assert_eq!(
        (stored(first), stored(second)),
        (vec!["attic".to_owned(); 2], vec!["attic".to_owned(), "lake".to_owned()])
    );
    assert!(second.outputs[1].is_optional);
}

impl crate::definitions::Input {
    fn source_value(&self) -> Option<&Setting> {
        match &self.source {
            InputSource::Value(value) => Some(value),
            _ => None,
        }
    }
}

#[test]
fn what_is_done_for_each_element_is_known_at_any_distance() {
    let definitions = definitions(&format!(
        r#"{HEAD}
        [jobs.j.steps]
        list = {{ command = ["x"], outputs.files = {{ type = "text", dynamic = true }} }}
        one = {{ command = ["x"], type = "text", inputs.file = {{ each = "list.files" }} }}
        two = {{ command = ["x"], type = "text", inputs.one = {{ each = "one" }} }}
        all = {{ command = ["x"], type = "text", inputs.two = "two" }}
        "#
    ));
    let steps = &definitions.job("j").unwrap().steps;
    let over: Vec<Option<String>> =
        steps.iter().map(|step| step.mapped_over.as_ref().map(ToString::to_string)).collect();
    let files = || Some("list.files".to_owned());
    assert_eq!(over, [None, files(), files(), None]);
}

#[test]
fn each_mistake_in_a_job_has_a_message_of_its_own() {
    let fetch = "fetch = { command = [\"x\"], type = \"json\" }\n";
    let list = "list = { command = [\"x\"], type = \"text\", dynamic = true }\n";
    for (steps, expected) in [
        ("a = \"o\"".to_owned(), vec!["there is no op `o`", "the step `a` lacks `command`", "the step `a` lacks `type`"]),
        (format!("{fetch}a = {{ command = [\"x\"], type = \"json\", inputs.i = \"fetsh\" }}"), vec![
            "there is no step `fetsh` in this job",
        ]),
        (format!("{fetch}a = {{ command = [\"x\"], type = \"json\", inputs.i = \"fetch.rows\" }}"), vec![
            "the step `fetch` has no output `rows`",
        ]),
        (format!("{fetch}a = {{ command = [\"x\"], type = \"json\", inputs.i = {{ from = \"fetch\", value = 1 }} }}"), vec![
            "the input `i` comes from one place: leave out all but one of them",
        ]),
        ("a = { command = [\"x\"], type = \"json\", inputs.i = {} }".to_owned(), vec!["the input `i` lacks `from`"]),
        ("a = { command = [\"x\"], type = \"json\", inputs.i = { io = \"lake\" } }".to_owned(), vec![
            "the input `i` lacks `type`",
        ]),
        ("a = { command = [\"x\"], type = \"json\", inputs.i = { value = 1, columns = [\"a\"] } }".to_owned(), vec![
            "the input `i` is a constant, so it takes no `columns`",
        ]),
        (format!("{fetch}a = {{ command = [\"x\"], type = \"json\", inputs.i = {{ from = \"fetch\", allow_missing = true }} }}"), vec![
            "the input `i` loads no asset, so it takes no `allow_missing`",
        ]),
        ("a = { command = [\"x\"], type = \"json\", inputs.i = \"b\" }\nb = { command = [\"x\"], type = \"json\", inputs.i = \"a\" }".to_owned(), vec![
            "these steps depend on one another: `a` → `b` → `a`",
        ]),
        ("a = { command = [\"x\"], type = \"json\", outputs.rows = \"json\" }".to_owned(), vec![
            "the step `a` has `outputs`, so `type` is said of each of them",
        ]),
        ("a = { command = [\"x\"], outputs = {} }".to_owned(), vec!["`outputs` names at least one output"]),
        ("a = { command = [\"x\"], outputs = { a-b = \"json\", a_b = \"json\" } }".to_owned(), vec![
            "the outputs `a-b` and `a_b` differ too little",
        ]),
        ("a = { command = [\"x\"], type = \"none\", optional = true }".to_owned(), vec![
            "the step `a` has no value (`type = \"none\"`), so it is not `optional`",
        ]),
        ("a = { command = [\"x\"], type = \"json\", optional = true, dynamic = true }".to_owned(), vec![
            "the step `a` is `dynamic`, so it may be empty anyway: leave `optional` out",
        ]),
        (format!("{fetch}a = {{ command = [\"x\"], type = \"json\", inputs.i = {{ each = \"fetch\" }} }}"), vec![
            "`fetch` is one value, so there is no `each` of it",
        ]),
        (format!("{list}a = {{ command = [\"x\"], type = \"json\", dynamic = true, inputs.i = {{ each = \"list\" }} }}"), vec![
            "the output `result` of the step `a` is dynamic, and the step is done for each of `list` already",
        ]),
        (format!("{list}more = {{ command = [\"x\"], type = \"text\", dynamic = true }}\na = {{ command = [\"x\"], type = \"json\", inputs.i = {{ each = \"list\" }}, inputs.j = {{ each = \"more\" }} }}"), vec![
            "the step `a` is done for each of `list`, so it cannot be done for each of `more` as well",
        ]),
        (format!("{list}other = {{ command = [\"x\"], type = \"text\" }}\na = {{ command = [\"x\"], type = \"json\", inputs.i = [\"list\", \"other\"] }}"), vec![
            "`list` is any number of values already, so it cannot be one of several",
        ]),
        (format!("{fetch}{list}a = {{ command = [\"x\"], type = \"json\", inputs.i = [\"list\", \"fetch\"] }}"), vec![
            "the outputs that come together to one input are of one type",
            "`list` is any number of values already, so it cannot be one of several",
        ]),
        ("quiet = { command = [\"x\"], type = \"none\" }\na = { command = [\"x\"], type = \"json\", inputs.i = \"quiet\" }".to_owned(), vec![
            "`quiet` has no value to load: it is defined with `type = \"none\"`",
        ]),
        ("\"a b\" = { command = [\"x\"], type = \"none\" }".to_owned(), vec![
            "the name of the step \"a b\" is none: it is a letter or `_`, then letters, digits, `_` and `-`",
        ]),
        ("a = { command = [\"x\"], type = \"none\", external = true }".to_owned(), vec!["the step `a` has no key `external`"]),
    ] {
        let mut found = of_steps(&steps);
        found.sort();
        let mut expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        expected.sort();
        assert_eq!(found, expected, "{steps}");
    }
    assert_eq!(messages(&format!("{HEAD}[jobs.j]\n")), ["the job `j` lacks `steps`"]);
    assert_eq!(
        messages(&format!("{HEAD}[jobs.j]\nio = \"lak\"\nsteps.a = {{ command = [\"x\"], type = \"none\" }}")),
        ["there is no I/O manager `lak`",]
    );
}

#[test]
fn a_mistake_in_an_op_is_told_once_however_many_steps_have_it() {
    let found = messages(&format!(
        "{HEAD}[ops.o]\ncommand = []\ntype = \"json\"\n[jobs.j.steps]\na = \"o\"\nb = \"o\"\n[jobs.k.steps]\na = \"o\"\n"
    ));
    assert_eq!(found, ["`command` begins with the program to run"]);
}

#[test]
fn an_asset_may_have_a_constant_and_what_a_manager_finds() {
    let definitions = definitions(&format!(
        r#"{HEAD}
        [assets.a]
        type = "json"
        command = ["x"]
        inputs.limit = {{ value = 3 }}
        inputs.rates = {{ io = "lake", type = "text" }}
        "#
    ));
    let inputs = &definitions.asset("a").unwrap().inputs;
    assert_eq!(inputs[0].source_value(), Some(&Setting::Integer(3)));
    assert!(matches!(inputs[1].source, InputSource::Unconnected { .. }));
    let found = messages(&format!(
        "{HEAD}assets.a = {{ type = \"json\", command = [\"x\"], inputs.i = {{ from = \"b\" }} }}\n"
    ));
    assert_eq!(found, ["the input `i` has no key `from`"]);
}

#[test]
fn a_step_says_otherwise_where_an_input_comes_from_and_what_computes_it() {
    let definitions = definitions(&format!(
        r#"{HEAD}
        assets.k = {{ command = ["x"], type = "json", partitions = "p" }}
        partitions.p.static = ["a"]

        [ops.o]
        command = ["x"]
        type = "json"
        inputs.found = {{ io = "lake", type = "json" }}
        inputs.asset = {{ asset = "k", partition_mapping = "all", allow_missing = true }}

        [jobs.j.steps]
        first = {{ command = ["x"], type = "json" }}
        second = {{ op = "o", component = "builtin:files", inputs.found = "first", inputs.asset = "first" }}
        "#
    ));
    let second = definitions.job("j").unwrap().step("second").unwrap();
    assert!(matches!(second.op, crate::definitions::Op::Component(_)));
    assert!(second.inputs.iter().all(|input| input.io.is_none() && !input.source.outputs().is_empty()));
}

#[test]
fn columns_are_those_of_all_that_come_together() {
    let found = of_steps(
        "a = { command = [\"x\"], type = \"table\", schema = { id = \"int64\", n = \"int64\" } }\n\
         b = { command = [\"x\"], type = \"table\", schema = { k = \"int64\" } }\n\
         c = { command = [\"x\"], type = \"json\", inputs.i = { from = [\"a\", \"b\"], columns = [\"id\"] } }",
    );
    assert_eq!(found, ["the input `i` has no column `id`"]);
}

#[test]
fn an_op_that_no_step_is_made_from_is_probably_not_meant() {
    let definitions = definitions(&format!(
        "{HEAD}[ops.o]\ncommand = [\"x\"]\n[jobs.j.steps]\na = {{ command = [\"x\"], type = \"json\" }}"
    ));
    let warnings: Vec<&str> = definitions.warnings().iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(warnings, ["no step is made from the op `o`"]);
}

#[test]
fn an_input_that_is_named_twice_is_a_mistake_in_whatever_form() {
    let two = "a = { command = [\"x\"], outputs = { r = \"json\" } }\nb = { command = [\"x\"], outputs = { r = \"json\" } }\n";
    let found = of_steps(&format!("{two}c = {{ command = [\"x\"], type = \"json\", inputs = [\"a.r\", \"b.r\"] }}"));
    assert!(found.contains(&"two inputs are named `r`".to_owned()), "{found:?}");
    let found = of_steps(&format!("{two}c = {{ command = [\"x\"], type = \"json\", inputs.i = [\"a.r\", \"a.r\"] }}"));
    assert_eq!(found, ["`from` names `a.r` twice"]);
}
