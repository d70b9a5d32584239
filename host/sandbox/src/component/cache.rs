//! Compiled code, kept between processes.
//!
//! Compiled code is native code: who can make the host load a false entry runs anything with the host's rights, and
//! wasmtime checks versions, not content. An entry is therefore the compiled code under a keyed hash of component
//! digest, compiler settings and code. The key lies outside the cache folder, so that someone who can write the folder
//! (a restored CI cache, a shared directory) cannot make entries. An entry that does not verify is compiled anew.

use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use wasmtime::Engine;

use super::Code;
use crate::limits::{CHUNK, COMPILED_BYTES};

const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = blake3::OUT_LEN;
/// What the names of entries begin with that are being written.
const UNFINISHED: &str = "unfinished-";

/// Where compiled code is kept, and where the key lies that makes it trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// The folder of the entries; made where it is missing.
    pub directory: PathBuf,
    /// The file of the key, outside that folder; made, for its owner alone, where it is missing.
    pub key_file: PathBuf,
}

pub(crate) struct Cache {
    directory: PathBuf,
    key: [u8; KEY_BYTES],
}

impl Cache {
    /// Opens the cache, making folder and key where they are missing.
    pub(crate) fn open(settings: &CacheSettings) -> io::Result<Self> {
        let directory = &settings.directory;
        private_directory(directory)?;
        let key = match read_key(&settings.key_file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_key(&settings.key_file)?,
            other => other?,
        };
        if settings.key_file.canonicalize()?.starts_with(directory.canonicalize()?) {
            return Err(io::Error::other("the key of the cache lies in its folder"));
        }
        Ok(Self { directory: directory.clone(), key })
    }

    /// The code of the component with this digest, if what the cache holds is authentic.
    pub(super) fn get(&self, engine: &Engine, digest: &str) -> Option<Code> {
        let identity = identity(engine, digest);
        self.read(&self.path(&identity), &identity)
    }

    /// Keeps the code of the component with this digest. A cache that cannot be written costs time, not correctness.
    pub(super) fn keep(&self, engine: &Engine, digest: &str, code: &Code) {
        let identity = identity(engine, digest);
        let _ = self.write(&self.path(&identity), &identity, code);
    }

    fn path(&self, identity: &blake3::Hash) -> PathBuf {
        self.directory.join(format!("{}.cwasm", identity.to_hex()))
    }

    fn hasher(&self, identity: &blake3::Hash) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(identity.as_bytes());
        hasher
    }

    /// The code at `path` if it is what this key wrote for `identity`. What is hashed is a copy, which is sealed before
    /// the hash is compared: the file at `path` could change after that.
    fn read(&self, path: &Path, identity: &blake3::Hash) -> Option<Code> {
        let mut file = OpenOptions::new().read(true).custom_flags(open_flags(Links::Refuse)).open(path).ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut tag = [0; TAG_BYTES];
        file.read_exact(&mut tag).ok()?;
        let mut hasher = self.hasher(identity);
        let mut copy = crate::mount::anonymous_file().ok()?;
        pour(&mut file.take(COMPILED_BYTES), |chunk| {
            hasher.update(chunk);
            copy.write_all(chunk)
        })
        .ok()?;
        let code = Code::sealed(copy).ok()?;
        // The comparison of hashes takes the same time whatever they are.
        (hasher.finalize() == blake3::Hash::from_bytes(tag)).then_some(code)
    }

    fn write(&self, path: &Path, identity: &blake3::Hash, code: &Code) -> io::Result<()> {
        self.sweep()?;
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.directory)?;
        // While it is held, who sweeps leaves it; one that was swept before it was held is not kept.
        file.as_file().try_lock()?;
        let code = code.bytes()?;
        file.write_all(self.hasher(identity).update(&code).finalize().as_bytes())?;
        file.write_all(&code)?;
        file.persist(path)?;
        Ok(())
    }

    /// Removes the entries that processes left unfinished that were killed.
    fn sweep(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            let is_unfinished = entry.file_name().to_str().is_some_and(|name| name.starts_with(UNFINISHED));
            if is_unfinished && entry.file_type()?.is_file() && File::open(entry.path())?.try_lock().is_ok() {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Passes all that `from` gives to `take`, a chunk at a time.
fn pour(from: &mut impl Read, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => take(chunk.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Names an entry by all that its code depends on.
fn identity(engine: &Engine, digest: &str) -> blake3::Hash {
    struct Collect(blake3::Hasher);
    impl Hasher for Collect {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let mut collect = Collect(blake3::Hasher::new());
    digest.hash(&mut collect);
    env!("CARGO_PKG_VERSION").hash(&mut collect);
    engine.precompile_compatibility_hash().hash(&mut collect);
    collect.0.finalize()
}

/// Flags that open no FIFO to wait for, and no link where `links` says so.
pub(super) fn open_flags(links: Links) -> i32 {
    let flags = match links {
        Links::Follow => OFlags::NONBLOCK,
        Links::Refuse => OFlags::NONBLOCK | OFlags::NOFOLLOW,
    };
    i32::try_from(flags.bits()).unwrap_or(0)
}

/// What becomes of a path whose last part is a link.
#[derive(Clone, Copy, Debug)]
pub(super) enum Links {
    Follow,
    Refuse,
}

/// Makes `directory` for its owner alone, or checks that it is.
fn private_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    check_owner(directory, &std::fs::metadata(directory)?)
}

fn check_owner(path: &Path, metadata: &std::fs::Metadata) -> io::Result<()> {
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user || metadata.mode() & 0o022 != 0 {
        let message = format!("{} belongs to somebody else or can be written by others", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(())
}

fn read_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut file = OpenOptions::new().read(true).custom_flags(open_flags(Links::Refuse)).open(path)?;
    let metadata = file.metadata()?;
    check_owner(path, &metadata)?;
    if !metadata.is_file() || metadata.len() != KEY_BYTES as u64 || metadata.mode() & 0o044 != 0 {
        let message = format!("{} is not a key that its owner alone can read; remove it", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut key = [0; KEY_BYTES];
    file.read_exact(&mut key)?;
    Ok(key)
}

/// Makes a key, unless another process does so first.
fn make_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut key = [0; KEY_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&key)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(key),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => read_key(path),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests;
