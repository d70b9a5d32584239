//! Values on their way between an op and an I/O manager.
//!
//! A value waits in memory under one [`Budget`] for a whole run and beyond it in unlinked temporary files, so that a
//! store that failed can be tried again without computing the value again. What comes from a file stays in that file:
//! a loaded value holds the file open instead of a copy, which is sound because stored files are replaced by
//! renaming and never written in place.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::limits::CHUNK;
use crate::text::sha256_text;

/// From this size on a digest is worth a thread of its own.
const BACKGROUND_DIGEST: u64 = 1 << 20;
/// How often one who waits for a digest looks whether to go on.
const DIGEST_CHECK: Duration = Duration::from_millis(50);

/// The memory that the values of a run may take together, and where they go beyond it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<BudgetState>);

#[derive(Debug)]
struct BudgetState {
    available: AtomicU64,
    directory: PathBuf,
}

impl Budget {
    /// A budget of `bytes` of memory; what exceeds it goes to unlinked files in `directory`, which must exist by then.
    pub fn new(bytes: u64, directory: impl Into<PathBuf>) -> Self {
        let available = AtomicU64::new(bytes);
        Self(Arc::new(BudgetState { available, directory: directory.into() }))
    }

    /// Bytes of memory that are not taken.
    pub fn available(&self) -> u64 {
        self.0.available.load(Ordering::Relaxed)
    }

