//! Mounts over a directory in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;

use crate::limits::{Bytes, CHUNK, MEMORY_DIRECTORY_BYTES, MEMORY_DIRECTORY_FILES, PATH_DEPTH};
use crate::report::Failure;

use super::Durability;
use super::backend::{Backend, Found, Kind};
use super::lock::{Claim, Lock, Waiting};
use super::path::{ancestors, below, depth, is_plain, is_reserved, join};
use super::plan::Step;
use super::publish;

/// A directory in memory that lives as long as its last clone.
///
/// It holds at most [`MEMORY_DIRECTORY_BYTES`] in at most [`MEMORY_DIRECTORY_FILES`] files and directories. Each file
/// takes one of the process's file descriptors.
#[derive(Clone, Default)]
pub struct MemoryDirectory {
    shared: Arc<State>,
    room: Option<u64>,
}

#[derive(Default)]
struct State {
    number: Number,
    tree: Mutex<BTreeMap<String, Node>>,
    locks: Mutex<HashMap<String, Holders>>,
}

/// Of a directory, which no other of this process has, also not after its end.
struct Number(usize);

impl Default for Number {
    fn default() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

#[derive(Clone)]
enum Node {
    File(Arc<File>),
    Directory,
}

/// What a directory in memory can hold.
pub(crate) struct Contents(BTreeMap<String, Node>);

impl Contents {
    /// These files and, without one, directories, and those that they lie in.
    ///
    /// # Errors
    /// Where no directory can hold them: a path that is none or is named twice, or more than one holds.
    pub fn new(entries: Vec<(String, Option<File>)>) -> io::Result<Self> {
        let mut tree = BTreeMap::new();
        for (path, file) in entries {
            if !is_plain(&path) || is_reserved(&path) || depth(&path) > PATH_DEPTH {
                return Err(io::Error::other("it names what no path is"));
            }
            for ancestor in ancestors(&path) {
                let above = tree.entry(ancestor.to_owned()).or_insert(Node::Directory);
                if matches!(above, Node::File(_)) {
                    return Err(io::Error::other("it names something below a file"));
                }
            }
            let node = file.map_or(Node::Directory, |file| Node::File(Arc::new(file)));
            match (tree.get(&path), &node) {
                (None, _) => drop(tree.insert(path, node)),
                // What lies in it was named before.
                (Some(Node::Directory), Node::Directory) => {}
                _ => return Err(io::Error::other("it names a path twice")),
            }
            check_count(tree.len())?;
        }
        check_size(&tree)?;
        for node in tree.values_mut() {
            if let Node::File(file) = node
                && is_hollow(file)?
            {
                *file = Arc::new(copy(file)?);
            }
        }
        Ok(Self(tree))
    }
}

/// Who holds a lock.
enum Holders {
    One,
    Sharing(usize),
}

impl fmt::Debug for MemoryDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDirectory").finish_non_exhaustive()
    }
}

impl MemoryDirectory {
    /// The same directory, where a call finds room for so many bytes: one that writes more to directories in memory is told that
    /// the storage is full, as by a full disk.
    #[must_use]
    pub fn with_room(&self, room: u64) -> Self {
        Self { shared: Arc::clone(&self.shared), room: Some(room) }
    }

    /// Bytes for which a call finds room.
    pub(crate) fn room(&self) -> u64 {
        self.room.unwrap_or(MEMORY_DIRECTORY_BYTES).min(MEMORY_DIRECTORY_BYTES)
    }

    fn tree(&self) -> MutexGuard<'_, BTreeMap<String, Node>> {
        self.shared.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn locks(&self) -> MutexGuard<'_, HashMap<String, Holders>> {
        self.shared.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds it for a call that another process makes on a copy: alone where the call `stores`.
    pub(crate) fn hold(&self, stores: bool, waiting: &Waiting) -> Result<Held, Failure> {
        // Of all outputs at once: what they share is the whole directory, which the copy takes the place of.
        let claim = Claim { name: "w".to_owned(), shared: !stores };
        waiting.until(|| Ok(self.try_lock(&claim)), || "a directory in memory".to_owned())
    }

    /// All that it holds: the files, and, without one, the directories.
    pub(crate) fn contents(&self) -> Vec<(String, Option<Arc<File>>)> {
        let content = |(path, node): (&String, &Node)| match node {
            Node::File(file) => (path.clone(), Some(Arc::clone(file))),
            Node::Directory => (path.clone(), None),
        };
        self.tree().iter().map(content).collect()
    }

    /// Has it hold this and nothing else.
    pub(crate) fn replace(&self, contents: Contents) {
        *self.tree() = contents.0;
    }

    /// Its number, which no other has, and which orders it among the mounts of a call, so that calls take locks in the same order.
    pub(crate) fn number(&self) -> usize {
        self.shared.number.0
    }

