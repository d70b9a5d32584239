//! A mount as one call sees it: what lies in the back end, under what the call changed.
//!
//! An entry of the overlay hides all that the back end has at its path and below it. Below an entry that is
//! [`Entry::Absent`] or a file there are no others.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use crate::limits::{DIRECTORY_ENTRIES, Limit, LimitExceeded, PATH_DEPTH};
use crate::report::{Operation, Rule};

use super::Call;
use super::backend::{Backend, Found, Kind};
use super::entries::Entries;
use super::error::{FileError, FileResult, code_of, is_ordinary};
use super::file::{Identity, Staged};
use super::path::{ancestors, below, depth, is_reserved, join, parent};
use super::quota::check_free_space;
use super::scope::{CallScope, Place};

/// A mount as one call sees it.
pub(crate) struct Mount {
    /// Where the guest sees it, beginning with `/`.
    pub guest_path: String,
    scope: CallScope,
    rights: Rights,
    pub backend: Box<dyn Backend>,
    pub(super) entries: Entries,
    next_number: u64,
    pub(super) call: Arc<Call>,
}

/// What a call may do with a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// The grant lends it to be written, and the call stores.
    Write,
    /// The grant lends it to be written, and the call loads.
    Load,
    /// The grant lends it to be read.
    Read,
}

/// What a call has at a path.
pub(super) enum Entry {
    File(Arc<Staged>),
    Directory,
    Absent,
}

/// What lies at a path.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// A file that the call wrote.
    Staged(Arc<Staged>),
    /// A file that the call only reads.
    Stored { size: u64, modified: Option<SystemTime> },
    /// A directory.
    Directory,
    /// A link, FIFO, device or socket.
    Other,
}

impl Mount {
    /// The mount at `guest_path` over `backend`.
    pub fn new(
        guest_path: &str,
        scope: CallScope,
        rights: Rights,
        backend: Box<dyn Backend>,
        call: &Arc<Call>,
    ) -> Self {
        let guest_path = guest_path.to_owned();
        Self { guest_path, scope, rights, backend, entries: Entries::default(), next_number: 0, call: Arc::clone(call) }
    }

    /// Whether the call may do `operation` at `path`. All that a guest does comes by here.
    pub fn permit(&self, path: &str, operation: Operation) -> FileResult<()> {
        if is_reserved(path) {
            return Err(self.refuse(operation, path, Rule::Reserved));
        }
        if depth(path) > PATH_DEPTH {
            return Err(LimitExceeded::new(Limit::PathDepth, PATH_DEPTH as u64).into());
        }
        if self.scope.place(path) == Place::Outside {
            return Err(self.out_of_scope(operation, path));
        }
        if operation != Operation::Read && self.rights != Rights::Write {
            let rule = Rule::ReadOnly { mount: self.guest_path.clone(), loading: self.rights == Rights::Load };
            self.call.record.deny(operation, &self.shown(path), rule);
            return Err(ErrorCode::ReadOnly.into());
        }
        if operation != Operation::Read {
            self.call.quota.check_paths(self.entries.bytes())?;
        }
        Ok(())
    }

    /// Whether the call may change anything here.
    pub fn is_writable(&self) -> bool {
        self.rights == Rights::Write
    }

    /// The path as the guest sees it.
    pub fn shown(&self, path: &str) -> String {
        join(&self.guest_path, path).trim_end_matches('/').to_owned()
    }

    /// What tells `path` from the others of the call.
    pub fn identity(&self, path: &str) -> Identity {
        Identity::new(&[self.guest_path.as_bytes(), path.as_bytes()])
    }

    /// Records a refusal, and gives what the guest is told.
    pub fn refuse(&self, operation: Operation, path: &str, rule: Rule) -> FileError {
        self.call.record.deny(operation, &self.shown(path), rule);
        ErrorCode::NotPermitted.into()
    }

    fn out_of_scope(&self, operation: Operation, path: &str) -> FileError {
        let rule = Rule::OutOfScope { mount: self.guest_path.clone(), scope: self.scope.shown() };
        self.refuse(operation, path, rule)
    }

    /// Remembers that the storage failed, and gives what the guest is told.
    pub fn fail(&self, operation: &str, path: &str, error: &io::Error) -> FileError {
        if !is_ordinary(error) {
            self.call.record.fail(self.backend.failure(operation, path, error));
        }
        code_of(error).into()
    }

