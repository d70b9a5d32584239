//! The context of an input, as a guest sees it.

use wasmtime::component::Resource;

use super::metadata::{Again, Recorded, to_guest};
use super::partition::{count, page, path};
use super::{Answer, wit_context, wit_types};
use crate::call::State;
use crate::context::{AssetEventKind, InputContext, StoredOutput};
use crate::report::Level;

/// The context of the call's input; there is one in a call.
pub struct InputHandle;

/// The output that the call's input, or a partition of it, was stored as: its place among them.
pub struct StoredOutputHandle;

/// An input that is being loaded.
pub(crate) struct InputCall {
    pub context: InputContext,
    pub recorded: Recorded,
}

type This = Resource<InputHandle>;

impl wit_context::HostInputContext for State {
    fn run_id(&mut self, _: This) -> wasmtime::Result<Option<String>> {
        Ok(self.input()?.context.run_id.clone())
    }

    fn step_key(&mut self, _: This) -> wasmtime::Result<Option<String>> {
        Ok(self.input()?.context.step_key.clone())
    }

    fn input_name(&mut self, _: This) -> wasmtime::Result<Option<String>> {
        Ok(self.input()?.context.input_name.clone())
    }

    fn asset_key(&mut self, _: This) -> wasmtime::Result<Option<Vec<String>>> {
        Ok(self.input()?.context.asset_key.clone())
    }

    fn partition_count(&mut self, _: This) -> wasmtime::Result<u32> {
        Ok(count(&self.input()?.context.partitions))
    }

    fn partition_keys(&mut self, _: This, offset: u32, max: u32) -> wasmtime::Result<Vec<String>> {
        Ok(page(&self.input()?.context.partitions, offset, max))
    }

    fn partition_dimensions(&mut self, _: This, key: String) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.input()?.context.partitions.dimensions(&key).to_vec())
    }

    fn time_window(&mut self, _: This) -> wasmtime::Result<Option<wit_types::TimeWindow>> {
        Ok(self.input()?.context.partitions.time_window().map(Into::into))
    }

    fn time_zone(&mut self, _: This) -> wasmtime::Result<Option<String>> {
        Ok(self.input()?.context.partitions.time_zone().map(str::to_owned))
    }

    fn allow_missing(&mut self, _: This) -> wasmtime::Result<bool> {
        Ok(self.input()?.context.allow_missing)
    }

    fn upstream(&mut self, _: This, key: Option<String>) -> wasmtime::Result<Option<Resource<StoredOutputHandle>>> {
        let context = &self.input()?.context;
        let place = match key {
            Some(key) => context.partitions.place(&key),
            // There is no doubt which partition is meant where there is one.
            None => (context.partitions.len() <= 1).then_some(0),
        };
        let known = place.filter(|place| *place < context.upstream.len());
        known.map(|place| Ok(Resource::new_own(u32::try_from(place)?))).transpose()
    }

    fn path(&mut self, _: This, key: Option<String>, extension: String) -> Answer<String> {
        let context = &self.input()?.context;
        Ok(path(&context.partitions, &context.location, key.as_deref(), &extension))
    }

    fn requested_type(&mut self, _: This) -> wasmtime::Result<Option<String>> {
        Ok(self.input()?.context.requested_type.clone())
    }

    fn columns(&mut self, _: This) -> wasmtime::Result<Vec<String>> {
        Ok(self.input()?.context.columns.clone())
    }

    fn config(&mut self, _: This) -> wasmtime::Result<String> {
        Ok(self.input()?.context.config.to_string())
    }

    fn input_config(&mut self, _: This) -> wasmtime::Result<String> {
        Ok(self.input()?.context.input_config.to_string())
    }

    fn definition_metadata(&mut self, _: This) -> wasmtime::Result<Vec<wit_types::MetadataEntry>> {
        Ok(to_guest(&self.input()?.context.definition_metadata))
    }

    fn add_metadata(&mut self, _: This, entries: Vec<wit_types::MetadataEntry>) -> Answer<()> {
        self.input()?.recorded.add(entries, Again::Replace)
    }

    fn log_observation(&mut self, _: This, event: wit_context::AssetEvent) -> Answer<()> {
        self.input()?.recorded.log(AssetEventKind::Observation, event)
    }

    fn log(&mut self, _: This, level: wit_types::Level, message: String) -> wasmtime::Result<()> {
        self.log.line(Level::from(level), &message);
        Ok(())
    }

    fn drop(&mut self, _: This) -> wasmtime::Result<()> {
        Ok(())
    }
}

type Stored = Resource<StoredOutputHandle>;

impl State {
    fn upstream(&mut self, stored: &Stored) -> wasmtime::Result<&StoredOutput> {
        let place = usize::try_from(stored.rep())?;
        let known = self.input()?.context.upstream.get(place);
        known.ok_or_else(|| wasmtime::format_err!("no stored output is known"))
    }
}

impl wit_context::HostStoredOutput for State {
    fn run_id(&mut self, stored: Stored) -> wasmtime::Result<Option<String>> {
        Ok(self.upstream(&stored)?.run_id.clone())
    }

    fn step_key(&mut self, stored: Stored) -> wasmtime::Result<Option<String>> {
        Ok(self.upstream(&stored)?.step_key.clone())
    }

    fn output_name(&mut self, stored: Stored) -> wasmtime::Result<String> {
        Ok(self.upstream(&stored)?.output_name.clone())
    }

    fn mapping_key(&mut self, stored: Stored) -> wasmtime::Result<Option<String>> {
        Ok(self.upstream(&stored)?.mapping_key.clone())
    }

    fn output_config(&mut self, stored: Stored) -> wasmtime::Result<String> {
        Ok(self.upstream(&stored)?.output_config.to_string())
    }

    fn definition_metadata(&mut self, stored: Stored) -> wasmtime::Result<Vec<wit_types::MetadataEntry>> {
        Ok(to_guest(&self.upstream(&stored)?.definition_metadata))
    }

    fn stored_metadata(&mut self, stored: Stored) -> wasmtime::Result<Vec<wit_types::MetadataEntry>> {
        Ok(to_guest(&self.upstream(&stored)?.stored_metadata))
    }

    fn data_version(&mut self, stored: Stored) -> wasmtime::Result<Option<String>> {
        Ok(self.upstream(&stored)?.data_version.clone())
    }

    fn drop(&mut self, _: Stored) -> wasmtime::Result<()> {
        Ok(())
    }
}
