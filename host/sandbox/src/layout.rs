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

use serde::{Deserialize, Serialize};
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
mod tests;