    fn try_lock(&self, claim: &Claim) -> Option<Held> {
        let mut locks = self.locks();
        match (locks.get_mut(&claim.name), claim.shared) {
            (None, true) => drop(locks.insert(claim.name.clone(), Holders::Sharing(1))),
            (None, false) => drop(locks.insert(claim.name.clone(), Holders::One)),
            (Some(Holders::Sharing(count)), true) => *count += 1,
            (Some(_), _) => return None,
        }
        Some(Held { directory: self.clone(), name: claim.name.clone() })
    }

    fn lock(&self, lock: Lock, stripes: &BTreeSet<u8>, waiting: &Waiting) -> Result<Vec<Held>, Failure> {
        let mut held = Vec::new();
        for claim in lock.claims(stripes) {
            let attempt = || Ok(self.try_lock(&claim));
            held.push(waiting.until(attempt, || "an output in memory".to_owned())?);
        }
        Ok(held)
    }
}

/// A held lock.
pub(crate) struct Held {
    directory: MemoryDirectory,
    name: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut locks = self.directory.locks();
        match locks.get_mut(&self.name) {
            Some(Holders::Sharing(count)) if *count > 1 => *count -= 1,
            _ => drop(locks.remove(&self.name)),
        }
    }
}

/// A directory in memory, as one call sees it.
pub(crate) struct Memory {
    directory: MemoryDirectory,
    stripes: BTreeSet<u8>,
    stores: bool,
    locks: Vec<Held>,
    staged: HashMap<u64, Arc<File>>,
}

impl Memory {
    /// Opens `directory` for a call on the outputs of `stripes` and takes their locks.
    pub fn open(
        directory: &MemoryDirectory,
        stores: bool,
        stripes: &BTreeSet<u8>,
        waiting: &Waiting,
    ) -> Result<Self, Failure> {
        let lock = if stores { Lock::Write } else { Lock::Read };
        let locks = directory.lock(lock, stripes, waiting)?;
        Ok(Self { directory: directory.clone(), stripes: stripes.clone(), stores, locks, staged: HashMap::new() })
    }
}

impl Backend for Memory {
    fn stat(&self, path: &str) -> io::Result<Option<Found>> {
        if path.is_empty() {
            return Ok(Some(Found::Directory));
        }
        match self.directory.tree().get(path) {
            None => Ok(None),
            Some(Node::Directory) => Ok(Some(Found::Directory)),
            Some(Node::File(file)) => {
                let metadata = file.metadata()?;
                Ok(Some(Found::File { size: metadata.len(), modified: metadata.modified().ok() }))
            }
        }
    }

    fn list(&self, path: &str, keep: &dyn Fn(&str) -> bool, limit: usize) -> io::Result<Vec<(String, Kind)>> {
        let tree = self.directory.tree();
        let start = join(path, "");
        let children = tree.range(start..).map_while(|(child, node)| Some((below(child, path)?, node)));
        let direct = children.filter(|(name, _)| !name.contains('/') && keep(name));
        let kind = |node: &Node| if matches!(node, Node::Directory) { Kind::Directory } else { Kind::File };
        Ok(direct.map(|(name, node)| (name.to_owned(), kind(node))).take(limit.saturating_add(1)).collect())
    }

    fn open(&self, path: &str) -> io::Result<Option<File>> {
        match self.directory.tree().get(path) {
            None => Err(Errno::NOENT.into()),
            Some(Node::Directory) => Ok(None),
            Some(Node::File(file)) => file.try_clone().map(Some),
        }
    }

    fn memory_room(&self) -> Option<u64> {
        Some(self.directory.room())
    }

    fn create_staged(&mut self, number: u64) -> io::Result<File> {
        check_count(self.staged.len() + 1)?;
        let file = Arc::new(anonymous_file()?);
        self.staged.insert(number, Arc::clone(&file));
        file.try_clone()
    }

    fn open_staged(&self, number: u64) -> io::Result<File> {
        self.staged.get(&number).ok_or_else(|| io::Error::from(Errno::NOENT))?.try_clone()
    }

    fn remove_staged(&mut self, number: u64) -> io::Result<()> {
        self.staged.remove(&number);
        Ok(())
    }

    fn release_readers(&mut self) {
        if !self.stores {
            self.locks.clear();
        }
    }

    fn publish(&mut self, steps: Vec<Step>, _durability: Durability, waiting: &Waiting) -> Result<(), Failure> {
        if steps.is_empty() {
            return Ok(());
        }
        let _publishing = self.directory.lock(Lock::Publish, &self.stripes, waiting)?;
        let failure = |memory: &Self, error| Failure::Storage { failure: memory.failure("publish to", "", &error) };
        publish::check(self, &steps).map_err(|error| failure(self, error))?;
        let mut published = self.directory.tree();
        let mut tree = published.clone();
        for step in steps {
            perform(&mut tree, &mut self.staged, step);
        }
        check_size(&tree).map_err(|error| failure(self, error))?;
        *published = tree;
        Ok(())
    }

