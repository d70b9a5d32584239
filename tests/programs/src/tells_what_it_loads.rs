//! Keeps a partition under its key, and records from which file it was loaded. Of one of time it records, when it is stored
//! and when it is loaded, what it is told of it; of any which media type it is asked for.

use airlock_sdk::{Error, InputContext, MetadataValue, OutputContext, Sink, Source, TimeWindow};

pub struct Program;

/// `days=1 from 0 to 9 in UTC`
fn told(dimensions: &[(String, String)], window: Option<TimeWindow>, zone: Option<String>) -> Option<String> {
    let dimensions: Vec<String> = dimensions.iter().map(|(name, key)| format!("{name}={key}")).collect();
    let (TimeWindow { start_ms, end_ms }, zone) = (window?, zone?);
    Some(format!("{} from {start_ms} to {end_ms} in {zone}", dimensions.join(" ")))
}

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let mut part = value.single()?;
        let key = context.partition_keys().pop();
        part.save(context.file(key.as_deref(), "bin")?)?;
        let dimensions = context.partition_dimensions(&key.unwrap_or_default());
        match told(&dimensions, context.time_window(), context.time_zone()) {
            Some(told) => context.add_metadata("told", told),
            None => Ok(()),
        }
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let key = context.partition_keys().pop();
        let file = context.file(key.as_deref(), "bin")?;
        context.add_metadata("file", MetadataValue::path(file.to_string_lossy()))?;
        let dimensions = context.partition_dimensions(key.as_deref().unwrap_or_default());
        if let Some(told) = told(&dimensions, context.time_window(), context.time_zone()) {
            context.add_metadata("told", told)?;
        }
        if let Some(media_type) = context.requested_type() {
            context.add_metadata("requested", media_type)?;
        }
        value.begin(key.as_deref(), "text/plain")?.load(&file)?;
        Ok(())
    }
}
