//! The types of columns, from all objects. Arrow's own inference sorts the columns by name and cuts large integers.

use std::fmt;
use std::io::BufRead;
use std::sync::Arc;

use airlock_sdk::Error;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::check::{distinct_names, reason};
use super::objects::Objects;
use crate::error::corrupt;

/// What every value of an entry is.
#[derive(Debug, Default, PartialEq)]
enum Kind {
    /// There was none but null.
    #[default]
    Nothing,
    Boolean,
    Integer {
        negative: bool,
        /// Beyond `i64`.
        large: bool,
    },
    Float,
    Text,
    List(Box<Kind>),
    /// In the order in which their names came first.
    Object(Vec<(String, Kind)>),
}

/// The columns of the objects, in the order in which their names come first.
pub fn schema<R: BufRead>(objects: &mut Objects<R>, place: &str) -> Result<SchemaRef, Error> {
    let mut kind = Kind::Object(Vec::new());
    let mut object = Vec::new();
    while objects.next(&mut object)? {
        let mut json = serde_json::Deserializer::from_slice(&object);
        let seen = distinct_names(&object)
            .and_then(|_| Observe(&mut kind).deserialize(&mut json).map_err(|error| reason(&error)));
        seen.map_err(|reason| corrupt(place, format!("row {}: {reason}", objects.found())))?;
        object.clear();
    }
    let fields = if let Kind::Object(entries) = kind { fields(entries) } else { Fields::empty() };
    Ok(Arc::new(Schema::new(fields)))
}

fn fields(entries: Vec<(String, Kind)>) -> Fields {
    entries.into_iter().map(|(name, kind)| Field::new(name, kind.data_type(), true)).collect()
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer { large: true, .. } => DataType::UInt64,
            Self::Integer { .. } => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Nothing | Self::Text => DataType::Utf8,
            Self::List(item) => DataType::new_list(item.data_type(), true),
            Self::Object(entries) => DataType::Struct(fields(entries)),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Boolean => "a boolean",
            Self::Integer { .. } | Self::Float => "a number",
            Self::Text => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// The kind of this and `other`.
    fn merge<E: serde::de::Error>(&mut self, other: Self) -> Result<(), E> {
        *self = match (std::mem::take(self), other) {
            (Self::Nothing, other) => other,
            (Self::Integer { negative, large }, Self::Integer { negative: also_negative, large: also_large }) => {
                let merged = Self::Integer { negative: negative || also_negative, large: large || also_large };
                if merged == (Self::Integer { negative: true, large: true }) {
                    return Err(E::custom(
                        "integers that are negative and beyond 64 bits fit no type together; give a schema",
                    ));
                }
                merged
            }
            (Self::Float | Self::Integer { .. }, Self::Float) | (Self::Float, Self::Integer { .. }) => Self::Float,
            (known, other) if std::mem::discriminant(&known) == std::mem::discriminant(&other) => known,
            (known, other) => {
                return Err(E::custom(format!(
                    "{} where there was {} before; give a schema",
                    other.name(),
                    known.name()
                )));
            }
        };
        Ok(())
    }
}

/// Widens a kind by a value.
struct Observe<'a>(&'a mut Kind);

impl<'de> DeserializeSeed<'de> for Observe<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Observe<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.0.merge(Kind::Boolean)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.0.merge(Kind::Integer { negative: value < 0, large: false })
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.0.merge(Kind::Integer { negative: false, large: i64::try_from(value).is_err() })
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.0.merge(Kind::Float)
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.0.merge(Kind::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if !matches!(self.0, Kind::List(_)) {
            self.0.merge(Kind::List(Box::default()))?;
        }
        let Kind::List(item) = self.0 else { return Ok(()) };
        while items.next_element_seed(Observe(item))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        if !matches!(self.0, Kind::Object(_)) {
            self.0.merge(Kind::Object(Vec::new()))?;
        }
        let Kind::Object(known) = self.0 else { return Ok(()) };
        // Objects mostly have the same names in the same order.
        let mut expected = 0;
        while let Some(name) = entries.next_key::<String>()? {
            let as_expected = known.get(expected).is_some_and(|(known, _)| *known == name);
            let position =
                if as_expected { Some(expected) } else { known.iter().position(|(known, _)| *known == name) };
            let position = position.unwrap_or_else(|| {
                known.push((name.clone(), Kind::Nothing));
                known.len() - 1
            });
            expected = position + 1;
            if let Some((_, kind)) = known.get_mut(position) {
                entries
                    .next_value_seed(Observe(kind))
                    .map_err(|error| A::Error::custom(format!("{name:?}: {error}")))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Layout;
    use super::*;

    fn inferred(lines: &str) -> Result<String, String> {
        let schema = schema(&mut Objects::new(lines.as_bytes(), Layout::Lines, "text"), "text");
        let schema = schema.map_err(|error| format!("{error:?}"))?;
        let columns = schema.fields().iter().map(|field| format!("{}:{}", field.name(), field.data_type()));
        Ok(columns.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn columns_come_in_the_order_of_their_first_names() {
        assert_eq!(inferred("{\"z\":1}\n{\"b\":true,\"z\":2}\n{\"a\":\"x\"}").unwrap(), "z:Int64 b:Boolean a:Utf8");
    }

    #[test]
    fn numbers_widen_to_what_holds_them_all() {
        assert_eq!(inferred("{\"a\":1}{\"a\":-2.5}{\"a\":null}").unwrap(), "a:Float64");
        assert_eq!(inferred("{\"a\":1}{\"a\":18446744073709551615}").unwrap(), "a:UInt64");
        let error = inferred("{\"a\":-1}{\"a\":18446744073709551615}").unwrap_err();
        assert!(error.contains("row 2") && error.contains("fit no type together"), "{error}");
    }

    #[test]
    fn lists_and_objects_nest() {
        assert!(inferred("{\"a\":[{\"b\":1},{\"c\":\"x\"}]}").unwrap().starts_with("a:List(Struct("));
    }

    #[test]
    fn kinds_that_do_not_mix_are_told_by_row_and_column() {
        let error = inferred("{\"a\":{\"b\":1}}\n{\"a\":{\"b\":\"x\"}}").unwrap_err();
        assert!(error.contains("row 2") && error.contains("a text where there was a number before"), "{error}");
        assert!(error.contains("\\\"a\\\"") && error.contains("\\\"b\\\""), "{error}");
    }

    #[test]
    fn what_is_no_json_is_told_by_its_row() {
        assert!(inferred("{\"a\":1}\n{\"a\":nope}").unwrap_err().contains("row 2"));
    }
}
