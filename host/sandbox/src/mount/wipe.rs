//! Removing what is stored. The host does it by itself, without a component, and by the way of a call that stores: under the
//! same locks, and by a plan, so that of what is removed from a mount all is gone, or nothing.

use std::collections::BTreeSet;
use std::io;

use crate::grant::{Access, MountGrant, MountSource, Scope};
use crate::layout::{Location, run_directory};
use crate::limits::Limits;
use crate::report::Failure;

use super::backend::{Found, Kind};
use super::overlay::Mount;
use super::path::{join, parent};
use super::{Durability, FileSystem, Intent};

/// What is to be removed.
#[derive(Clone, Copy, Debug)]
pub enum Wipe<'a> {
    /// What is stored of the outputs at these places, under any extension.
    Outputs(&'a [Location]),
    /// All that the run with this id stored of outputs that are no assets.
    Run(&'a str),
}

/// A file or directory that was removed, which was a value or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedValue {
    /// The place below the mount that it lay at, without its extension.
    pub place: String,
    /// Where it lay, as a person knows it.
    pub path: String,
}

/// Removes what `what` names from the directories of `grants`; from those only that are lent to be written with
/// [`Scope::Output`], since in others a place does not tell whose it is.
pub(crate) fn wipe(
    grants: &[MountGrant],
    what: Wipe<'_>,
    limits: &Limits,
    durability: Durability,
    interrupted: &dyn Fn() -> bool,
) -> Result<Vec<RemovedValue>, Failure> {
    let (locations, scope): (&[Location], Scope) = match what {
        Wipe::Outputs(locations) => (locations, Scope::Output),
        // Whoever stores anything in the mount may be of the run.
        Wipe::Run(_) => (&[], Scope::Mount),
    };
    let grants: Vec<MountGrant> =
        grants.iter().filter(|grant| is_wiped(grant)).map(|grant| MountGrant { scope, ..grant.clone() }).collect();
    let mut files = FileSystem::open(&grants, locations, Intent::Store, limits, interrupted)?;
    let mut removed = Vec::new();
    for mount in &mut files.mounts {
        match what {
            Wipe::Outputs(locations) => mount.remove_outputs(locations, &mut removed)?,
            Wipe::Run(run_id) => mount.remove_directory_of(run_id, &mut removed)?,
        }
    }
    files.publish(durability, interrupted)?;
    Ok(removed)
}

/// Whether something may lie in the mount that its places tell the owner of. A directory that is not there is not made.
fn is_wiped(grant: &MountGrant) -> bool {
    let MountSource::Directory(directory) = &grant.source else { return false };
    grant.access == Access::Write && grant.scope == Scope::Output && directory.as_path().exists()
}

impl Mount {
    fn remove_outputs(&mut self, locations: &[Location], removed: &mut Vec<RemovedValue>) -> Result<(), Failure> {
        let holders: BTreeSet<&str> =
            locations.iter().map(|location| parent(location.as_str()).unwrap_or_default()).collect();
        for holder in holders {
            let listed = self.list_stored(holder, usize::MAX);
            let mut names = listed.map_err(|error| self.storage_failure("list", holder, &error))?;
            names.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            for (name, kind) in names {
                let path = join(holder, &name);
                // A directory on the way to others is theirs as well.
                if let Some((place, _)) = path.split_once('.') {
                    self.remove_value(place, &path, kind == Kind::Other, removed)?;
                }
            }
        }
        Ok(())
    }

    fn remove_directory_of(&mut self, run_id: &str, removed: &mut Vec<RemovedValue>) -> Result<(), Failure> {
        let path = run_directory(run_id);
        let found = self.backend.stat(&path).map_err(|error| self.storage_failure("look at", &path, &error))?;
        match found {
            None => Ok(()),
            Some(found) => self.remove_value(&path, &path, found != Found::Directory, removed),
        }
    }

    fn remove_value(
        &mut self,
        place: &str,
        path: &str,
        is_foreign: bool,
        removed: &mut Vec<RemovedValue>,
    ) -> Result<(), Failure> {
        if is_foreign {
            let reason =
                "no call stored it: it is a link, a device or the like; nothing was removed, so remove it by hand";
            return Err(self.storage_failure("remove", path, &io::Error::other(reason)));
        }
        self.take(path, true);
        removed.push(RemovedValue { place: place.to_owned(), path: self.backend.describe(path) });
        Ok(())
    }

    fn storage_failure(&self, operation: &str, path: &str, error: &io::Error) -> Failure {
        Failure::Storage { failure: self.backend.failure(operation, path, error) }
    }
}
