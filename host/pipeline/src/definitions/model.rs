//! What the definitions define, as it was read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use airlock_sandbox::context::{AssetKey, MetadataEntry};
use airlock_sandbox::grant::{Access, GuestPath, Scope};
use airlock_sandbox::limits::Limits;
use serde::Serialize;

use super::{
    ColumnDefinition, Configuration, Environment, Form, Job, Position, RESULT, RetryPolicy, Setting, UnresolvedSetting,
    quantity,
};
use crate::partition::PartitionMapping;

/// An asset: a value that is stored, and the op that computes it.
#[derive(Clone, Debug, Serialize)]
pub struct Asset {
    /// The parts of its key joined by `/`.
    pub name: String,
    /// The parts of its key.
    pub key: AssetKey,
    /// Where it is defined.
    pub position: Position,
    /// In words.
    pub description: Option<String>,
    /// What it is listed and selected with.
    pub group: Option<String>,
    /// Who answers for it: e-mail addresses, and `team:` with a name.
    pub owners: Vec<String>,
    /// What it is selected with; a value may be empty.
    pub tags: BTreeMap<String, String>,
    /// What it is made with or of, such as `python`; at most 3.
    pub kinds: Vec<String>,
    /// The multi-asset whose op computes it together with others; absent where its op computes it alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_asset: Option<String>,
    /// The name of its partitions; absent where it has none.
    pub partitions: Option<String>,
    /// How many partitions that follow one another a step computes at most; absent where one, as one value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitions_per_step: Option<usize>,
    /// The steps that come before it, where it is made from a graph, each called `NAME.STEP`; their outputs lie under the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph: Option<Box<Job>>,
    /// What computes it.
    pub op: Op,
    /// The assets that are loaded for the op.
    pub inputs: Vec<Input>,
    /// The assets that must be there first and are not loaded.
    pub deps: Vec<String>,
    /// Its value, and who stores it.
    #[serde(flatten)]
    pub output: Output,
}

impl Asset {
    /// What its op is given, and the steps of its graph before it.
    pub fn all_inputs(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter().chain(self.graph.iter().flat_map(|graph| &graph.steps).flat_map(|step| &step.inputs))
    }
}

/// What an op gives, and who stores it.
#[derive(Clone, Debug, Serialize)]
pub struct Output {
    /// The op's name for it; `result` where it has no other.
    #[serde(rename = "output")]
    pub name: String,
    /// What kind of value it is.
    pub value_type: ValueType,
    /// Of the value, more exact than its type where the definition says so; absent where there is none.
    pub media_type: Option<String>,
    /// The form in which a command gives it; absent where it is no table or a component gives it.
    #[serde(rename = "as")]
    pub form: Option<Form>,
    /// The columns of a table, in order; absent where nothing is said of them.
    pub schema: Option<Vec<ColumnDefinition>>,
    /// The name of the I/O manager that stores and loads it; absent where there is no value.
    pub io: Option<String>,
    /// The configuration of the output, for its I/O manager.
    pub config: Option<Configuration>,
    /// Facts about it.
    pub metadata: Vec<MetadataEntry>,
    /// Whether the op may give none, and what loads it is then passed over.
    #[serde(skip_serializing_if = "is_false")]
    pub is_optional: bool,
    /// Whether the op gives any number of values, each under a mapping key.
    #[serde(skip_serializing_if = "is_false")]
    pub is_dynamic: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// The kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueType {
    /// A table, an Arrow IPC stream, `application/vnd.apache.arrow.stream`.
    Table,
    /// A JSON document, `application/json`.
    Json,
    /// Text, `text/plain`.
    Text,
    /// Any bytes, `application/octet-stream`.
    Bytes,
    /// No value: the op does all of it, and nothing is stored or loaded.
    None,
}

/// What computes an asset.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// A program of the author's own, who trusts it, and its arguments.
    Command(Vec<Setting>),
    /// A component, confined to what it is lent.
    Component(Box<ComponentUse>),
    /// Something else than Airlock makes it, and puts it where the I/O manager finds it.
    External,
}

/// An input of an op.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The op's name for it.
    pub name: String,
    /// Where its value comes from.
    #[serde(flatten)]
    pub source: InputSource,
    /// Where it is defined.
    pub position: Position,
    /// Which partitions of an asset are loaded for one of the asset that loads: as it is given, otherwise as it follows
    /// from how both are partitioned.
    pub partition_mapping: PartitionMapping,
    /// Whether it is loaded although some of the partitions are not there.
    pub allow_missing: bool,
    /// The form in which a command finds it; absent where it is no table or goes to a component.
    #[serde(rename = "as")]
    pub form: Option<Form>,
    /// The columns of a table that are loaded; absent where all are.
    pub columns: Option<Vec<String>>,
    /// The media type that it must have; absent where any is taken.
    pub media_type: Option<String>,
    /// The I/O manager that loads it, where that is another one than stores the value.
    pub io: Option<String>,
    /// The configuration of the input, for the I/O manager that loads it.
    pub config: Option<Configuration>,
    /// Facts about it.
    pub metadata: Vec<MetadataEntry>,
}

impl Input {
    /// The asset that is loaded, where it is one.
    pub fn asset(&self) -> Option<&str> {
        match &self.source {
            InputSource::Asset(asset) => Some(asset),
            _ => None,
        }
    }
}

