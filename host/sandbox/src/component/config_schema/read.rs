//! Reads schemas from JSON.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{ConfigSchema, Type, Types, Words};

impl<'de> Deserialize<'de> for ConfigSchema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Schema;

        impl<'de> Visitor<'de> for Schema {
            type Value = ConfigSchema;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a schema, which is an object, `true` or `false`")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<ConfigSchema, E> {
                Ok(if value { ConfigSchema::Everything } else { ConfigSchema::Nothing })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ConfigSchema, A::Error> {
                let words = Words::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ConfigSchema::Words(Box::new(words)))
            }
        }

        deserializer.deserialize_any(Schema)
    }
}

impl<'de> Deserialize<'de> for Types {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrSeveral;

        impl<'de> Visitor<'de> for OneOrSeveral {
            type Value = Types;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a type, or an array of such names")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Types, E> {
                Type::deserialize(StrDeserializer::new(name)).map(Types::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Types, A::Error> {
                let mut types = Vec::new();
                while let Some(name) = names.next_element()? {
                    types.push(name);
                }
                Ok(Types::Several(types))
            }
        }

        deserializer.deserialize_any(OneOrSeveral)
    }
}

/// A word that is there; `null` is not the same as leaving it out.
pub(super) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// The schemas of `anyOf` and `oneOf`: at least one, since nothing fits none.
pub(super) fn alternatives<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ConfigSchema>, D::Error> {
    let schemas = Vec::deserialize(deserializer)?;
    if schemas.is_empty() { Err(D::Error::custom("`anyOf` and `oneOf` have at least one schema")) } else { Ok(schemas) }
}
