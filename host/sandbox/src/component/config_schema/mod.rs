//! What a configuration may be: the JSON schemas of a manifest.
//!
//! A schema is the word of a component that is not trusted, so no library for all of JSON Schema reads it: such a library
//! compiles patterns and follows references, and what that costs is up to who wrote the schema. This is the part of JSON
//! Schema in which a check takes no more steps than the schema and the value have places together make. Other words are
//! refused when the component is inspected, so that nothing which a schema says is passed over.

mod check;
mod read;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Number, Value};

pub use check::ConfigMistake;

/// A JSON schema of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigSchema {
    /// `true`: everything fits.
    Everything,
    /// `false`: nothing fits.
    Nothing,
    /// What fits all that its words say.
    Words(Box<Words>),
}

/// The words of JSON Schema that a schema may have. The first five are for people and check nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Words {
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    dialect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    default: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    examples: Option<Vec<Value>>,

    #[serde(rename = "type", skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    types: Option<Types>,
    #[serde(rename = "enum", skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    choices: Option<Vec<Value>>,
    #[serde(rename = "const", skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    constant: Option<Value>,

    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    properties: BTreeMap<String, ConfigSchema>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    required: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    additional_properties: Option<ConfigSchema>,

    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    items: Option<ConfigSchema>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    min_items: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    max_items: Option<u64>,

    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    minimum: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    maximum: Option<Number>,

    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    min_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::present")]
    max_length: Option<u64>,

    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "read::alternatives")]
    any_of: Vec<ConfigSchema>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "read::alternatives")]
    one_of: Vec<ConfigSchema>,
}

/// `"string"`, or several in an array.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Types {
    One(Type),
    Several(Vec<Type>),
}

/// The types of JSON values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

impl ConfigSchema {
    /// The keys of the configuration with what they are for, where that is said.
    pub fn keys(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.words().into_iter().flat_map(|words| &words.properties).map(|(key, schema)| {
            let description = schema.words().and_then(|words| words.description.as_deref());
            (key.as_str(), description)
        })
    }

    fn words(&self) -> Option<&Words> {
        match self {
            Self::Words(words) => Some(words),
            Self::Everything | Self::Nothing => None,
        }
    }
}

impl Serialize for ConfigSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Everything => serializer.serialize_bool(true),
            Self::Nothing => serializer.serialize_bool(false),
            Self::Words(words) => words.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests;
