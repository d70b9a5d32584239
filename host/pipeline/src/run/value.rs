//! What is checked of the value that an op computed, before it is stored.

use std::io::{self, BufReader, Read};

use airlock_sandbox::context::{MetadataEntry, MetadataValue};
use airlock_sandbox::limits::{CHUNK, METADATA_BYTES, METADATA_ENTRIES, METADATA_LABEL_BYTES};
use airlock_sandbox::value::{Content, ContentReader, Part, Value};
use serde::de::IgnoredAny;

use crate::definitions::{Output, ValueType, is_media_type};

/// Whether `content` is what `value_type` says; if not, in words, to follow what the value is called: "is not JSON: …".
///
/// # Errors
/// Where it cannot be read.
pub(super) fn check(value_type: ValueType, content: &Content) -> io::Result<Result<(), String>> {
    match value_type {
        ValueType::Json => {
            let reader = BufReader::with_capacity(CHUNK, Reader(content.reader()));
            match serde_json::from_reader::<_, IgnoredAny>(reader) {
                Err(error) if error.is_io() => Err(error.into()),
                read => Ok(read.map(drop).map_err(|error| format!("is not JSON: {error}"))),
            }
        }
        ValueType::Text => check_text(content),
        // What holds a table is found out when it is converted or stored.
        ValueType::Table | ValueType::Bytes | ValueType::None => Ok(Ok(())),
    }
}

