//! Opens what others put beside its value under the extension that the configuration gives as `extension`: a device or
//! a socket. Must be denied.

use std::fs::{self, OpenOptions};

use airlock_sdk::{Error, OutputContext, Source};
use serde::Deserialize;

pub struct Program;

#[derive(Deserialize)]
struct Config {
    extension: String,
}

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let config: Config = context.config()?;
        let device = context.file(None, &config.extension)?;
        let mut refusals = crate::Refusals::default();
        refusals.expect("read", fs::read(&device));
        refusals.expect("write", OpenOptions::new().write(true).open(&device));
        refusals.finish()
    }
}
