//! Records the configuration of an output, and loads those of the input and of the output that it comes from.

use std::io::Write;

use airlock_sdk::{Error, InputContext, OutputContext, Sink, Source};
use serde_json::Value;

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        value.single()?.save(context.file(None, "bin")?)?;
        context.add_metadata("config", context.output_config::<Value>()?.to_string())
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let stored = context.upstream(None).ok_or_else(Error::not_found)?;
        let (input, output): (Value, Value) = (context.input_config()?, stored.output_config()?);
        Ok(value.begin(None, "text/plain")?.write_all(format!("{input} {output}").as_bytes())?)
    }
}
