//! Contexts in memory: what the host would answer, and a record of what the guest said.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::LogLine;
use super::layout::Location;
use super::root::{HasRoot, Root};
use super::value::Keys;
use crate::{AssetEvent, Error, Level, MetadataEntry, TimeWindow};

/// The dimension of the mapping keys of a dynamic output.
const MAPPING_KEY: &str = "mapping_key";

/// The partitions of a call.
#[derive(Clone, Debug, Default)]
pub struct Partitions {
    /// Each key with the names and keys of its dimensions.
    pub keys: Vec<(String, Vec<(String, String)>)>,
    pub time_window: Option<TimeWindow>,
    pub time_zone: Option<String>,
}

impl Partitions {
    /// The one that stands for an element of a dynamic output.
    pub fn of_mapping_key(key: &str) -> Self {
        let dimensions = vec![(MAPPING_KEY.to_owned(), key.to_owned())];
        Self { keys: vec![(key.to_owned(), dimensions)], ..Self::default() }
    }

    /// The mapping key, where they stand for an element of a dynamic output.
    pub fn mapping_key(&self) -> Option<String> {
        let [(key, dimensions)] = self.keys.as_slice() else { return None };
        matches!(dimensions.as_slice(), [(name, _)] if name == MAPPING_KEY).then(|| key.clone())
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.keys.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn page(&self, offset: u32, max: u32) -> Vec<String> {
        let (offset, max) = (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(max).unwrap_or(usize::MAX));
        self.keys.iter().skip(offset).take(max).map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn dimensions(&self, key: &str) -> Option<&[(String, String)]> {
        self.keys.iter().find(|(known, _)| known == key).map(|(_, dimensions)| dimensions.as_slice())
    }

    /// What the parts of a value of them may be called.
    pub(super) fn sink_keys(&self) -> Keys {
        Keys::Partitions(self.keys.iter().map(|(key, _)| key.clone()).collect())
    }

    fn path(&self, location: &Location, key: Option<&str>, extension: &str) -> Result<String, Error> {
        let dimensions = match key {
            None if self.keys.is_empty() => &[],
            None => return Err(Error::other("unknown-key", "name the partition, which is one of this call's")),
            Some(key) => self
                .dimensions(key)
                .ok_or_else(|| Error::other("unknown-key", format!("the key {key:?} is not one of this call's")))?,
        };
        location.path(dimensions, extension)
    }
}

/// What a guest said beside the value.
#[derive(Debug, Default)]
pub struct Record {
    pub metadata: Vec<MetadataEntry>,
    pub data_version: Option<String>,
    pub materializations: Vec<AssetEvent>,
    pub observations: Vec<AssetEvent>,
    pub log: Vec<LogLine>,
}

impl Record {
    /// Adds `entries`, all of them or, on an error, none.
    pub(super) fn add(&mut self, entries: &[MetadataEntry]) -> Result<(), Error> {
        for (index, entry) in entries.iter().enumerate() {
            if entries.iter().take(index).chain(&self.metadata).any(|known| known.label == entry.label) {
                return Err(Error::conflict(format!("the label {} was added before", entry.label)));
            }
        }
        self.metadata.extend_from_slice(entries);
        Ok(())
    }

    fn replace(&mut self, entries: &[MetadataEntry]) {
        for entry in entries {
            self.metadata.retain(|known| known.label != entry.label);
            self.metadata.push(entry.clone());
        }
    }
}

/// The output that a manager under test stores.
#[derive(Clone, Debug)]
pub struct OutputFields {
    pub run_id: String,
    pub step_key: String,
    pub attempt: u32,
    pub output_name: String,
    pub asset_key: Option<Vec<String>>,
    pub partitions: Partitions,
    pub config: String,
    pub output_config: String,
    pub definition_metadata: Vec<MetadataEntry>,
    pub runtime_metadata: Vec<MetadataEntry>,
    pub root: Root,
}

#[derive(Debug)]
pub struct OutputContext {
    pub fields: OutputFields,
    pub record: RefCell<Record>,
}

impl HasRoot for OutputContext {
    fn root(&self) -> &Root {
        &self.fields.root
    }
}

impl OutputContext {
    pub fn run_id(&self) -> String {
        self.fields.run_id.clone()
    }

    pub fn step_key(&self) -> String {
        self.fields.step_key.clone()
    }

    pub fn attempt(&self) -> u32 {
        self.fields.attempt
    }

    pub fn output_name(&self) -> String {
        self.fields.output_name.clone()
    }

    pub fn asset_key(&self) -> Option<Vec<String>> {
        self.fields.asset_key.clone()
    }

    pub fn partition_count(&self) -> u32 {
        self.fields.partitions.count()
    }

    pub fn partition_keys(&self, offset: u32, max: u32) -> Vec<String> {
        self.fields.partitions.page(offset, max)
    }

    pub fn partition_dimensions(&self, key: &str) -> Vec<(String, String)> {
        self.fields.partitions.dimensions(key).unwrap_or_default().to_vec()
    }

    pub fn time_window(&self) -> Option<TimeWindow> {
        self.fields.partitions.time_window
    }

    pub fn time_zone(&self) -> Option<String> {
        self.fields.partitions.time_zone.clone()
    }

    pub fn path(&self, key: Option<&str>, extension: &str) -> Result<String, Error> {
        let fields = &self.fields;
        let location = match &fields.asset_key {
            Some(key) => Location::asset(key),
            None => Location::output(&fields.run_id, &fields.step_key, &fields.output_name),
        };
        fields.partitions.path(&location, key, extension)
    }

    pub fn config(&self) -> String {
        self.fields.config.clone()
    }

    pub fn output_config(&self) -> String {
        self.fields.output_config.clone()
    }

    pub fn definition_metadata(&self) -> Vec<MetadataEntry> {
        self.fields.definition_metadata.clone()
    }

    pub fn runtime_metadata(&self) -> Vec<MetadataEntry> {
        self.fields.runtime_metadata.clone()
    }

    pub fn add_metadata(&self, entries: &[MetadataEntry]) -> Result<(), Error> {
        self.record.borrow_mut().add(entries)
    }

    pub fn set_data_version(&self, version: &str) -> Result<(), Error> {
        self.record.borrow_mut().data_version = Some(version.to_owned());
        Ok(())
    }

    pub fn log_materialization(&self, event: &AssetEvent) -> Result<(), Error> {
        self.record.borrow_mut().materializations.push(event.clone());
        Ok(())
    }

    pub fn log_observation(&self, event: &AssetEvent) -> Result<(), Error> {
        self.record.borrow_mut().observations.push(event.clone());
        Ok(())
    }

    pub fn log(&self, level: Level, message: &str) {
        self.record.borrow_mut().log.push(LogLine { level, message: message.to_owned() });
    }
}

/// An output as it was stored.
#[derive(Clone, Debug)]
pub struct StoredOutput {
    pub run_id: Option<String>,
    pub step_key: Option<String>,
    pub output_name: String,
    pub mapping_key: Option<String>,
    pub output_config: String,
    pub definition_metadata: Vec<MetadataEntry>,
    pub stored_metadata: Vec<MetadataEntry>,
    pub data_version: Option<String>,
}

impl StoredOutput {
    pub fn run_id(&self) -> Option<String> {
        self.run_id.clone()
    }

    pub fn step_key(&self) -> Option<String> {
        self.step_key.clone()
    }

    pub fn output_name(&self) -> String {
        self.output_name.clone()
    }

    pub fn mapping_key(&self) -> Option<String> {
        self.mapping_key.clone()
    }

    pub fn output_config(&self) -> String {
        self.output_config.clone()
    }

    pub fn definition_metadata(&self) -> Vec<MetadataEntry> {
        self.definition_metadata.clone()
    }

    pub fn stored_metadata(&self) -> Vec<MetadataEntry> {
        self.stored_metadata.clone()
    }

    pub fn data_version(&self) -> Option<String> {
        self.data_version.clone()
    }
}

/// The input that a manager under test loads.
#[derive(Clone, Debug)]
pub struct InputFields {
    pub run_id: Option<String>,
    pub step_key: Option<String>,
    pub input_name: Option<String>,
    pub asset_key: Option<Vec<String>>,
    pub location: Location,
    pub partitions: Partitions,
    pub allow_missing: bool,
    /// What is recorded, by the key of the partition.
    pub upstream: BTreeMap<Option<String>, StoredOutput>,
    pub requested_type: Option<String>,
    pub columns: Vec<String>,
    pub config: String,
    pub input_config: String,
    pub definition_metadata: Vec<MetadataEntry>,
    pub root: Root,
}

#[derive(Debug)]
pub struct InputContext {
    pub fields: InputFields,
    pub record: RefCell<Record>,
}

impl HasRoot for InputContext {
    fn root(&self) -> &Root {
        &self.fields.root
    }
}

impl InputContext {
    pub fn run_id(&self) -> Option<String> {
        self.fields.run_id.clone()
    }

    pub fn step_key(&self) -> Option<String> {
        self.fields.step_key.clone()
    }

    pub fn input_name(&self) -> Option<String> {
        self.fields.input_name.clone()
    }

    pub fn asset_key(&self) -> Option<Vec<String>> {
        self.fields.asset_key.clone()
    }

    pub fn partition_count(&self) -> u32 {
        self.fields.partitions.count()
    }

    pub fn partition_keys(&self, offset: u32, max: u32) -> Vec<String> {
        self.fields.partitions.page(offset, max)
    }

    pub fn partition_dimensions(&self, key: &str) -> Vec<(String, String)> {
        self.fields.partitions.dimensions(key).unwrap_or_default().to_vec()
    }

    pub fn time_window(&self) -> Option<TimeWindow> {
        self.fields.partitions.time_window
    }

    pub fn time_zone(&self) -> Option<String> {
        self.fields.partitions.time_zone.clone()
    }

    pub fn allow_missing(&self) -> bool {
        self.fields.allow_missing
    }

    pub fn upstream(&self, key: Option<&str>) -> Option<StoredOutput> {
        self.fields.upstream.get(&key.map(str::to_owned)).cloned()
    }

    pub fn path(&self, key: Option<&str>, extension: &str) -> Result<String, Error> {
        self.fields.partitions.path(&self.fields.location, key, extension)
    }

    pub fn requested_type(&self) -> Option<String> {
        self.fields.requested_type.clone()
    }

    pub fn columns(&self) -> Vec<String> {
        self.fields.columns.clone()
    }

    pub fn config(&self) -> String {
        self.fields.config.clone()
    }

    pub fn input_config(&self) -> String {
        self.fields.input_config.clone()
    }

    pub fn definition_metadata(&self) -> Vec<MetadataEntry> {
        self.fields.definition_metadata.clone()
    }

    pub fn add_metadata(&self, entries: &[MetadataEntry]) -> Result<(), Error> {
        self.record.borrow_mut().replace(entries);
        Ok(())
    }

    pub fn log_observation(&self, event: &AssetEvent) -> Result<(), Error> {
        self.record.borrow_mut().observations.push(event.clone());
        Ok(())
    }

    pub fn log(&self, level: Level, message: &str) {
        self.record.borrow_mut().log.push(LogLine { level, message: message.to_owned() });
    }
}
