//! Configurations of components, outputs and inputs, each entry with its place.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::fields::{Problems, setting};
use super::tree::{Entry, Node, Tree};
use super::{Environment, Position, Setting, UnresolvedSetting};

/// What a component, an output or an input is configured with.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// What it says.
    pub setting: Setting,
    /// Where it stands; of one that is not given, what could have it.
    pub position: Position,
    /// What it was read from; none where it is not given.
    node: Option<Node>,
}

impl Configuration {
    /// What `entry`, the key `config`, says.
    pub(super) fn read(entry: &Entry, problems: &Problems) -> Self {
        let position = entry.position.clone();
        Self { setting: setting(&entry.node, problems), position, node: Some(entry.node.clone()) }
    }

    /// The empty table that a component has where `config` is not given in what stands at `position`.
    pub(super) fn empty(position: &Position) -> Self {
        Self { setting: Setting::Table(BTreeMap::new()), position: position.clone(), node: None }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        matches!(&self.setting, Setting::Table(entries) if entries.is_empty())
    }

    /// The value, with what `environment` has in the place of references.
    ///
    /// # Errors
    /// As [`Setting::resolve`].
    pub fn resolve(&self, environment: &Environment) -> Result<Value, UnresolvedSetting> {
        self.setting.resolve(environment)
    }

    /// Where the value at `path` stands, or the innermost there is of what should have it; and the entry of the environment
    /// that it is of.
    pub(crate) fn find(&self, path: &[String]) -> (&Position, Option<&str>) {
        let mut found = (&self.position, self.node.as_ref());
        for part in path {
            let next = match found.1.map(|node| &node.tree) {
                Some(Tree::Table(_)) => {
                    found.1.and_then(|node| node.get(part)).map(|entry| (&entry.position, &entry.node))
                }
                Some(Tree::List(items)) => {
                    let item = part.parse::<usize>().ok().and_then(|place| items.get(place));
                    item.map(|item| (&item.position, item))
                }
                _ => None,
            };
            let Some((position, node)) = next else { break };
            found = (position, Some(node));
        }
        let reference = found.1.and_then(|node| match &node.get("$env")?.node.tree {
            Tree::Text(name) => Some(name.as_str()),
            _ => None,
        });
        (found.0, reference)
    }
}

/// As it is written.
impl Serialize for Configuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.setting.serialize(serializer)
    }
}
