//! Metadata values from the types of Rust.

pub use crate::bindings::airlock::io::types::{MetadataEntry, MetadataValue};

impl MetadataValue {
    /// A path, as the guest sees it.
    pub fn path(path: impl Into<String>) -> Self {
        Self::Tagged(("path".to_owned(), path.into()))
    }

    /// A URL.
    pub fn url(url: impl Into<String>) -> Self {
        Self::Tagged(("url".to_owned(), url.into()))
    }

    /// A text in Markdown.
    pub fn markdown(text: impl Into<String>) -> Self {
        Self::Tagged(("markdown".to_owned(), text.into()))
    }

    /// A point in time, as RFC 3339 writes it.
    pub fn timestamp(time: impl Into<String>) -> Self {
        Self::Tagged(("timestamp".to_owned(), time.into()))
    }

    /// The text of a value that is a text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<bool> for MetadataValue {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i64> for MetadataValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for MetadataValue {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u32> for MetadataValue {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

/// An integer, or a JSON number where it does not fit.
impl From<u64> for MetadataValue {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or_else(|_| Self::Json(value.to_string()), Self::Int)
    }
}

impl From<f64> for MetadataValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for MetadataValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for MetadataValue {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<serde_json::Value> for MetadataValue {
    fn from(value: serde_json::Value) -> Self {
        Self::Json(value.to_string())
    }
}
