//! Values in memory.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::layout::hexadecimal;
use crate::Error;

/// Bytes that a built reader gives at a time, fewer than what is asked for, as the host may.
const READ: usize = 64 << 10;
/// Bytes that a sink takes at a time.
const CHUNK: usize = 1 << 20;
/// Bytes of a mapping key, at most.
const MAPPING_KEY_BYTES: usize = 200;

/// One part of a value, to give to a manager under test or to look at afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The partition key or mapping key.
    pub key: Option<String>,
    /// An IANA media type.
    pub media_type: String,
    /// The content.
    pub bytes: Vec<u8>,
}

impl Part {
    /// The only part of a value.
    pub fn new(media_type: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { key: None, media_type: media_type.into(), bytes: bytes.into() }
    }

    /// The same with a key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// Gives parts one by one.
#[derive(Debug)]
pub struct Source {
    parts: RefCell<std::vec::IntoIter<Part>>,
}

impl Source {
    pub fn new(parts: Vec<Part>) -> Self {
        Self { parts: RefCell::new(parts.into_iter()) }
    }

    pub fn next(&self) -> Result<Option<Reader>, Error> {
        let part = self.parts.borrow_mut().next();
        Ok(part.map(|part| Reader { part, position: Cell::new(0) }))
    }
}

/// Reads a part.
#[derive(Debug)]
pub struct Reader {
    part: Part,
    position: Cell<usize>,
}

impl Reader {
    pub fn key(&self) -> Option<String> {
        self.part.key.clone()
    }

    pub fn media_type(&self) -> String {
        self.part.media_type.clone()
    }

    pub fn size(&self) -> u64 {
        self.part.bytes.len() as u64
    }

    pub fn read(&self, max: u32) -> Result<Vec<u8>, Error> {
        if max == 0 {
            return Err(Error::other("bad-request", "a read of at most 0 bytes"));
        }
        let rest = self.rest();
        let length = rest.len().min(usize::try_from(max).unwrap_or(usize::MAX)).min(READ);
        let bytes = rest.get(..length).unwrap_or_default().to_vec();
        self.position.set(self.position.get() + length);
        Ok(bytes)
    }

    pub fn rewind(&self) -> Result<(), Error> {
        self.position.set(0);
        Ok(())
    }

    pub fn digest(&self) -> Result<String, Error> {
        Ok(format!("sha256:{}", hexadecimal(&Sha256::digest(&self.part.bytes))))
    }

    pub fn save(&self, path: &str) -> Result<u64, Error> {
        let path = Path::new(path);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let rest = self.rest();
        fs::write(path, rest)?;
        self.position.set(self.part.bytes.len());
        Ok(rest.len() as u64)
    }

    fn rest(&self) -> &[u8] {
        self.part.bytes.get(self.position.get()..).unwrap_or_default()
    }
}

/// The keys that the parts of a sink may have.
#[derive(Debug)]
pub enum Keys {
    /// Those of the partitions of the call; the only one needs no name.
    Partitions(Vec<String>),
    /// Mapping keys, which the guest makes up.
    Mapping,
}

impl Keys {
    fn check(&self, key: Option<&str>) -> Result<(), Error> {
        match (self, key) {
            (Self::Partitions(keys), None) if keys.len() <= 1 => Ok(()),
            (Self::Partitions(keys), None) => {
                Err(Error::other("unknown-key", format!("name one of the {} partitions", keys.len())))
            }
            (Self::Partitions(keys), Some(key)) if keys.iter().any(|known| known == key) => Ok(()),
            (Self::Partitions(_), Some(key)) => {
                Err(Error::other("unknown-key", format!("{key:?} is not a key of this call")))
            }
            (Self::Mapping, Some(key)) if is_mapping_key(key) => Ok(()),
            (Self::Mapping, Some(key)) => {
                let rule = format!("it has 1 to {MAPPING_KEY_BYTES} of A-Z, a-z, 0-9 and _");
                Err(Error::other("bad-mapping-key", format!("{key:?} is no mapping key: {rule}")))
            }
            (Self::Mapping, None) => {
                Err(Error::other("bad-mapping-key", "a part of a dynamic output has a mapping key"))
            }
        }
    }
}

fn is_mapping_key(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && text.len() <= MAPPING_KEY_BYTES && text.bytes().all(allowed)
}

/// Collects parts.
#[derive(Clone, Debug)]
pub struct Sink(Arc<SinkState>);

#[derive(Debug)]
struct SinkState {
    keys: Keys,
    parts: Mutex<Vec<Part>>,
    /// Whether anything was appended to the last part, be it no byte.
    touched: AtomicBool,
}

impl Sink {
    pub fn new(keys: Keys) -> Self {
        Self(Arc::new(SinkState { keys, parts: Mutex::default(), touched: AtomicBool::new(false) }))
    }

    pub fn take(&self) -> Vec<Part> {
        std::mem::take(&mut *self.parts())
    }

    fn parts(&self) -> MutexGuard<'_, Vec<Part>> {
        self.0.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That a part may have `key`.
    pub fn check_key(&self, key: &str) -> Result<(), Error> {
        self.0.keys.check(Some(key))
    }

    pub fn begin(&self, key: Option<&str>, media_type: &str) -> Result<(), Error> {
        self.0.keys.check(key)?;
        let mut parts = self.parts();
        let refuse = |message: String| Err(Error::conflict(message));
        if parts.iter().any(|part| part.key.as_deref() == key) {
            return refuse(format!("the part {key:?} was begun before"));
        }
        if parts.iter().any(|part| part.key.is_some() != key.is_some()) {
            return refuse("parts with and without keys do not mix".to_owned());
        }
        parts.push(Part { key: key.map(str::to_owned), media_type: media_type.to_owned(), bytes: Vec::new() });
        self.0.touched.store(false, Ordering::Relaxed);
        Ok(())
    }

    pub fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        if bytes.len() > CHUNK {
            return Err(Error::LimitExceeded(format!("a write of {} bytes; at most 1 MiB", bytes.len())));
        }
        self.append(bytes)
    }

    pub fn load(&self, path: &str) -> Result<u64, Error> {
        match fs::read(path) {
            Ok(bytes) => {
                self.append(&bytes)?;
                Ok(bytes.len() as u64)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !self.0.touched.load(Ordering::Relaxed) {
                    self.parts().pop();
                }
                Err(Error::not_found())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn append(&self, bytes: &[u8]) -> Result<(), Error> {
        match self.parts().last_mut() {
            Some(part) => {
                part.bytes.extend_from_slice(bytes);
                self.0.touched.store(true, Ordering::Relaxed);
                Ok(())
            }
            None => Err(Error::other("bad-request", "bytes before a part was begun")),
        }
    }
}

#[cfg(test)]
mod tests {
    use airlock_sandbox::partition;

    use super::*;

    #[test]
    fn mapping_keys_are_those_of_the_host() {
        for key in ["", "a", "A_1", "a-b", "a.b", "ä", &"k".repeat(200), &"k".repeat(201)] {
            assert_eq!(is_mapping_key(key), partition::is_mapping_key(key), "{key:?}");
        }
    }
}
