//! The definitions that an author writes: read whole, every mistake reported at once and at its place.

mod asset;
mod check;
mod component;
mod configuration;
mod deciding;
mod diagnostic;
mod dimension_mapping;
mod dimensions;
mod fields;
mod files;
mod graphs;
mod input;
mod job;
mod keys;
mod known;
mod label;
mod metadata;
mod model;
mod multi_asset;
mod op;
mod output;
mod overlap;
mod partition_mapping;
mod partitions;
pub mod quantity;
mod retry;
mod schema;
mod sections;
mod setting;
mod steps;
mod table;
mod template;
mod time_partitions;
mod tree;
mod variables;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub(crate) use check::is_no_directory;
pub(crate) use component::beside;
pub use configuration::Configuration;
pub(crate) use deciding::Deciding;
pub use diagnostic::{Diagnostic, Diagnostics, Position, SourceFile};
pub use job::{Job, JobStep};
pub use model::{
    Asset, ComponentSource, ComponentUse, Input, InputSource, IoManager, LimitSettings, Mount, MountPath, Op, Output,
    OutputReference, SignatureUse, ValueType,
};
pub use output::{RESULT, is_media_type};
pub use retry::{Backoff, Jitter, RetryPolicy};
pub use schema::schema;
pub use setting::{Environment, EnvironmentReference, Setting, SettingType, UnresolvedSetting};
pub use table::{ColumnDefinition, ColumnType, Form};
pub(crate) use tree::{quoted, toml_key};
pub(crate) use variables::{
    dimension_name, environment_name, media_type_name, metadata_name, output_name, part_metadata_name, partitions_name,
};

use crate::graph::Graph;
use crate::home::Home;
use crate::partition::PartitionsDefinition;

/// The components that come with the program: `files` for `builtin:files`, and its bytes.
pub type Builtins = &'static [(&'static str, &'static [u8])];

/// The definitions, checked: every name in them is defined, and nothing in them is in doubt but the environment.
#[derive(Clone, Debug)]
pub struct Definitions {
    path: PathBuf,
    directory: PathBuf,
    profile: Option<String>,
    profiles: Vec<String>,
    assets: Vec<Asset>,
    jobs: Vec<Job>,
    places: HashMap<String, usize>,
    io_managers: Vec<IoManager>,
    partitions: Vec<(String, PartitionsDefinition)>,
    graph: Graph,
    deciding: Deciding,
    warnings: Vec<Diagnostic>,
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
            Ok(graph) if problems.is_empty() => {
                let mut definitions = Self::new(path, profile, contents, graph);
                definitions.warnings = files.in_order(definitions.warnings).list;
                return Ok(definitions);
            }
            Ok(_) => {}
            Err(cycles) => problems.extend(check::cycles(cycles)),
        }
        Err(files.in_order(problems))
    }

    fn new(path: &Path, profile: Option<&str>, contents: check::Contents, graph: Graph) -> Self {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let directory = absolute.parent().map(Path::to_owned).unwrap_or_default();
        let check::Contents { profiles, assets, jobs, io_managers, partitions, deciding, warnings } = contents;
        let places = assets.iter().enumerate().map(|(place, asset)| (asset.name.clone(), place)).collect();
        let (path, profile) = (path.to_owned(), profile.map(str::to_owned));
        Self {
            path,
            directory,
            profile,
            profiles,
            assets,
            jobs,
            places,
            io_managers,
            partitions,
            graph,
            deciding,
            warnings,
        }
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

    /// The names of the profiles that could be merged over it, in the order of their definition.
    pub fn profiles(&self) -> &[String] {
        &self.profiles
    }

    /// The assets, in the order of their definition.
    pub fn assets(&self) -> &[Asset] {
        &self.assets
    }

    /// The asset `name`: `sales/orders`.
    pub fn asset(&self, name: &str) -> Option<&Asset> {
        self.assets.get(*self.places.get(name)?)
    }

    /// The assets that are computed together with `asset`, in the order of their definition; it is among them.
    pub fn computed_with<'a>(&'a self, asset: &'a Asset) -> Vec<&'a Asset> {
        match &asset.multi_asset {
            None => vec![asset],
            of => self.assets.iter().filter(|other| other.multi_asset == *of).collect(),
        }
    }

    /// The jobs, in the order of their definition.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// The jobs, and the graphs that assets are made from.
    pub fn graphs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().chain(self.assets.iter().filter_map(|asset| asset.graph.as_deref()))
    }

    /// The job `name`.
    pub fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.name == name)
    }

    /// The I/O managers, in the order of their definition.
    pub fn io_managers(&self) -> &[IoManager] {
        &self.io_managers
    }

    /// The I/O manager `name`.
    pub fn io_manager(&self, name: &str) -> Option<&IoManager> {
        self.io_managers.iter().find(|manager| manager.name == name)
    }

    /// How partitions are defined, by name, in the order of their definition.
    pub fn partitions(&self) -> &[(String, PartitionsDefinition)] {
        &self.partitions
    }

    /// How the partitions `name` are defined.
    pub fn partitions_definition(&self, name: &str) -> Option<&PartitionsDefinition> {
        self.partitions.iter().find(|(known, _)| known == name).map(|(_, definition)| definition)
    }

    /// What decides what components may do, which no component is lent to write.
    pub(crate) fn deciding(&self) -> &Deciding {
        &self.deciding
    }

    /// What is not wrong and probably not meant, such as an I/O manager that no asset uses under any profile; in the
    /// order of the files.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// What depends on what.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}

#[cfg(test)]
pub(crate) mod tests;
