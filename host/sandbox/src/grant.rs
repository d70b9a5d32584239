//! What a guest is lent: deny by default, parsed once, enforced as parsed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::limits::Limits;
use crate::mount::MemoryDirectory;

/// What a guest is lent for a call. Nothing but the limits by default.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    mounts: Vec<MountGrant>,
    environment: BTreeMap<String, String>,
    limits: Limits,
}

impl Grant {
    /// A grant of `mounts`, `environment` entries and `limits`.
    ///
    /// # Errors
    /// [`GrantError`] where the guest paths of two mounts are the same or one lies in the other, where one directory is
    /// lent twice to be written, or where the name of an environment entry is empty or holds `=` or a NUL.
    pub fn new(
        mounts: Vec<MountGrant>,
        environment: BTreeMap<String, String>,
        limits: Limits,
    ) -> Result<Self, GrantError> {
        for (index, mount) in mounts.iter().enumerate() {
            for other in mounts.iter().skip(index + 1) {
                let (a, b) = (&mount.guest_path.0, &other.guest_path.0);
                let nested = |outer: &str, inner: &str| {
                    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                };
                if nested(a, b) || nested(b, a) {
                    return Err(GrantError::Overlap(a.clone(), b.clone()));
                }
                // A call would wait for itself.
                if mount.is_written() && other.is_written() && mount.source.is_same(&other.source) {
                    return Err(GrantError::WrittenTwice(a.clone(), b.clone()));
                }
            }
        }
        for (name, value) in &environment {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(GrantError::Environment(name.clone()));
            }
        }
        Ok(Self { mounts, environment, limits })
    }

    /// The lent directories.
    pub fn mounts(&self) -> &[MountGrant] {
        &self.mounts
    }

    /// The lent environment.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// What a call may use.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// A directory that is lent under a guest path.
#[derive(Clone, Debug)]
pub struct MountGrant {
    /// Where the guest sees it.
    pub guest_path: GuestPath,
    /// What it sees there.
    pub source: MountSource,
    /// Whether it may change what it sees.
    pub access: Access,
    /// How much of it one call may touch.
    pub scope: Scope,
}

impl MountGrant {
    fn is_written(&self) -> bool {
        self.access == Access::Write
    }
}

/// What lies under a mount.
#[derive(Clone, Debug)]
pub enum MountSource {
    /// A directory of the machine.
    Directory(DirectoryPath),
    /// A directory in memory, which lives as long as the process.
    Memory(MemoryDirectory),
}

impl MountSource {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (MountSource::Directory(a), MountSource::Directory(b)) => a == b,
            (MountSource::Memory(a), MountSource::Memory(b)) => a.number() == b.number(),
            _ => false,
        }
    }
}

/// Whether a guest may change a mount. One bit on purpose: finer pairs of rights have been a source of escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// It may read.
    Read,
    /// It may read and, while it stores, write.
    Write,
}

/// How much of a mount one call may touch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The paths of the output that it stores or loads: the name that `path` gives, under any extension, and what
    /// lies below it.
    #[default]
    Output,
    /// All of it, for managers that choose paths themselves.
    Mount,
}

/// An absolute path as a guest sees it: `/data`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GuestPath(String);

impl GuestPath {
    /// The guest path `path`.
    ///
    /// # Errors
    /// [`GrantError::GuestPath`] where it is not absolute, is `/` itself, ends in `/` or holds an empty, `.` or `..`
    /// segment or a NUL.
    pub fn new(path: &str) -> Result<Self, GrantError> {
        let valid = |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains(['\0', '\\']);
        match path.strip_prefix('/') {
            Some(rest) if rest.split('/').all(valid) => Ok(Self(path.to_owned())),
            _ => Err(GrantError::GuestPath(path.to_owned())),
        }
    }

