//! Directories of the machine, walked one component at a time and never through a link.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, FileType, MetadataExt};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::backend::{Found, Kind};
use super::path::{ancestors, name};

/// What a walk along a path met.
pub(crate) enum Walk {
    /// The directory at its end.
    Directory(Dir),
    /// Nothing, at its end or before.
    Missing,
    /// A regular file.
    File,
    /// A link, FIFO, device or socket.
    Other,
}

/// Directories within one another that are removed at once; guests make no more than 16.
const REMOVED_LEVELS: usize = 128;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A directory that is only walked through need not be readable.
const WALKED: OFlags = DIRECTORY.union(OFlags::PATH);

/// Opens the directory at the absolute `path`, which has no links: one that was put on the way since is not followed.
/// Where `made` is given, makes what is missing, and adds each directory that got an entry.
pub(crate) fn open_root(path: &Path, made: Option<&mut Vec<Dir>>) -> io::Result<Dir> {
    readable(walk_root(path, made)?)
}

/// The device and the number of the directory at the absolute `path`, which need not be readable.
pub(crate) fn identify_root(path: &Path) -> io::Result<(u64, u64)> {
    identify(walk_root(path, None)?)
}

/// The device and the number of an open directory.
pub(crate) fn identify(directory: impl AsFd) -> io::Result<(u64, u64)> {
    let found = rustix::fs::fstat(directory)?;
    Ok((found.st_dev, found.st_ino))
}

fn walk_root(path: &Path, mut made: Option<&mut Vec<Dir>>) -> io::Result<OwnedFd> {
    let mut reached = rustix::fs::open("/", WALKED, Mode::empty())?;
    for component in path.components() {
        let name = match component {
            Component::RootDir => continue,
            Component::Normal(name) => name,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no absolute path without links")),
        };
        reached = match (rustix::fs::openat(&reached, name, WALKED, Mode::empty()), &mut made) {
            (Err(Errno::NOENT), Some(made)) => {
                match rustix::fs::mkdirat(&reached, name, Mode::from_raw_mode(0o777)) {
                    Ok(()) => made.push(readable(&reached)?),
                    Err(Errno::EXIST) => {}
                    Err(error) => {
                        let (name, error) = (Path::new(name).display(), io::Error::from(error));
                        return Err(io::Error::new(
                            error.kind(),
                            format!("{name} is missing and cannot be made ({error})"),
                        ));
                    }
                }
                rustix::fs::openat(&reached, name, WALKED, Mode::empty())
            }
            (opened, _) => opened,
        }
        .map_err(|error| match error {
            Errno::NOTDIR | Errno::LOOP => {
                let reason = format!("{} is no directory, or was replaced by a link", Path::new(name).display());
                io::Error::new(io::ErrorKind::NotADirectory, reason)
            }
            error => error.into(),
        })?;
    }
    Ok(reached)
}

/// A directory that was walked to, to be read.
fn readable(walked: impl AsFd) -> io::Result<Dir> {
    let file = rustix::fs::openat(walked, ".", DIRECTORY, Mode::empty())?;
    Ok(Dir::from_std_file(File::from(file)))
}

/// Opens the directory `name` in `parent`.
pub(crate) fn open(parent: &Dir, name: &str) -> io::Result<Dir> {
    check_component(name)?;
    let file = rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())?;
    Ok(Dir::from_std_file(File::from(file)))
}

/// As [`open`], of a directory that need not be readable: what it holds can be opened.
pub(crate) fn open_to_walk(parent: &Dir, name: &str) -> io::Result<Dir> {
    check_component(name)?;
    let file = rustix::fs::openat(parent, name, WALKED, Mode::empty())?;
    Ok(Dir::from_std_file(File::from(file)))
}

