//! Opens its own file again and again and keeps it open. Must end at the limit `descriptors`.

use std::fs::{self, File};

use airlock_sdk::{Error, OutputContext, Source};

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let own = context.file(None, "bin")?;
        fs::write(&own, "x")?;
        let mut open = Vec::new();
        for _ in 0..100_000 {
            open.push(File::open(&own)?);
        }
        Ok(())
    }
}
