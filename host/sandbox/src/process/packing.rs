//! Values on their way between processes: small ones in the message, larger ones as descriptors of files.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::wire::Descriptors;
use crate::limits::INLINE_BYTES;
use crate::value::{Budget, ContentWriter, Part, Piece, Shelf, SpillFile, Value};

/// A [`Value`] in a message.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct PackedValue(pub Vec<PackedPart>);

/// A [`Part`] in a message.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PackedPart {
    pub key: Option<String>,
    pub media_type: String,
    pub content: Vec<PackedPiece>,
}

/// A piece of a content in a message.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum PackedPiece {
    /// These bytes.
    Inline(#[serde(with = "serde_bytes")] Vec<u8>),
    /// Bytes of the file whose descriptor is at a place beside the message.
    File { place: usize, offset: u64, length: u64 },
}

/// What goes with a message: values are taken apart into what lies in it and files beside it.
pub(crate) struct Parcel<'a> {
    budget: &'a Budget,
    /// Bytes that the message may still take.
    inline: usize,
    /// Whether who receives it is not to change the files, which others may read too.
    is_lent: bool,
    files: Vec<Packed>,
}

/// A file that goes with a message.
struct Packed {
    file: Arc<Shelf>,
    /// What passes instead of it, where that can be read alone.
    lent: Option<File>,
}

impl<'a> Parcel<'a> {
    /// A parcel whose copies of what is in memory here come out of `budget`.
    pub fn new(budget: &'a Budget) -> Self {
        Self { budget, inline: INLINE_BYTES, is_lent: false, files: Vec::new() }
    }

    /// The same for a worker, which can read the files that go with it and no more.
    pub fn for_worker(budget: &'a Budget) -> Self {
        Self { is_lent: true, ..Self::new(budget) }
    }

    /// Packs `value`.
    pub fn value(&mut self, value: &Value) -> io::Result<PackedValue> {
        value.parts.iter().map(|part| self.part(part)).collect::<io::Result<_>>().map(PackedValue)
    }

    /// Packs `part`.
    pub fn part(&mut self, part: &Part) -> io::Result<PackedPart> {
        let in_memory = || {
            part.content.pieces().filter_map(|piece| match piece {
                Piece::Memory(bytes) => Some(bytes),
                Piece::File { .. } => None,
            })
        };
        let bytes = in_memory().map(<[u8]>::len).sum::<usize>();
        let mut copies = None;
        if bytes <= self.inline {
            self.inline -= bytes;
        } else {
            copies = Some((Arc::new(self.budget.shelf(bytes as u64)?), 0));
        }
        let mut content = Vec::new();
        for piece in part.content.pieces() {
            content.push(match (piece, &mut copies) {
                (Piece::Memory(bytes), None) => PackedPiece::Inline(bytes.to_vec()),
                (Piece::Memory(bytes), Some((file, end))) => {
                    file.file.write_all_at(bytes, *end)?;
                    let (offset, length) = (*end, bytes.len() as u64);
                    *end += length;
                    PackedPiece::File { place: self.place(file)?, offset, length }
                }
                (Piece::File { file, offset, length }, _) => {
                    PackedPiece::File { place: self.place(file)?, offset, length }
                }
            });
        }
        Ok(PackedPart { key: part.key.clone(), media_type: part.media_type.clone(), content })
    }

    /// The place of `file`, which passes whole.
    pub fn whole_file(&mut self, file: &File) -> io::Result<usize> {
        self.files.push(Packed { file: Arc::new(Shelf::from(file.try_clone()?)), lent: None });
        Ok(self.files.len() - 1)
    }

    fn place(&mut self, file: &Arc<Shelf>) -> io::Result<usize> {
        // Contents that were collected together lie in one file, one after the other.
        if !self.files.last().is_some_and(|last| Arc::ptr_eq(&last.file, file)) {
            let lent = if self.is_lent { read_only(&file.file)? } else { None };
            self.files.push(Packed { file: Arc::clone(file), lent });
        }
        Ok(self.files.len() - 1)
    }

    /// What goes beside the message.
    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.files.iter().map(|packed| packed.lent.as_ref().unwrap_or(&packed.file.file).as_fd()).collect()
    }
}