/// Opens the file `name` in `parent` with `flags`; nothing where it is no regular file. Never blocks.
pub(crate) fn open_file(parent: &Dir, name: &str, flags: OFlags) -> io::Result<Option<File>> {
    check_component(name)?;
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o666)) {
        Ok(file) => {
            let file = File::from(file);
            Ok(file.metadata()?.is_file().then_some(file))
        }
        // A link, or a FIFO or socket that is opened to write.
        Err(Errno::LOOP | Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Walks from `root` along `path`.
pub(crate) fn walk(root: &Dir, path: &str) -> io::Result<Walk> {
    let mut reached = None;
    for component in path.split('/').filter(|component| !component.is_empty()) {
        let directory = reached.as_ref().unwrap_or(root);
        reached = match open(directory, component) {
            Ok(next) => Some(next),
            Err(error) => {
                return match Errno::from_io_error(&error) {
                    Some(Errno::NOENT) => Ok(Walk::Missing),
                    Some(Errno::NOTDIR | Errno::LOOP) => match find(directory, component)? {
                        Some(Found::File { .. }) => Ok(Walk::File),
                        Some(Found::Other) => Ok(Walk::Other),
                        Some(Found::Directory) => Err(error),
                        None => Ok(Walk::Missing),
                    },
                    _ => Err(error),
                };
            }
        };
    }
    reached.map_or_else(|| root.try_clone(), Ok).map(Walk::Directory)
}

/// What `name` in `directory` is.
pub(crate) fn find(directory: &Dir, name: &str) -> io::Result<Option<Found>> {
    check_component(name)?;
    match directory.symlink_metadata(name) {
        Ok(metadata) => Ok(Some(match kind(metadata.file_type()) {
            Kind::File => {
                let modified = metadata.modified().ok().map(cap_std::time::SystemTime::into_std);
                Found::File { size: metadata.len(), modified }
            }
            Kind::Directory => Found::Directory,
            Kind::Other => Found::Other,
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names in `directory` that `keep` keeps, at most one more than `limit`. A name that is no Unicode is shown with
/// backslashes, which no path that a call uses has.
pub(crate) fn list(directory: &Dir, keep: &dyn Fn(&str) -> bool, limit: usize) -> io::Result<Vec<(String, Kind)>> {
    let mut names = Vec::new();
    for entry in directory.entries()? {
        let entry = entry?;
        let (name, kind) = match entry.file_name().into_string() {
            Ok(name) => (name, kind(entry.file_type()?)),
            Err(name) => (name.as_encoded_bytes().escape_ascii().to_string(), Kind::Other),
        };
        if keep(&name) {
            names.push((name, kind));
        }
        if names.len() > limit {
            break;
        }
    }
    Ok(names)
}

/// Makes the directory `name` in `parent`; whether it was not there before.
pub(crate) fn make(parent: &Dir, name: &str, mode: u32) -> io::Result<bool> {
    check_component(name)?;
    match parent.create_dir_with(name, DirBuilder::new().mode(mode)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens the directory at `path` below `root` and makes what is missing of it.
pub(crate) fn make_all(root: &Dir, path: &str) -> io::Result<Dir> {
    let mut reached = None;
    for prefix in ancestors(path).chain((!path.is_empty()).then_some(path)) {
        let (directory, component) = (reached.as_ref().unwrap_or(root), name(prefix));
        let opened = match open(directory, component) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(directory, component, 0o777)?;
                open(directory, component)
            }
            opened => opened,
        };
        let in_the_way = |error: io::Error| {
            io::Error::new(error.kind(), format!("{prefix} is in the way and no directory ({error})"))
        };
        reached = Some(opened.map_err(in_the_way)?);
    }
    reached.map_or_else(|| root.try_clone(), Ok)
}

/// Removes `name` in `parent` and, where it is a directory, what it holds. Links are removed, not followed.
pub(crate) fn remove_tree(parent: &Dir, name: &str) -> io::Result<()> {
    check_component(name)?;
    remove_levels(parent, name.as_ref(), REMOVED_LEVELS)
}

fn remove_levels(parent: &Dir, name: &OsStr, levels: usize) -> io::Result<()> {
    match parent.symlink_metadata(name) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return unless_missing(parent.remove_file(name)),
        Err(error) => return unless_missing(Err(error)),
    }
    if levels == 0 {
        return Err(io::Error::other(format!("its directories nest deeper than {REMOVED_LEVELS}; remove it by hand")));
    }
    let directory = match rustix::fs::openat(parent, name, DIRECTORY, Mode::empty()) {
        Ok(directory) => Dir::from_std_file(File::from(directory)),
        Err(error) => return unless_missing(Err(error.into())),
    };
    for entry in directory.entries()? {
        remove_levels(&directory, &entry?.file_name(), levels - 1)?;
    }
    unless_missing(parent.remove_dir(name))
}

/// Refuses what others than the user of this process or root own or may change, and says so.
pub(crate) fn check_owner(file: impl AsFd) -> io::Result<()> {
    let stat = rustix::fs::fstat(file)?;
    let user = rustix::process::geteuid().as_raw();
    let reason = if stat.st_uid != user && stat.st_uid != 0 {
        format!("it belongs to the user {}: call as that user, or lend a directory of your own", stat.st_uid)
    } else if stat.st_mode & 0o022 != 0 {
        "others than its owner may write to it; take that right from them with chmod go-w".to_owned()
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::PermissionDenied, reason))
}

/// Makes the entries of `directory` durable.
pub(crate) fn sync(directory: &Dir) -> io::Result<()> {
    #[cfg(test)]
    synced::note(directory);
    directory.try_clone()?.into_std_file().sync_all()
}

/// Whether `directory` is still what `name` in `parent` leads to.
pub(crate) fn is_linked(parent: &Dir, name: &str, directory: &Dir) -> io::Result<bool> {
    let own = directory.dir_metadata()?;
    match parent.symlink_metadata(name) {
        Ok(linked) => Ok((linked.dev(), linked.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn unless_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn kind(file_type: FileType) -> Kind {
    if file_type.is_file() {
        Kind::File
    } else if file_type.is_dir() {
        Kind::Directory
    } else {
        Kind::Other
    }
}

/// Every name that comes here was resolved; this is the last line should one not have been.
fn check_component(name: &str) -> io::Result<()> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name:?} is no name of a file")));
    }
    Ok(())
}

/// What the tests see of what was made durable.
#[cfg(test)]
pub(crate) mod synced {
    use std::cell::RefCell;

    use super::{Dir, MetadataExt};

    thread_local! {
        static SYNCED: RefCell<Vec<(u64, Vec<String>)>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn note(directory: &Dir) {
        let names = directory.entries().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        SYNCED.with_borrow_mut(|synced| synced.push((directory.dir_metadata().unwrap().ino(), names)));
    }

    /// The inodes of the directories that this thread made durable since it was last asked, and what they held then.
    pub(crate) fn take() -> Vec<(u64, Vec<String>)> {
        SYNCED.take()
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::mkfifoat;

    use super::*;

    #[test]
    fn a_link_a_fifo_and_a_directory_are_no_files_and_opening_them_does_not_wait() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("file", root.path().join("link")).unwrap();
        let directory = open_root(root.path(), None).unwrap();
        make(&directory, "directory", 0o700).unwrap();
        mkfifoat(&directory, "fifo", Mode::RUSR | Mode::WUSR).unwrap();
        let is_file = |name, flags| open_file(&directory, name, flags).unwrap().is_some();
        assert!(is_file("file", OFlags::RDONLY));
        for name in ["link", "fifo", "directory"] {
            assert!(!is_file(name, OFlags::RDONLY), "{name}");
        }
        for name in ["link", "fifo"] {
            assert!(!is_file(name, OFlags::WRONLY | OFlags::CREATE), "{name}");
        }
    }

    #[test]
    fn a_link_on_the_way_to_the_root_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(path.join("real/below")).unwrap();
        std::os::unix::fs::symlink("real", path.join("link")).unwrap();
        assert!(open_root(&path.join("real/below"), None).is_ok());
        for linked in ["link", "link/below", "link/new"] {
            let error = open_root(&path.join(linked), Some(&mut Vec::new())).err().unwrap();
            assert_eq!(error.to_string(), "link is no directory, or was replaced by a link", "{linked}");
        }
        assert!(!path.join("real/new").exists());
    }

    #[test]
    fn a_missing_root_is_made_and_the_directories_that_got_an_entry_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let missing = path.join("a/b");
        assert_eq!(open_root(&missing, None).err().unwrap().kind(), io::ErrorKind::NotFound);
        let mut made = Vec::new();
        open_root(&missing, Some(&mut made)).unwrap();
        let inode = |path: &Path| open_root(path, None).unwrap().dir_metadata().unwrap().ino();
        let made: Vec<u64> = made.iter().map(|directory| directory.dir_metadata().unwrap().ino()).collect();
        assert_eq!(made, [inode(&path), inode(&path.join("a"))]);
    }

    #[test]
    fn a_walk_stops_at_a_link_wherever_it_leads() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("a/b")).unwrap();
        std::os::unix::fs::symlink("a", root.path().join("link")).unwrap();
        let directory = open_root(root.path(), None).unwrap();
        assert!(matches!(walk(&directory, "a/b"), Ok(Walk::Directory(_))));
        assert!(matches!(walk(&directory, "link"), Ok(Walk::Other)));
        assert!(matches!(walk(&directory, "link/b"), Ok(Walk::Other)));
        assert!(make_all(&directory, "link/new").is_err());
        assert!(!root.path().join("a/new").exists());
    }

    #[test]
    fn a_tree_is_removed_but_not_what_its_links_lead_to() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("tree/below")).unwrap();
        std::fs::create_dir(root.path().join("kept")).unwrap();
        std::fs::write(root.path().join("kept/file"), "").unwrap();
        std::os::unix::fs::symlink("../../kept", root.path().join("tree/below/link")).unwrap();
        let directory = open_root(root.path(), None).unwrap();
        remove_tree(&directory, "tree").unwrap();
        remove_tree(&directory, "tree").unwrap();
        assert!(!root.path().join("tree").exists() && root.path().join("kept/file").exists());
    }

    #[test]
    fn a_tree_that_nests_too_deep_is_not_removed() {
        let root = tempfile::tempdir().unwrap();
        let directory = open_root(root.path(), None).unwrap();
        let path = |levels| vec!["d"; levels].join("/");
        for (levels, removed) in [(REMOVED_LEVELS, true), (REMOVED_LEVELS + 1, false)] {
            std::fs::create_dir_all(root.path().join(path(levels))).unwrap();
            assert_eq!(remove_tree(&directory, "d").is_ok(), removed);
        }
    }

    #[test]
    fn what_others_may_change_is_not_trusted() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let check = |mode| {
            std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            check_owner(open_root(root.path(), None).unwrap()).is_ok()
        };
        assert!(check(0o755) && check(0o700));
        assert!(!check(0o775) && !check(0o757));
        // Only root can give it away.
        if std::os::unix::fs::chown(root.path(), Some(4711), None).is_ok() {
            assert!(!check(0o755));
        }
    }

    #[test]
    fn a_name_with_a_slash_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let directory = open_root(root.path(), None).unwrap();
        for name in ["", ".", "..", "a/b", "/etc", "a\0b"] {
            assert!(open(&directory, name).is_err() && remove_tree(&directory, name).is_err(), "{name:?}");
            assert!(open_file(&directory, name, OFlags::RDONLY).is_err(), "{name:?}");
        }
    }
}
