//! The definitions that an author writes: read whole, every mistake reported at once and at its place.

mod diagnostic;
mod setting;

use std::path::{Path, PathBuf};
use std::time::Duration;

use airlock_sandbox::context::{AssetKey, MetadataEntry};
use airlock_sandbox::grant::{Access, GuestPath, Scope};
use serde::Serialize;

pub use diagnostic::{Diagnostic, Diagnostics, Position, SourceFile};
pub use setting::{EnvironmentReference, Setting, SettingType, UnresolvedSetting};

use crate::graph::Graph;
use crate::home::Home;

/// The components that come with the program: `files` for `builtin:files`, and its bytes.
pub type Builtins = &'static [(&'static str, &'static [u8])];

/// The definitions, checked: every name in them is defined, and nothing in them is in doubt but the environment.
#[derive(Clone, Debug)]
pub struct Definitions {
    path: PathBuf,
    directory: PathBuf,
    profile: Option<String>,
    assets: Vec<Asset>,
    io_managers: Vec<IoManager>,
    graph: Graph,
}

impl Definitions {
    /// Reads the file at `path` and what it includes, with `profile` merged over it.
    ///
    /// `home` is what no mount may lend, `builtins` the components that `builtin:…` can name.
    ///
    /// # Errors
    /// Every mistake in the files, at once.
    pub fn read(path: &Path, profile: Option<&str>, home: &Home, builtins: Builtins) -> Result<Self, Diagnostics> {
        let _ = (path, profile, home, builtins);
        todo!()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of the file, absolute: what paths in it are relative to, and where commands run.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The profile that was merged over it.
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// The assets, in the order of their definition.
    pub fn assets(&self) -> &[Asset] {
        &self.assets
    }

    /// The asset `name`: `sales/orders`.
    pub fn asset(&self, name: &str) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.name == name)
    }

    /// The I/O managers, in the order of their definition.
    pub fn io_managers(&self) -> &[IoManager] {
        &self.io_managers
    }

    /// The I/O manager `name`.
    pub fn io_manager(&self, name: &str) -> Option<&IoManager> {
        self.io_managers.iter().find(|manager| manager.name == name)
    }

    /// What depends on what.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}

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
    /// What kind of value it is.
    pub value_type: ValueType,
    /// Of the value, more exact than its type where the definition says so; absent where it has none.
    pub media_type: Option<String>,
    /// What computes it.
    pub op: Op,
    /// The assets that are loaded for the op.
    pub inputs: Vec<Input>,
    /// The assets that must be there first and are not loaded.
    pub deps: Vec<String>,
    /// The name of the I/O manager that stores and loads it; absent where it has no value.
    pub io: Option<String>,
    /// The configuration of the output, for its I/O manager.
    pub config: Setting,
    /// Facts about it.
    pub metadata: Vec<MetadataEntry>,
}

/// The kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueType {
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
    Component(ComponentUse),
}

/// An input of an op.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The op's name for it.
    pub name: String,
    /// The asset that is loaded.
    pub asset: String,
    /// Where it is defined.
    pub position: Position,
    /// The configuration of the input, for the asset's I/O manager.
    pub config: Setting,
    /// Facts about it.
    pub metadata: Vec<MetadataEntry>,
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
}

/// A component, its configuration and what it is lent.
#[derive(Clone, Debug, Serialize)]
pub struct ComponentUse {
    /// Where it comes from.
    pub component: ComponentSource,
    /// Its configuration, a table.
    pub config: Setting,
    /// The directories that it is lent.
    pub mounts: Vec<Mount>,
    /// The environment that it is lent.
    pub environment: Vec<(String, Setting)>,
    /// What a call of it may use.
    pub limits: LimitSettings,
}

/// Where a component comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentSource {
    /// It comes with the program: `builtin:files`.
    Builtin(String),
    /// A file, absolute.
    File(PathBuf),
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

/// The limits that a definition sets; the others are the sandbox's.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(default)]
pub struct LimitSettings {
    /// Bytes of memory: `"256MiB"`.
    pub memory: Option<LimitSetting<u64>>,
    /// Time, sleeping included: `"30s"`.
    pub time: Option<LimitSetting<Duration>>,
    /// Time that the guest computes.
    pub cpu_time: Option<LimitSetting<Duration>>,
    /// Bytes that it writes.
    pub disk: Option<LimitSetting<u64>>,
    /// Files and directories that it makes.
    pub files: Option<LimitSetting<u32>>,
}

/// A limit, or the environment entry that has it.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum LimitSetting<T> {
    /// It is given.
    Given(T),
    /// The environment has it.
    Environment(EnvironmentReference),
}

fn serialize_guest_path<S: serde::Serializer>(path: &GuestPath, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(path.as_str())
}

/// The JSON schema of the definitions file, for editors.
pub fn schema() -> &'static str {
    include_str!("../../schema.json")
}