/// `file` opened anew to be read alone; nothing where it cannot be written anyway.
fn read_only(file: &File) -> io::Result<Option<File>> {
    let access = rustix::fs::fcntl_getfl(file)? & OFlags::RWMODE;
    if access == OFlags::RDONLY {
        return Ok(None);
    }
    // By its descriptor, since it may have no name.
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).map(Some)
}

/// Puts the values of the sandbox together again in a worker. A file of them may have become shorter, which who reads it is told.
pub(crate) struct Unpacker<'a> {
    descriptors: Descriptors,
    budget: &'a Budget,
    files: HashMap<usize, Arc<Shelf>>,
    spill: SpillFile,
}

impl<'a> Unpacker<'a> {
    /// For a message that came with `descriptors`; what lies in it comes out of `budget`.
    pub fn new(descriptors: Descriptors, budget: &'a Budget) -> Self {
        Self { descriptors, budget, files: HashMap::new(), spill: SpillFile::default() }
    }

    /// What came beside the message and was not taken yet.
    pub fn descriptors(&mut self) -> &mut Descriptors {
        &mut self.descriptors
    }

    /// The value that was packed.
    pub fn value(&mut self, packed: PackedValue) -> io::Result<Value> {
        let parts = packed.0.into_iter().map(|part| self.part(part)).collect::<io::Result<_>>()?;
        Ok(Value { parts })
    }

    /// The part that was packed.
    pub fn part(&mut self, packed: PackedPart) -> io::Result<Part> {
        let mut content = ContentWriter::spilling_to(self.budget.clone(), self.spill.clone());
        for piece in packed.content {
            match piece {
                PackedPiece::Inline(bytes) => content.append(&bytes)?,
                PackedPiece::File { place, offset, length } => content.append_piece(self.file(place)?, offset, length),
            }
        }
        Ok(Part { key: packed.key, media_type: packed.media_type, content: content.finish() })
    }

    fn file(&mut self, place: usize) -> io::Result<Arc<Shelf>> {
        if let Some(known) = self.files.get(&place) {
            return Ok(Arc::clone(known));
        }
        let file = Arc::new(Shelf::from(self.descriptors.take(place)?));
        Ok(Arc::clone(self.files.entry(place).or_insert(file)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Content;

    fn budget(bytes: u64) -> Budget {
        Budget::new(bytes, std::env::temp_dir())
    }

    fn value(sizes: &[usize], budget: &Budget) -> Value {
        let part = |(number, size): (usize, &usize)| {
            let bytes: Vec<u8> = (0..251).cycle().skip(number).take(*size).collect();
            let content = Content::from_bytes(&bytes, budget).unwrap();
            Part { key: Some(number.to_string()), media_type: "text/plain".to_owned(), content }
        };
        Value { parts: sizes.iter().enumerate().map(part).collect() }
    }

    fn bytes(value: &Value) -> Vec<Vec<u8>> {
        value.parts.iter().map(|part| part.content.to_vec().unwrap()).collect()
    }

    fn pass(value: &Value, from: &Budget, to: &Budget) -> io::Result<Value> {
        let mut parcel = Parcel::new(from);
        let packed = parcel.value(value)?;
        let message = rmp_serde::to_vec_named(&packed).unwrap();
        let descriptors = Descriptors::copied(&parcel.descriptors());
        Unpacker::new(descriptors, to).value(rmp_serde::from_slice(&message).unwrap())
    }

    #[test]
    fn values_pass_whether_they_are_small_large_or_in_files() {
        for memory in [0, 100_000, u64::MAX] {
            let (from, to) = (budget(memory), budget(memory));
            let value = value(&[0, 10, INLINE_BYTES, INLINE_BYTES + 1, 3 << 20], &from);
            let passed = pass(&value, &from, &to).unwrap();
            assert!(bytes(&passed) == bytes(&value), "with {memory} bytes of memory");
            assert_eq!(passed.parts.iter().map(|part| part.key.clone().unwrap()).collect::<String>(), "01234");
        }
    }

    #[test]
    fn copies_for_the_other_side_come_out_of_the_budget_while_they_last() {
        let from = budget(3 << 20);
        let value = value(&[1 << 20], &from);
        let mut parcel = Parcel::new(&from);
        parcel.value(&value).unwrap();
        assert_eq!(from.available(), 1 << 20);
        drop(parcel);
        assert_eq!(from.available(), 2 << 20);
    }
}