    /// The path, beginning with `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A directory of the machine that may be lent: absolute, with links resolved, and none of those that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryPath(PathBuf);

/// Directories that show the machine rather than hold data.
const SYSTEM_DIRECTORIES: [&str; 4] = ["/proc", "/sys", "/dev", "/run"];
/// Where Linux keeps a file system in memory; directories below it hold data like any other.
const SHARED_MEMORY: &str = "/dev/shm";

impl DirectoryPath {
    /// The directory `path`, which need not exist yet. `own_state` are the directories in which Airlock keeps its
    /// own: neither they, nor what holds them, nor what lies in them may be lent.
    ///
    /// # Errors
    /// [`GrantError::DangerousRoot`] for `/`, the home directory or what holds it, `/proc`, `/sys`, `/dev`, `/run`
    /// and anything below these, and Airlock's own state; [`GrantError::Unresolvable`] where the path cannot be resolved.
    pub fn new(path: &Path, own_state: &[PathBuf]) -> Result<Self, GrantError> {
        let resolved = resolve(path)
            .map_err(|error| GrantError::Unresolvable { path: path.to_owned(), reason: error.to_string() })?;
        let refuse = |reason| Err(GrantError::DangerousRoot { path: path.to_owned(), reason });
        if resolved.parent().is_none() {
            return refuse("it is the root of the file system");
        }
        let shared_memory = resolved.starts_with(SHARED_MEMORY) && resolved != Path::new(SHARED_MEMORY);
        if !shared_memory && SYSTEM_DIRECTORIES.iter().any(|system| resolved.starts_with(system)) {
            return refuse("it shows the machine's processes and devices");
        }
        if let Some(home) = std::env::home_dir().and_then(|home| resolve(&home).ok())
            && home.starts_with(&resolved)
        {
            return refuse("it is or holds the home directory");
        }
        for state in own_state {
            let Ok(state) = resolve(state) else { continue };
            if state.starts_with(&resolved) || resolved.starts_with(&state) {
                return refuse("it is, holds or lies in Airlock's own state");
            }
        }
        Ok(Self(resolved))
    }

    /// A path that another process of this sandbox made one of.
    pub(crate) fn already_checked(path: PathBuf) -> Self {
        Self(path)
    }

    /// The path.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

/// `path` absolute and without links, as far as it exists.
fn resolve(path: &Path) -> std::io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let mut missing = Vec::new();
    let mut existing = absolute.as_path();
    loop {
        match existing.canonicalize() {
            Ok(mut resolved) => {
                resolved.extend(missing.iter().rev());
                return Ok(resolved);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let Some(Component::Normal(name)) = existing.components().next_back() else {
                    return Err(error);
                };
                // A dangling link would be followed once its target exists.
                if existing.symlink_metadata().is_ok() {
                    return Err(error);
                }
                missing.push(name.to_owned());
                let Some(parent) = existing.parent() else { return Err(error) };
                existing = parent;
            }
            Err(error) => return Err(error),
        }
    }
}

/// A grant that cannot be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// A guest path that is none.
    #[error("the guest path {0:?} is not an absolute path below `/`, such as \"/data\"")]
    GuestPath(String),
    /// Two mounts under one path.
    #[error("the mounts {0:?} and {1:?} overlap: a guest path belongs to one mount")]
    Overlap(String, String),
    /// One directory under two mounts that may both be written.
    #[error("the mounts {0:?} and {1:?} are the same directory: lend it to be written once")]
    WrittenTwice(String, String),
    /// An environment entry that cannot be.
    #[error("the environment entry {0:?} has an empty name, or a `=` or a NUL where none can be")]
    Environment(String),
    /// A directory that is never lent.
    #[error("{} cannot be lent: {reason}; lend a directory of its own below it", path.display())]
    DangerousRoot {
        /// As it was given.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// A path that leads nowhere.
    #[error("{} cannot be resolved: {reason}", path.display())]
    Unresolvable {
        /// As it was given.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(guest_path: &str) -> MountGrant {
        MountGrant {
            guest_path: GuestPath::new(guest_path).unwrap(),
            source: MountSource::Memory(MemoryDirectory::default()),
            access: Access::Write,
            scope: Scope::Output,
        }
    }

    fn refusal(path: &Path, own_state: &[PathBuf]) -> Option<&'static str> {
        match DirectoryPath::new(path, own_state) {
            Err(GrantError::DangerousRoot { reason, .. }) => Some(reason),
            _ => None,
        }
    }

