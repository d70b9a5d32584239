//! Makes files, or directories where the configuration says `"directories": true`, without end. Must end at the limit
//! `files`.

use std::fs::{self, File};

use airlock_sdk::{Error, OutputContext, Source};
use serde::Deserialize;

pub struct Program;

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    directories: bool,
}

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let directory = context.file(None, "d")?;
        let config: Config = context.config()?;
        fs::create_dir_all(&directory)?;
        for number in 0_u64.. {
            let path = directory.join(number.to_string());
            if config.directories {
                fs::create_dir(path)?;
            } else {
                File::create(path)?;
            }
        }
        Ok(())
    }
}
