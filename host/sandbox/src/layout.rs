//! Where values lie below a mount: keys become path segments, injectively.
//!
//! No guest has to make a safe path out of a key, and no key can climb out of a mount or meet another key.
//! A segment
//! - holds only `a-z`, `0-9`, `_`, `-`, `+` and `%`, so it never contains a separator, a `.` or a `=`;
//! - is never empty, never begins with `-` and is never a device name of Windows;
//! - is at most [`SEGMENT_BYTES`] long;
//! - differs from the segment of every other key, also on a file system that ignores case.
//!
//! A partition lies below its asset, in a segment for each dimension: the segments of the dimension's name and of its
//! key, joined by `=`. An extension always follows the last segment, after the only `.` of the path, so asset `a`, its
//! partitions and asset `a/b` never meet.

use std::fmt;

use sha2::{Digest, Sha256};

/// Bytes of a segment, at most; a longer one ends in `%_` and the SHA-256 of its key.
pub const SEGMENT_BYTES: usize = 200;
const HASH_DIGITS: usize = 64;
/// Bytes of an extension, at most.
pub const EXTENSION_BYTES: usize = 32;

/// The segment of `key`.
///
/// Upper-case letters are written `+a`, bytes that are not allowed `%` and two hexadecimal digits, the empty key
/// `%-`.
///
/// ```
/// use airlock_sandbox::layout::segment;
/// assert_eq!(segment("daily_weather"), "daily_weather");
/// assert_eq!(segment("2026-01-01T00:00"), "2026-01-01+t00%3a00");
/// assert_eq!(segment("../etc"), "%2e%2e%2fetc");
/// assert_eq!(segment("con"), "%63on");
/// ```
pub fn segment(key: &str) -> String {
    if key.is_empty() {
        return "%-".to_owned();
    }
    let mut encoded = String::with_capacity(key.len());
    let reserved = is_device_name(key);
    for (index, byte) in key.bytes().enumerate() {
        let first = index == 0;
        match byte {
            b'A'..=b'Z' => {
                encoded.push('+');
                encoded.push(char::from(byte.to_ascii_lowercase()));
            }
            b'a'..=b'z' if !(first && reserved) => encoded.push(char::from(byte)),
            b'0'..=b'9' | b'_' => encoded.push(char::from(byte)),
            b'-' if !first => encoded.push('-'),
            _ => {
                encoded.push('%');
                encoded.push(hex_digit(byte >> 4));
                encoded.push(hex_digit(byte & 15));
            }
        }
    }
    cut(encoded, key.as_bytes())
}

/// The segment of the dimension `name` of a partition, whose key in it is `key`.
fn dimension_segment(name: &str, key: &str) -> String {
    let joined = format!("{}={}", segment(name), segment(key));
    // No name of a dimension holds a NUL.
    cut(joined, format!("{name}\0{key}").as_bytes())
}

