//! What a manager is told about one call, and what it tells beside the value.

use std::path::PathBuf;

use serde::de::DeserializeOwned;

use crate::Error;
#[cfg(target_family = "wasm")]
use crate::bindings::airlock::io::context as host;
#[cfg(not(target_family = "wasm"))]
use crate::built::host;
use crate::metadata::{MetadataEntry, MetadataValue};

pub use crate::bindings::airlock::io::context::AssetEvent;
pub use crate::bindings::airlock::io::types::{Level, TimeWindow};

/// The directory under which files lie by convention, as a guest sees it.
pub const DATA: &str = "/data";

/// Partition keys that are asked for in one call to the host.
const PAGE: u32 = 1000;

/// The output that a manager stores.
#[derive(Debug)]
pub struct OutputContext<'call> {
    host: &'call host::OutputContext,
}

impl<'call> OutputContext<'call> {
    /// The context that `host` lends.
    #[doc(hidden)]
    pub fn new(host: &'call host::OutputContext) -> Self {
        Self { host }
    }

    /// The run that computed the value.
    pub fn run_id(&self) -> String {
        self.host.run_id()
    }

    /// The step within the run.
    pub fn step_key(&self) -> String {
        self.host.step_key()
    }

    /// 1 for the first attempt to store.
    pub fn attempt(&self) -> u32 {
        self.host.attempt()
    }

    /// `result` unless the definition names it.
    pub fn output_name(&self) -> String {
        self.host.output_name()
    }

    /// The parts of the asset key, outermost first; none where the output is no asset.
    pub fn asset_key(&self) -> Option<Vec<String>> {
        self.host.asset_key()
    }

    /// How many partitions are stored; 0 where the output is not partitioned.
    pub fn partition_count(&self) -> u32 {
        self.host.partition_count()
    }

    /// The keys of the partitions that are stored, in the order of their definition.
    pub fn partition_keys(&self) -> Vec<String> {
        all_pages(self.host.partition_count(), |offset| self.host.partition_keys(offset, PAGE))
    }

    /// The names and keys of the dimensions of a partition key.
    pub fn partition_dimensions(&self, key: &str) -> Vec<(String, String)> {
        self.host.partition_dimensions(key)
    }

    /// From the start of the first partition to the end of the last, where they are of time and adjoin.
    pub fn time_window(&self) -> Option<TimeWindow> {
        self.host.time_window()
    }

    /// The IANA name of the time zone of the partitions.
    pub fn time_zone(&self) -> Option<String> {
        self.host.time_zone()
    }

    /// The path of this output alone, of one of its partitions or of one mapping key, relative to a mount:
    /// `sales/orders.parquet`.
    ///
    /// # Errors
    /// Where the key is not one of this call's, or the extension is not 1 to 32 of the characters `a-z`, `0-9`, `_`,
    /// `-` and inner dots.
    pub fn path(&self, key: Option<&str>, extension: &str) -> Result<String, Error> {
        self.host.path(key, extension)
    }

    /// [`Self::path`] under [`DATA`]: `/data/sales/orders.parquet`. In a built context [`DATA`] is a directory of
    /// the test.
    ///
    /// # Errors
    /// Those of [`Self::path`].
    pub fn file(&self, key: Option<&str>, extension: &str) -> Result<PathBuf, Error> {
        Ok(self.directory(DATA).join(self.path(key, extension)?))
    }

    /// The directory that the guest path `guest_path` stands for: itself, and in a built context a directory of the
    /// test.
    pub fn directory(&self, guest_path: &str) -> PathBuf {
        directory(self.host, guest_path)
    }

