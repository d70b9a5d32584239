//! Doing the steps of a plan in a directory of the machine.

use std::collections::BTreeSet;
use std::io;

use cap_std::fs::{Dir, MetadataExt};

use super::backend::{Backend, Found};
use super::directory::{self, Walk};
use super::path::{ancestors, is_plain, name, parent};
use super::plan::Step;

/// Refuses where something that is no directory lies on the way to what `steps` change and is not cleared by them, or
/// where they name what no plan may: a plan that was begun has to be finished.
pub(crate) fn check(backend: &dyn Backend, steps: &[Step]) -> io::Result<()> {
    if let Some(step) = steps.iter().find(|step| !is_plain(step.path())) {
        let path = backend.describe(step.path());
        return Err(io::Error::other(format!("{path} is in the way, and no call can change what has such a name")));
    }
    let cleared: BTreeSet<&str> = steps.iter().filter(|s| matches!(s, Step::ClearFile(_))).map(Step::path).collect();
    let on_the_way: BTreeSet<&str> = steps.iter().flat_map(|step| ancestors(step.path())).collect();
    for path in on_the_way {
        let behind_cleared = cleared.contains(path) || ancestors(path).any(|ancestor| cleared.contains(ancestor));
        if matches!(backend.stat(path)?, Some(Found::File { .. } | Found::Other)) && !behind_cleared {
            return Err(io::Error::other(format!("{} is in the way and no directory", backend.describe(path))));
        }
    }
    Ok(())
}

/// Refuses staged files that are not what the call made.
pub(crate) fn check_staged(staging: &Dir, steps: &[Step]) -> io::Result<()> {
    for step in steps {
        let Step::Put { staged, path } = step else { continue };
        if !is_staged(staging, &staged.to_string(), path)? {
            return Err(io::Error::other(format!("what was staged for {path} was removed by another program")));
        }
    }
    Ok(())
}

/// Whether `staged`, which is to be put at `path`, is there; refuses it where it is not what the call made.
fn is_staged(staging: &Dir, staged: &str, path: &str) -> io::Result<bool> {
    match staging.symlink_metadata(staged) {
        Ok(metadata) if metadata.is_file() && metadata.nlink() == 1 => Ok(true),
        Ok(_) => Err(io::Error::other(format!("what was staged for {path} was replaced or linked by another program"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes the content of staged files durable.
pub(crate) fn sync_staged(staging: &Dir, steps: &[Step]) -> io::Result<()> {
    for step in steps {
        let Step::Put { staged, .. } = step else { continue };
        let file = directory::open_file(staging, &staged.to_string(), rustix::fs::OFlags::RDONLY)?;
        file.ok_or_else(|| io::Error::other("a staged file was replaced by another program"))?.sync_all()?;
    }
    Ok(())
}

/// Does one step below `root` with the files staged in `staging`.
pub(crate) fn perform(root: &Dir, staging: &Dir, step: &Step) -> io::Result<()> {
    match step {
        Step::ClearDirectory(path) => remove(root, path, |found| found == Found::Directory),
        Step::ClearFile(path) => remove(root, path, |found| found != Found::Directory),
        Step::Remove(path) => remove(root, path, |_| true),
        Step::MakeDirectory(path) => directory::make_all(root, path).map(drop),
        Step::Put { staged, path } => {
            let staged = staged.to_string();
            if !is_staged(staging, &staged, path)? {
                return Ok(());
            }
            let target = directory::make_all(root, parent(path).unwrap_or_default())?;
            staging.rename(&staged, &target, name(path))
        }
    }
}

fn remove(root: &Dir, path: &str, applies: impl Fn(Found) -> bool) -> io::Result<()> {
    let holder = parent(path).unwrap_or_default();
    let directory = match directory::walk(root, holder)? {
        Walk::Directory(directory) => directory,
        Walk::Missing | Walk::File => return Ok(()),
        Walk::Other => return Err(io::Error::other(format!("a link is in the way to {path}"))),
    };
    if directory::find(&directory, name(path))?.is_some_and(applies) {
        directory::remove_tree(&directory, name(path))?;
    }
    Ok(())
}

/// The directories that may have got or lost an entry by `steps`, whichever process did which of them.
fn touched(steps: &[Step]) -> BTreeSet<&str> {
    let paths = steps.iter().map(Step::path);
    let directories = paths.flat_map(|path| ancestors(path).chain([""]));
    let made = steps.iter().filter(|step| matches!(step, Step::MakeDirectory(_))).map(Step::path);
    directories.chain(made).collect()
}

/// Makes what `steps` did durable, and the directories above it: a call that was killed may have made these.
pub(crate) fn sync(root: &Dir, steps: &[Step]) -> io::Result<()> {
    for path in touched(steps) {
        // One that was removed by a later step is gone with its holder's entry.
        if let Walk::Directory(directory) = directory::walk(root, path)? {
            directory::sync(&directory)?;
        }
    }
    Ok(())
}
