//! What the JSON of a row must not have, though libraries take it: a name that comes twice in one object.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// The names of the entries of `object`, which is one row.
///
/// # Errors
/// Where it is no JSON, or an object in it has a name twice, of which one value would be lost.
pub fn distinct_names(object: &[u8]) -> Result<HashSet<String>, String> {
    let mut json = serde_json::Deserializer::from_slice(object);
    Distinct.deserialize(&mut json).map_err(|error| reason(&error))
}

/// What is wrong with a row, without the place in it.
pub fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.rsplit_once(" at line ").map_or(message.as_str(), |(reason, _)| reason).to_owned()
}

/// Gives the names of an object, and none of another value.
struct Distinct;

impl<'de> DeserializeSeed<'de> for Distinct {
    type Value = HashSet<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Distinct {
    type Value = HashSet<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(HashSet::new())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(HashSet::new())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(HashSet::new())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(HashSet::new())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(HashSet::new())
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(HashSet::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element_seed(Distinct)?.is_some() {}
        Ok(HashSet::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = entries.next_key::<String>()? {
            if names.contains(&name) {
                return Err(A::Error::custom(format!("the key {name:?} is there twice in one object")));
            }
            entries.next_value_seed(Distinct)?;
            names.insert(name);
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_row_are_those_of_its_own_entries() {
        let names = distinct_names(br#"{"a":{"b":1},"c":[{"a":2},null,-1,1.5,"x",true]}"#).unwrap();
        assert_eq!(names, ["a", "c"].map(str::to_owned).into());
    }

    #[test]
    fn a_key_that_comes_twice_is_named_however_deep_it_is() {
        for row in [r#"{"k":1,"k":2}"#, r#"{"a":{"k":1,"k":1}}"#, r#"{"a":[{"b":{"k":1,"x":2,"k":1}}]}"#] {
            assert_eq!(distinct_names(row.as_bytes()).unwrap_err(), "the key \"k\" is there twice in one object");
        }
    }
}
