//! An op under test.

use std::io::{BufRead, Write};

use airlock_sdk::{Error, Op, OpContext, Part, build_op_context};
use serde::Deserialize;
use serde_json::json;

/// Counts the lines of its inputs.
struct Count;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    unit: String,
}

impl Op for Count {
    fn run(context: &OpContext) -> Result<(), Error> {
        let config: Config = context.config()?;
        let mut lines = 0;
        for name in context.inputs() {
            let mut input = context.input(&name)?;
            while let Some(part) = input.next()? {
                lines += part.lines().count() as u64;
            }
        }
        let mut output = context.output("result")?;
        write!(output.begin(None, "text/plain")?, "{lines} {}", config.unit)?;
        context.add_output_metadata("result", "lines", lines)
    }
}

#[test]
fn an_op_computes_its_output_from_its_inputs() {
    let op = build_op_context()
        .config(json!({ "unit": "lines" }))
        .input("a", [Part::new("text/plain", "1\n2")])
        .input("b", [Part::new("text/plain", "3").with_key("x"), Part::new("text/plain", "4").with_key("y")])
        .build();
    op.run::<Count>().unwrap();
    assert_eq!(op.output("result"), [Part::new("text/plain", "4 lines")]);
    assert_eq!(op.metadata_value("result", "lines"), Some(4.into()));
}

#[test]
fn an_output_that_is_not_begun_is_skipped() {
    struct Nothing;
    impl Op for Nothing {
        fn run(context: &OpContext) -> Result<(), Error> {
            context.output("result").map(drop)
        }
    }
    let op = build_op_context().build();
    op.run::<Nothing>().unwrap();
    assert_eq!(op.output("result"), []);
}

#[test]
fn a_fact_of_one_part_is_of_that_alone_and_of_a_part_that_there_can_be() {
    struct Elements;
    impl Op for Elements {
        fn run(context: &OpContext) -> Result<(), Error> {
            context.output("files")?.begin(Some("a"), "text/plain").map(drop)?;
            context.add_part_metadata("files", "a", "lines", 1_u64)?;
            let again = context.add_part_metadata("files", "a", "lines", 2_u64).unwrap_err();
            assert!(matches!(again, Error::Conflict(_)), "{again}");
            context.add_part_metadata("files", "no key", "lines", 1_u64)
        }
    }
    let op = build_op_context().dynamic_outputs(["files"]).build();
    let refused = op.run::<Elements>().unwrap_err();
    assert!(refused.to_string().contains("is no mapping key"), "{refused}");
    assert_eq!(op.part_metadata_value("files", "a", "lines"), Some(1.into()));
    assert_eq!(op.metadata_value("files", "lines"), None);
}

#[test]
fn an_output_that_the_step_does_not_have_is_an_error() {
    let op = build_op_context().config(json!({ "unit": "x" })).outputs(["rows"]).build();
    let error = op.run::<Count>().unwrap_err();
    assert!(
        matches!(error, Error::Other(other) if other.code == "unknown-output" && other.message.contains("\"result\""))
    );
}

/// Splits a text into its lines, each an element of a dynamic output, and counts them.
struct Split;

impl Op for Split {
    fn run(context: &OpContext) -> Result<(), Error> {
        let mut text = context.input("text")?;
        let (mut lines, mut count) = (context.output("lines")?, 0);
        for line in text.single()?.lines() {
            let line = line?;
            lines.begin(Some(&line), "text/plain")?.write_all(line.as_bytes())?;
            count += 1;
        }
        write!(context.output("count")?.begin(None, "application/json")?, "{count}")?;
        Ok(())
    }
}

#[test]
fn a_dynamic_output_has_a_part_for_each_mapping_key() {
    let op = build_op_context().dynamic_outputs(["lines"]).outputs(["count"]);
    let of_text = |text: &str| op.clone().input("text", [Part::new("text/plain", text)]).build();
    let split = of_text("fox\nhare");
    split.run::<Split>().unwrap();
    let element = |key: &str| Part::new("text/plain", key).with_key(key);
    assert_eq!(split.output("lines"), [element("fox"), element("hare")]);
    assert_eq!(split.output("count"), [Part::new("application/json", "2")]);

    let error = of_text("a fox").run::<Split>().unwrap_err();
    assert!(matches!(error, Error::Other(other) if other.code == "bad-mapping-key"));
}

#[test]
fn a_part_of_a_dynamic_output_needs_a_mapping_key_and_one_of_partitions_one_of_theirs() {
    let keyless = build_op_context().dynamic_outputs(["result"]).config(json!({ "unit": "x" })).build();
    let error = keyless.run::<Count>().unwrap_err();
    assert!(matches!(error, Error::Other(other) if other.code == "bad-mapping-key"));
    let many = build_op_context().partition("a", [("l", "a")]).partition("b", [("l", "b")]);
    let error = many.config(json!({ "unit": "x" })).build().run::<Count>().unwrap_err();
    assert!(matches!(error, Error::Other(other) if other.code == "unknown-key"));
}

#[test]
fn the_last_bytes_of_a_writer_are_not_lost_without_an_error() {
    struct Broken;
    impl Op for Broken {
        fn run(context: &OpContext) -> Result<(), Error> {
            let mut output = context.output("result")?;
            // The load takes the part back, so the byte after it has none.
            let mut part = output.begin(None, "text/plain")?;
            assert!(part.load("/no/such/file").is_err());
            part.write_all(b"x")?;
            Ok(())
        }
    }
    let error = build_op_context().build().run::<Broken>().unwrap_err();
    assert!(matches!(error, Error::Other(other) if other.code == "bad-request"));
}