    /// What lies at `path`.
    pub fn lookup(&self, path: &str) -> FileResult<Option<Node>> {
        match self.entries.get(path) {
            Some(Entry::File(staged)) => return Ok(Some(Node::Staged(Arc::clone(staged)))),
            Some(Entry::Directory) => return Ok(Some(Node::Directory)),
            Some(Entry::Absent) => return Ok(None),
            None if self.is_hidden(path) => return Ok(None),
            None => {}
        }
        if self.scope.place(path) == Place::Above {
            return Ok(Some(Node::Directory));
        }
        let found = self.backend.stat(path).map_err(|error| self.fail("look at", path, &error))?;
        Ok(found.map(|found| match found {
            Found::File { size, modified } => Node::Stored { size, modified },
            Found::Directory => Node::Directory,
            Found::Other => Node::Other,
        }))
    }

    /// Whether an entry above `path` hides what the back end has there.
    fn is_hidden(&self, path: &str) -> bool {
        ancestors(path).any(|ancestor| self.entries.contains_key(ancestor))
    }

    /// As [`Mount::lookup`], refusing what is neither file nor directory.
    pub fn lookup_file(&self, path: &str, operation: Operation) -> FileResult<Option<Node>> {
        match self.lookup(path)? {
            Some(Node::Other) => Err(self.refuse(operation, path, Rule::NotAFile)),
            node => Ok(node),
        }
    }

    pub(super) fn require_parent(&self, path: &str) -> FileResult<()> {
        match self.lookup_file(parent(path).unwrap_or_default(), Operation::Write)? {
            Some(Node::Directory) => Ok(()),
            Some(_) => Err(ErrorCode::NotDirectory.into()),
            None => Err(ErrorCode::NoEntry.into()),
        }
    }

    /// The names in the directory `path`, in order.
    pub fn list(&self, path: &str) -> FileResult<Vec<(String, Kind)>> {
        match self.lookup_file(path, Operation::Read)? {
            Some(Node::Directory) => {}
            Some(_) => return Err(ErrorCode::NotDirectory.into()),
            None => return Err(ErrorCode::NoEntry.into()),
        }
        let limit = DIRECTORY_ENTRIES;
        let mut names: BTreeMap<String, Kind> = self.stored_names(path, limit)?.into_iter().collect();
        for name in self.scope.names_above(path) {
            names.insert(name, Kind::Directory);
        }
        for (name, entry) in self.own_names(path) {
            match entry {
                Entry::File(_) => names.insert(name.to_owned(), Kind::File),
                Entry::Directory => names.insert(name.to_owned(), Kind::Directory),
                Entry::Absent => names.remove(name),
            };
        }
        if names.len() > limit {
            return Err(LimitExceeded::new(Limit::DirectoryEntries, limit as u64).into());
        }
        Ok(names.into_iter().collect())
    }

    /// What of the back end is seen in the directory `path`, at most one more than `limit`.
    pub(super) fn stored_names(&self, path: &str, limit: usize) -> FileResult<Vec<(String, Kind)>> {
        if self.entries.contains_key(path) || self.is_hidden(path) {
            return Ok(Vec::new());
        }
        self.list_stored(path, limit).map_err(|error| self.fail("list", path, &error))
    }

    /// What the call may see in the directory `path` of the back end and has no entries for, at most one more than `limit`.
    pub(super) fn list_stored(&self, path: &str, limit: usize) -> io::Result<Vec<(String, Kind)>> {
        let keep = |name: &str| {
            let path = join(path, name);
            self.scope.place(&path) != Place::Outside && !self.entries.contains_key(&path)
        };
        self.backend.list(path, &keep, limit)
    }

