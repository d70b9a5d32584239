//! What a guest is told about one call, and what it tells beside the value, as plain data.

use serde::{Deserialize, Serialize};

use crate::layout::Location;
use crate::partition::Partitions;
use crate::value::Input;

/// The parts of an asset key, outermost first.
pub type AssetKey = Vec<String>;

/// The output that `handle-output` stores.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutputContext {
    /// The run that computed the value.
    pub run_id: String,
    /// The step within the run.
    pub step_key: String,
    /// 1 for the first attempt to store.
    pub attempt: u32,
    /// `result` unless the definition names it.
    pub output_name: String,
    /// Absent where the output is no asset.
    pub asset_key: Option<AssetKey>,
    /// Where the output lies below a mount; its partitions lie below that.
    pub location: Location,
    /// The partitions that are stored; none where the output is not partitioned.
    pub partitions: Partitions,
    /// The manager's configuration, a JSON object.
    pub config: serde_json::Value,
    /// The configuration of this output.
    pub output_config: serde_json::Value,
    /// From the definition of the asset or output.
    pub definition_metadata: Vec<MetadataEntry>,
    /// Added by the op while it ran.
    pub runtime_metadata: Vec<MetadataEntry>,
}

/// The input that `load-input` loads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InputContext {
    /// Absent where a value is loaded outside a run.
    pub run_id: Option<String>,
    /// Absent where a value is loaded outside a run.
    pub step_key: Option<String>,
    /// The op's name for it.
    pub input_name: Option<String>,
    /// The asset that is loaded.
    pub asset_key: Option<AssetKey>,
    /// Where the output lies below a mount; its partitions lie below that.
    pub location: Location,
    /// The partitions that are loaded; none where the output is not partitioned.
    pub partitions: Partitions,
    /// What is recorded of the stored output: of each partition, in order, or of a value that is not partitioned. Empty
    /// where nothing is known.
    pub upstream: Vec<StoredOutput>,
    /// The media type that the op asks for; absent where it takes any.
    pub requested_type: Option<String>,
    /// The columns that the op asks for; empty where it takes all.
    pub columns: Vec<String>,
    /// Whether absent partitions may be left out.
    pub allow_missing: bool,
    /// The manager's configuration, a JSON object.
    pub config: serde_json::Value,
    /// The configuration of this input.
    pub input_config: serde_json::Value,
    /// From the definition of the input.
    pub definition_metadata: Vec<MetadataEntry>,
}

/// An output as it was stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoredOutput {
    /// The run that stored it.
    pub run_id: Option<String>,
    /// The step that stored it.
    pub step_key: Option<String>,
    /// The output's name.
    pub output_name: String,
    /// Of an element of a dynamic output.
    #[serde(default)]
    pub mapping_key: Option<String>,
    /// The configuration of the output.
    pub output_config: serde_json::Value,
    /// From the definition of the asset or output.
    pub definition_metadata: Vec<MetadataEntry>,
    /// Of the materialization: the op's and the manager's.
    pub stored_metadata: Vec<MetadataEntry>,
    /// The version of its content.
    pub data_version: Option<String>,
}

/// The step that an op component computes.
#[derive(Clone, Debug)]
pub struct OpContext {
    /// The run.
    pub run_id: String,
    /// The step within the run.
    pub step_key: String,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The op's configuration, a JSON value.
    pub config: serde_json::Value,
    /// The partitions that are computed; none where the step is not partitioned.
    pub partitions: Partitions,
    /// The inputs by name.
    pub inputs: Vec<(String, Input)>,
    /// The outputs.
    pub outputs: Vec<OpOutput>,
}

/// An output that an op may give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpOutput {
    /// Its name.
    pub name: String,
    /// Whether it is any number of values, each a part under a mapping key: letters, digits and `_`.
    pub is_dynamic: bool,
}

/// A fact about an output or an input, of a known kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetadataEntry {
    /// What it is a fact about; unique within an output.
    pub label: String,
    /// The fact.
    pub value: MetadataValue,
}

/// The kinds of metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "kebab-case")]
pub enum MetadataValue {
    /// Nothing.
    Null,
    /// True or false.
    Boolean(bool),
    /// An integer.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(String),
    /// A JSON document.
    Json(serde_json::Value),
    /// A further kind and its text: `url`, `path`, `markdown`, `timestamp` (RFC 3339), …
    Tagged(String, String),
}

/// A materialization or an observation that a manager adds to those that the host records itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssetEvent {
    /// Which of the two.
    pub kind: AssetEventKind,
    /// The asset.
    pub asset_key: AssetKey,
    /// The partition, where one is meant.
    pub partition: Option<String>,
    /// In words.
    pub description: Option<String>,
    /// The facts.
    pub metadata: Vec<MetadataEntry>,
}

/// The kinds of [`AssetEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssetEventKind {
    /// The asset was stored.
    Materialization,
    /// Something was learned about it.
    Observation,
}
