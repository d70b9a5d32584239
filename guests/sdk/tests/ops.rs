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
fn an_output_that_the_step_does_not_have_is_an_error() {
    let op = build_op_context().config(json!({ "unit": "x" })).outputs(["rows"]).build();
    let error = op.run::<Count>().unwrap_err();
    assert!(matches!(error, Error::Other(other) if other.message.contains("\"result\"")));
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
