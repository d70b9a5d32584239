//! Gives its first input as its output, and 1 KiB of its own where it has none.

use std::io::Write;

use airlock_sdk::{Error, Op, OpContext};

struct Copy;

impl Op for Copy {
    fn run(context: &OpContext) -> Result<(), Error> {
        let mut output = context.output("result")?;
        let mut part = output.begin(None, "application/octet-stream")?;
        match context.inputs().first() {
            Some(input) => context.input(input)?.single()?.copy_to(&mut part)?,
            None => part.write(&[7; 1024])? as u64,
        };
        Ok(())
    }
}

airlock_sdk::export_op!(Copy);
