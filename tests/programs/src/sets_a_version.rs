//! Sets the version of what it stores, and loads the version that is recorded instead of the value.

use std::io::Write;

use airlock_sdk::{Error, InputContext, OutputContext, Sink, Source};

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        value.single()?.save(context.file(None, "bin")?)?;
        context.set_data_version("version 7")
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let version = context.upstream(None).and_then(|stored| stored.data_version()).unwrap_or_default();
        Ok(value.begin(None, "text/plain")?.write_all(version.as_bytes())?)
    }
}
