//! Bytes that wait, in memory or in files.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::buffer::spare_capacity;
use rustix::io::{pread, retry_on_intr};

use super::digest::SharedDigest;
use super::{Budget, Shelf};
use crate::limits::CHUNK;

/// Bytes that do not change, in memory, in files, or in some of both. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Content {
    segments: Vec<Segment>,
    size: u64,
    pub(super) digest: Arc<SharedDigest>,
}

#[derive(Clone, Debug)]
enum Segment {
    Memory(Arc<MemoryChunk>),
    File { file: Arc<Shelf>, offset: u64, length: u64 },
}

/// A piece of a [`Content`], for what passes it on.
pub(crate) enum Piece<'a> {
    /// These bytes.
    Memory(&'a [u8]),
    /// Bytes of a file.
    File { file: &'a Arc<Shelf>, offset: u64, length: u64 },
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
        let segment = Segment::File { file: Arc::new(Shelf::from(file)), offset: 0, length };
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

    /// What it consists of, in order.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.segments.iter().map(|segment| match segment {
            Segment::Memory(chunk) => Piece::Memory(&chunk.bytes),
            Segment::File { file, offset, length } => Piece::File { file, offset: *offset, length: *length },
        })
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
        if let [segment] = self.segments.as_slice() {
            return read_segment(segment, 0, segment.length());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.size).map_err(io::Error::other)?);
        self.reader().copy_to(&mut bytes, |_, _| Ok::<_, io::Error>(()))?;
        Ok(bytes)
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
                    file.file.read_exact_at(bytes, offset + self.position).map_err(|error| unread(&error))?;
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

/// Why a value cannot be read, which says so where it is read to be written elsewhere.
fn unread(error: &io::Error) -> io::Error {
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the file became shorter while it was read".to_owned(),
        _ => format!("the value cannot be read: {error}"),
    };
    io::Error::new(error.kind(), reason)
}

fn read_segment(segment: &Segment, position: u64, wanted: u64) -> io::Result<Vec<u8>> {
    let wanted = usize::try_from(wanted).map_err(io::Error::other)?;
    match segment {
        Segment::Memory(chunk) => {
            let rest = chunk.from(position)?;
            Ok(rest.get(..wanted).unwrap_or(rest).to_vec())
        }
        Segment::File { file, offset, .. } => {
            // Into memory that nothing cleared before, since all of it is overwritten.
            let mut bytes = Vec::with_capacity(wanted);
            while bytes.len() < wanted {
                let position = offset + position + bytes.len() as u64;
                let read = retry_on_intr(|| pread(&file.file, spare_capacity(&mut bytes), position));
                if read.map_err(|error| unread(&error.into()))? == 0 {
                    return Err(unread(&io::ErrorKind::UnexpectedEof.into()));
                }
            }
            bytes.truncate(wanted);
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
    spill: SpillFile,
    has_spilled: bool,
}

/// The files of contents that do not fit into memory, made when one does not. Its clones are one: contents that are collected
/// together share a file, so that many small ones take one descriptor.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpillFile(Arc<Mutex<Option<Spill>>>);

#[derive(Debug)]
struct Spill {
    file: Arc<Shelf>,
    length: u64,
}

impl SpillFile {
    /// Appends `bytes`, and gives the file and where in it they lie. The file is one of `budget`.
    fn append(&self, bytes: &[u8], budget: &Budget) -> io::Result<(Arc<Shelf>, u64)> {
        let mut spill = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = |spill: &Spill| spill.file.room.saturating_sub(spill.length) >= bytes.len() as u64;
        let spill = match &mut *spill {
            Some(spill) if has_room(spill) => spill,
            full => full.insert(Spill { file: Arc::new(budget.overflow()?), length: 0 }),
        };
        let offset = spill.length;
        spill.file.file.write_all_at(bytes, offset)?;
        spill.length += bytes.len() as u64;
        Ok((Arc::clone(&spill.file), offset))
    }
}

impl ContentWriter {
    /// An empty content that will take its memory from `budget`.
    pub fn new(budget: Budget) -> Self {
        Self::spilling_to(budget, SpillFile::default())
    }

    /// As [`new`](Self::new), where what does not fit into memory goes to `spill`.
    pub(crate) fn spilling_to(budget: Budget, spill: SpillFile) -> Self {
        Self { budget, segments: Vec::new(), size: 0, chunk: Vec::new(), spill, has_spilled: false }
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
        if !self.has_spilled && self.budget.reserve(length) {
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
        self.append_piece(Arc::new(Shelf::from(file)), 0, length);
    }

    /// Appends `length` bytes of `file` from `offset` on without copying them.
    pub(crate) fn append_piece(&mut self, file: Arc<Shelf>, offset: u64, length: u64) {
        self.close_chunk();
        self.segments.push(Segment::File { file, offset, length });
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
        let (file, offset) = self.spill.append(bytes, &self.budget)?;
        self.has_spilled = true;
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