    /// The directory of the temporary files.
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    fn reserve(&self, bytes: u64) -> bool {
        let take = |available: u64| available.checked_sub(bytes);
        self.0.available.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    fn release(&self, bytes: u64) {
        self.0.available.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What an op computed or a manager loaded: one part without a key, or parts that each have one. A value without
/// parts is absent.
#[derive(Clone, Debug, Default)]
pub struct Value {
    /// The parts, in order.
    pub parts: Vec<Part>,
}

/// One part of a value.
#[derive(Clone, Debug)]
pub struct Part {
    /// A partition key or a mapping key.
    pub key: Option<String>,
    /// An IANA media type.
    pub media_type: String,
    /// The bytes.
    pub content: Content,
}

impl Value {
    /// A value of one part without a key.
    pub fn single(media_type: impl Into<String>, content: Content) -> Self {
        Self { parts: vec![Part { key: None, media_type: media_type.into(), content }] }
    }

    /// Whether it has no parts.
    pub fn is_absent(&self) -> bool {
        self.parts.is_empty()
    }

    /// Bytes of all parts.
    pub fn size(&self) -> u64 {
        self.parts.iter().fold(0, |size, part| size.saturating_add(part.content.size()))
    }
}

/// Bytes that do not change, in memory, in files, or in some of both. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Content {
    segments: Vec<Segment>,
    size: u64,
    digest: Arc<SharedDigest>,
}

/// A digest that is computed once, by whoever comes first.
#[derive(Debug, Default)]
struct SharedDigest {
    state: Mutex<DigestState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
enum DigestState {
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
    fn begin(&self) -> bool {
        let mut state = self.state();
        let unknown = matches!(*state, DigestState::Unknown);
        if unknown {
            *state = DigestState::Underway;
        }
        unknown
    }

    /// Ends what [`SharedDigest::begin`] began.
    fn end(&self, state: DigestState) {
        *self.state() = state;
        self.changed.notify_all();
    }
}

#[derive(Clone, Debug)]
enum Segment {
    Memory(Arc<MemoryChunk>),
    File { file: Arc<File>, offset: u64, length: u64 },
}

impl Segment {
    fn length(&self) -> u64 {
        match self {
            Segment::Memory(chunk) => chunk.bytes.len() as u64,
            Segment::File { length, .. } => *length,
        }
    }
}

/// Gives its bytes back to the budget when it goes.
#[derive(Debug)]
struct MemoryChunk {
    bytes: Vec<u8>,
    budget: Budget,
}

impl MemoryChunk {
    fn from(&self, position: u64) -> io::Result<&[u8]> {
        let start = usize::try_from(position).map_err(io::Error::other)?;
        Ok(self.bytes.get(start..).unwrap_or_default())
    }
}

impl Drop for MemoryChunk {
    fn drop(&mut self) {
        self.budget.release(self.bytes.len() as u64);
    }
}

impl Content {
    /// The whole of `file`, as long as it is now.
    ///
    /// # Errors
    /// Where the length of the file cannot be read.
    pub fn from_file(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let segment = Segment::File { file: Arc::new(file), offset: 0, length };
        Ok(Self { segments: vec![segment], size: length, digest: Arc::default() })
    }

    /// A copy of `bytes`.
    ///
    /// # Errors
    /// Where `budget` is used up and the temporary file cannot be written.
    pub fn from_bytes(bytes: &[u8], budget: &Budget) -> io::Result<Self> {
        let mut writer = ContentWriter::new(budget.clone());
        for chunk in bytes.chunks(CHUNK) {
            writer.append(chunk)?;
        }
        Ok(writer.finish())
    }

    /// How many bytes there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads from the start.
    pub fn reader(&self) -> ContentReader {
        ContentReader { content: self.clone(), segment: 0, position: 0 }
    }

    /// All bytes, for values that are known to be small.
    ///
    /// # Errors
    /// Where a file that holds them cannot be read.
    pub fn to_vec(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader().copy_to(&mut bytes, |_, _| Ok::<(), io::Error>(()))?;
        Ok(bytes)
    }

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

    fn compute_digest<E: From<io::Error>>(&self, mut check: impl FnMut() -> Result<(), E>) -> Result<String, E> {
        let mut hash = HashWriter(Sha256::new());
        self.reader().copy_to(&mut hash, |_, _| check())?;
        Ok(sha256_text(&hash.0.finalize()))
    }

    /// Begins to compute the digest on another thread, where there is much to do and nobody does it yet. Who asks for it
    /// waits for the rest; the thread ends once nobody can ask.
    pub(crate) fn digest_in_background(&self) {
        if self.size < BACKGROUND_DIGEST || !self.digest.begin() {
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

/// Reads a [`Content`] in chunks.
#[derive(Debug)]
pub struct ContentReader {
    content: Content,
    segment: usize,
    /// Within the segment.
    position: u64,
}

impl ContentReader {
    /// The next bytes, at most `max` and at most one [`CHUNK`]; none at the end.
    ///
    /// # Errors
    /// Where the file that holds them cannot be read or has become shorter.
    pub fn read(&mut self, max: usize) -> io::Result<Vec<u8>> {
        while let Some(segment) = self.content.segments.get(self.segment) {
            let left = segment.length() - self.position;
            if left == 0 {
                self.segment += 1;
                self.position = 0;
                continue;
            }
            let wanted = left.min(max.min(CHUNK) as u64);
            let bytes = read_segment(segment, self.position, wanted)?;
            self.position += bytes.len() as u64;
            return Ok(bytes);
        }
        Ok(Vec::new())
    }

    /// Goes back to the start.
    pub fn rewind(&mut self) {
        self.segment = 0;
        self.position = 0;
    }

    /// Bytes that are left to read.
    pub fn left(&self) -> u64 {
        let rest = self.content.segments.iter().skip(self.segment).map(Segment::length);
        rest.fold(0, u64::saturating_add) - self.position
    }

    /// Writes what is left to `target` and gives how many bytes that were. `before` sees the target and the length of
    /// each chunk before it is written, and may refuse it.
    ///
    /// # Errors
    /// Those of reading, of writing, and of `before`.
    pub fn copy_to<W: Write, E: From<io::Error>>(
        &mut self,
        target: &mut W,
        mut before: impl FnMut(&mut W, u64) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut copied = 0;
        let mut buffer = Vec::new();
        while let Some(segment) = self.content.segments.get(self.segment) {
            let left = segment.length() - self.position;
            if left == 0 {
                self.segment += 1;
                self.position = 0;
                continue;
            }
            let length = left.min(CHUNK as u64);
            before(target, length)?;
            let written = match segment {
                Segment::Memory(chunk) => {
                    let rest = chunk.from(self.position)?;
                    let bytes = rest.get(..CHUNK).unwrap_or(rest);
                    target.write_all(bytes)?;
                    bytes.len()
                }
                Segment::File { file, offset, .. } => {
                    buffer.resize(CHUNK, 0);
                    let wanted = usize::try_from(length).map_err(io::Error::other)?;
                    let bytes = buffer.get_mut(..wanted).unwrap_or_default();
                    file.read_exact_at(bytes, offset + self.position).map_err(shorter)?;
                    target.write_all(bytes)?;
                    wanted
                }
            };
            self.position += written as u64;
            copied += written as u64;
        }
        Ok(copied)
    }
}

fn shorter(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read")
    } else {
        error
    }
}

fn read_segment(segment: &Segment, position: u64, wanted: u64) -> io::Result<Vec<u8>> {
    let wanted = usize::try_from(wanted).map_err(io::Error::other)?;
    match segment {
        Segment::Memory(chunk) => {
            let rest = chunk.from(position)?;
            Ok(rest.get(..wanted).unwrap_or(rest).to_vec())
        }
        Segment::File { file, offset, .. } => {
            let mut bytes = vec![0; wanted];
            file.read_exact_at(&mut bytes, offset + position).map_err(shorter)?;
            Ok(bytes)
        }
    }
}

/// Collects the bytes of a [`Content`].
#[derive(Debug)]
pub struct ContentWriter {
    budget: Budget,
    segments: Vec<Segment>,
    size: u64,
    chunk: Vec<u8>,
    spill: Option<Spill>,
}

/// The temporary file of a content that did not fit into memory.
#[derive(Debug)]
struct Spill {
    file: Arc<File>,
    length: u64,
}

impl ContentWriter {
    /// An empty content that will take its memory from `budget`.
    pub fn new(budget: Budget) -> Self {
        Self { budget, segments: Vec::new(), size: 0, chunk: Vec::new(), spill: None }
    }

    /// Whether nothing was appended yet.
    pub fn is_empty(&self) -> bool {
        self.size == 0 && self.segments.is_empty()
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// Where the budget is used up and the temporary file cannot be made or written.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = bytes.len() as u64;
        if self.spill.is_none() && self.budget.reserve(length) {
            if self.chunk.len() + bytes.len() > CHUNK {
                self.close_chunk();
            }
            self.chunk.extend_from_slice(bytes);
        } else {
            self.close_chunk();
            self.append_to_spill(bytes)?;
        }
        self.size = self.size.saturating_add(length);
        Ok(())
    }

    /// Appends the first `length` bytes of `file` without copying them.
    pub fn append_file(&mut self, file: File, length: u64) {
        self.close_chunk();
        self.segments.push(Segment::File { file: Arc::new(file), offset: 0, length });
        self.size = self.size.saturating_add(length);
    }

    /// The content.
    pub fn finish(mut self) -> Content {
        self.close_chunk();
        Content { segments: std::mem::take(&mut self.segments), size: self.size, digest: Arc::default() }
    }

    fn close_chunk(&mut self) {
        if !self.chunk.is_empty() {
            let mut bytes = std::mem::take(&mut self.chunk);
            bytes.shrink_to_fit();
            let chunk = MemoryChunk { bytes, budget: self.budget.clone() };
            self.segments.push(Segment::Memory(Arc::new(chunk)));
        }
    }

    fn append_to_spill(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = bytes.len() as u64;
        let (file, offset) = if let Some(spill) = &self.spill {
            (Arc::clone(&spill.file), spill.length)
        } else {
            let file = Arc::new(tempfile::tempfile_in(self.budget.directory())?);
            self.spill = Some(Spill { file: Arc::clone(&file), length: 0 });
            (file, 0)
        };
        file.write_all_at(bytes, offset)?;
        if let Some(spill) = &mut self.spill {
            spill.length += length;
        }
        match self.segments.last_mut() {
            Some(Segment::File { file: last, offset: start, length: so_far })
                if Arc::ptr_eq(last, &file) && *start + *so_far == offset =>
            {
                *so_far += length;
            }
            _ => self.segments.push(Segment::File { file, offset, length }),
        }
        Ok(())
    }
}

impl Write for ContentWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for ContentWriter {
    fn drop(&mut self) {
        self.budget.release(self.chunk.len() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(bytes: u64) -> Budget {
        Budget::new(bytes, std::env::temp_dir())
    }

    #[test]
    fn bytes_come_back_whether_they_fit_into_the_budget_or_not() {
        let bytes: Vec<u8> = (0..=250).cycle().take(3 * CHUNK + 17).collect();
        for memory in [0, 1000, CHUNK as u64 + 1, u64::MAX] {
            let content = Content::from_bytes(&bytes, &budget(memory)).unwrap();
            assert_eq!(content.size(), bytes.len() as u64);
            assert!(content.to_vec().unwrap() == bytes, "with {memory} bytes of memory");
        }
    }

    #[test]
    fn the_digest_is_that_of_all_bytes() {
        let content = Content::from_bytes(b"abc", &budget(2)).unwrap();
        let digest = content.digest(|| Ok::<(), io::Error>(())).unwrap();
        assert_eq!(digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn who_asks_for_a_digest_that_is_underway_waits_for_it_or_gives_up() {
        let content = Content::from_bytes(&vec![7; 3 * CHUNK], &budget(u64::MAX)).unwrap();
        assert!(content.digest.begin());
        let given_up = content.digest(|| Err(io::Error::other("no time left"))).unwrap_err();
        assert_eq!(given_up.to_string(), "no time left");
        content.digest.end(DigestState::Unknown);
        content.digest_in_background();
        let waited = content.digest(|| Ok::<(), io::Error>(())).unwrap();
        assert_eq!(waited, content.compute_digest(|| Ok::<(), io::Error>(())).unwrap());
    }

    #[test]
    fn memory_goes_back_to_the_budget_when_the_last_clone_goes() {
        let budget = budget(100);
        let content = Content::from_bytes(&[1; 60], &budget).unwrap();
        let clone = content.clone();
        assert_eq!(budget.available(), 40);
        drop(content);
        assert_eq!(budget.available(), 40);
        drop(clone);
        assert_eq!(budget.available(), 100);
    }

    #[test]
    fn an_abandoned_writer_gives_its_memory_back() {
        let budget = budget(100);
        let mut writer = ContentWriter::new(budget.clone());
        writer.append(&[1; 60]).unwrap();
        drop(writer);
        assert_eq!(budget.available(), 100);
    }

    #[test]
    fn a_reader_gives_at_most_what_was_asked_for_and_starts_again_after_a_rewind() {
        let content = Content::from_bytes(b"abcdef", &budget(4)).unwrap();
        let mut reader = content.reader();
        assert_eq!(reader.read(4).unwrap(), b"abcd");
        assert_eq!(reader.left(), 2);
        assert_eq!(reader.read(4).unwrap(), b"ef");
        assert_eq!(reader.read(4).unwrap(), b"");
        reader.rewind();
        assert_eq!(reader.read(100).unwrap(), b"abcdef");
    }

    #[test]
    fn a_file_that_becomes_shorter_is_an_error() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abcdef").unwrap();
        let content = Content::from_file(file.try_clone().unwrap()).unwrap();
        file.set_len(0).unwrap();
        assert_eq!(content.to_vec().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