/// `encoded`, which stands for `key`, with the end that is too long replaced by the SHA-256 of the key.
fn cut(mut encoded: String, key: &[u8]) -> String {
    if encoded.len() > SEGMENT_BYTES {
        encoded.truncate(SEGMENT_BYTES - HASH_DIGITS - 2);
        encoded.push_str("%_");
        for byte in Sha256::digest(key) {
            encoded.push(hex_digit(byte >> 4));
            encoded.push(hex_digit(byte & 15));
        }
    }
    encoded
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

/// Whether Windows takes `key` for a device, whatever its case. An upper-case letter is encoded anyway, so only
/// the lower-case names need care.
fn is_device_name(key: &str) -> bool {
    match key {
        "con" | "prn" | "aux" | "nul" => true,
        _ => ["com", "lpt"].iter().any(|device| {
            key.strip_prefix(device)
                .is_some_and(|port| port.len() == 1 && port.bytes().all(|digit| digit.is_ascii_digit()))
        }),
    }
}

/// The directory below a mount that holds all outputs of the run `run_id` that are no assets.
pub(crate) fn run_directory(run_id: &str) -> String {
    format!("runs={}", segment(run_id))
}

/// The place of an output below a mount: the path that belongs to it alone, without its extension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location(String);

impl Location {
    /// The place of an asset that is not partitioned: `sales/orders`.
    pub fn asset<S: AsRef<str>>(key: &[S]) -> Self {
        let segments: Vec<String> = key.iter().map(|part| segment(part.as_ref())).collect();
        Self(segments.join("/"))
    }

    /// The place of an output that is no asset: `runs=<run>/<step>/<output>`.
    ///
    /// No segment of an asset key holds a `=`, so it never meets an asset.
    pub fn output(run_id: &str, step_key: &str, output: &str) -> Self {
        Self(format!("{}/{}/{}", run_directory(run_id), segment(step_key), segment(output)))
    }

    /// The place where an input is looked for that is no output of anything, by the parts of the name of what has it:
    /// `inputs=<part>/<part>/<input>`.
    pub fn input<S: AsRef<str>>(of: &[S], input: &str) -> Self {
        let parts = of.iter().map(AsRef::as_ref).chain([input]);
        Self(format!("inputs={}", parts.map(segment).collect::<Vec<_>>().join("/")))
    }

    /// The place of the partition of the output that has the given names and keys of dimensions, in the order of their
    /// names: `sales/orders/days=2026-01-01`.
    #[must_use]
    pub fn partition<S: AsRef<str>>(&self, dimensions: &[(S, S)]) -> Self {
        let mut sorted: Vec<(&str, &str)> =
            dimensions.iter().map(|(name, key)| (name.as_ref(), key.as_ref())).collect();
        sorted.sort_unstable();
        let mut path = self.0.clone();
        for (name, key) in sorted {
            path.push('/');
            path.push_str(&dimension_segment(name, key));
        }
        Self(path)
    }

    /// The path with `extension`: `sales/orders.parquet`.
    ///
    /// # Errors
    /// [`BadExtension`] where the extension is empty, longer than [`EXTENSION_BYTES`], or holds anything but
    /// `a-z`, `0-9`, `_`, `-` and inner dots.
    pub fn path(&self, extension: &str) -> Result<String, BadExtension> {
        if is_extension(extension) { Ok(format!("{}.{extension}", self.0)) } else { Err(BadExtension) }
    }

    /// The path without an extension.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `extension` can follow the place of a value: see [`Location::path`].
pub fn is_extension(extension: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.');
    let dots = extension.starts_with('.') || extension.ends_with('.') || extension.contains("..");
    !extension.is_empty() && extension.len() <= EXTENSION_BYTES && !dots && extension.bytes().all(allowed)
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An extension that cannot be part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an extension has 1 to 32 of the characters a-z, 0-9, `_`, `-` and inner dots")]
pub struct BadExtension;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// The key of a segment that holds no hash.
    fn decode(segment: &str) -> Option<String> {
        if segment == "%-" {
            return Some(String::new());
        }
        let mut bytes = Vec::new();
        let mut rest = segment.bytes();
        while let Some(byte) = rest.next() {
            match byte {
                b'+' => bytes.push(rest.next()?.to_ascii_uppercase()),
                b'%' => {
                    let digits = [rest.next()?, rest.next()?];
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                }
                plain => bytes.push(plain),
            }
        }
        String::from_utf8(bytes).ok()
    }

    fn is_safe(segment: &str) -> bool {
        !segment.is_empty()
            && segment.len() <= SEGMENT_BYTES
            && !segment.starts_with('-')
            && !is_device_name(segment)
            && segment.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'+' | b'%'))
    }

    #[test]
    fn awkward_keys_have_safe_segments_that_differ() {
        let long = "x".repeat(201);
        let longer = "x".repeat(202);
        let keys = [
            "",
            ".",
            "..",
            "...",
            "/",
            "a/b",
            "a\\b",
            "/etc/passwd",
            "a.b",
            "a=b",
            "-a",
            "A",
            "a",
            "+a",
            "%41",
            "con",
            "CON",
            "Con",
            "com1",
            "COM1",
            "lpt9",
            "nul",
            "nul.txt",
            " ",
            "a ",
            "ü",
            "u\u{308}",
            "\u{202e}",
            "\0",
            "\n",
            "%-",
            "%_",
            &long,
            &longer,
        ];
        let mut seen = HashMap::new();
        for key in keys {
            let segment = segment(key);
            assert!(is_safe(&segment), "{key:?} became {segment:?}");
            assert_eq!(seen.insert(segment, key), None, "{key:?}");
        }
    }

    #[test]
    fn the_published_vectors_hold() {
        let document = include_str!("../../../docs/layout.md");
        let (_, vectors) = document.split_once("## Test vectors").unwrap();
        let mut rows = 0;
        for row in vectors.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = row.split('`').collect();
            let key: String = serde_json::from_str(cells[1]).unwrap();
            assert_eq!(segment(&key), cells[3], "{row}");
            rows += 1;
        }
        assert!(rows > 20);
    }

    #[test]
    fn a_long_key_ends_in_its_hash() {
        let segment = segment(&"k".repeat(5000));
        assert_eq!(segment.len(), SEGMENT_BYTES);
        assert_eq!(segment.find("%_"), Some(SEGMENT_BYTES - HASH_DIGITS - 2));
    }

    #[test]
    fn a_long_partition_has_a_segment_of_its_own_that_a_file_can_have() {
        let output = Location::asset(&["a"]);
        let place = |name: &str, key: &str| output.partition(&[(name, key)]).as_str().to_owned();
        let (name, key) = ("n".repeat(60), "K".repeat(120));
        let long = place(&name, &key);
        assert!(long.starts_with(&format!("a/{name}=")) && long.len() == "a/".len() + SEGMENT_BYTES, "{long}");
        assert_ne!(long, place(&name, &"K".repeat(121)));
        assert_ne!(place(&"n".repeat(500), "k"), place(&"n".repeat(501), "k"));
    }

    #[test]
    fn paths_always_have_an_extension() {
        let location = Location::asset(&["sales", "orders"]);
        assert_eq!(location.path("parquet").as_deref(), Ok("sales/orders.parquet"));
        assert_eq!(location.path("csv.gz").as_deref(), Ok("sales/orders.csv.gz"));
        for extension in ["", ".", ".csv", "csv.", "a..b", "a/b", "../x", "CSV", &"x".repeat(33)] {
            assert_eq!(location.path(extension), Err(BadExtension), "{extension:?}");
        }
    }

    #[test]
    fn the_published_places_of_partitions_hold() {
        let document = include_str!("../../../docs/layout.md");
        let (_, vectors) = document.split_once("## Partitions").unwrap();
        let mut rows = 0;
        for row in vectors.lines().take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = row.split('`').collect();
            let key: Vec<String> = serde_json::from_str(cells[1]).unwrap();
            let dimensions: Vec<(String, String)> = serde_json::from_str(cells[3]).unwrap();
            assert_eq!(Location::asset(&key).partition(&dimensions).as_str(), cells[5], "{row}");
            rows += 1;
        }
        assert!(rows > 3);
    }

    proptest! {
        #[test]
        fn a_segment_gives_its_key_back(key in "\\PC{0,60}") {
            let segment = segment(&key);
            prop_assert!(is_safe(&segment));
            if segment.len() < SEGMENT_BYTES {
                prop_assert_eq!(decode(&segment), Some(key));
            }
        }

        #[test]
        fn segments_of_different_keys_differ_whatever_the_case(a in "[aA.%+-]{0,6}", b in "[aA.%+-]{0,6}") {
            if a != b {
                prop_assert_ne!(segment(&a).to_lowercase(), segment(&b).to_lowercase());
            }
        }
    }
}
