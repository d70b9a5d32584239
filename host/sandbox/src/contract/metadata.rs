//! Metadata and events on their way in from a guest, bounded, and out to one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{limit, wit_context, wit_types};
use crate::context::{AssetEvent, AssetEventKind, MetadataEntry, MetadataValue};
use crate::limits::Limit;
use crate::limits::{
    ASSET_KEY_PARTS, EVENTS, LimitExceeded, METADATA_BYTES, METADATA_ENTRIES, METADATA_LABEL_BYTES,
    METADATA_VALUE_BYTES,
};
use crate::text::safe_line;

/// Bytes that the host keeps of an entry or a part beside its text.
const OVERHEAD: usize = 64;

/// What a guest recorded during a call.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub metadata: Vec<MetadataEntry>,
    /// Of single parts, by their keys.
    pub parts: HashMap<String, Vec<MetadataEntry>>,
    pub events: Vec<AssetEvent>,
    /// Of all that is recorded in the call.
    bytes: Arc<AtomicUsize>,
}

/// What becomes of a label that is there already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// It is an error, as for outputs.
    Conflict,
    /// The new value stands, as for inputs.
    Replace,
}

impl Recorded {
    /// What a guest recorded of each of several outputs, which are bounded together.
    pub(crate) fn several(count: usize) -> Vec<Self> {
        let bytes = Arc::<AtomicUsize>::default();
        (0..count).map(|_| Self { bytes: Arc::clone(&bytes), ..Self::default() }).collect()
    }

