//! Values on their way between processes: small ones in the message, larger ones as descriptors of files.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::wire::Descriptors;
use crate::limits::INLINE_BYTES;
use crate::value::{Budget, ContentWriter, Part, Piece, Shelf, SpillFile, Value};

/// A [`Value`] in a message.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct PackedValue(Vec<PackedPart>);

/// A [`Part`] in a message.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PackedPart {
    key: Option<String>,
    media_type: String,
    content: Vec<PackedPiece>,
}

#[derive(Debug, Serialize, Deserialize)]
enum PackedPiece {
    Inline(#[serde(with = "serde_bytes")] Vec<u8>),
    /// Bytes of the file whose descriptor is at a place beside the message.
    File {
        place: usize,
        offset: u64,
        length: u64,
    },
}

/// What goes with a message: values are taken apart into what lies in it and files beside it.
pub(crate) struct Parcel<'a> {
    budget: &'a Budget,
    /// Bytes that the message may still take.
    inline: usize,
    files: Vec<Arc<Shelf>>,
}

impl<'a> Parcel<'a> {
    /// A parcel whose copies of what is in memory here come out of `budget`.
    pub fn new(budget: &'a Budget) -> Self {
        Self { budget, inline: INLINE_BYTES, files: Vec::new() }
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
                    PackedPiece::File { place: self.place(file), offset, length }
                }
                (Piece::File { file, offset, length }, _) => {
                    PackedPiece::File { place: self.place(file), offset, length }
                }
            });
        }
        Ok(PackedPart { key: part.key.clone(), media_type: part.media_type.clone(), content })
    }

    /// The place of `file`, which passes whole.
    pub fn whole_file(&mut self, file: &File) -> io::Result<usize> {
        self.files.push(Arc::new(Shelf::from(file.try_clone()?)));
        Ok(self.files.len() - 1)
    }

    fn place(&mut self, file: &Arc<Shelf>) -> usize {
        // Contents that were collected together lie in one file, one after the other.
        if !self.files.last().is_some_and(|last| Arc::ptr_eq(last, file)) {
            self.files.push(Arc::clone(file));
        }
        self.files.len() - 1
    }

    /// What goes beside the message.
    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.files.iter().map(|shelf| shelf.file.as_fd()).collect()
    }
}

/// Puts values together again.
pub(crate) struct Unpacker<'a> {
    descriptors: Descriptors,
    budget: &'a Budget,
    /// Files that this side gave to the other.
    given: &'a [Arc<Shelf>],
    /// Whether the other side says what is so.
    trusted: bool,
    files: HashMap<usize, (Arc<Shelf>, u64)>,
    spill: SpillFile,
}

impl<'a> Unpacker<'a> {
    /// For a message of a worker that came with `descriptors`; what lies in it comes out of `budget`.
    pub fn of_worker(descriptors: Descriptors, budget: &'a Budget, given: &'a [Arc<Shelf>]) -> Self {
        Self { descriptors, budget, given, trusted: false, files: HashMap::new(), spill: SpillFile::default() }
    }

    /// For a message of the sandbox, likewise. A file of it may have become shorter, which who reads it is told.
    pub fn of_sandbox(descriptors: Descriptors, budget: &'a Budget) -> Self {
        Self { trusted: true, ..Self::of_worker(descriptors, budget, &[]) }
    }

    /// The value that was packed. Fails where it cannot be one: the other side is not trusted.
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
                PackedPiece::File { place, offset, length } => {
                    let (file, size) = self.file(place)?;
                    if offset.checked_add(length).is_none_or(|end| end > size && !self.trusted) {
                        return Err(io::Error::other("a value is said to lie where its file has ended"));
                    }
                    content.append_piece(file, offset, length);
                }
            }
        }
        Ok(Part { key: packed.key, media_type: packed.media_type, content: content.finish() })
    }

    /// The file at `place`, which nobody changes from now on.
    pub fn whole_file(&mut self, place: usize) -> io::Result<File> {
        let file = self.descriptors.take(place)?;
        crate::mount::seal(&file)?;
        Ok(file)
    }

    fn file(&mut self, place: usize) -> io::Result<(Arc<Shelf>, u64)> {
        if let Some(known) = self.files.get(&place) {
            return Ok(known.clone());
        }
        let file = self.descriptors.take(place)?;
        let metadata = file.metadata()?;
        let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino());
        let is_same =
            |shelf: &&Arc<Shelf>| shelf.file.metadata().is_ok_and(|own| identity(&own) == identity(&metadata));
        let known = self.given.iter().find(is_same).cloned();
        let known = known.unwrap_or_else(|| Arc::new(Shelf::from(file)));
        Ok(self.files.entry(place).or_insert((known, metadata.len())).clone())
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
        Unpacker::of_worker(descriptors, to, &[]).value(rmp_serde::from_slice(&message).unwrap())
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

    #[test]
    fn a_piece_that_its_file_does_not_have_is_refused() {
        let file = super::super::wire::anonymous(b"abc").unwrap();
        for (place, offset, length) in [(0, 0, 4), (0, 4, 0), (0, u64::MAX, 2), (1, 0, 1)] {
            let content = vec![PackedPiece::File { place, offset, length }];
            let part = PackedPart { key: None, media_type: String::new(), content };
            let budget = budget(0);
            let mut unpacker = Unpacker::of_worker(Descriptors::copied(&[file.as_fd()]), &budget, &[]);
            assert!(unpacker.part(part).is_err(), "{offset} {length}");
        }
    }
}
