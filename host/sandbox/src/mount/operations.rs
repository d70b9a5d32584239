//! What a guest does with its file system, by path.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use crate::report::{Operation, Rule};

use super::backend::Kind;
use super::error::{FileError, FileResult};
use super::file::{Identity, OpenFile, Opening};
use super::overlay::{Mount, Node};
use super::path::{PathError, absolute, below, resolve};
use super::quota::Permit;
use super::system::{Base, FileSystem, OpenMode, Opened, Stat, Target};

impl FileSystem {
    /// The mounts as a guest finds them, `/` last.
    pub fn preopens(&self) -> Vec<(Base, String)> {
        let mounts = self.mounts.iter().enumerate();
        let mounts =
            mounts.map(|(index, mount)| (Base::Mount { index, path: String::new() }, mount.guest_path.clone()));
        mounts.chain([(Base::Root(String::new()), "/".to_owned())]).collect()
    }

    /// Takes one of the files and directories that may be open at once.
    pub fn descriptor(&self) -> FileResult<Permit> {
        Ok(self.call.quota.descriptor()?)
    }

    /// Takes so many of the entries of directories that may be listed at once.
    pub fn listing(&self, entries: usize) -> FileResult<Permit> {
        Ok(self.call.quota.listing(entries)?)
    }

    /// Whether the guest may change what lies in the directory.
    pub fn is_writable(&self, base: &Base) -> bool {
        match base {
            Base::Root(_) => false,
            Base::Mount { index, .. } => self.mounts.get(*index).is_some_and(Mount::is_writable),
        }
    }

    /// Opens `path` in the directory `base`.
    pub fn open_at(&mut self, base: &Base, path: &str, mode: OpenMode) -> FileResult<Opened> {
        let target = self.locate(base, path, mode.operation())?;
        self.open_target(target, mode)
    }

    pub(super) fn open_target(&mut self, target: Target, mode: OpenMode) -> FileResult<Opened> {
        let Base::Mount { index, path } = &target.base else {
            self.refuse_change(&target.base, mode.operation())?;
            return Ok(Opened::Directory(target.base));
        };
        let call = Arc::clone(&self.call);
        let mount = self.mounts.get_mut(*index).ok_or(ErrorCode::BadDescriptor)?;
        let node = mount.lookup_file(path, mode.operation())?;
        let only_directory = mode.directory || target.directory;
        match &node {
            Some(_) if mode.create && mode.exclusive => return Err(ErrorCode::Exist.into()),
            Some(Node::Directory) if mode.operation() == Operation::Write => {
                return Err(ErrorCode::IsDirectory.into());
            }
            Some(Node::Directory) => return Ok(Opened::Directory(target.base)),
            Some(_) if only_directory => return Err(ErrorCode::NotDirectory.into()),
            None if !mode.create => return Err(ErrorCode::NoEntry.into()),
            None if mode.directory => return Err(ErrorCode::Invalid.into()),
            None if target.directory => return Err(ErrorCode::IsDirectory.into()),
            _ => {}
        }
        let change = mode.write || mode.truncate;
        let (file, staged) = match node {
            Some(Node::Staged(staged)) => {
                let file = mount.open_staged(path, &staged)?;
                (file, Some(staged))
            }
            Some(Node::Stored { .. }) if !change => (mount.open_stored(path, mode.operation())?, None),
            Some(Node::Stored { .. }) if !mode.truncate => {
                let staged = mount.copy_up(path)?;
                (mount.open_staged(path, &staged)?, Some(staged))
            }
            _ => {
                let (staged, file) = mount.create_file(path)?;
                (file, Some(staged))
            }
        };
        let identity = staged.as_ref().map_or_else(|| mount.identity(path), |staged| staged.identity);
        if let (true, Some(staged)) = (mode.truncate, &staged) {
            file.set_len(0).map_err(|error| mount.fail("resize", path, &error))?;
            staged.truncate_to(0);
        }
        let opening = Opening {
            path: mount.shown(path),
            described: mount.backend.describe(path),
            identity,
            staged,
            readable: mode.read,
            writable: mode.write,
        };
        Ok(Opened::File(OpenFile::new(file, opening, &call)?))
    }

    /// What lies at `path` in the directory `base`.
    pub fn stat_at(&self, base: &Base, path: &str) -> FileResult<Stat> {
        let target = self.locate(base, path, Operation::Read)?;
        let stat = self.stat(&target.base)?;
        if target.directory && stat.kind != Kind::Directory {
            return Err(ErrorCode::NotDirectory.into());
        }
        Ok(stat)
    }