    #[test]
    fn guest_paths_are_absolute_and_plain() {
        assert!(GuestPath::new("/data").is_ok());
        assert!(GuestPath::new("/data/lake").is_ok());
        for path in ["", "/", "data", "/data/", "//data", "/./data", "/data/..", "/a\0b", "/a\\b"] {
            assert_eq!(GuestPath::new(path), Err(GrantError::GuestPath(path.to_owned())));
        }
    }

    #[test]
    fn mounts_do_not_overlap() {
        let grant = |a, b| Grant::new(vec![memory(a), memory(b)], BTreeMap::new(), Limits::default());
        assert!(grant("/data", "/database").is_ok());
        assert!(matches!(grant("/data", "/data"), Err(GrantError::Overlap(..))));
        assert!(matches!(grant("/data/x", "/data"), Err(GrantError::Overlap(..))));
    }

    #[test]
    fn a_directory_is_lent_to_be_written_only_once() {
        let root = tempfile::tempdir().unwrap();
        let directory = || MountSource::Directory(DirectoryPath::new(root.path(), &[]).unwrap());
        let in_memory = MemoryDirectory::default();
        let memory_directory = || MountSource::Memory(in_memory.clone());
        for source in [&directory as &dyn Fn() -> MountSource, &memory_directory] {
            let lent = |guest_path, access| MountGrant { source: source(), access, ..memory(guest_path) };
            let grant = |a, b| Grant::new(vec![lent("/a", a), lent("/b", b)], BTreeMap::new(), Limits::default());
            assert!(matches!(grant(Access::Write, Access::Write), Err(GrantError::WrittenTwice(..))));
            assert!(grant(Access::Write, Access::Read).is_ok());
        }
        assert!(Grant::new(vec![memory("/a"), memory("/b")], BTreeMap::new(), Limits::default()).is_ok());
    }

    #[test]
    fn environment_names_are_names() {
        let grant = |name: &str| {
            let environment = BTreeMap::from([(name.to_owned(), "1".to_owned())]);
            Grant::new(Vec::new(), environment, Limits::default())
        };
        assert!(grant("TZ").is_ok());
        assert!(matches!(grant("A=B"), Err(GrantError::Environment(_))));
        assert!(matches!(grant(""), Err(GrantError::Environment(_))));
    }

    #[test]
    fn directories_that_show_the_machine_are_refused() {
        for path in ["/", "/proc", "/proc/self", "/sys", "/dev", "/dev/shm", "/run", "/tmp/..", "/tmp/../proc"] {
            assert!(refusal(Path::new(path), &[]).is_some(), "{path}");
        }
        assert_eq!(refusal(Path::new("/dev/shm/lake"), &[]), None);
    }

    #[test]
    fn the_home_directory_and_what_holds_it_are_refused() {
        let home = std::env::home_dir().unwrap();
        assert!(refusal(&home, &[]).is_some());
        assert!(refusal(&home.join("."), &[]).is_some());
        if let Some(parent) = home.parent() {
            assert!(refusal(parent, &[]).is_some());
        }
        assert_eq!(refusal(&home.join("lake"), &[]), None);
    }

    #[test]
    fn own_state_is_refused_from_every_side() {
        let root = tempfile::tempdir().unwrap();
        let state = root.path().join("project/.airlock");
        std::fs::create_dir_all(&state).unwrap();
        let own = [state.clone()];
        assert!(refusal(root.path(), &own).is_some());
        assert!(refusal(&state, &own).is_some());
        assert!(refusal(&state.join("x"), &own).is_some());
        assert_eq!(refusal(&root.path().join("project/data"), &own), None);
    }

    #[test]
    fn a_link_to_a_dangerous_directory_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("innocent");
        std::os::unix::fs::symlink("/proc", &link).unwrap();
        assert!(refusal(&link, &[]).is_some());
        let dangling = root.path().join("dangling");
        std::os::unix::fs::symlink(root.path().join("nowhere"), &dangling).unwrap();
        assert!(matches!(DirectoryPath::new(&dangling, &[]), Err(GrantError::Unresolvable { .. })));
    }
}