fn check_text(content: &Content) -> io::Result<Result<(), String>> {
    let mut reader = content.reader();
    let mut offset = 0;
    // The beginning of a character that the next chunk ends.
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        let chunk = reader.read(CHUNK)?;
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
            Err(error) => {
                return Ok(Err(format!("is not UTF-8 text from byte {} on", offset + error.valid_up_to())));
            }
        }
        if is_last {
            return Ok(Ok(()));
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

/// The value with the media type that it is stored with, given what a component said of it; one that `is_keyed` has any
/// number of parts.
///
/// # Errors
/// In words, to follow what the value is called.
pub(super) fn label(output: &Output, mut value: Value, is_keyed: bool) -> Result<Value, String> {
    if !is_keyed {
        let [part] = value.parts.as_mut_slice() else {
            return Err("came in several parts, and one is stored at a time".to_owned());
        };
        // The only part needs no key.
        part.key = None;
    }
    let Some(wanted) = &output.media_type else { return Ok(value) };
    for part in &mut value.parts {
        label_part(output.value_type, wanted, part)?;
    }
    Ok(value)
}

fn label_part(value_type: ValueType, wanted: &String, part: &mut Part) -> Result<(), String> {
    let given = part.media_type.split(';').next().unwrap_or_default().trim_end();
    if !is_media_type(given) || !part.media_type.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err("has a media type that is none".to_owned());
    }
    let general = value_type.media_type();
    let is_unspecific = given == "application/octet-stream";
    let fits = match value_type {
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
        return Err(format!("is {given}, and it is defined as {wanted}"));
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use airlock_sandbox::value::{Budget, Part};

    use super::*;
    use crate::definitions::tests::definitions;

    fn content(bytes: &[u8]) -> Content {
        Content::from_bytes(bytes, &Budget::new(u64::MAX, std::env::temp_dir())).unwrap()
    }

    #[test]
    fn json_parses_whole() {
        assert_eq!(check(ValueType::Json, &content(b" {\"a\": [1, 2]} ")).unwrap(), Ok(()));
        let messages = [&b"{\"a\": 1"[..], b"", b"1 2", b"NaN"]
            .map(|bytes| check(ValueType::Json, &content(bytes)).unwrap().unwrap_err());
        let expected = [
            "is not JSON: EOF while parsing an object at line 1 column 7",
            "is not JSON: EOF while parsing a value at line 1 column 0",
            "is not JSON: trailing characters at line 1 column 3",
            "is not JSON: expected value at line 1 column 1",
        ];
        assert_eq!(messages, expected);
    }

    #[test]
    fn text_is_utf_8_also_where_a_character_crosses_a_chunk() {
        let mut text = vec![b'x'; CHUNK - 1];
        text.extend("üü".bytes());
        assert_eq!(check(ValueType::Text, &content(&text)).unwrap(), Ok(()));
        text.pop();
        let expected = format!("is not UTF-8 text from byte {} on", CHUNK + 1);
        assert_eq!(check(ValueType::Text, &content(&text)).unwrap(), Err(expected));
        assert_eq!(
            check(ValueType::Text, &content(b"a\xffb")).unwrap(),
            Err("is not UTF-8 text from byte 1 on".to_owned())
        );
        assert_eq!(check(ValueType::Bytes, &content(b"a\xffb")).unwrap(), Ok(()));
    }

    #[test]
    fn a_value_has_the_media_type_of_its_asset() {
        let definitions = definitions(
            r#"
            defaults.io = "lake"
            io.lake.component = "builtin:files"
            assets.json = { command = ["x"], type = "json" }
            assets.text = { command = ["x"], type = "text" }
            assets.bytes = { command = ["x"], type = "bytes" }
            assets.csv = { command = ["x"], type = "text", media_type = "text/csv" }
            "#,
        );
        let given = |asset: &str, media_type: &str| {
            let value =
                label(&definitions.asset(asset).unwrap().output, Value::single(media_type, content(b"")), false);
            value.map(|value| value.parts[0].media_type.clone())
        };
        for (asset, media_type, expected) in [
            ("json", "application/geo+json", Ok("application/geo+json")),
            ("json", "application/octet-stream", Ok("application/json")),
            ("json", "text/plain", Err("is text/plain, and it is defined as application/json")),
            ("text", "text/markdown", Ok("text/markdown")),
            ("text", "text/plain; charset=utf-8", Ok("text/plain; charset=utf-8")),
            ("bytes", "image/png", Ok("image/png")),
            ("csv", "text/csv", Ok("text/csv")),
            ("csv", "application/octet-stream", Ok("text/csv")),
            ("csv", "text/plain", Err("is text/plain, and it is defined as text/csv")),
            ("bytes", "a\u{1b}[2J/b", Err("has a media type that is none")),
            ("bytes", "", Err("has a media type that is none")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(given(asset, media_type), expected, "{asset} {media_type:?}");
        }
    }

    #[test]
    fn a_value_comes_in_one_part_whose_key_is_that_of_the_step() {
        let definitions = definitions(r#"assets.a = { command = ["x"], type = "none" }"#);
        let part = |key: Option<&str>| Part {
            key: key.map(str::to_owned),
            media_type: "text/plain".to_owned(),
            content: content(b""),
        };
        let labelled = |parts| label(&definitions.asset("a").unwrap().output, Value { parts }, false);
        assert_eq!(labelled(vec![part(Some("x"))]).unwrap().parts[0].key, None);
        let refused = labelled(vec![part(Some("x")), part(Some("y"))]).unwrap_err();
        assert_eq!(refused, "came in several parts, and one is stored at a time");
    }

    #[test]
    fn metadata_of_a_command_is_a_json_object_within_limits() {
        let entries =
            metadata(br#"{"a": null, "b": true, "c": 9007199254740993, "d": 1.5, "e": "x", "f": [1]}"#).unwrap();
        let values: Vec<MetadataValue> = entries.into_iter().map(|entry| entry.value).collect();
        let expected = [
            MetadataValue::Null,
            MetadataValue::Boolean(true),
            MetadataValue::Int(9_007_199_254_740_993),
            MetadataValue::Float(1.5),
            MetadataValue::Text("x".to_owned()),
            MetadataValue::Json(serde_json::json!([1])),
        ];
        assert_eq!(values, expected);
        let many: serde_json::Map<String, serde_json::Value> =
            (0..=METADATA_ENTRIES).map(|i| (i.to_string(), serde_json::Value::Null)).collect();
        assert!(metadata(&serde_json::to_vec(&many).unwrap()).is_err());
        assert!(metadata(b"{\"\": 1}").is_err());
        assert!(metadata(&vec![b' '; METADATA_BYTES + 1]).is_err());
    }

    #[test]
    fn what_the_manager_recorded_wins_over_what_the_op_did() {
        let entry = |label: &str, value| MetadataEntry { label: label.to_owned(), value: MetadataValue::Int(value) };
        let merged = merge(&[entry("a", 1), entry("b", 1)], &[entry("b", 2), entry("c", 2)]);
        assert_eq!(merged, [entry("a", 1), entry("b", 2), entry("c", 2)]);
    }

    #[test]
    fn a_number_that_json_has_not_is_kept_as_text() {
        let entry = MetadataEntry { label: "a".to_owned(), value: MetadataValue::Float(f64::NAN) };
        let kept = keepable(vec![entry]);
        assert_eq!(kept[0].value, MetadataValue::Tagged("float".to_owned(), "NaN".to_owned()));
    }
}
