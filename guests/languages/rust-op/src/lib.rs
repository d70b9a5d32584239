//! An op that gives the lines of its inputs, each with its number.

use std::io::{BufRead, Write};

use airlock_sdk::{Error, Op, OpContext};

const OUTPUT: &str = "result";
const TEXT: &str = "text/plain";

/// Computes.
#[derive(Debug)]
pub struct Numbered;

impl Op for Numbered {
    fn run(context: &OpContext) -> Result<(), Error> {
        let mut output = context.output(OUTPUT)?;
        let mut numbered = output.begin(None, TEXT)?;
        let mut lines = 0_u64;
        for name in context.inputs() {
            let mut input = context.input(&name)?;
            // An input has several parts where it is of several partitions.
            while let Some(part) = input.next()? {
                let media_type = part.media_type();
                if media_type != TEXT {
                    let reason = format!("the input `{name}` is of the type {media_type}, and not {TEXT}");
                    return Err(Error::unsupported_type(reason));
                }
                // The part comes and goes in chunks: no more than a line is in memory.
                for line in part.split(b'\n') {
                    lines += 1;
                    write!(numbered, "{lines}\t")?;
                    numbered.write_all(&line?)?;
                    numbered.write_all(b"\n")?;
                }
            }
        }
        numbered.flush()?;
        context.add_output_metadata(OUTPUT, "lines", lines)
    }
}

airlock_sdk::export_op!(Numbered);
airlock_sdk::manifest!("../manifest.json");

#[cfg(test)]
mod tests {
    use airlock_sdk::{Part, build_op_context};

    use super::*;

    #[test]
    fn the_lines_of_all_inputs_are_numbered() {
        let op = build_op_context()
            .input(
                "days",
                [Part::new("text/plain", "a\n\nb").with_key("x"), Part::new("text/plain", "c\n").with_key("y")],
            )
            .input("none", [Part::new("text/plain", "")])
            .build();
        op.run::<Numbered>().unwrap();
        assert_eq!(op.output("result"), [Part::new("text/plain", "1\ta\n2\t\n3\tb\n4\tc\n")]);
        assert_eq!(op.metadata_value("result", "lines"), Some(4.into()));
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let op = build_op_context().input("days", [Part::new("application/json", "[]")]).build();
        let error = op.run::<Numbered>().unwrap_err();
        assert!(matches!(error, Error::UnsupportedType(reason) if reason.contains("`days`")));
    }
}
