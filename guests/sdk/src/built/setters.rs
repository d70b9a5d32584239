//! Methods that builders of contexts share.

use crate::{MetadataEntry, MetadataValue};

pub(super) fn strings<S: Into<String>>(items: impl IntoIterator<Item = S>) -> Vec<String> {
    items.into_iter().map(Into::into).collect()
}

pub(super) fn entry(label: impl Into<String>, value: impl Into<MetadataValue>) -> MetadataEntry {
    MetadataEntry { label: label.into(), value: value.into() }
}

/// Methods that builders share, each once.
macro_rules! setters {
    () => {};
    (text $(#[$doc:meta])* $name:ident; $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: impl Into<String>) -> Self {
            self.fields.$name = $name.into();
            self
        }
        setters!($($rest)*);
    };
    (option $(#[$doc:meta])* $name:ident; $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: impl Into<String>) -> Self {
            self.fields.$name = Some($name.into());
            self
        }
        setters!($($rest)*);
    };
    (json $(#[$doc:meta])* $name:ident; $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: serde_json::Value) -> Self {
            self.fields.$name = $name.to_string();
            self
        }
        setters!($($rest)*);
    };
    (metadata $(#[$doc:meta])* $name:ident; $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, label: impl Into<String>, value: impl Into<crate::MetadataValue>) -> Self {
            self.fields.$name.push(crate::built::setters::entry(label, value));
            self
        }
        setters!($($rest)*);
    };
    (partitions; $($rest:tt)*) => {
        /// One more partition: its key, and the names and keys of its dimensions.
        #[must_use]
        pub fn partition<const N: usize>(mut self, key: &str, dimensions: [(&str, &str); N]) -> Self {
            let dimensions = dimensions.map(|(name, key)| (name.to_owned(), key.to_owned()));
            self.fields.partitions.keys.push((key.to_owned(), dimensions.to_vec()));
            self
        }

        /// The time window of the partitions, in milliseconds since the Unix epoch, and the IANA name of their time
        /// zone.
        #[must_use]
        pub fn time_window(mut self, start_ms: i64, end_ms: i64, time_zone: &str) -> Self {
            self.fields.partitions.time_window = Some(crate::TimeWindow { start_ms, end_ms });
            self.fields.partitions.time_zone = Some(time_zone.to_owned());
            self
        }
        setters!($($rest)*);
    };
    (mapping_key; $($rest:tt)*) => {
        /// The mapping key, of an element of a dynamic output.
        #[must_use]
        pub fn mapping_key(mut self, key: &str) -> Self {
            self.fields.partitions = crate::built::context::Partitions::of_mapping_key(key);
            self
        }
        setters!($($rest)*);
    };
    (root; $($rest:tt)*) => {
        /// The directory in which guest paths lie: `/data` is its `data`. A temporary one by default.
        #[must_use]
        pub fn root(mut self, directory: impl AsRef<std::path::Path>) -> Self {
            self.fields.root = crate::built::root::Root::at(directory.as_ref());
            self
        }
        setters!($($rest)*);
    };
}

pub(super) use setters;
