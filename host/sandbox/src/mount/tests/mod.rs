//! Tests of the file system as a whole.

mod changes;
mod limits;
mod locks;
mod policy;
mod publishing;
mod recovery;
mod wasi;
mod wiping;

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use crate::grant::{Access, DirectoryPath, GuestPath, MountGrant, MountSource, Scope};
use crate::layout::Location;
use crate::limits::{LimitExceeded, Limits};
use crate::report::{Denial, Failure, Receipt, StorageFailure};

use super::backend::Kind;
use super::error::FileError;
use super::file::OpenFile;
use super::system::{Base, OpenMode, Opened};
use super::{Durability, FileSystem, Intent, MemoryDirectory, ReadFile};

const READ: OpenMode =
    OpenMode { create: false, exclusive: false, truncate: false, directory: false, read: true, write: false };
const UPDATE: OpenMode = OpenMode { write: true, ..READ };
const CREATE: OpenMode = OpenMode { create: true, truncate: true, ..UPDATE };
const CREATE_NEW: OpenMode = OpenMode { create: true, exclusive: true, ..UPDATE };

/// A temporary directory, or one in memory, that calls are lent as `/data`.
struct Store {
    source: MountSource,
    directory: Option<tempfile::TempDir>,
}

impl Store {
    fn local() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { source: local_source(directory.path()), directory: Some(directory) }
    }

    fn memory() -> Self {
        Self { source: MountSource::Memory(MemoryDirectory::default()), directory: None }
    }

    fn path(&self) -> PathBuf {
        self.directory.as_ref().unwrap().path().to_owned()
    }

    fn grant(&self, access: Access, scope: Scope) -> MountGrant {
        MountGrant { guest_path: GuestPath::new("/data").unwrap(), source: self.source.clone(), access, scope }
    }

    /// A call that may write all of it.
    fn store(&self) -> FileSystem {
        open(&[self.grant(Access::Write, Scope::Mount)], Intent::Store)
    }

    /// A call that may read all of it.
    fn load(&self) -> FileSystem {
        open(&[self.grant(Access::Write, Scope::Mount)], Intent::Load)
    }

    /// Stores `files`.
    fn fill(&self, files: &[(&str, &str)]) {
        let mut call = self.store();
        for (path, content) in files {
            save(&mut call, &format!("/data/{path}"), content);
        }
        publish(&mut call);
    }

    /// All that a call sees, in order.
    fn tree(&self) -> Vec<String> {
        tree(&mut self.load())
    }
}

fn local_source(path: &Path) -> MountSource {
    MountSource::Directory(DirectoryPath::new(path, &[]).unwrap())
}

fn location() -> Location {
    Location::asset(&["sales", "orders"])
}

fn open(grants: &[MountGrant], intent: Intent) -> FileSystem {
    open_within(grants, intent, &Limits::default())
}

fn open_within(grants: &[MountGrant], intent: Intent, limits: &Limits) -> FileSystem {
    FileSystem::open(grants, &[location()], intent, limits, &|| false).unwrap()
}

fn publish(call: &mut FileSystem) {
    call.publish(Durability::None, &|| false).unwrap();
}

fn root() -> Base {
    Base::Root(String::new())
}

fn mount() -> Base {
    Base::Mount { index: 0, path: String::new() }
}

fn save(call: &mut FileSystem, path: &str, content: &str) {
    use std::io::Write;
    let target = call.create(path).unwrap();
    target.charge(content.len() as u64).unwrap();
    let mut file = target.file();
    file.write_all(content.as_bytes()).unwrap();
}

fn open_file(call: &mut FileSystem, path: &str, mode: OpenMode) -> Result<OpenFile, FileError> {
    match call.open_at(&mount(), path, mode)? {
        Opened::File(file) => Ok(file),
        Opened::Directory(_) => panic!("{path} is a directory"),
    }
}

fn write(call: &mut FileSystem, path: &str, content: &str) {
    open_file(call, path, CREATE).unwrap().write_at(content.as_bytes(), 0).unwrap();
}

fn read(call: &mut FileSystem, path: &str) -> Result<String, FileError> {
    let file = open_file(call, path, READ)?;
    Ok(String::from_utf8(file.read_at(1000, 0)?).unwrap())
}

/// `directory/` and `file=content` of all below `/data`.
fn tree(call: &mut FileSystem) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![String::new()];
    while let Some(directory) = directories.pop() {
        for (name, kind) in call.list(&Base::Mount { index: 0, path: directory.clone() }).unwrap() {
            let path = super::path::join(&directory, &name);
            match kind {
                Kind::File => found.push(format!("{path}={}", read(call, &path).unwrap())),
                Kind::Directory => {
                    found.push(format!("{path}/"));
                    directories.push(path);
                }
                Kind::Other => found.push(format!("{path}?")),
            }
        }
    }
    found.sort();
    found
}

#[track_caller]
fn code<T>(result: Result<T, FileError>) -> ErrorCode {
    match result {
        Err(FileError::Code(code)) => code,
        Err(FileError::Limit(exceeded)) => panic!("{exceeded}"),
        Err(FileError::Stopped(error)) => panic!("{error}"),
        Ok(_) => panic!("it was done"),
    }
}

#[track_caller]
fn limit<T>(result: Result<T, FileError>) -> LimitExceeded {
    match result {
        Err(FileError::Limit(exceeded)) => exceeded,
        Err(FileError::Code(code)) => panic!("{code:?}"),
        Err(FileError::Stopped(error)) => panic!("{error}"),
        Ok(_) => panic!("it was done"),
    }
}

fn receipt(call: &FileSystem) -> Receipt {
    let mut receipt = Receipt::default();
    call.record().fill(&mut receipt);
    receipt
}

fn denials(call: &FileSystem) -> Vec<Denial> {
    receipt(call).denials.list
}

#[track_caller]
fn storage<T>(result: Result<T, Failure>) -> StorageFailure {
    match result {
        Err(Failure::Storage { failure }) => failure,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was done"),
    }
}

fn call_directories(store: &Store) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(store.path().join(".airlock")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| !path.ends_with("locks") && !path.ends_with(".gitignore")).collect()
}

/// Does `wait` on another thread, which must wait for others, and then `release`.
fn after_waiting<T: Send>(release: impl FnOnce(), wait: impl FnOnce(&dyn Fn() -> bool) -> T + Send) -> T {
    let (waits, waiting) = mpsc::channel();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(move || {
            wait(&|| {
                waits.send(()).ok();
                false
            })
        });
        waiting.recv().expect("it did not wait");
        release();
        waiter.join().unwrap()
    })
}
