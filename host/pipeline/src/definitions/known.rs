//! The names that an asset or a step may use, and what has to be known of a value by those that load it.

use std::collections::HashMap;

use super::fields::Problems;
use super::tree::{Entry, Tree};
use super::{Builtins, Diagnostic, OutputReference, Position, RESULT, ValueType};
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
    /// What several steps may be made from: the tables of ops, and of steps of graphs, by their names.
    pub shared: Vec<(String, &'a Entry)>,
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
    /// The partitions that its dimensions name.
    pub of: Vec<String>,
}

/// What has to be known of an asset or an output by those that load it.
pub(super) struct Upstream<'a> {
    /// Absent where it says something else than a type.
    pub value_type: Option<ValueType>,
    /// The name of its partitions, where it has any.
    pub partitions: Option<&'a str>,
    /// The names of its columns, where it says them.
    pub columns: Option<Vec<&'a str>>,
}

/// The outputs of the steps of a job, by the names of the steps, in the order of their definition.
pub(super) struct Steps<'a>(pub Vec<(&'a str, Vec<(&'a str, Upstream<'a>)>)>);

impl<'a> Steps<'a> {
    /// Those of the steps `entries`, as far as can be told before they are read.
    pub fn new(entries: &'a [Entry]) -> Self {
        let outputs = |step: &'a Entry| match step.node.get("outputs").and_then(|outputs| outputs.node.entries()) {
            Some(outputs) => outputs.iter().map(|output| (output.key.as_str(), Upstream::new(output))).collect(),
            None => vec![(RESULT, Upstream::new(step))],
        };
        Self(entries.iter().map(|step| (step.key.as_str(), outputs(step))).collect())
    }

    /// The output that `text` names, `step` or `step.output`; that there is none is a problem.
    pub fn output(
        &self,
        text: &str,
        position: &Position,
        problems: &Problems,
    ) -> Option<(OutputReference, &Upstream<'a>)> {
        // The name of a step of a graph has dots itself.
        let is_step = self.0.iter().any(|(name, _)| *name == text);
        let (step, output) = text.rsplit_once('.').filter(|_| !is_step).unwrap_or((text, RESULT));
        let Some((_, outputs)) = self.0.iter().find(|(name, _)| *name == step) else {
            let names = self.0.iter().map(|(name, _)| *name);
            problems.unknown(position, format!("there is no step `{step}` in this job"), step, names);
            return None;
        };
        let Some((_, found)) = outputs.iter().find(|(name, _)| *name == output) else {
            let names: Vec<String> = outputs.iter().map(|(name, _)| format!("`{step}.{name}`")).collect();
            let help = format!("it has {}", names.join(", "));
            let message = format!("the step `{step}` has no output `{output}`");
            problems.push(Diagnostic::at(position, message).help(help));
            return None;
        };
        Some((OutputReference { step: step.to_owned(), output: output.to_owned() }, found))
    }
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
            shared: Vec::new(),
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

    /// The table that `position` is in, where several steps may be made from that.
    pub fn shared_table(&self, position: &Position) -> Option<String> {
        self.shared.iter().find(|(_, entry)| entry.node.holds(position)).map(|(name, _)| name.clone())
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
    /// What the asset or output `entry` says, as far as it can be told before it is read, and without a word about mistakes.
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
