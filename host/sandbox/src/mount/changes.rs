//! Copying what the back end has into the overlay, moving it there, and what is to be published of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use crate::limits::{CHUNK, DIRECTORY_ENTRIES, Limit, LimitExceeded, PATH_DEPTH};
use crate::report::{Operation, Rule};

use super::backend::{Found, Kind};
use super::error::FileResult;
use super::file::Staged;
use super::overlay::{Entry, Mount, Node};
use super::path::{below, depth, join};
use super::plan::Step;
use super::quota::check_free_space;

impl Mount {
    /// Copies the file of the back end at `path` into the overlay.
    pub fn copy_up(&mut self, path: &str) -> FileResult<Arc<Staged>> {
        let source = self.open_stored(path, Operation::Write)?;
        let size = source.metadata().map_err(|error| self.fail("read", path, &error))?.len();
        self.call.quota.charge(size)?;
        if let Some(room) = self.backend.memory_room() {
            self.call.quota.charge_memory(size, room).map_err(|error| self.fail("copy", path, &error))?;
        }
        let (staged, target) = self.stage(path, self.identity(path))?;
        check_free_space(&target, size).map_err(|error| self.fail("copy", path, &error))?;
        staged.grow_to(self.copy(path, &source, &target, size)?);
        self.set_file(path, Arc::clone(&staged));
        Ok(staged)
    }

    /// Copies the first `size` bytes of what lies at `path`, and gives how many there were.
    fn copy(&self, path: &str, source: &File, target: &File, size: u64) -> FileResult<u64> {
        let mut buffer = vec![0; usize::try_from(size).unwrap_or(CHUNK).min(CHUNK)];
        let mut copied = 0;
        while copied < size {
            self.call.check_stop()?;
            let wanted = usize::try_from(size - copied).unwrap_or(CHUNK).min(CHUNK);
            let chunk = buffer.get_mut(..wanted).unwrap_or_default();
            let moved = source.read_at(chunk, copied).and_then(|read| {
                target.write_all_at(chunk.get(..read).unwrap_or_default(), copied)?;
                Ok(read)
            });
            match moved.map_err(|error| self.fail("copy", path, &error))? {
                0 => break,
                read => copied += read as u64,
            }
        }
        Ok(copied)
    }

    /// Moves what lies at `from` to `to`.
    pub fn rename(&mut self, from: &str, to: &str) -> FileResult<()> {
        let source = self.lookup_file(from, Operation::Write)?.ok_or(ErrorCode::NoEntry)?;
        self.require_own(from)?;
        self.require_own(to)?;
        if from == to {
            return Ok(());
        }
        if below(to, from).is_some() {
            return Err(ErrorCode::Invalid.into());
        }
        self.require_parent(to)?;
        let target = self.lookup_file(to, Operation::Write)?;
        let is_directory = matches!(source, Node::Directory);
        match target {
            Some(Node::Directory) if !is_directory => return Err(ErrorCode::IsDirectory.into()),
            Some(Node::Directory) if !self.is_empty(to)? => return Err(ErrorCode::NotEmpty.into()),
            Some(Node::Staged(_) | Node::Stored { .. }) if is_directory => return Err(ErrorCode::NotDirectory.into()),
            _ => {}
        }
        if is_directory { self.rename_directory(from, to) } else { self.rename_file(from, to) }
    }

    fn rename_file(&mut self, from: &str, to: &str) -> FileResult<()> {
        let stored = self.is_stored(from)?;
        let staged = match self.entries.get(from) {
            Some(Entry::File(staged)) => Arc::clone(staged),
            _ => self.copy_whole(from)?,
        };
        self.take(from, stored);
        self.call.record.renamed(&self.shown(from), &self.shown(to));
        self.set(to, Entry::File(staged));
        Ok(())
    }

    fn rename_directory(&mut self, from: &str, to: &str) -> FileResult<()> {
        let stored = self.is_stored(from)?;
        self.copy_up_directory(from)?;
        let moved = self.take_below(from);
        self.take(from, stored);
        self.take_below(to);
        self.call.record.renamed(&self.shown(from), &self.shown(to));
        for (path, entry) in moved {
            let Some(rest) = below(&path, from) else { continue };
            if !matches!(entry, Entry::Absent) {
                let path = join(to, rest);
                if depth(&path) > PATH_DEPTH {
                    return Err(LimitExceeded::new(Limit::PathDepth, PATH_DEPTH as u64).into());
                }
                self.entries.insert(path, entry);
            }
        }
        self.set(to, Entry::Directory);
        Ok(())
    }

    /// As [`copy_up`](Self::copy_up), of a file that is going to lie elsewhere: all of it counts as written there.
    fn copy_whole(&mut self, path: &str) -> FileResult<Arc<Staged>> {
        let staged = self.copy_up(path)?;
        self.call.record.writing(&self.shown(path)).add(staged.length());
        Ok(staged)
    }

    /// Copies what the back end has at and below the directory `path` into the overlay.
    fn copy_up_directory(&mut self, path: &str) -> FileResult<()> {
        if depth(path) > PATH_DEPTH {
            return Err(LimitExceeded::new(Limit::PathDepth, PATH_DEPTH as u64).into());
        }
        self.call.check_stop()?;
        let names = self.stored_names(path, DIRECTORY_ENTRIES)?;
        if names.len() > DIRECTORY_ENTRIES {
            return Err(LimitExceeded::new(Limit::DirectoryEntries, DIRECTORY_ENTRIES as u64).into());
        }
        for (name, kind) in names {
            let path = join(path, &name);
            match kind {
                Kind::File => drop(self.copy_whole(&path)?),
                Kind::Directory => self.copy_up_directory(&path)?,
                Kind::Other => return Err(self.refuse(Operation::Write, &path, Rule::NotAFile)),
            }
        }
        if !self.entries.contains_key(path) {
            self.call.quota.charge_file()?;
            self.set_directory(path);
        }
        Ok(())
    }

    /// What has to be done to the back end so that it holds what the call sees.
    pub fn steps(&self) -> io::Result<Vec<Step>> {
        let (mut clear, mut make, mut put, mut remove) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (path, entry) in self.entries.iter() {
            let found = self.backend.stat(path)?;
            match (entry, found) {
                (Entry::File(staged), found) => {
                    if found == Some(Found::Directory) {
                        clear.push(Step::ClearDirectory(path.clone()));
                    }
                    put.push(Step::Put { staged: staged.number, path: path.clone() });
                }
                (Entry::Directory, Some(Found::Directory)) => {
                    for (name, _) in self.backend.list(path, &|_| true, usize::MAX)? {
                        let path = join(path, &name);
                        if !matches!(self.entries.get(&path), Some(Entry::File(_) | Entry::Directory)) {
                            remove.push(Step::Remove(path));
                        }
                    }
                }
                (Entry::Directory, found) => {
                    if found.is_some() {
                        clear.push(Step::ClearFile(path.clone()));
                    }
                    make.push(Step::MakeDirectory(path.clone()));
                }
                (Entry::Absent, Some(_)) => remove.push(Step::Remove(path.clone())),
                (Entry::Absent, None) => {}
            }
        }
        for mut steps in [make, put, remove] {
            clear.append(&mut steps);
        }
        Ok(clear)
    }
}
