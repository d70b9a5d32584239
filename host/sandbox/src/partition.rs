//! The partitions that a call is about.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::layout::Location;
use crate::text::safe_line;

/// Bytes of a key that an error shows.
const KEY_SHOWN: usize = 200;

/// The partitions that a call is about, in the order of their definition; none where the value is not partitioned.
/// Cheap to clone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Said", into = "Said")]
pub struct Partitions(Arc<State>);

/// [`Partitions`] on their way to another process.
#[derive(Serialize, Deserialize)]
struct Said {
    keys: Vec<PartitionKey>,
    time_window: Option<TimeWindow>,
    time_zone: Option<String>,
}

impl From<Said> for Partitions {
    fn from(said: Said) -> Self {
        Self::new(said.keys, said.time_window, said.time_zone)
    }
}

impl From<Partitions> for Said {
    fn from(partitions: Partitions) -> Self {
        let State { keys, places: _, time_window, time_zone } = Arc::unwrap_or_clone(partitions.0);
        Self { keys, time_window, time_zone }
    }
}

#[derive(Clone, Debug, Default)]
struct State {
    keys: Vec<PartitionKey>,
    places: HashMap<String, usize>,
    time_window: Option<TimeWindow>,
    time_zone: Option<String>,
}

/// The key of a partition, and what it consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionKey {
    /// As guests and people name it: `2026-01-01`.
    pub key: String,
    /// The name and the key of each dimension: `days` and `2026-01-01`.
    pub dimensions: Vec<(String, String)>,
}

/// The dimension of the mapping keys of a dynamic output.
const MAPPING_KEY: &str = "mapping_key";

impl PartitionKey {
    /// What stands for the element `key` of a dynamic output.
    pub fn of_mapping_key(key: &str) -> Self {
        Self::single(MAPPING_KEY, key)
    }

    /// The key of a partition that has one dimension.
    pub fn single(dimension: &str, key: &str) -> Self {
        Self { key: key.to_owned(), dimensions: vec![(dimension.to_owned(), key.to_owned())] }
    }
}

/// A half-open interval of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeWindow {
    /// Its start, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// The first moment after it, in milliseconds since the Unix epoch.
    pub end_ms: i64,
}

/// A key that a call does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownKey(String);

/// Bytes of a mapping key, at most.
pub const MAPPING_KEY_BYTES: usize = 200;

/// Whether `text` is the key of an element of a dynamic output: letters, digits and `_` of ASCII.
pub fn is_mapping_key(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && text.len() <= MAPPING_KEY_BYTES && text.bytes().all(allowed)
}

impl Partitions {
    /// The partitions `keys`; `time_window` is theirs together, where they are of time and adjoin, and `time_zone` the
    /// IANA name of the zone in which they are cut.
    pub fn new(keys: Vec<PartitionKey>, time_window: Option<TimeWindow>, time_zone: Option<String>) -> Self {
        let places = keys.iter().enumerate().map(|(place, key)| (key.key.clone(), place)).collect();
        Self(Arc::new(State { keys, places, time_window, time_zone }))
    }

    /// How many there are; 0 where the value is not partitioned.
    pub fn len(&self) -> usize {
        self.0.keys.len()
    }

    /// Whether the value is not partitioned.
    pub fn is_empty(&self) -> bool {
        self.0.keys.is_empty()
    }

    /// The keys, in order.
    pub fn keys(&self) -> &[PartitionKey] {
        &self.0.keys
    }

    /// From the start of the first partition to the end of the last, where they are of time and adjoin.
    pub fn time_window(&self) -> Option<TimeWindow> {
        self.0.time_window
    }

    /// The IANA name of the time zone of the partitions.
    pub fn time_zone(&self) -> Option<&str> {
        self.0.time_zone.as_deref()
    }

    /// The place of `key` among the partitions.
    pub fn place(&self, key: &str) -> Option<usize> {
        self.0.places.get(key).copied()
    }

    /// The names and keys of the dimensions of `key`; none where it is not one of the partitions.
    pub fn dimensions(&self, key: &str) -> &[(String, String)] {
        self.place(key).and_then(|place| self.0.keys.get(place)).map_or(&[], |key| &key.dimensions)
    }

    /// Where the part `key` of the output at `output` lies.
    ///
    /// # Errors
    /// [`UnknownKey`] where `key` is none of the partitions, or a key is needed and there is none.
    pub fn location(&self, output: &Location, key: Option<&str>) -> Result<Location, UnknownKey> {
        self.check(key)?;
        Ok(key.map_or_else(|| output.clone(), |key| output.partition(self.dimensions(key))))
    }

    /// The places of all that the output at `output` consists of.
    pub fn locations(&self, output: &Location) -> Vec<Location> {
        if self.is_empty() {
            return vec![output.clone()];
        }
        self.0.keys.iter().map(|key| output.partition(&key.dimensions)).collect()
    }

    /// That `key` is one of the partitions, or absent where there are none.
    ///
    /// # Errors
    /// [`UnknownKey`]
    pub fn check(&self, key: Option<&str>) -> Result<(), UnknownKey> {
        let shown = |key: &str| format!("{:?}", safe_line(key, KEY_SHOWN));
        let message = match (key, self.0.keys.as_slice()) {
            (None, []) => return Ok(()),
            (Some(key), _) if self.place(key).is_some() => return Ok(()),
            (Some(key), []) => format!("{} is not a key of this call, which has none", shown(key)),
            (Some(key), [only]) => format!("{} is not the key of this call, {}", shown(key), shown(&only.key)),
            (Some(key), [first, .., last]) => {
                let (count, first, last) = (self.len(), shown(&first.key), shown(&last.key));
                format!("{} is not one of the {count} keys of this call, {first} to {last}", shown(key))
            }
            (None, [only]) => format!("name the partition: its key is {}", shown(&only.key)),
            (None, _) => format!("name one of the {} partitions", self.len()),
        };
        Err(UnknownKey(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(keys: &[&str]) -> Partitions {
        Partitions::new(keys.iter().map(|key| PartitionKey::single("days", key)).collect(), None, None)
    }

    #[test]
    fn each_partition_has_a_place_of_its_own_below_that_of_the_asset() {
        let output = Location::asset(&["sales", "orders"]);
        let places = days(&["2026-01-01", "../x"]).locations(&output);
        let places: Vec<&str> = places.iter().map(Location::as_str).collect();
        assert_eq!(places, ["sales/orders/days=2026-01-01", "sales/orders/days=%2e%2e%2fx"]);
        assert_eq!(Partitions::default().locations(&output), [output]);
    }

    #[test]
    fn only_keys_of_the_call_have_a_place() {
        let output = Location::asset(&["orders"]);
        let refusal = |partitions: &Partitions, key| partitions.location(&output, key).unwrap_err().to_string();
        assert_eq!(refusal(&Partitions::default(), Some("a")), "\"a\" is not a key of this call, which has none");
        assert_eq!(refusal(&days(&["a"]), Some("b\n")), "\"b\\\\n\" is not the key of this call, \"a\"");
        assert_eq!(refusal(&days(&["a"]), None), "name the partition: its key is \"a\"");
        let many = days(&["a", "b", "c"]);
        assert_eq!(refusal(&many, Some("d")), "\"d\" is not one of the 3 keys of this call, \"a\" to \"c\"");
        assert_eq!(refusal(&many, None), "name one of the 3 partitions");
        assert_eq!(many.location(&output, Some("b")).unwrap().as_str(), "orders/days=b");
    }
}
