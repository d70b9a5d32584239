//! An op that gives the longest line of its inputs, and of those that are as long the first.

use std::io::{BufRead, Write};

use airlock_sdk::{Error, Op, OpContext};

/// Computes.
#[derive(Debug)]
pub struct Longest;

impl Op for Longest {
    fn run(context: &OpContext) -> Result<(), Error> {
        let mut longest = String::new();
        for name in context.inputs() {
            let mut input = context.input(&name)?;
            // An input has several parts where it is of several partitions.
            while let Some(part) = input.next()? {
                for line in part.lines() {
                    let line = line?;
                    if line.chars().count() > longest.chars().count() {
                        longest = line;
                    }
                }
            }
        }
        let mut output = context.output("result")?;
        writeln!(output.begin(None, "text/plain")?, "{longest}")?;
        context.add_output_metadata("result", "characters", longest.chars().count() as u64)
    }
}

airlock_sdk::export_op!(Longest);
airlock_sdk::manifest!("../manifest.json");

#[cfg(test)]
mod tests {
    use airlock_sdk::{Part, build_op_context};

    use super::*;

    #[test]
    fn the_longest_line_of_all_inputs_is_given() {
        let op = build_op_context()
            .input(
                "days",
                [Part::new("text/plain", "a\nlong\n").with_key("x"), Part::new("text/plain", "line").with_key("y")],
            )
            .input("none", [Part::new("text/plain", "")])
            .build();
        op.run::<Longest>().unwrap();
        assert_eq!(op.output("result"), [Part::new("text/plain", "long\n")]);
        assert_eq!(op.metadata_value("result", "characters"), Some(4.into()));
    }
}
