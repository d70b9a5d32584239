//! The names that an asset may use, and what has to be known of an asset by those that load it.

use std::collections::HashMap;

use super::fields::Problems;
use super::tree::{Entry, Tree};
use super::{Builtins, Position, ValueType};
use crate::partition::PartitionsDefinition;

/// The names that an asset may use.
pub(super) struct Known<'a> {
    assets: HashMap<&'a str, Upstream<'a>>,
    /// In the order of their definition.
    asset_names: Vec<&'a str>,
    pub io_managers: Vec<&'a str>,
    partitions: &'a [NamedPartitions],
    /// What stores an asset that does not say otherwise.
    pub default_io: Option<&'a str>,
    pub builtins: Builtins,
}

/// That something cannot be told, because of a mistake that is reported where it is.
pub(super) struct Mistaken;

/// What `[partitions.NAME]` defines.
pub(super) struct NamedPartitions {
    pub name: String,
    pub position: Position,
    /// Absent where it is a mistake.
    pub definition: Option<PartitionsDefinition>,
}

/// What has to be known of an asset by those that load it.
pub(super) struct Upstream<'a> {
    /// Absent where it says something else than a type.
    pub value_type: Option<ValueType>,
    /// The name of its partitions, where it has any.
    pub partitions: Option<&'a str>,
    /// The names of its columns, where it says them.
    pub columns: Option<Vec<&'a str>>,
}

impl<'a> Known<'a> {
    /// The names of `assets`, `io_managers` and `partitions`.
    pub fn new(
        assets: &'a [Entry],
        io_managers: &'a [Entry],
        partitions: &'a [NamedPartitions],
        builtins: Builtins,
    ) -> Self {
        Self {
            assets: assets.iter().map(|entry| (entry.key.as_str(), Upstream::new(entry))).collect(),
            asset_names: assets.iter().map(|entry| entry.key.as_str()).collect(),
            io_managers: io_managers.iter().map(|entry| entry.key.as_str()).collect(),
            partitions,
            default_io: None,
            builtins,
        }
    }

    /// The asset `name`; that there is none is a problem.
    pub fn asset(&self, name: &str, position: &Position, problems: &Problems) -> Option<&Upstream<'a>> {
        let found = self.assets.get(name);
        if found.is_none() {
            let names = self.asset_names.iter().copied();
            problems.unknown(position, format!("there is no asset `{name}`"), name, names);
        }
        found
    }

    /// The partitions `name`; that there are none is a problem.
    pub fn check_partitions(&self, name: &str, position: &Position, problems: &Problems) {
        if !self.partitions.iter().any(|partitions| partitions.name == name) {
            let message = format!("there are no partitions `{name}`");
            problems.unknown(position, message, name, self.partitions.iter().map(|partitions| &*partitions.name));
        }
    }

    /// The definition of the partitions `name`, and none where an asset names none. An error where it cannot be told,
    /// because of a mistake that is reported where it is.
    pub fn partitions(&self, name: Option<&str>) -> Result<Option<&'a PartitionsDefinition>, Mistaken> {
        let Some(name) = name else { return Ok(None) };
        let found = self.partitions.iter().find(|partitions| partitions.name == name);
        found.and_then(|partitions| partitions.definition.as_ref()).map(Some).ok_or(Mistaken)
    }

    /// That there is no I/O manager `name` is a problem.
    pub fn check_io_manager(&self, name: &str, position: &Position, problems: &Problems) {
        if !self.io_managers.contains(&name) {
            let message = format!("there is no I/O manager `{name}`");
            problems.unknown(position, message, name, self.io_managers.iter().copied());
        }
    }
}

impl<'a> Upstream<'a> {
    /// What the asset `entry` says, as far as it can be told before it is read, and without a word about mistakes.
    fn new(entry: &'a Entry) -> Self {
        let value_type = match entry.node.get("type").map(|entry| &entry.node.tree) {
            Some(Tree::Text(name)) => ValueType::named(name),
            _ => None,
        };
        let partitions = match entry.node.get("partitions").map(|entry| &entry.node.tree) {
            Some(Tree::Text(name)) => Some(name.as_str()),
            // No partitions are called so.
            Some(_) => Some(""),
            None => None,
        };
        let schema = entry.node.get("schema").and_then(|entry| entry.node.entries());
        Self {
            value_type,
            partitions,
            columns: schema.map(|columns| columns.iter().map(|column| &*column.key).collect()),
        }
    }
}
