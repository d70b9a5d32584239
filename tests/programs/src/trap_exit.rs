//! Stores its value and ends itself with the status that the configuration gives as `status`, be it 0. Must be a trap, and
//! of what it wrote nothing may be there.

use airlock_sdk::{Error, OutputContext, Source};
use serde::Deserialize;

pub struct Program;

#[derive(Deserialize)]
struct Config {
    status: i32,
}

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let config: Config = context.config()?;
        value.single()?.save(context.file(None, "bin")?)?;
        std::process::exit(config.status);
    }
}
