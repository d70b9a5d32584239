//! The definitions that an author writes: read whole, every mistake reported at once and at its place.

mod asset;
mod check;
mod component;
mod diagnostic;
mod fields;
mod files;
mod keys;
#[cfg_attr(not(test), expect(dead_code, reason = "assets do not name partitions yet"))]
mod partitions;
pub mod quantity;
mod schema;
mod setting;
mod tree;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use airlock_sandbox::context::{AssetKey, MetadataEntry};
use airlock_sandbox::grant::{Access, GuestPath, Scope};
use airlock_sandbox::limits::Limits;
use serde::Serialize;

pub use asset::is_media_type;
pub(crate) use asset::{environment_name, media_type_name};
pub(crate) use check::{is_no_directory, refuse_deciding};
pub(crate) use component::beside;
pub use diagnostic::{Diagnostic, Diagnostics, Position, SourceFile};
pub use schema::schema;
pub use setting::{Environment, EnvironmentReference, Setting, SettingType, UnresolvedSetting};

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
    places: HashMap<String, usize>,
    io_managers: Vec<IoManager>,
    graph: Graph,
    deciding: Vec<PathBuf>,
}

impl Definitions {
    /// Reads the file at `path` and what it includes, with `profile` merged over it.
    ///
    /// `home` is what no mount may lend, `builtins` the components that `builtin:…` can name.
    ///
    /// # Errors
    /// Every mistake in the files, at once.
    pub fn read(path: &Path, profile: Option<&str>, home: &Home, builtins: Builtins) -> Result<Self, Diagnostics> {
        let files = files::Files::read(path)?;
        let (contents, mut problems) = check::read(&files, profile, home, builtins);
        match Graph::new(&contents.assets) {
            Ok(graph) if problems.is_empty() => return Ok(Self::new(path, profile, contents, graph)),
            Ok(_) => {}
            Err(cycles) => problems.extend(check::cycles(cycles)),
        }
        Err(files.in_order(problems))
    }

    fn new(path: &Path, profile: Option<&str>, contents: check::Contents, graph: Graph) -> Self {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let directory = absolute.parent().map(Path::to_owned).unwrap_or_default();
        let check::Contents { assets, io_managers, deciding } = contents;
        let places = assets.iter().enumerate().map(|(place, asset)| (asset.name.clone(), place)).collect();
        let (path, profile) = (path.to_owned(), profile.map(str::to_owned));
        Self { path, directory, profile, assets, places, io_managers, graph, deciding }
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
        self.assets.get(*self.places.get(name)?)
    }

    /// The I/O managers, in the order of their definition.
    pub fn io_managers(&self) -> &[IoManager] {
        &self.io_managers
    }

    /// The I/O manager `name`.
    pub fn io_manager(&self, name: &str) -> Option<&IoManager> {
        self.io_managers.iter().find(|manager| manager.name == name)
    }

    /// The files that decide what components may do, which no component is lent to write.
    pub(crate) fn deciding(&self) -> &[PathBuf] {
        &self.deciding
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
    pub config: Option<Setting>,
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
    Component(Box<ComponentUse>),
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
    pub config: Option<Setting>,
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
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

#[cfg(test)]
pub(crate) mod tests;