/// Where the value of an input comes from.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputSource {
    /// An asset.
    Asset(String),
    /// The output of another step of the job; of one that is done for each element of a dynamic output, all of them.
    From(OutputReference),
    /// The outputs of several other steps, in order, without those of steps that gave none.
    FromSeveral(Vec<OutputReference>),
    /// Each element of a dynamic output: the step is done once for each.
    Each(OutputReference),
    /// A constant, a JSON document.
    Value(Setting),
    /// What the I/O manager of the input finds by itself.
    Unconnected {
        /// What kind of value that is.
        value_type: ValueType,
    },
}

impl InputSource {
    /// The outputs of other steps that it takes.
    pub fn outputs(&self) -> &[OutputReference] {
        match self {
            Self::From(output) | Self::Each(output) => std::slice::from_ref(output),
            Self::FromSeveral(outputs) => outputs,
            Self::Asset(_) | Self::Value(_) | Self::Unconnected { .. } => &[],
        }
    }
}

/// An output of a step of a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct OutputReference {
    /// The step.
    pub step: String,
    /// Its output.
    pub output: String,
}

impl std::fmt::Display for OutputReference {
    /// As the definitions write it: `clean`, `split.kept`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.output == RESULT { f.write_str(&self.step) } else { write!(f, "{}.{}", self.step, self.output) }
    }
}

/// A component that stores and loads, with its configuration and what it is lent.
#[derive(Clone, Debug, Serialize)]
pub struct IoManager {
    /// Its name.
    pub name: String,
    /// Where it is defined.
    pub position: Position,
    /// The component, and what it is lent.
    #[serde(flatten)]
    pub component: ComponentUse,
    /// How often a call that failed is tried again; not at all where it is absent.
    pub retry: Option<RetryPolicy>,
    /// The I/O manager that loads what this one did not store; absent where none does.
    pub parent: Option<String>,
}

/// A component, its configuration and what it is lent.
#[derive(Clone, Debug, Serialize)]
pub struct ComponentUse {
    /// Where it comes from.
    pub component: ComponentSource,
    /// Who must have signed it; absent where nobody must.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignatureUse>,
    /// Its configuration, a table; an empty one where none is given.
    pub config: Configuration,
    /// The directories that it is lent.
    pub mounts: Vec<Mount>,
    /// The environment that it is lent.
    pub environment: Vec<(String, Setting)>,
    /// What a call of it may use.
    pub limits: LimitSettings,
}

/// Where a component comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentSource {
    /// It comes with the program: `builtin:files`.
    Builtin(String),
    /// A file, absolute.
    File(PathBuf),
}

/// The detached signature that a component must have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct SignatureUse {
    /// The file of the signature, absolute.
    pub file: PathBuf,
    /// The public key, as `minisign` writes it.
    pub public_key: String,
}

/// A directory that a component is lent.
#[derive(Clone, Debug, Serialize)]
pub struct Mount {
    /// Where the guest sees it.
    #[serde(serialize_with = "serialize_guest_path")]
    pub guest_path: GuestPath,
    /// Where it is defined.
    pub position: Position,
    /// What it sees there.
    pub source: MountPath,
    /// Whether it may change what it sees.
    pub access: Access,
    /// How much of it one call may touch.
    pub scope: Scope,
}

/// What lies under a mount.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountPath {
    /// A directory, relative to the definitions file.
    Directory(Setting),
    /// A directory in memory, which lives as long as the process and is shared by all that use this I/O manager.
    Memory,
}

/// The limits that a definition sets, as they are written; the others are the sandbox's.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LimitSettings {
    /// Bytes of memory: `"256MiB"`.
    pub memory: Option<Setting>,
    /// Time, sleeping included: `"30s"`.
    pub time: Option<Setting>,
    /// Time that the guest computes.
    pub cpu_time: Option<Setting>,
    /// Bytes that it writes.
    pub disk: Option<Setting>,
    /// Files and directories that it makes.
    pub files: Option<Setting>,
}

impl LimitSettings {
    /// The limits, with what `environment` has.
    ///
    /// # Errors
    /// [`UnresolvedSetting`] where the environment lacks an entry or has something else than a quantity.
    pub fn resolve(&self, environment: &Environment) -> Result<Limits, UnresolvedSetting> {
        fn take<T>(
            setting: Option<&Setting>,
            default: T,
            environment: &Environment,
            parse: impl Fn(&str) -> Option<T>,
            wanted: &str,
        ) -> Result<T, UnresolvedSetting> {
            let Some(setting) = setting else { return Ok(default) };
            let text = setting.resolve_text(environment)?;
            parse(&text).ok_or_else(|| match setting {
                Setting::Environment(reference) => reference.unresolved(&format!("is not {wanted}")),
                _ => {
                    UnresolvedSetting { name: String::new(), position: None, reason: format!("{text} is not {wanted}") }
                }
            })
        }
        let Limits { memory, time, cpu_time, disk, files } = Limits::default();
        let count = |text: &str| text.parse::<u32>().ok().filter(|count| *count > 0);
        Ok(Limits {
            memory: take(self.memory.as_ref(), memory, environment, quantity::size, "a size such as 256MiB")?,
            time: take(self.time.as_ref(), time, environment, quantity::time, "a time such as 30s")?,
            cpu_time: take(self.cpu_time.as_ref(), cpu_time, environment, quantity::time, "a time such as 30s")?,
            disk: take(self.disk.as_ref(), disk, environment, quantity::size, "a size such as 256MiB")?,
            files: take(self.files.as_ref(), files, environment, count, "a number of files")?,
        })
    }
}

fn serialize_guest_path<S: serde::Serializer>(path: &GuestPath, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(path.as_str())
}