    /// What lies at `base`.
    pub fn stat(&self, base: &Base) -> FileResult<Stat> {
        let directory = |identity| Stat { kind: Kind::Directory, size: 0, modified: None, identity };
        let (mount, path) = match base {
            Base::Root(path) => return Ok(directory(Identity::new(&[b"/", path.as_bytes()]))),
            Base::Mount { index, path } => (self.mount(*index)?, path),
        };
        match mount.lookup_file(path, Operation::Read)?.ok_or(ErrorCode::NoEntry)? {
            Node::Stored { size, modified } => {
                Ok(Stat { kind: Kind::File, size, modified, identity: mount.identity(path) })
            }
            Node::Staged(staged) => {
                let file = mount.open_staged(path, &staged)?;
                let metadata = file.metadata().map_err(|error| mount.fail("look at", path, &error))?;
                let modified = metadata.modified().ok();
                Ok(Stat { kind: Kind::File, size: metadata.len(), modified, identity: staged.identity })
            }
            Node::Directory | Node::Other => Ok(directory(mount.identity(path))),
        }
    }

    /// The names in the directory `base`, in order.
    pub fn list(&self, base: &Base) -> FileResult<Vec<(String, Kind)>> {
        match base {
            Base::Mount { index, path } => self.mount(*index)?.list(path),
            Base::Root(path) => {
                let rest = self.mounts.iter().filter_map(|mount| below(mount.guest_path.get(1..)?, path));
                let names: BTreeSet<&str> = rest.filter_map(|rest| rest.split('/').next()).collect();
                Ok(names.into_iter().map(|name| (name.to_owned(), Kind::Directory)).collect())
            }
        }
    }

    /// Makes the directory `path` in the directory `base`.
    pub fn create_directory_at(&mut self, base: &Base, path: &str) -> FileResult<()> {
        match self.locate(base, path, Operation::Write)?.base {
            Base::Root(_) => Err(ErrorCode::Exist.into()),
            Base::Mount { index, path } => self.mount_mut(index)?.create_directory(&path),
        }
    }

    /// Removes the empty directory `path` in the directory `base`.
    pub fn remove_directory_at(&mut self, base: &Base, path: &str) -> FileResult<()> {
        let target = self.locate(base, path, Operation::Write)?;
        self.refuse_change(&target.base, Operation::Write)?;
        let Base::Mount { index, path } = target.base else { return Err(ErrorCode::NotPermitted.into()) };
        self.mount_mut(index)?.remove_directory(&path)
    }

    /// Removes the file `path` in the directory `base`.
    pub fn remove_file_at(&mut self, base: &Base, path: &str) -> FileResult<()> {
        let target = self.locate(base, path, Operation::Write)?;
        self.refuse_change(&target.base, Operation::Write)?;
        self.require_file_path(&target)?;
        let Base::Mount { index, path } = target.base else { return Err(ErrorCode::NotPermitted.into()) };
        self.mount_mut(index)?.remove_file(&path)
    }

    /// Moves `from` in the directory `base` to `to` in the directory `to_base`.
    pub fn rename_at(&mut self, base: &Base, from: &str, to_base: &Base, to: &str) -> FileResult<()> {
        let source = self.locate(base, from, Operation::Write)?;
        let target = self.locate(to_base, to, Operation::Write)?;
        self.refuse_change(&source.base, Operation::Write)?;
        self.refuse_change(&target.base, Operation::Write)?;
        self.require_file_path(&source)?;
        if target.directory && self.stat(&source.base)?.kind != Kind::Directory {
            return Err(ErrorCode::NotDirectory.into());
        }
        match (source.base, target.base) {
            (Base::Mount { index, path: from }, Base::Mount { index: other, path: to }) if index == other => {
                self.mount_mut(index)?.rename(&from, &to)
            }
            _ => Err(ErrorCode::CrossDevice.into()),
        }
    }

    /// Refuses the path of a file that is written as that of a directory.
    fn require_file_path(&self, target: &Target) -> FileResult<()> {
        if target.directory && self.stat(&target.base)?.kind != Kind::Directory {
            return Err(ErrorCode::NotDirectory.into());
        }
        Ok(())
    }

    /// Refuses and records a link at `path` in the directory `base`.
    pub fn refuse_link_at(&self, base: &Base, path: &str) -> FileError {
        match self.locate(base, path, Operation::Link) {
            Err(error) => error,
            Ok(target) => {
                let shown = self.shown(&target.base);
                self.call.record.deny(Operation::Link, &shown, Rule::NotAFile);
                ErrorCode::NotPermitted.into()
            }
        }
    }

