//! What a call changed in a mount, by path, and how many bytes these paths take: a guest chooses them, and they wait in the
//! host's memory until the call has ended.

use std::collections::BTreeMap;
use std::ops::Deref;

use super::overlay::Entry;

/// What an entry takes beside its path, about.
const OVERHEAD: usize = 128;

/// The entries of an overlay, in the order of their paths.
#[derive(Default)]
pub(super) struct Entries {
    entries: BTreeMap<String, Entry>,
    bytes: usize,
}

impl Entries {
    /// About how much memory they take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts `entry` at `path`, and gives what was there.
    pub fn insert(&mut self, path: String, entry: Entry) -> Option<Entry> {
        let cost = path.len() + OVERHEAD;
        let old = self.entries.insert(path, entry);
        if old.is_none() {
            self.bytes += cost;
        }
        old
    }

    /// Takes out what is at `path`.
    pub fn remove(&mut self, path: &str) -> Option<Entry> {
        let old = self.entries.remove(path)?;
        self.bytes = self.bytes.saturating_sub(path.len() + OVERHEAD);
        Some(old)
    }

    /// Takes out those from the path `from` on that `below` says.
    pub fn extract(&mut self, from: String, below: impl Fn(&str) -> bool) -> Vec<(String, Entry)> {
        let taken: Vec<_> = self.entries.extract_if(from.., |path, _| below(path)).collect();
        let bytes: usize = taken.iter().map(|(path, _)| path.len() + OVERHEAD).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        taken
    }
}

impl Deref for Entries {
    type Target = BTreeMap<String, Entry>;

    fn deref(&self) -> &Self::Target {
        &self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_paths_take_comes_back_as_they_go() {
        let mut entries = Entries::default();
        for path in ["a", "d", "d/x", "d/y", "e"] {
            entries.insert(path.to_owned(), Entry::Directory);
            entries.insert(path.to_owned(), Entry::Absent);
        }
        assert_eq!(entries.bytes(), 9 + 5 * OVERHEAD);
        assert_eq!(entries.extract("d/".to_owned(), |path| path.starts_with("d/")).len(), 2);
        assert!(entries.remove("d/x").is_none() && entries.remove("a").is_some());
        assert_eq!(entries.bytes(), 2 + 2 * OVERHEAD);
    }
}