    /// Adds `entries`, all of them or, on an error for the guest, none.
    pub(crate) fn add(&mut self, entries: Vec<wit_types::MetadataEntry>, again: Again) -> super::Answer<()> {
        self.charge(&entries)?;
        let entries = match convert(entries) {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(error)),
        };
        add(&mut self.metadata, entries, again)
    }

    /// Adds `entries` of the part `key`, all of them or, on an error for the guest, none.
    pub(crate) fn add_part(&mut self, key: String, entries: Vec<wit_types::MetadataEntry>) -> super::Answer<()> {
        self.charge_bytes(key.len() + OVERHEAD)?;
        self.charge(&entries)?;
        match convert(entries) {
            Ok(entries) => add(self.parts.entry(key).or_default(), entries, Again::Conflict),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Adds an event that the guest logs.
    pub(crate) fn log(&mut self, kind: AssetEventKind, event: wit_context::AssetEvent) -> super::Answer<()> {
        self.charge(&event.metadata)?;
        if event.asset_key.len() > ASSET_KEY_PARTS {
            return limit(LimitExceeded::new(Limit::Metadata, ASSET_KEY_PARTS as u64));
        }
        self.charge_bytes(event.asset_key.iter().map(|part| part.len() + OVERHEAD).sum())?;
        self.charge_bytes(event.description.as_ref().map_or(0, String::len))?;
        self.charge_bytes(event.partition.as_ref().map_or(0, String::len))?;
        if self.events.len() >= EVENTS {
            return limit(LimitExceeded::new(Limit::Metadata, EVENTS as u64));
        }
        if event.asset_key.is_empty() {
            return Ok(Err(super::host_error("bad-event", "an asset key has at least one part")));
        }
        let metadata = match convert(event.metadata) {
            Ok(metadata) => metadata,
            Err(error) => return Ok(Err(error)),
        };
        self.events.push(AssetEvent {
            kind,
            asset_key: event.asset_key,
            partition: event.partition,
            description: event.description,
            metadata,
        });
        Ok(Ok(()))
    }

    fn charge(&mut self, entries: &[wit_types::MetadataEntry]) -> wasmtime::Result<()> {
        if entries.len() > METADATA_ENTRIES {
            return limit(LimitExceeded::new(Limit::Metadata, METADATA_ENTRIES as u64));
        }
        for entry in entries {
            let value = value_bytes(&entry.value);
            if entry.label.len() > METADATA_LABEL_BYTES {
                return limit(LimitExceeded::new(Limit::Metadata, METADATA_LABEL_BYTES as u64));
            }
            if value > METADATA_VALUE_BYTES {
                return limit(LimitExceeded::new(Limit::Metadata, METADATA_VALUE_BYTES as u64));
            }
            self.charge_bytes(entry.label.len() + value + OVERHEAD)?;
        }
        Ok(())
    }

    /// Counts what the host keeps, also of entries that were replaced or refused.
    pub(crate) fn charge_bytes(&mut self, bytes: usize) -> wasmtime::Result<()> {
        let sum = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if sum > METADATA_BYTES {
            return limit(LimitExceeded::new(Limit::Metadata, METADATA_BYTES as u64));
        }
        Ok(())
    }
}

/// Adds `entries` to those that are `there`.
fn add(there: &mut Vec<MetadataEntry>, entries: Vec<MetadataEntry>, again: Again) -> super::Answer<()> {
    for (index, entry) in entries.iter().enumerate() {
        let earlier = entries.iter().take(index).chain(&*there);
        if again == Again::Conflict && earlier.into_iter().any(|other| other.label == entry.label) {
            return Ok(Err(wit_types::Error::Conflict(format!("the label {} was added before", entry.label))));
        }
    }
    for entry in entries {
        there.retain(|other| other.label != entry.label);
        there.push(entry);
    }
    if there.len() > METADATA_ENTRIES {
        return limit(LimitExceeded::new(Limit::Metadata, METADATA_ENTRIES as u64));
    }
    Ok(Ok(()))
}

fn value_bytes(value: &wit_types::MetadataValue) -> usize {
    use wit_types::MetadataValue as Value;
    match value {
        Value::Null | Value::Boolean(_) | Value::Int(_) | Value::Float(_) => 8,
        Value::Text(text) | Value::Json(text) => text.len(),
        Value::Tagged((kind, text)) => kind.len() + text.len(),
    }
}

fn convert(entries: Vec<wit_types::MetadataEntry>) -> Result<Vec<MetadataEntry>, wit_types::Error> {
    use wit_types::MetadataValue as Value;
    let convert = |entry: wit_types::MetadataEntry| {
        let label = entry.label;
        if label.is_empty() || label.chars().any(char::is_control) {
            let shown = safe_line(&label, METADATA_LABEL_BYTES);
            return Err(super::host_error(
                "bad-label",
                format!("{shown:?} is no label: it is empty or not plain text"),
            ));
        }
        let value = match entry.value {
            Value::Null => MetadataValue::Null,
            Value::Boolean(value) => MetadataValue::Boolean(value),
            Value::Int(value) => MetadataValue::Int(value),
            Value::Float(value) => MetadataValue::Float(value),
            Value::Text(text) => MetadataValue::Text(text),
            Value::Json(text) => match serde_json::from_str(&text) {
                Ok(value) => MetadataValue::Json(value),
                Err(error) => {
                    return Err(super::host_error("bad-json", format!("the value of {label} is not JSON: {error}")));
                }
            },
            Value::Tagged((kind, text)) => MetadataValue::Tagged(safe_line(&kind, METADATA_LABEL_BYTES), text),
        };
        Ok(MetadataEntry { label, value })
    };
    entries.into_iter().map(convert).collect()
}

/// `entries` for a guest.
pub(crate) fn to_guest(entries: &[MetadataEntry]) -> Vec<wit_types::MetadataEntry> {
    use wit_types::MetadataValue as Value;
    let convert = |entry: &MetadataEntry| wit_types::MetadataEntry {
        label: entry.label.clone(),
        value: match &entry.value {
            MetadataValue::Null => Value::Null,
            MetadataValue::Boolean(value) => Value::Boolean(*value),
            MetadataValue::Int(value) => Value::Int(*value),
            MetadataValue::Float(value) => Value::Float(*value),
            MetadataValue::Text(text) => Value::Text(text.clone()),
            MetadataValue::Json(value) => Value::Json(value.to_string()),
            MetadataValue::Tagged(kind, text) => Value::Tagged((kind.clone(), text.clone())),
        },
    };
    entries.iter().map(convert).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_of_several_outputs_is_bounded_together() {
        let mut outputs = Recorded::several(2);
        let entry = |label: usize| wit_types::MetadataEntry {
            label: label.to_string(),
            value: wit_types::MetadataValue::Text("x".repeat(METADATA_VALUE_BYTES)),
        };
        let all = METADATA_BYTES / METADATA_VALUE_BYTES;
        for label in 0..all {
            let added = outputs[label % 2].add(vec![entry(label)], Again::Conflict);
            assert_eq!(added.is_ok(), label + 1 < all, "{label}");
        }
    }
}
