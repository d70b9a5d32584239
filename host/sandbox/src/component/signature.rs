//! Detached signatures of components, as the tool `minisign` makes them.

use std::path::Path;
use std::str::FromStr;

use minisign_verify::{Error, Signature};

use super::{ComponentError, read, read_file};

/// Bytes of a signature, at most: it is four lines, of which two are comments.
const SIGNATURE_BYTES: u64 = 16 << 10;

/// The public key of whom a component must be signed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(minisign_verify::PublicKey);

impl FromStr for PublicKey {
    type Err = &'static str;

    /// The key in the second line of what `minisign -G` writes to `minisign.pub`: `RW…`, 56 characters.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match minisign_verify::PublicKey::from_base64(text) {
            Ok(key) => Ok(Self(key)),
            Err(_) => Err("it is no public key of minisign: the second line of `minisign.pub`, `RW…`"),
        }
    }
}

impl PublicKey {
    /// Whether `signature`, the text of a file that `minisign -S` wrote, is one of `bytes` by this key.
    fn verify(&self, bytes: &[u8], signature: &str) -> Result<(), &'static str> {
        let signature = Signature::decode(signature).map_err(|_| "is no signature of minisign")?;
        self.0.verify(bytes, &signature, false).map_err(|error| match error {
            Error::UnexpectedKeyId => "was made with another key than `public_key`",
            Error::UnexpectedAlgorithm => {
                "was made without hashing first, as old versions of minisign do: sign it anew"
            }
            _ => "is not one of these bytes by `public_key`: the component or the signature was changed",
        })
    }
}

/// The bytes of the component at `path`, which is signed: the file `signature` is a signature of these bytes by `key`.
///
/// # Errors
/// Those of [`read`], and [`ComponentError::Signature`].
pub fn read_signed(path: &Path, signature: &Path, key: &PublicKey) -> Result<Vec<u8>, ComponentError> {
    let wrong = |reason: String| ComponentError::Signature { file: signature.to_owned(), reason };
    let bytes = read(path)?;
    let text = read_file(signature, SIGNATURE_BYTES).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let text = String::from_utf8(text).map_err(|_| wrong("is no signature of minisign".to_owned()))?;
    key.verify(&bytes, &text).map_err(|reason| wrong(reason.to_owned()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key, and a signature of `test` by it, as the tool `minisign` wrote them.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\n\
        RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n\
        trusted comment: timestamp:1633700835\tfile:test\tprehashed\n\
        wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==\n";

    fn key() -> PublicKey {
        KEY.parse().unwrap()
    }

    #[test]
    fn what_the_key_signed_is_taken_and_nothing_else() {
        assert_eq!(key().verify(b"test", SIGNATURE), Ok(()));
        let changed = "is not one of these bytes by `public_key`: the component or the signature was changed";
        assert_eq!(key().verify(b"Test", SIGNATURE), Err(changed));
        assert_eq!(key().verify(b"test", &SIGNATURE.replace("file:test", "file:best")), Err(changed));
        // Of another key the first bytes name it.
        let other: PublicKey = KEY.replace("RWQf6LRC", "RWQf6LRD").parse().unwrap();
        assert_eq!(other.verify(b"test", SIGNATURE), Err("was made with another key than `public_key`"));
    }

    #[test]
    fn what_is_no_key_and_no_signature_is_refused() {
        for text in
            ["", "RWQ", "x", &KEY.replace("RW", "W"), &format!("untrusted comment: minisign public key\n{KEY}\n")]
        {
            assert!(text.parse::<PublicKey>().is_err(), "{text}");
        }
        let lines: Vec<&str> = SIGNATURE.lines().collect();
        for text in [String::new(), "x".to_owned(), lines[..3].join("\n"), SIGNATURE.replace("RUQf6", "RUQ f6")] {
            assert_eq!(key().verify(b"test", &text), Err("is no signature of minisign"), "{text}");
        }
    }
}
