//! Values on their way between an op and an I/O manager.
//!
//! A value waits in memory under one [`Budget`] for a whole run and beyond it in unlinked temporary files, so that a
//! store that failed can be tried again without computing the value again. What comes from a file stays in that file:
//! a loaded value holds the file open instead of a copy, which is sound because stored files are replaced by
//! renaming and never written in place.
mod budget;
mod content;
mod digest;
mod input;
#[cfg(test)]
mod tests;

pub use budget::Budget;
pub(crate) use budget::Shelf;
pub use content::{Content, ContentReader, ContentWriter};
pub(crate) use content::{Piece, SpillFile};
pub use input::{Input, LoadParts, NotLoaded};

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
