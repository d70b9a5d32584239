//! The paths that the host gives, so that a test sees those of a run.

use sha2::{Digest, Sha256};

use crate::Error;

const SEGMENT_BYTES: usize = 200;
const HASH_DIGITS: usize = 64;
const EXTENSION_BYTES: usize = 32;

/// The path segment of a key: injective, without separators, dots and `=`.
pub fn segment(key: &str) -> String {
    if key.is_empty() {
        return "%-".to_owned();
    }
    let mut encoded = String::with_capacity(key.len());
    let reserved = is_device_name(key);
    for (index, byte) in key.bytes().enumerate() {
        match byte {
            b'A'..=b'Z' => {
                encoded.push('+');
                encoded.push(char::from(byte.to_ascii_lowercase()));
            }
            b'a'..=b'z' if index > 0 || !reserved => encoded.push(char::from(byte)),
            b'-' if index > 0 => encoded.push('-'),
            b'0'..=b'9' | b'_' => encoded.push(char::from(byte)),
            _ => {
                encoded.push('%');
                encoded.push_str(&hexadecimal(&[byte]));
            }
        }
    }
    cut(encoded, key.as_bytes())
}

/// `encoded` with the end that is too long replaced by the hash of `key`.
fn cut(mut encoded: String, key: &[u8]) -> String {
    if encoded.len() > SEGMENT_BYTES {
        encoded.truncate(SEGMENT_BYTES - HASH_DIGITS - 2);
        encoded.push_str("%_");
        encoded.push_str(&hexadecimal(&Sha256::digest(key)));
    }
    encoded
}

fn is_device_name(key: &str) -> bool {
    let port = |name: &str| {
        let digits = key.strip_prefix(name)?.as_bytes();
        Some(matches!(digits, [b'0'..=b'9']))
    };
    matches!(key, "con" | "prn" | "aux" | "nul") || port("com").or_else(|| port("lpt")).unwrap_or(false)
}

/// Lower-case hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Where an output lies: that of an asset, or that of an op's output in a run.
#[derive(Clone, Debug)]
pub struct Location(String);

impl Location {
    /// The place of an asset.
    pub fn asset(key: &[String]) -> Self {
        Self(key.iter().map(|part| segment(part)).collect::<Vec<_>>().join("/"))
    }

    /// The place of an output that is no asset.
    pub fn output(run_id: &str, step_key: &str, output_name: &str) -> Self {
        Self(format!("runs={}/{}/{}", segment(run_id), segment(step_key), segment(output_name)))
    }

    /// The place where an input is looked for that is no output of anything.
    pub fn input(of: &[String], input_name: &str) -> Self {
        let parts = of.iter().map(String::as_str).chain([input_name]);
        Self(format!("inputs={}", parts.map(segment).collect::<Vec<_>>().join("/")))
    }

    /// The path of the whole, or of a partition of `dimensions`, with `extension`.
    pub fn path(&self, dimensions: &[(String, String)], extension: &str) -> Result<String, Error> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.');
        let dots = extension.starts_with('.') || extension.ends_with('.') || extension.contains("..");
        if extension.is_empty() || extension.len() > EXTENSION_BYTES || dots || !extension.bytes().all(allowed) {
            return Err(Error::other(
                "bad-extension",
                "an extension has 1 to 32 of the characters a-z, 0-9, `_`, `-` and inner dots",
            ));
        }
        let mut sorted: Vec<_> = dimensions.iter().collect();
        sorted.sort();
        let levels = sorted
            .into_iter()
            .map(|(name, key)| cut([segment(name), segment(key)].join("="), format!("{name}\0{key}").as_bytes()));
        let path = std::iter::once(self.0.clone()).chain(levels).collect::<Vec<_>>().join("/");
        Ok(format!("{path}.{extension}"))
    }
}

#[cfg(test)]
mod tests {
    use airlock_sandbox::layout;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_segment_is_that_of_the_host(key in "\\PC{0,100}") {
            prop_assert_eq!(segment(&key), layout::segment(&key));
        }
    }

    #[test]
    fn awkward_segments_are_those_of_the_host() {
        for key in ["", "..", "con", "CON", "com1", "com10", "lpt", "-a", "a-", "%-", "a=b", &"k".repeat(500)] {
            assert_eq!(segment(key), layout::segment(key), "{key:?}");
        }
    }

    #[test]
    fn the_path_of_an_asset_is_that_of_the_host() {
        let key = ["Sales".to_owned(), "orders".to_owned()];
        for extension in ["csv", "csv.gz", "", ".csv", "CSV", "a/b"] {
            let path = Location::asset(&key).path(&[], extension).ok();
            assert_eq!(path, layout::Location::asset(&key).path(extension).ok(), "{extension:?}");
        }
    }

    #[test]
    fn the_paths_of_what_is_no_asset_are_those_of_the_host() {
        let path = Location::output("R1", "count[fox]", "Rows").path(&[], "csv").unwrap();
        assert_eq!(path, layout::Location::output("R1", "count[fox]", "Rows").path("csv").unwrap());
        let of = ["Job".to_owned(), "step".to_owned()];
        let path = Location::input(&of, "rates").path(&[], "csv").unwrap();
        assert_eq!(path, layout::Location::input(&of, "rates").path("csv").unwrap());
    }

    #[test]
    fn partitions_lie_below_in_the_order_of_their_dimensions() {
        let dimensions = [("region", "eu"), ("days", "2026-01-01")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let path = Location::asset(&["sales".to_owned()]).path(&dimensions, "parquet").unwrap();
        assert_eq!(path, "sales/days=2026-01-01/region=eu.parquet");
        let host = layout::Location::asset(&["sales"]);
        for dimensions in [dimensions, [("A".repeat(90), "K".repeat(90)), (String::new(), "..".to_owned())]] {
            let path = Location::asset(&["sales".to_owned()]).path(&dimensions, "csv").unwrap();
            assert_eq!(path, host.partition(&dimensions).path("csv").unwrap());
        }
    }
}