    /// Sets times of the file `path` in the directory `base`, if the call wrote it.
    pub fn set_times_at(
        &mut self,
        base: &Base,
        path: &str,
        accessed: Option<SystemTime>,
        modified: Option<SystemTime>,
    ) -> FileResult<()> {
        let target = self.locate(base, path, Operation::Write)?;
        self.refuse_change(&target.base, Operation::Write)?;
        self.require_file_path(&target)?;
        let Base::Mount { index, path } = &target.base else { return Err(ErrorCode::NotPermitted.into()) };
        match self.mount(*index)?.lookup_file(path, Operation::Write)? {
            None => Err(ErrorCode::NoEntry.into()),
            Some(Node::Staged(_)) => match self.open_target(target, OpenMode { write: true, ..OpenMode::default() })? {
                Opened::File(file) => file.set_times(accessed, modified),
                Opened::Directory(_) => Err(ErrorCode::Unsupported.into()),
            },
            Some(_) => Err(ErrorCode::Unsupported.into()),
        }
    }

    fn mount(&self, index: usize) -> FileResult<&Mount> {
        Ok(self.mounts.get(index).ok_or(ErrorCode::BadDescriptor)?)
    }

    fn mount_mut(&mut self, index: usize) -> FileResult<&mut Mount> {
        Ok(self.mounts.get_mut(index).ok_or(ErrorCode::BadDescriptor)?)
    }

    /// The directory as the guest sees it.
    fn shown(&self, base: &Base) -> String {
        match base {
            Base::Root(path) => format!("/{path}"),
            Base::Mount { index, path } => self.mounts.get(*index).map(|m| m.shown(path)).unwrap_or_default(),
        }
    }

    pub(super) fn locate_absolute(&self, path: &str, operation: Operation) -> FileResult<Target> {
        let relative = path.trim_start_matches('/');
        let relative = if relative.is_empty() && !path.is_empty() { "." } else { relative };
        self.locate(&Base::Root(String::new()), relative, operation)
    }

    /// Where `path` in the directory `base` leads, if the call may do `operation` there.
    fn locate(&self, base: &Base, path: &str, operation: Operation) -> FileResult<Target> {
        let directory = match base {
            Base::Root(directory) | Base::Mount { path: directory, .. } => directory,
        };
        let resolved = resolve(directory, path).map_err(|error| self.unresolved(base, path, operation, error))?;
        let base = match base {
            Base::Mount { index, .. } => Base::Mount { index: *index, path: resolved.path },
            Base::Root(_) => self.covering(&resolved.path, operation)?,
        };
        if let Base::Mount { index, path } = &base {
            self.mount(*index)?.permit(path, operation)?;
        }
        Ok(Target { base, directory: resolved.directory })
    }

    fn unresolved(&self, base: &Base, path: &str, operation: Operation, error: PathError) -> FileError {
        match error {
            PathError::Empty => ErrorCode::NoEntry.into(),
            PathError::Invalid => ErrorCode::Invalid.into(),
            PathError::TooLong => ErrorCode::NameTooLong.into(),
            PathError::Escape => {
                let rule = match base {
                    Base::Root(_) => Rule::NotMounted,
                    Base::Mount { index, .. } => {
                        let mount = self.mounts.get(*index).map(|mount| mount.guest_path.clone()).unwrap_or_default();
                        Rule::Escape { mount }
                    }
                };
                self.call.record.deny(operation, &absolute(&self.shown(base), path), rule);
                ErrorCode::NotPermitted.into()
            }
        }
    }

    /// The mount that covers `path` below `/`, or the directory that leads to one.
    fn covering(&self, path: &str, operation: Operation) -> FileResult<Base> {
        for (index, mount) in self.mounts.iter().enumerate() {
            let Some(guest_path) = mount.guest_path.get(1..) else { continue };
            if path == guest_path {
                return Ok(Base::Mount { index, path: String::new() });
            }
            if let Some(rest) = below(path, guest_path) {
                return Ok(Base::Mount { index, path: rest.to_owned() });
            }
            if below(guest_path, path).is_some() {
                return Ok(Base::Root(path.to_owned()));
            }
        }
        if path.is_empty() {
            return Ok(Base::Root(String::new()));
        }
        self.call.record.deny(operation, &format!("/{path}"), Rule::NotMounted);
        Err(ErrorCode::NotPermitted.into())
    }

    /// Refuses to change `/`, a directory that leads to a mount, and the place of a mount.
    fn refuse_change(&self, base: &Base, operation: Operation) -> FileResult<()> {
        match base {
            Base::Root(_) if operation != Operation::Read => {
                self.call.record.deny(operation, &self.shown(base), Rule::NotMounted);
                Err(ErrorCode::NotPermitted.into())
            }
            _ => Ok(()),
        }
    }
}
