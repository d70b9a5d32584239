//! The file system that a guest sees.

/// A directory in memory that lives as long as its last clone.
#[derive(Clone, Debug, Default)]
pub struct MemoryDirectory {}
