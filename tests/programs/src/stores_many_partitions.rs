//! Stores all parts that one call is given, each under its key, and records how many they were. Loads one.

use airlock_sdk::{Error, InputContext, OutputContext, Sink, Source};

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let mut count = 0_u64;
        while let Some(mut part) = value.next()? {
            // An only part may come without its key.
            let key = part.key().or_else(|| context.partition_keys().pop());
            part.save(context.file(key.as_deref(), "bin")?)?;
            count += 1;
        }
        context.add_metadata("parts", count)
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let key = context.partition_keys().pop();
        value.begin(None, "text/plain")?.load(context.file(key.as_deref(), "bin")?)?;
        Ok(())
    }
}
