//! Makes directories within directories without end. Must end at the limit `path-depth`.

use std::fs;

use airlock_sdk::{Error, OutputContext, Source};

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let mut directory = context.file(None, "d")?;
        for _ in 0..1000 {
            fs::create_dir_all(&directory)?;
            directory.push("d");
        }
        Ok(())
    }
}
