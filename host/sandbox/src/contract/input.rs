//! The context of an input, as a guest sees it.

use wasmtime::component::Resource;

use super::metadata::{Again, Recorded, to_guest};
use super::output::without_key;
use super::{Answer, wit_context, wit_types};
use crate::call::State;
use crate::context::{AssetEventKind, InputContext, StoredOutput};
use crate::report::Level;

/// The context of the call's input; there is one in a call.
pub struct InputHandle;

/// The output that the call's input was stored as; there is at most one in a call.
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
        Ok(0)
    }

    fn partition_keys(&mut self, _: This, _: u32, _: u32) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn partition_dimensions(&mut self, _: This, _: String) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn time_window(&mut self, _: This) -> wasmtime::Result<Option<wit_types::TimeWindow>> {
        Ok(None)
    }

    fn time_zone(&mut self, _: This) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }

    fn allow_missing(&mut self, _: This) -> wasmtime::Result<bool> {
        Ok(self.input()?.context.allow_missing)
    }

    fn upstream(&mut self, _: This, key: Option<String>) -> wasmtime::Result<Option<Resource<StoredOutputHandle>>> {
        let known = key.is_none() && self.input()?.context.upstream.is_some();
        Ok(known.then(|| Resource::new_own(0)))
    }

    fn path(&mut self, _: This, key: Option<String>, extension: String) -> Answer<String> {
        let location = &self.input()?.context.location;
        Ok(without_key(key).and_then(|()| Ok(location.path(&extension)?)))
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
    fn upstream(&mut self) -> wasmtime::Result<&StoredOutput> {
        self.input()?.context.upstream.as_ref().ok_or_else(|| wasmtime::format_err!("no stored output is known"))
    }
}

impl wit_context::HostStoredOutput for State {
    fn run_id(&mut self, _: Stored) -> wasmtime::Result<Option<String>> {
        Ok(self.upstream()?.run_id.clone())
    }

    fn step_key(&mut self, _: Stored) -> wasmtime::Result<Option<String>> {
        Ok(self.upstream()?.step_key.clone())
    }

    fn output_name(&mut self, _: Stored) -> wasmtime::Result<String> {
        Ok(self.upstream()?.output_name.clone())
    }

    fn mapping_key(&mut self, _: Stored) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }

    fn output_config(&mut self, _: Stored) -> wasmtime::Result<String> {
        Ok(self.upstream()?.output_config.to_string())
    }

    fn definition_metadata(&mut self, _: Stored) -> wasmtime::Result<Vec<wit_types::MetadataEntry>> {
        Ok(to_guest(&self.upstream()?.definition_metadata))
    }

    fn stored_metadata(&mut self, _: Stored) -> wasmtime::Result<Vec<wit_types::MetadataEntry>> {
        Ok(to_guest(&self.upstream()?.stored_metadata))
    }

    fn data_version(&mut self, _: Stored) -> wasmtime::Result<Option<String>> {
        Ok(self.upstream()?.data_version.clone())
    }

    fn drop(&mut self, _: Stored) -> wasmtime::Result<()> {
        Ok(())
    }
}
