//! Makes its file as long as the configuration says as `bytes` without writing them. Must end at the limit `disk`.

use std::fs::File;

use airlock_sdk::{Error, OutputContext, Source};
use serde::Deserialize;

pub struct Program;

#[derive(Deserialize)]
struct Config {
    bytes: u64,
}

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let config: Config = context.config()?;
        File::create(context.file(None, "bin")?)?.set_len(config.bytes)?;
        Ok(())
    }
}