    /// The manager's configuration.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where it is no `T`.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, Error> {
        parse_config(&self.host.config())
    }

    /// The configuration of this output.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where it is no `T`.
    pub fn output_config<T: DeserializeOwned>(&self) -> Result<T, Error> {
        parse_config(&self.host.output_config())
    }

    /// The metadata of the definition of the asset or output.
    pub fn definition_metadata(&self) -> Vec<MetadataEntry> {
        self.host.definition_metadata()
    }

    /// The metadata that the op added while it ran.
    pub fn runtime_metadata(&self) -> Vec<MetadataEntry> {
        self.host.runtime_metadata()
    }

    /// Records a fact about the stored output.
    ///
    /// # Errors
    /// Where `label` was added before, or a limit is reached.
    pub fn add_metadata(&self, label: impl Into<String>, value: impl Into<MetadataValue>) -> Result<(), Error> {
        self.host.add_metadata(&[MetadataEntry { label: label.into(), value: value.into() }])
    }

    /// Records the version of the stored content.
    ///
    /// # Errors
    /// Where the host refuses it.
    pub fn set_data_version(&self, version: &str) -> Result<(), Error> {
        self.host.set_data_version(version)
    }

    /// Records a materialization beside the one that the host records.
    ///
    /// # Errors
    /// Where the host refuses it.
    pub fn log_materialization(&self, event: &AssetEvent) -> Result<(), Error> {
        self.host.log_materialization(event)
    }

    /// Records an observation.
    ///
    /// # Errors
    /// Where the host refuses it.
    pub fn log_observation(&self, event: &AssetEvent) -> Result<(), Error> {
        self.host.log_observation(event)
    }

    /// Writes a line to the log of the step.
    pub fn log(&self, level: Level, message: impl AsRef<str>) {
        self.host.log(level, message.as_ref());
    }
}

/// The input that a manager loads.
#[derive(Debug)]
pub struct InputContext<'call> {
    host: &'call host::InputContext,
}

impl<'call> InputContext<'call> {
    /// The context that `host` lends.
    #[doc(hidden)]
    pub fn new(host: &'call host::InputContext) -> Self {
        Self { host }
    }

    /// The run; none where a value is loaded outside one.
    pub fn run_id(&self) -> Option<String> {
        self.host.run_id()
    }

    /// The step within the run; none where a value is loaded outside one.
    pub fn step_key(&self) -> Option<String> {
        self.host.step_key()
    }

    /// The op's name for the input; none where a value is loaded outside a run.
    pub fn input_name(&self) -> Option<String> {
        self.host.input_name()
    }

    /// The asset that is loaded.
    pub fn asset_key(&self) -> Option<Vec<String>> {
        self.host.asset_key()
    }

    /// How many partitions are loaded; 0 where the input is not partitioned.
    pub fn partition_count(&self) -> u32 {
        self.host.partition_count()
    }

    /// The keys of the partitions that are loaded, in the order of their definition.
    pub fn partition_keys(&self) -> Vec<String> {
        all_pages(self.host.partition_count(), |offset| self.host.partition_keys(offset, PAGE))
    }

    /// The names and keys of the dimensions of a partition key.
    pub fn partition_dimensions(&self, key: &str) -> Vec<(String, String)> {
        self.host.partition_dimensions(key)
    }

    /// From the start of the first partition to the end of the last, where they are of time and adjoin.
    pub fn time_window(&self) -> Option<TimeWindow> {
        self.host.time_window()
    }

    /// The IANA name of the time zone of the partitions.
    pub fn time_zone(&self) -> Option<String> {
        self.host.time_zone()
    }

    /// Whether absent partitions may be left out.
    pub fn allow_missing(&self) -> bool {
        self.host.allow_missing()
    }

    /// What is recorded of the stored output, or of one partition of it; none where nothing is.
    pub fn upstream(&self, key: Option<&str>) -> Option<StoredOutput> {
        self.host.upstream(key).map(|host| StoredOutput { host })
    }

    /// The path that [`OutputContext::path`] gave when the value was stored.
    ///
    /// # Errors
    /// As there.
    pub fn path(&self, key: Option<&str>, extension: &str) -> Result<String, Error> {
        self.host.path(key, extension)
    }

    /// [`Self::path`] under [`DATA`]. In a built context [`DATA`] is a directory of the test.
    ///
    /// # Errors
    /// Those of [`Self::path`].
    pub fn file(&self, key: Option<&str>, extension: &str) -> Result<PathBuf, Error> {
        Ok(self.directory(DATA).join(self.path(key, extension)?))
    }

