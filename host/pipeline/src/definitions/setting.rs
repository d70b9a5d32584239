//! Values that may name the environment, which is looked up when a run starts and never shown.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::Position;

/// A value of the definitions, in which the environment may be named wherever a scalar may stand.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    /// True or false.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A number.
    Float(f64),
    /// Text; also dates and times, as they are written.
    Text(String),
    /// Several, in order.
    List(Vec<Setting>),
    /// Several by name.
    Table(BTreeMap<String, Setting>),
    /// What the environment has.
    Environment(EnvironmentReference),
}

/// `{ "$env" = "NAME", default = …, as = "int" }`
#[derive(Clone, Debug, PartialEq)]
pub struct EnvironmentReference {
    /// The variable.
    pub name: String,
    /// What to take where it is not set.
    pub default: Option<Box<Setting>>,
    /// What its text is read as.
    pub setting_type: SettingType,
    /// Where it is named; absent for one that was read back from the event log.
    pub position: Option<Position>,
}

/// What the text of an environment variable is read as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettingType {
    /// Text, as it is.
    #[default]
    Text,
    /// An integer.
    Int,
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
}

/// An environment reference that has no value, or one of the wrong kind. It never shows the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct UnresolvedSetting {
    /// The variable.
    pub name: String,
    /// Where it is named.
    pub position: Option<Position>,
    /// In words, naming the variable.
    pub reason: String,
}

/// As it is written: references to the environment stay references.
impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Setting::Boolean(value) => value.serialize(serializer),
            Setting::Integer(value) => value.serialize(serializer),
            Setting::Float(value) => value.serialize(serializer),
            Setting::Text(value) => value.serialize(serializer),
            Setting::List(values) => values.serialize(serializer),
            Setting::Table(values) => values.serialize(serializer),
            Setting::Environment(reference) => reference.serialize(serializer),
        }
    }
}

/// As it is written.
impl Serialize for EnvironmentReference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            #[serde(rename = "$env")]
            name: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            default: Option<&'a Setting>,
            #[serde(rename = "as")]
            setting_type: SettingType,
        }
        Written { name: &self.name, default: self.default.as_deref(), setting_type: self.setting_type }
            .serialize(serializer)
    }
}