    /// The call's own entries in the directory `path`.
    fn own_names<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        let entries = self.entries.range(join(path, "")..);
        let inside = entries.map_while(move |(entry, kind)| Some((below(entry, path)?, kind)));
        inside.filter(|(name, _)| !name.contains('/'))
    }

    pub(super) fn is_empty(&self, path: &str) -> FileResult<bool> {
        let own = self.own_names(path).any(|(_, entry)| !matches!(entry, Entry::Absent));
        Ok(!own && self.stored_names(path, 0)?.is_empty())
    }

    /// Makes an empty file at `path` in the place of what file is there.
    pub fn create_file(&mut self, path: &str) -> FileResult<(Arc<Staged>, File)> {
        self.require_parent(path)?;
        let identity = match self.lookup(path)? {
            // A file that is cut to nothing is still the same.
            Some(Node::Stored { .. }) => self.identity(path),
            _ => Identity::new(&[self.guest_path.as_bytes(), &self.next_number.to_le_bytes()]),
        };
        let (staged, file) = self.stage(path, identity)?;
        self.set_file(path, Arc::clone(&staged));
        Ok((staged, file))
    }

    pub(super) fn stage(&mut self, path: &str, identity: Identity) -> FileResult<(Arc<Staged>, File)> {
        self.call.quota.charge_file()?;
        let number = self.next_number;
        self.next_number += 1;
        let file = self.backend.create_staged(number).map_err(|error| self.staging_failed(path, &error))?;
        check_free_space(&file, 0).map_err(|error| self.fail("write", path, &error))?;
        Ok((Arc::new(Staged::new(number, identity, self.backend.memory_room())), file))
    }

    /// Opens a staged file to read and write.
    pub fn open_staged(&self, path: &str, staged: &Staged) -> FileResult<File> {
        self.backend.open_staged(staged.number).map_err(|error| self.staging_failed(path, &error))
    }

    /// As [`Mount::fail`]: of what the call staged, nothing is missing as an ordinary answer.
    fn staging_failed(&self, path: &str, error: &io::Error) -> FileError {
        self.call.record.fail(self.backend.failure("stage", path, error));
        if is_ordinary(error) { ErrorCode::Io.into() } else { code_of(error).into() }
    }

    /// Opens a file of the back end to read.
    pub fn open_stored(&self, path: &str, operation: Operation) -> FileResult<File> {
        match self.backend.open(path) {
            Ok(Some(file)) => Ok(file),
            Ok(None) => Err(self.refuse(operation, path, Rule::NotAFile)),
            Err(error) => Err(self.fail("open", path, &error)),
        }
    }

    pub(super) fn set_file(&mut self, path: &str, staged: Arc<Staged>) {
        self.set(path, Entry::File(staged));
        self.call.record.put(&self.shown(path));
    }

    pub(super) fn set_directory(&mut self, path: &str) {
        self.set(path, Entry::Directory);
        self.call.record.put(&self.shown(path));
    }

    /// As [`set_file`](Self::set_file), of what is recorded already.
    pub(super) fn set(&mut self, path: &str, entry: Entry) {
        let old = self.entries.insert(path.to_owned(), entry);
        self.discard(old);
    }

    fn discard(&mut self, entry: Option<Entry>) {
        if let Some(Entry::File(staged)) = entry {
            // What cannot be removed now goes with the staging area.
            let _ = self.backend.remove_staged(staged.number);
        }
    }

    /// Whether the back end has something at `path` that no entry above it hides.
    pub(super) fn is_stored(&self, path: &str) -> FileResult<bool> {
        if self.is_hidden(path) {
            return Ok(false);
        }
        Ok(self.backend.stat(path).map_err(|error| self.fail("look at", path, &error))?.is_some())
    }

    /// Makes `path` absent, and gives what the call had there. `stored` is what [`Mount::is_stored`] says.
    pub(super) fn take(&mut self, path: &str, stored: bool) -> Option<Entry> {
        let old = self.entries.remove(path);
        if stored {
            self.entries.insert(path.to_owned(), Entry::Absent);
            self.call.record.removed(&self.shown(path));
        }
        old
    }

    /// Makes the directory `path`.
    pub fn create_directory(&mut self, path: &str) -> FileResult<()> {
        if self.lookup_file(path, Operation::Write)?.is_some() {
            return Err(ErrorCode::Exist.into());
        }
        self.require_parent(path)?;
        self.call.quota.charge_file()?;
        self.set_directory(path);
        Ok(())
    }

    /// Removes the file `path`.
    pub fn remove_file(&mut self, path: &str) -> FileResult<()> {
        match self.lookup_file(path, Operation::Write)? {
            None => Err(ErrorCode::NoEntry.into()),
            Some(Node::Directory) => Err(ErrorCode::IsDirectory.into()),
            Some(_) => {
                let stored = self.is_stored(path)?;
                let old = self.take(path, stored);
                self.discard(old);
                Ok(())
            }
        }
    }

    /// Removes the empty directory `path`.
    pub fn remove_directory(&mut self, path: &str) -> FileResult<()> {
        match self.lookup_file(path, Operation::Write)? {
            None => return Err(ErrorCode::NoEntry.into()),
            Some(Node::Directory) => {}
            Some(_) => return Err(ErrorCode::NotDirectory.into()),
        }
        self.require_own(path)?;
        if !self.is_empty(path)? {
            return Err(ErrorCode::NotEmpty.into());
        }
        let stored = self.is_stored(path)?;
        self.take_below(path);
        self.take(path, stored);
        Ok(())
    }

    /// Refuses to remove or move a directory that others may have things in.
    pub(super) fn require_own(&self, path: &str) -> FileResult<()> {
        if path.is_empty() {
            return Err(ErrorCode::Busy.into());
        }
        if self.scope.place(path) == Place::Inside { Ok(()) } else { Err(self.out_of_scope(Operation::Write, path)) }
    }

    /// Takes the call's own entries below `path` out of the overlay.
    pub(super) fn take_below(&mut self, path: &str) -> Vec<(String, Entry)> {
        self.entries.extract(join(path, ""), |entry| below(entry, path).is_some())
    }
}
