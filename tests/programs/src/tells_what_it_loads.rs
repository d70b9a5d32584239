//! Keeps a partition under its key, and records from which file it was loaded.

use airlock_sdk::{Error, InputContext, MetadataValue, OutputContext, Sink, Source};

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let mut part = value.single()?;
        let key = context.partition_keys().pop();
        part.save(context.file(key.as_deref(), "bin")?)?;
        Ok(())
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let key = context.partition_keys().pop();
        let file = context.file(key.as_deref(), "bin")?;
        context.add_metadata("file", MetadataValue::path(file.to_string_lossy()))?;
        value.begin(key.as_deref(), "text/plain")?.load(&file)?;
        Ok(())
    }
}
