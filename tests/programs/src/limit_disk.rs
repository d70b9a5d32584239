//! Writes to its file without end, through the file functions of Rust; or saves its value to ever more files where the
//! configuration says `"save": true`. Must end at the limit `disk`.

use std::fs::File;
use std::io::Write;

use airlock_sdk::{Error, OutputContext, Source};
use serde::Deserialize;

pub struct Program;

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    save: bool,
}

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let directory = context.file(None, "d")?;
        if context.config::<Config>()?.save {
            let mut part = value.single()?;
            for number in 0_u64.. {
                part.save(directory.join(format!("{number}.bin")))?;
            }
        }
        let mut file = File::create(context.file(None, "bin")?)?;
        let chunk = vec![1; 1 << 20];
        loop {
            file.write_all(&chunk)?;
        }
    }
}
