//! Digests of contents: each computed once, by whoever comes first.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Content;
use crate::text::sha256_text;

/// From this size on a digest is worth a thread of its own.
const BACKGROUND_DIGEST: u64 = 1 << 20;
/// How often one who waits for a digest looks whether to go on.
const DIGEST_CHECK: Duration = Duration::from_millis(50);
/// A digest that is computed once, by whoever comes first.
#[derive(Debug, Default)]
pub(super) struct SharedDigest {
    state: Mutex<DigestState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) enum DigestState {
    #[default]
    Unknown,
    /// Somebody computes it.
    Underway,
    Known(String),
}

impl SharedDigest {
    fn state(&self) -> MutexGuard<'_, DigestState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the caller is to compute it.
    pub(super) fn begin(&self) -> bool {
        let mut state = self.state();
        let unknown = matches!(*state, DigestState::Unknown);
        if unknown {
            *state = DigestState::Underway;
        }
        unknown
    }

    /// Ends what [`SharedDigest::begin`] began.
    pub(super) fn end(&self, state: DigestState) {
        *self.state() = state;
        self.changed.notify_all();
    }
}
impl Content {
    /// `sha256:` and the digest of all bytes; computed once. `check` is asked now and then whether to go on.
    ///
    /// # Errors
    /// Those of reading and of `check`.
    pub fn digest<E: From<io::Error>>(&self, mut check: impl FnMut() -> Result<(), E>) -> Result<String, E> {
        loop {
            if self.digest.begin() {
                let computed = self.compute_digest(&mut check);
                let known = computed.as_ref().map(|text| DigestState::Known(text.clone()));
                self.digest.end(known.unwrap_or_default());
                return computed;
            }
            let state = self.digest.state();
            if let DigestState::Known(text) = &*state {
                return Ok(text.clone());
            }
            drop(self.digest.changed.wait_timeout(state, DIGEST_CHECK));
            check()?;
        }
    }

    pub(super) fn compute_digest<E: From<io::Error>>(
        &self,
        mut check: impl FnMut() -> Result<(), E>,
    ) -> Result<String, E> {
        let mut hash = HashWriter(Sha256::new());
        self.reader().copy_to(&mut hash, |_, _| check())?;
        Ok(sha256_text(&hash.0.finalize()))
    }

    /// Begins to compute the digest on another thread, where there is much to do and nobody does it yet. Who asks for it
    /// waits for the rest; the thread ends once nobody can ask.
    pub fn digest_in_background(&self) {
        if self.size() < BACKGROUND_DIGEST || !self.digest.begin() {
            return;
        }
        let content = self.clone();
        let work = move || {
            let wanted = || match Arc::strong_count(&content.digest) {
                1 => Err(io::Error::other("nobody waits for the digest")),
                _ => Ok(()),
            };
            let known = content.compute_digest(wanted).map(DigestState::Known);
            content.digest.end(known.unwrap_or_default());
        };
        if std::thread::Builder::new().name("digest".to_owned()).spawn(work).is_err() {
            self.digest.end(DigestState::Unknown);
        }
    }
}

struct HashWriter(Sha256);

impl Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
