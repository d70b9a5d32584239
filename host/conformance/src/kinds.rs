//! The kinds of values that the kit makes.

use crate::tables;

/// What a value of a kind looks like inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Bytes,
    Text,
    Json,
    JsonLines,
    Csv,
    Table,
}

/// A media type of which the kit makes values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub media_type: &'static str,
    pub form: Form,
}

/// A table: an Arrow IPC stream.
pub(crate) const TABLE: Kind = Kind { media_type: "application/vnd.apache.arrow.stream", form: Form::Table };

/// What no component knows.
pub(crate) const UNKNOWN: Kind = Kind { media_type: "application/x-airlock-unheard-of", form: Form::Bytes };

const KNOWN: [Kind; 9] = [
    Kind { media_type: "application/octet-stream", form: Form::Bytes },
    Kind { media_type: "text/plain", form: Form::Text },
    Kind { media_type: "application/json", form: Form::Json },
    Kind { media_type: "text/csv", form: Form::Csv },
    Kind { media_type: "application/x-ndjson", form: Form::JsonLines },
    Kind { media_type: "text/html", form: Form::Text },
    Kind { media_type: "text/markdown", form: Form::Text },
    Kind { media_type: "image/svg+xml", form: Form::Text },
    TABLE,
];

/// The kinds among the media types that a manifest claims; all where it claims none in particular.
pub(crate) fn claimed(values: &[String]) -> Vec<Kind> {
    let fits = |kind: &Kind| values.is_empty() || values.iter().any(|value| matches(value, kind.media_type));
    KNOWN.into_iter().filter(fits).collect()
}

/// The media types that a manifest claims of which the kit makes no values.
pub(crate) fn unknown(values: &[String]) -> Vec<&str> {
    let is_known = |value: &&String| KNOWN.iter().any(|kind| matches(value, kind.media_type));
    values.iter().filter(|value| !is_known(value)).map(String::as_str).collect()
}

/// Whether the claim `value`, in which either side may be `*`, holds `media_type`.
pub(crate) fn matches(value: &str, media_type: &str) -> bool {
    let (Some((group, kind)), Some((its_group, its_kind))) = (value.split_once('/'), media_type.split_once('/')) else {
        return false;
    };
    let fits = |claim: &str, part: &str| claim == "*" || claim.eq_ignore_ascii_case(part);
    fits(group, its_group) && fits(kind, its_kind)
}

/// A media type without its parameters.
pub(crate) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

impl Kind {
    /// A small value; another for each `seed`, and longer the larger it is.
    pub fn sample(self, seed: u16) -> Vec<u8> {
        self.padded(seed, seed.into())
    }

    /// A small value; another for each `seed`, and longer the larger `padding` is.
    pub fn padded(self, seed: u16, padding: usize) -> Vec<u8> {
        let tail = "x".repeat(padding);
        match self.form {
            Form::Bytes => {
                let mut bytes = vec![0, 255, b'\r', b'\n'];
                bytes.extend(random(40 + padding, u64::from(seed)));
                bytes
            }
            Form::Text => format!("the value {seed}: ä, 🦀, \"\t\\\r\nits second line{tail}").into_bytes(),
            Form::Json => format!("{{\"value\": {seed}, \"of\": [1, 2.5, true, \"ü{tail}\"]}}").into_bytes(),
            Form::JsonLines => format!("{{\"value\": {seed}}}\n{{\"value\": \"ü{tail}\"}}\n").into_bytes(),
            Form::Csv => format!("name,value\n\"a, b\",{seed}\nü,{tail}\n").into_bytes(),
            Form::Table => tables::small(seed, padding),
        }
    }

    /// A value of so many bytes, a table of about as many, that cannot be stored in much fewer; none where there is no such
    /// value of the kind.
    pub fn of_size(self, size: usize) -> Option<Vec<u8>> {
        let around = |before: &str, after: &str| {
            let within = size.checked_sub(before.len() + after.len())?;
            Some([before.as_bytes(), &letters(within), after.as_bytes()].concat())
        };
        match self.form {
            Form::Bytes => Some(random(size, size as u64)),
            Form::Text => Some(letters(size)),
            Form::Json if size == 1 => Some(b"7".to_vec()),
            Form::Json => around("\"", "\""),
            Form::JsonLines => around("\"", "\"\n"),
            Form::Csv => around("a\n", "\n"),
            Form::Table if size < 1024 => None,
            Form::Table => Some(tables::of_size(size)),
        }
    }

    /// Whether two values are the same: byte for byte, or as tables or as JSON. How they differ, where they do.
    pub fn difference(self, expected: &[u8], found: &[u8]) -> Option<String> {
        match self.form {
            Form::Table => tables::difference(expected, found, tables::Metadata::May),
            Form::Json => crate::json::difference(expected, found),
            _ => crate::check::difference(expected, found),
        }
    }
}

/// So many bytes, the same ones each time.
fn random(size: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; size];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// So many letters of ASCII, the same ones each time.
pub(crate) fn letters(size: usize) -> Vec<u8> {
    let mut bytes = random(size, size as u64);
    for byte in &mut bytes {
        *byte = b'A' + (*byte & 31) + if *byte & 31 < 26 { 0 } else { 6 };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_may_leave_either_side_open() {
        let media_types = |values: &[&str]| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            claimed(&values).into_iter().map(|kind| kind.media_type).collect::<Vec<_>>()
        };
        assert_eq!(media_types(&["application/json", "image/png"]), ["application/json"]);
        assert_eq!(media_types(&["text/*"]), ["text/plain", "text/csv", "text/html", "text/markdown"]);
        assert_eq!(media_types(&["*/*"]).len(), KNOWN.len());
        assert_eq!(media_types(&[]).len(), KNOWN.len());
        assert_eq!(unknown(&["image/png".to_owned(), "*/*".to_owned()]), ["image/png"]);
    }

    #[test]
    fn a_value_has_the_size_that_is_asked_for_and_is_one_of_its_kind() {
        for kind in KNOWN.into_iter().filter(|kind| kind.form != Form::Table) {
            for size in [0, 1, 2, 3, 4, 1000] {
                let Some(value) = kind.of_size(size) else { continue };
                assert_eq!(value.len(), size, "{}", kind.media_type);
                if kind.form == Form::Json {
                    serde_json::from_slice::<serde_json::Value>(&value).unwrap();
                }
                if kind.form != Form::Bytes {
                    String::from_utf8(value).unwrap();
                }
            }
        }
        assert!(tables::of_size(100_000).len() >= 100_000);
    }

    #[test]
    fn samples_differ() {
        for kind in KNOWN {
            assert!(kind.difference(&kind.sample(1), &kind.sample(2)).is_some(), "{}", kind.media_type);
            assert_eq!(kind.difference(&kind.sample(3), &kind.sample(3)), None, "{}", kind.media_type);
        }
    }
}
