//! Loads what is recorded of the stored value instead of the value: its step, its output, and the labels of its metadata.

use std::io::Write;

use airlock_sdk::{Error, InputContext, Sink};

pub struct Program;

impl crate::Program for Program {
    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let stored = context.upstream(None).ok_or_else(Error::not_found)?;
        let labels: Vec<String> = stored.stored_metadata().into_iter().map(|entry| entry.label).collect();
        let step = stored.step_key().unwrap_or_default();
        let text = format!("{step} {} {}", stored.output_name(), labels.join(","));
        Ok(value.begin(None, "text/plain")?.write_all(text.as_bytes())?)
    }
}
