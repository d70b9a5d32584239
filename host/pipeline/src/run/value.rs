//! What is checked of the value that an op computed, before it is stored.

use std::io::{self, BufReader, Read};

use airlock_sandbox::context::{MetadataEntry, MetadataValue};
use airlock_sandbox::limits::{CHUNK, METADATA_BYTES, METADATA_ENTRIES, METADATA_LABEL_BYTES};
use airlock_sandbox::value::{Content, ContentReader, Value};
use serde::de::IgnoredAny;

use crate::definitions::{Asset, ValueType, is_media_type};

/// That `content` is what `value_type` says.
///
/// # Errors
/// In words, to follow what the value is called: "is not JSON: …".
pub(super) fn check(value_type: ValueType, content: &Content) -> Result<(), String> {
    match value_type {
        ValueType::Json => {
            let reader = BufReader::with_capacity(CHUNK, Reader(content.reader()));
            serde_json::from_reader::<_, IgnoredAny>(reader).map(drop).map_err(|error| format!("is not JSON: {error}"))
        }
        ValueType::Text => check_text(content),
        ValueType::Bytes | ValueType::None => Ok(()),
    }
}

fn check_text(content: &Content) -> Result<(), String> {
    let mut reader = content.reader();
    let mut offset = 0;
    // The beginning of a character that the next chunk ends.
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        let chunk = reader.read(CHUNK).map_err(|error| format!("cannot be read: {error}"))?;
        let is_last = chunk.is_empty();
        bytes.extend(chunk);
        match std::str::from_utf8(&bytes) {
            Ok(_) => {
                offset += bytes.len();
                bytes.clear();
            }
            Err(error) if error.error_len().is_none() && !is_last => {
                offset += error.valid_up_to();
                bytes.drain(..error.valid_up_to());
            }
            Err(error) => return Err(format!("is not UTF-8 text from byte {} on", offset + error.valid_up_to())),
        }
        if is_last {
            return Ok(());
        }
    }
}

struct Reader(ContentReader);

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.read(buffer.len())?;
        match buffer.get_mut(..bytes.len()) {
            Some(target) => target.copy_from_slice(&bytes),
            None => return Err(io::Error::other("more was read than asked for")),
        }
        Ok(bytes.len())
    }
}

/// The value with the media type that it is stored with, given what a component said of it.
///
/// # Errors
/// In words, to follow what the value is called.
pub(super) fn label(asset: &Asset, mut value: Value) -> Result<Value, String> {
    let [part] = value.parts.as_mut_slice() else {
        return Err("has parts with keys, and the asset has no partitions".to_owned());
    };
    if part.key.is_some() {
        return Err("has a part with a key, and the asset has no partitions".to_owned());
    }
    let Some(wanted) = &asset.media_type else { return Ok(value) };
    let given = part.media_type.split(';').next().unwrap_or_default().trim_end();
    if !is_media_type(given) || !part.media_type.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err("has a media type that is none".to_owned());
    }
    let general = asset.value_type.media_type();
    let is_unspecific = given == "application/octet-stream";
    let fits = match asset.value_type {
        _ if given == wanted => true,
        // The definition says no more than the type does, and the component may.
        ValueType::Json if general == Some(wanted) => given.ends_with("+json"),
        ValueType::Text if general == Some(wanted) => given.starts_with("text/"),
        ValueType::Bytes if general == Some(wanted) => true,
        _ => false,
    };
    if is_unspecific && !fits {
        part.media_type.clone_from(wanted);
    } else if !fits {
        return Err(format!("is {given}, and the asset is defined as {wanted}"));
    }
    Ok(value)
}

/// The metadata that a command wrote as the JSON object `bytes`.
///
/// # Errors
/// In words, to follow what the metadata is called.
pub(super) fn metadata(bytes: &[u8]) -> Result<Vec<MetadataEntry>, String> {
    if bytes.len() > METADATA_BYTES {
        return Err(format!("is larger than {METADATA_BYTES} bytes"));
    }
    let entries: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(bytes).map_err(|error| format!("is not a JSON object: {error}"))?;
    if entries.len() > METADATA_ENTRIES {
        return Err(format!("has more than {METADATA_ENTRIES} entries"));
    }
    let entry = |(label, value): (String, serde_json::Value)| {
        if label.is_empty() || label.len() > METADATA_LABEL_BYTES {
            return Err(format!("has a label that is empty or longer than {METADATA_LABEL_BYTES} bytes"));
        }
        let value = match value {
            serde_json::Value::Null => MetadataValue::Null,
            serde_json::Value::Bool(value) => MetadataValue::Boolean(value),
            serde_json::Value::String(value) => MetadataValue::Text(value),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(value), _) => MetadataValue::Int(value),
                (None, Some(value)) => MetadataValue::Float(value),
                (None, None) => MetadataValue::Text(number.to_string()),
            },
            value => MetadataValue::Json(value),
        };
        Ok(MetadataEntry { label, value })
    };
    entries.into_iter().map(entry).collect()
}

/// `entries` as they can be kept: JSON has no infinite numbers.
pub(super) fn keepable(mut entries: Vec<MetadataEntry>) -> Vec<MetadataEntry> {
    for entry in &mut entries {
        if let MetadataValue::Float(value) = entry.value
            && !value.is_finite()
        {
            entry.value = MetadataValue::Tagged("float".to_owned(), value.to_string());
        }
    }
    entries
}

/// `first`, then `second`; of entries with one label those of `second`.
pub(super) fn merge(first: &[MetadataEntry], second: &[MetadataEntry]) -> Vec<MetadataEntry> {
    let is_kept = |entry: &&MetadataEntry| second.iter().all(|other| other.label != entry.label);
    first.iter().filter(is_kept).chain(second).cloned().collect()
}