    fn describe(&self, path: &str) -> String {
        if path.is_empty() { "a directory in memory".to_owned() } else { format!("{path} in memory") }
    }
}

fn perform(tree: &mut BTreeMap<String, Node>, staged: &mut HashMap<u64, Arc<File>>, step: Step) {
    match step {
        Step::ClearDirectory(path) => {
            if matches!(tree.get(&path), Some(Node::Directory)) {
                remove(tree, &path);
            }
        }
        Step::ClearFile(path) => {
            if matches!(tree.get(&path), Some(Node::File(_))) {
                remove(tree, &path);
            }
        }
        Step::Remove(path) => remove(tree, &path),
        Step::MakeDirectory(path) => {
            make_parents(tree, &path);
            tree.insert(path, Node::Directory);
        }
        Step::Put { staged: number, path } => {
            if let Some(file) = staged.remove(&number) {
                make_parents(tree, &path);
                tree.insert(path, Node::File(file));
            }
        }
    }
}

fn make_parents(tree: &mut BTreeMap<String, Node>, path: &str) {
    for ancestor in ancestors(path) {
        tree.entry(ancestor.to_owned()).or_insert(Node::Directory);
    }
}

fn remove(tree: &mut BTreeMap<String, Node>, path: &str) {
    tree.remove(path);
    // '0' is what follows '/'.
    tree.extract_if(format!("{path}/")..format!("{path}0"), |_, _| true).for_each(drop);
}

fn check_count(count: usize) -> io::Result<()> {
    if count <= MEMORY_DIRECTORY_FILES {
        return Ok(());
    }
    let reason = format!("a directory in memory holds at most {MEMORY_DIRECTORY_FILES} files and directories");
    Err(io::Error::new(io::ErrorKind::StorageFull, reason))
}

fn check_size(tree: &BTreeMap<String, Node>) -> io::Result<()> {
    check_count(tree.len())?;
    let mut size: u64 = 0;
    for node in tree.values() {
        if let Node::File(file) = node {
            size = size.saturating_add(file.metadata()?.len());
        }
    }
    if size <= MEMORY_DIRECTORY_BYTES {
        return Ok(());
    }
    let reason = format!("a directory in memory holds at most {}", Bytes(MEMORY_DIRECTORY_BYTES));
    Err(io::Error::new(io::ErrorKind::StorageFull, reason))
}

/// Whether `file` takes more memory than its bytes need: of one there may be as much as [`seal`] leaves, of a thousand not.
fn is_hollow(file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    Ok(metadata.blocks().saturating_mul(BLOCK) > metadata.len().next_multiple_of(SMALL_PAGE))
}

/// A sealed file with the bytes of `file`.
fn copy(file: &File) -> io::Result<File> {
    let mut copy = anonymous_file()?;
    let (mut buffer, mut position) = (vec![0; CHUNK], 0);
    loop {
        let read = file.read_at(&mut buffer, position)?;
        if read == 0 {
            break;
        }
        copy.write_all(buffer.get(..read).unwrap_or_default())?;
        position += read as u64;
    }
    seal(&copy)?;
    Ok(copy)
}

/// Bytes of what the system counts a file's blocks in.
const BLOCK: u64 = 512;
/// Bytes that memory may be given out in, at most.
const PAGE: u64 = 2 << 20;
/// And at least.
const SMALL_PAGE: u64 = 4 << 10;

/// An empty file without a name, to read and write.
pub(crate) fn anonymous_file() -> io::Result<File> {
    Ok(File::from(rustix::fs::memfd_create("airlock", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?))
}

/// Makes sure that nobody changes `file`, which is one of [`anonymous_file`], from now on.
///
/// # Errors
/// Where it is another, where somebody has it mapped to be written or saw to it that it cannot be sealed, and where it takes
/// more memory than it is long.
pub(crate) fn seal(file: &File) -> io::Result<()> {
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    if !rustix::fs::fcntl_get_seals(file)?.contains(seals) {
        rustix::fs::fcntl_add_seals(file, seals)?;
    }
    let metadata = file.metadata()?;
    if metadata.blocks().saturating_mul(BLOCK) > metadata.len().saturating_add(PAGE) {
        return Err(io::Error::other("a file in memory takes more than it is long"));
    }
    Ok(())
}

/// Whether `file` lies in memory and in no directory, as one of [`anonymous_file`] does.
pub(crate) fn is_anonymous(file: &File) -> io::Result<bool> {
    // Of large pages there are others.
    let is_huge = rustix::fs::fstatfs(file)?.f_type == libc::HUGETLBFS_MAGIC;
    Ok(is_huge || file.metadata()?.dev() == anonymous_file()?.metadata()?.dev())
}
