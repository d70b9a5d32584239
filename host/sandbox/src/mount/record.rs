//! What a call read, wrote and was denied, and what of the storage failed first.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::{DENIALS, PATH_BYTES, RECEIPT_FILES};
use crate::report::{Denial, Operation, Receipt, Rule, StorageFailure, Transfer, Transfers};
use crate::text::safe_line;

/// The record of a call. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    read: Tally,
    written: Tally,
    removed: BTreeSet<String>,
    unlisted_removed: u64,
    denials: Vec<Denial>,
    unlisted_denials: u64,
    failure: Option<StorageFailure>,
}

/// Files and the bytes moved from or to each.
#[derive(Debug, Default)]
struct Tally {
    files: Vec<(String, Counter)>,
    unlisted: u64,
    unlisted_bytes: Counter,
}

/// Bytes moved from or to one file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Counts `bytes` more.
    pub fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Record {
    /// Records a refusal. `subject` may be a guest's text.
    pub fn deny(&self, operation: Operation, subject: &str, rule: Rule) {
        let denial = Denial { operation, subject: safe_line(subject, PATH_BYTES), rule };
        let mut state = self.state();
        if state.denials.contains(&denial) {
            return;
        }
        if state.denials.len() < DENIALS {
            state.denials.push(denial);
        } else {
            state.unlisted_denials += 1;
        }
    }

    /// Records that the file at the guest path `path` is read, and gives what counts its bytes.
    pub fn reading(&self, path: &str) -> Counter {
        self.state().read.file(path)
    }

    /// Records that something lies at the guest path `path` that the call put there, a file or a directory.
    pub fn put(&self, path: &str) {
        let mut state = self.state();
        state.removed.remove(path);
        state.written.file(path);
    }

    /// What counts the bytes that are written to the file at `path`, which was [`put`](Record::put) there.
    pub fn writing(&self, path: &str) -> Counter {
        let state = self.state();
        state.written.listed(path).unwrap_or_else(|| state.written.unlisted_bytes.clone())
    }

    /// Records that what was written at or below `from` lies at or below `to` now.
    pub fn renamed(&self, from: &str, to: &str) {
        let mut state = self.state();
        let State { written, removed, .. } = &mut *state;
        removed.remove(to);
        for (path, _) in &mut written.files {
            if let Some(rest) = path.strip_prefix(from)
                && (rest.is_empty() || rest.starts_with('/'))
            {
                *path = format!("{to}{rest}");
                removed.remove(path);
            }
        }
    }

    /// Records that what lay at `path` before the call is gone.
    pub fn removed(&self, path: &str) {
        let mut state = self.state();
        if state.removed.len() < RECEIPT_FILES {
            state.removed.insert(path.to_owned());
        } else if !state.removed.contains(path) {
            state.unlisted_removed += 1;
        }
    }

    /// Records a failure of the storage; the first one is kept.
    pub fn fail(&self, failure: StorageFailure) {
        self.state().failure.get_or_insert(failure);
    }

    /// The first failure of the storage.
    pub fn failure(&self) -> Option<StorageFailure> {
        self.state().failure.clone()
    }

    /// The first denial.
    pub fn denial(&self) -> Option<Denial> {
        self.state().denials.first().cloned()
    }

    /// Writes what is recorded so far into `receipt`.
    pub fn fill(&self, receipt: &mut Receipt) {
        let state = self.state();
        receipt.read = state.read.transfers();
        receipt.written = state.written.transfers();
        receipt.removed = state.removed.iter().map(|path| safe_line(path, PATH_BYTES)).collect();
        receipt.removed_unlisted = state.unlisted_removed;
        receipt.denials.list.clone_from(&state.denials);
        receipt.denials.unlisted = state.unlisted_denials;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    fn listed(&self, path: &str) -> Option<Counter> {
        self.files.iter().find(|(file, _)| file == path).map(|(_, counter)| counter.clone())
    }

    fn file(&mut self, path: &str) -> Counter {
        if let Some(counter) = self.listed(path) {
            return counter;
        }
        if self.files.len() == RECEIPT_FILES {
            self.unlisted += 1;
            return self.unlisted_bytes.clone();
        }
        let counter = Counter::default();
        self.files.push((path.to_owned(), counter.clone()));
        counter
    }

    fn transfers(&self) -> Transfers {
        let mut files: Vec<Transfer> = Vec::new();
        for (path, counter) in &self.files {
            let path = safe_line(path, PATH_BYTES);
            match files.iter_mut().find(|file| file.path == path) {
                Some(file) => file.bytes = file.bytes.saturating_add(counter.get()),
                None => files.push(Transfer { path, bytes: counter.get() }),
            }
        }
        let bytes = files.iter().fold(self.unlisted_bytes.get(), |sum, file| sum.saturating_add(file.bytes));
        Transfers { files, unlisted: self.unlisted, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(record: &Record) -> Receipt {
        let mut receipt = Receipt::default();
        record.fill(&mut receipt);
        receipt
    }

    #[test]
    fn a_denial_is_listed_once_and_its_subject_is_safe() {
        let record = Record::default();
        for _ in 0..3 {
            record.deny(Operation::Read, "/etc/\u{1b}passwd", Rule::NotMounted);
        }
        let denials = receipt(&record).denials;
        assert_eq!(denials.list.len(), 1);
        assert_eq!(denials.list[0].subject, "/etc/\\u{1b}passwd");
    }

    #[test]
    fn denials_beyond_the_list_are_counted() {
        let record = Record::default();
        for i in 0..DENIALS + 2 {
            record.deny(Operation::Read, &format!("/{i}"), Rule::NotMounted);
        }
        let denials = receipt(&record).denials;
        assert_eq!((denials.list.len(), denials.unlisted), (DENIALS, 2));
    }

    #[test]
    fn files_beyond_the_list_are_counted_with_their_bytes() {
        let record = Record::default();
        for i in 0..RECEIPT_FILES + 2 {
            record.put(&format!("/{i}"));
            record.writing(&format!("/{i}")).add(1);
        }
        let written = receipt(&record).written;
        assert_eq!((written.files.len(), written.unlisted), (RECEIPT_FILES, 2));
        assert_eq!(written.bytes, RECEIPT_FILES as u64 + 2);
    }

    #[test]
    fn removed_paths_beyond_the_list_are_counted() {
        let record = Record::default();
        for i in 0..RECEIPT_FILES + 2 {
            record.removed(&format!("/{i}"));
            record.removed("/0");
        }
        let receipt = receipt(&record);
        assert_eq!((receipt.removed.len(), receipt.removed_unlisted), (RECEIPT_FILES, 2));
    }

    #[test]
    fn sums_that_no_number_holds_stop_at_the_largest() {
        let record = Record::default();
        for path in ["/data/a", "/data/b"] {
            record.reading(path).add(1 << 63);
        }
        for (path, bytes) in [("/data/a", u64::MAX), ("/data/b", 1)] {
            record.put(path);
            record.writing(path).add(bytes);
        }
        record.renamed("/data/b", "/data/a");
        let receipt = receipt(&record);
        assert_eq!((receipt.read.bytes, receipt.written.bytes), (u64::MAX, u64::MAX));
    }

    #[test]
    fn a_file_that_is_written_and_renamed_is_listed_under_its_last_name() {
        let record = Record::default();
        for (path, bytes) in [("/data/a.tmp", 1), ("/data/a.csv", 2)] {
            record.put(path);
            record.writing(path).add(bytes);
        }
        record.renamed("/data/a.tmp", "/data/a.csv");
        assert_eq!(receipt(&record).written.files, [Transfer { path: "/data/a.csv".into(), bytes: 3 }]);
    }

    #[test]
    fn the_first_failure_is_kept() {
        let record = Record::default();
        let failure =
            |reason: &str| StorageFailure { operation: "write".into(), path: "/data/x".into(), reason: reason.into() };
        record.fail(failure("first"));
        record.fail(failure("second"));
        assert_eq!(record.failure(), Some(failure("first")));
    }
}
