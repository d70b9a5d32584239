//! The context of an output, as a guest sees it.

use wasmtime::component::Resource;

use super::metadata::{Again, Recorded, to_guest};
use super::partition::{count, page, path};
use super::{Answer, wit_context, wit_types};
use crate::call::State;
use crate::context::{AssetEventKind, OutputContext};
use crate::report::Level;
use crate::text::safe_line;

/// The context of the call's output; there is one in a call.
pub struct OutputHandle;

/// An output that is being stored.
pub(crate) struct OutputCall {
    pub context: OutputContext,
    pub recorded: Recorded,
    pub data_version: Option<String>,
}

type This = Resource<OutputHandle>;

impl wit_context::Host for State {}

impl wit_context::HostOutputContext for State {
    fn run_id(&mut self, _: This) -> wasmtime::Result<String> {
        Ok(self.output()?.context.run_id.clone())
    }

    fn step_key(&mut self, _: This) -> wasmtime::Result<String> {
        Ok(self.output()?.context.step_key.clone())
    }

    fn attempt(&mut self, _: This) -> wasmtime::Result<u32> {
        Ok(self.output()?.context.attempt)
    }

    fn output_name(&mut self, _: This) -> wasmtime::Result<String> {
        Ok(self.output()?.context.output_name.clone())
    }

    fn asset_key(&mut self, _: This) -> wasmtime::Result<Option<Vec<String>>> {
        Ok(self.output()?.context.asset_key.clone())
    }

    fn partition_count(&mut self, _: This) -> wasmtime::Result<u32> {
        Ok(count(&self.output()?.context.partitions))
    }

    fn partition_keys(&mut self, _: This, offset: u32, max: u32) -> wasmtime::Result<Vec<String>> {
        Ok(page(&self.output()?.context.partitions, offset, max))
    }

    fn partition_dimensions(&mut self, _: This, key: String) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.output()?.context.partitions.dimensions(&key).to_vec())
    }

    fn time_window(&mut self, _: This) -> wasmtime::Result<Option<wit_types::TimeWindow>> {
        Ok(self.output()?.context.partitions.time_window().map(Into::into))
    }

    fn time_zone(&mut self, _: This) -> wasmtime::Result<Option<String>> {
        Ok(self.output()?.context.partitions.time_zone().map(str::to_owned))
    }

    fn path(&mut self, _: This, key: Option<String>, extension: String) -> Answer<String> {
        let context = &self.output()?.context;
        Ok(path(&context.partitions, &context.location, key.as_deref(), &extension))
    }

    fn config(&mut self, _: This) -> wasmtime::Result<String> {
        Ok(self.output()?.context.config.to_string())
    }

    fn output_config(&mut self, _: This) -> wasmtime::Result<String> {
        Ok(self.output()?.context.output_config.to_string())
    }

    fn definition_metadata(&mut self, _: This) -> wasmtime::Result<Vec<wit_types::MetadataEntry>> {
        Ok(to_guest(&self.output()?.context.definition_metadata))
    }

    fn runtime_metadata(&mut self, _: This) -> wasmtime::Result<Vec<wit_types::MetadataEntry>> {
        Ok(to_guest(&self.output()?.context.runtime_metadata))
    }

    fn add_metadata(&mut self, _: This, entries: Vec<wit_types::MetadataEntry>) -> Answer<()> {
        self.output()?.recorded.add(entries, Again::Conflict)
    }

    fn set_data_version(&mut self, _: This, version: String) -> Answer<()> {
        let output = self.output()?;
        output.recorded.charge_bytes(version.len())?;
        output.data_version = Some(safe_line(&version, 1000));
        Ok(Ok(()))
    }

    fn log_materialization(&mut self, _: This, event: wit_context::AssetEvent) -> Answer<()> {
        self.output()?.recorded.log(AssetEventKind::Materialization, event)
    }

    fn log_observation(&mut self, _: This, event: wit_context::AssetEvent) -> Answer<()> {
        self.output()?.recorded.log(AssetEventKind::Observation, event)
    }

    fn log(&mut self, _: This, level: wit_types::Level, message: String) -> wasmtime::Result<()> {
        self.log.line(Level::from(level), &message);
        Ok(())
    }

    fn drop(&mut self, _: This) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl From<wit_types::Level> for Level {
    fn from(level: wit_types::Level) -> Self {
        match level {
            wit_types::Level::Debug => Level::Debug,
            wit_types::Level::Info => Level::Info,
            wit_types::Level::Warn => Level::Warn,
            wit_types::Level::Error => Level::Error,
        }
    }
}
