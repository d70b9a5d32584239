//! The lock: what the components are that definitions use, and what each is lent, as a person accepted it.
//!
//! It lies beside the definitions. [`Lock::record`] makes one from the definitions as they are now, [`compare`] says in
//! words in what that differs from the one that was accepted.

mod change;
mod file;
mod place;
mod record;

use std::collections::{BTreeMap, BTreeSet};

use airlock_sandbox::grant::{Access, Scope};
use airlock_sandbox::text::sha256;
use serde::{Deserialize, Serialize};

pub use change::{Change, compare};
pub use file::LockError;
pub(crate) use place::components;
pub use place::{place_of_asset, place_of_manager, place_of_step};

/// What is recorded of all components of some definitions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The version of the format.
    pub(crate) version: u32,
    /// What a person accepted although it may touch or asks for more than before: by its name, the digest of what it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) accept: BTreeMap<String, String>,
    /// What the components are, by their files as they are named in the definitions.
    #[serde(default)]
    pub(crate) components: BTreeMap<String, LockedComponent>,
    /// What each is lent without a profile, by its place in the definitions: `io.lake`.
    #[serde(default)]
    pub(crate) lent: BTreeMap<String, LockedGrant>,
    /// By the name of each profile, what is lent otherwise with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) profile: BTreeMap<String, BTreeMap<String, LockedGrant>>,
}

/// What a component is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LockedComponent {
    pub digest: String,
    /// The version of airlock:io that it speaks.
    pub contract: String,
    pub exports: BTreeSet<String>,
    pub imports: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<LockedManifest>,
}

/// What a component says of itself, as far as people read it; its digest stands for the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LockedManifest {
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub values: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub many_partitions: bool,
    /// The keys of its configuration.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub config: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub output_config: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub input_config: BTreeSet<String>,
    /// The environment that it asks for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub environment: BTreeSet<String>,
    /// The mounts that it asks to touch all of.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub whole_mounts: BTreeSet<String>,
    /// The mounts that it asks for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mounts: BTreeMap<String, Access>,
}

/// What a component is lent in a place of the definitions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LockedGrant {
    /// Its file.
    pub component: String,
    /// By which key it must be signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// The environment of the host that its configuration tells it, and those of what it stores and loads.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub told: BTreeSet<String>,
    /// Where each entry of its environment comes from; no values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, EntrySource>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Written>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mounts: BTreeMap<String, LockedMount>,
}

/// A mount that is lent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LockedMount {
    pub access: Access,
    pub scope: Scope,
    /// The directory, relative to that of the definitions; absent of one in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Written>,
}

/// Where an entry of an environment comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum EntrySource {
    /// From the environment of the host.
    Reference(Reference),
    /// From the definitions.
    Definitions(InDefinitions),
}

/// What stands for a value that is in the definitions and not in the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum InDefinitions {
    #[serde(rename = "in the definitions")]
    Text,
}

/// A value as the definitions write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Written {
    Number(i64),
    Text(String),
    Reference(Reference),
}

/// An entry of the environment of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    #[serde(rename = "$env")]
    pub name: String,
    /// The path or limit where it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// What a path in it is relative to, where that is not the directory of the definitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_to: Option<String>,
}

impl Lock {
    /// Accepts each of `changes`, whatever it widens, by a yes in the lock.
    pub fn accept<'a>(&mut self, changes: impl IntoIterator<Item = &'a Change>) {
        for change in changes {
            self.accept.insert(change.name.clone(), change.yes.clone());
        }
    }

    /// Keeps what was accepted in `old`, which records the same.
    pub fn keep_accepted(&mut self, old: &Self) {
        self.accept.clone_from(&old.accept);
    }

    /// Whether a person has said yes to what `change` came to.
    pub fn accepts(&self, change: &Change) -> bool {
        self.accept.get(&change.name) == Some(&change.yes)
    }

    /// What is lent in `place` with `profile`.
    fn lent(&self, profile: Option<&str>, place: &str) -> Option<&LockedGrant> {
        let own = profile.and_then(|profile| self.profile.get(profile)?.get(place));
        own.or_else(|| self.lent.get(place))
    }

    /// The digest by which a person says yes to the component `file` as it is here.
    fn yes_to_component(&self, file: &str) -> String {
        digest(&("component", file, self.components.get(file)))
    }

    /// The digest by which a person says yes to what is lent in `place` with `profile`, and to the component there.
    fn yes_to_lending(&self, profile: Option<&str>, place: &str) -> String {
        let grant = self.lent(profile, place);
        digest(&("lent", profile, place, grant, grant.and_then(|grant| self.components.get(&grant.component))))
    }
}

/// The digest of `value` as JSON, whose objects are in order.
fn digest(value: &impl Serialize) -> String {
    // Nothing here has keys that are no texts.
    sha256(&serde_json::to_vec(value).unwrap_or_default())
}