    /// The directory that the guest path `guest_path` stands for: itself, and in a built context a directory of the
    /// test.
    pub fn directory(&self, guest_path: &str) -> PathBuf {
        directory(self.host, guest_path)
    }

    /// The media type that the op asks for; none where it takes any.
    pub fn requested_type(&self) -> Option<String> {
        self.host.requested_type()
    }

    /// The columns that the op asks for; empty where it takes all.
    pub fn columns(&self) -> Vec<String> {
        self.host.columns()
    }

    /// The manager's configuration.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where it is no `T`.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, Error> {
        parse_config(&self.host.config())
    }

    /// The configuration of this input.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where it is no `T`.
    pub fn input_config<T: DeserializeOwned>(&self) -> Result<T, Error> {
        parse_config(&self.host.input_config())
    }

    /// The metadata of the definition of the input.
    pub fn definition_metadata(&self) -> Vec<MetadataEntry> {
        self.host.definition_metadata()
    }

    /// Records a fact about the loaded input; it replaces what the label had before.
    ///
    /// # Errors
    /// Where a limit is reached.
    pub fn add_metadata(&self, label: impl Into<String>, value: impl Into<MetadataValue>) -> Result<(), Error> {
        self.host.add_metadata(&[MetadataEntry { label: label.into(), value: value.into() }])
    }

    /// Records an observation.
    ///
    /// # Errors
    /// Where the host refuses it.
    pub fn log_observation(&self, event: &AssetEvent) -> Result<(), Error> {
        self.host.log_observation(event)
    }

    /// Writes a line to the log of the step.
    pub fn log(&self, level: Level, message: impl AsRef<str>) {
        self.host.log(level, message.as_ref());
    }
}

/// An output as it was stored.
#[derive(Debug)]
pub struct StoredOutput {
    host: host::StoredOutput,
}

impl StoredOutput {
    /// The run that stored it.
    pub fn run_id(&self) -> Option<String> {
        self.host.run_id()
    }

    /// The step that stored it.
    pub fn step_key(&self) -> Option<String> {
        self.host.step_key()
    }

    /// The output's name.
    pub fn output_name(&self) -> String {
        self.host.output_name()
    }

    /// The mapping key, where it is one of several of a dynamic output.
    pub fn mapping_key(&self) -> Option<String> {
        self.host.mapping_key()
    }

    /// The configuration of the output.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where it is no `T`.
    pub fn output_config<T: DeserializeOwned>(&self) -> Result<T, Error> {
        parse_config(&self.host.output_config())
    }

    /// The metadata of its definition.
    pub fn definition_metadata(&self) -> Vec<MetadataEntry> {
        self.host.definition_metadata()
    }

    /// The metadata of the materialization: the op's and the manager's.
    pub fn stored_metadata(&self) -> Vec<MetadataEntry> {
        self.host.stored_metadata()
    }

    /// The version of its content.
    pub fn data_version(&self) -> Option<String> {
        self.host.data_version()
    }
}

pub(crate) fn all_pages(count: u32, page: impl Fn(u32) -> Vec<String>) -> Vec<String> {
    let mut keys = Vec::new();
    let mut offset = 0;
    while offset < count {
        let more = page(offset);
        if more.is_empty() {
            break;
        }
        offset = offset.saturating_add(u32::try_from(more.len()).unwrap_or(u32::MAX));
        keys.extend(more);
    }
    keys
}

pub(crate) fn parse_config<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    serde_json::from_str(json).map_err(|error| {
        let message = error.to_string();
        // A definition is written in another form than this line of JSON.
        let reason = message.rsplit_once(" at line ").map_or(message.as_str(), |(reason, _)| reason);
        Error::invalid_config(reason)
    })
}

#[cfg(target_family = "wasm")]
fn directory<T>(_host: &T, guest_path: &str) -> PathBuf {
    PathBuf::from(guest_path)
}

#[cfg(not(target_family = "wasm"))]
fn directory(host: &impl crate::built::HasRoot, guest_path: &str) -> PathBuf {
    host.root().directory(guest_path)
}
