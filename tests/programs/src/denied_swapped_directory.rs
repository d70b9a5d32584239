//! Reads and writes below a directory that others swap with a link out of the mount meanwhile, `bytes` times. What it reads
//! must never be what lies there, which would be the error `escaped`.

use std::fs;

use airlock_sdk::{Error, OutputContext, Source};
use serde::Deserialize;

pub struct Program;

#[derive(Deserialize)]
struct Config {
    bytes: usize,
}

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let directory = context.file(None, "d")?;
        for _ in 0..context.config::<Config>()?.bytes {
            for path in [directory.join("secret"), directory.join("own/../secret")] {
                if fs::read(&path).is_ok_and(|text| text != b"own") {
                    return Err(Error::other("escaped", format!("it read {}", path.display())));
                }
            }
            let _ = fs::metadata(directory.join("secret"));
            let _ = fs::read_dir(&directory).map(Iterator::count);
        }
        // What it writes is published while they swap on.
        let _ = fs::write(directory.join("forged"), "forged");
        Ok(())
    }
}
