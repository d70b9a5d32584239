//! Finds out what is stored: by what the mounts hold, so that it does not matter who stored it and whether that was
//! recorded; where an I/O manager keeps values elsewhere than at their places, by what is recorded.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use airlock_sandbox::component;
use airlock_sandbox::grant::{Access, MountGrant, MountSource, Scope};
use airlock_sandbox::layout::{Location, is_extension};
use airlock_sandbox::text::sha256;

use super::code_version::code_version;
use super::context::no_store;
use super::lend::Lent;
use super::{RunError, Runner, prepare};
use crate::definitions::{Asset, Builtins, ComponentSource, Op};
use crate::event::{EventReader, RecordedPartition};
use crate::partition::{PartitionSet, Selected};
use crate::plan::{Extent, PartitionSets, Plan, PlanError, PlanRequest, Stored, needs};

impl Runner {
    /// The plan of what `request` asks for. What is stored is looked at where that decides what is computed.
    ///
    /// # Errors
    /// [`RunError`]
    pub fn plan(&self, request: &PlanRequest) -> Result<Plan, RunError> {
        let stored = match request.extent {
            Extent::Everything => Stored::default(),
            Extent::Missing | Extent::Changed => self.stored(request)?,
        };
        Ok(Plan::new(&self.definitions, request, &stored)?)
    }

    /// What is stored of `assets`, with the partitions of each in `sets`; of an asset without partitions the place 0. None
    /// where the environment does not tell where that would be.
    ///
    /// # Errors
    /// [`RunError`]
    pub fn present<'a>(
        &self,
        assets: impl IntoIterator<Item = &'a Asset>,
        sets: &PartitionSets,
    ) -> Result<Vec<Option<Selected>>, RunError> {
        let mut storage = Storage::open(self)?;
        let mut present = |asset| storage.recorded(asset, sets).and_then(|known| storage.present(asset, sets, &known));
        let known = |asset| match present(asset) {
            Ok(present) => Ok(Some(present)),
            Err(RunError::Definitions(_)) => Ok(None),
            Err(error) => Err(error),
        };
        assets.into_iter().map(known).collect()
    }

    /// What is stored of the assets of `plan` and of those that they load, by name.
    pub(super) fn stored_of(&self, plan: &Plan) -> Result<HashMap<String, Selected>, RunError> {
        let planned: Vec<&Asset> =
            plan.assets.iter().filter_map(|planned| self.definitions.asset(&planned.asset)).collect();
        let loaded = planned.iter().flat_map(|asset| &asset.inputs);
        let loaded = loaded.filter_map(|input| self.definitions.asset(input.asset()?));
        let mut assets: Vec<&Asset> = planned.iter().copied().chain(loaded).collect();
        assets.sort_by_key(|asset| &asset.name);
        assets.dedup_by_key(|asset| &asset.name);
        let present = self.present(assets.iter().copied(), &plan.sets)?;
        let named = assets.iter().zip(present).map(|(asset, present)| Some((asset.name.clone(), present?)));
        Ok(named.flatten().collect())
    }

    fn stored(&self, request: &PlanRequest) -> Result<Stored, RunError> {
        let definitions = &*self.definitions;
        let sets = PartitionSets::new(definitions, request.now);
        let mut storage = Storage::open(self)?;
        let mut digests = HashMap::new();
        let mut stored = Stored::default();
        let selected = definitions.graph().select(definitions, &request.selection).map_err(PlanError::from)?;
        for asset in selected.iter().filter_map(|name| definitions.asset(name)) {
            let known = storage.recorded(asset, &sets)?;
            stored.present.insert(asset.name.clone(), storage.present(asset, &sets, &known)?);
            if request.extent == Extent::Changed {
                let now = code_version(definitions, asset, self.digest(asset, &mut digests).as_deref());
                let outdated = known.iter().filter(|(_, recorded)| recorded.code_version.as_ref() != Some(&now));
                let outdated = Selected::of_indices(outdated.map(|(place, _)| *place));
                stored.outdated.insert(asset.name.clone(), outdated);
            }
            stored.events.insert(asset.name.clone(), events(&known));
            for need in needs(definitions, asset) {
                if !stored.events.contains_key(&need.asset.name) {
                    stored.events.insert(need.asset.name.clone(), events(&storage.recorded(need.asset, &sets)?));
                }
            }
        }
        Ok(stored)
    }

    /// The digest of the component that computes `asset`; none where a command does, or where it cannot be read, which
    /// the run says.
    fn digest(&self, asset: &Asset, known: &mut HashMap<ComponentSource, Option<String>>) -> Option<String> {
        let Op::Component(used) = &asset.op else { return None };
        if !known.contains_key(&used.component) {
            known.insert(used.component.clone(), digest(&used.component, self.builtins));
        }
        known.get(&used.component).cloned().flatten()
    }
}

fn digest(source: &ComponentSource, builtins: Builtins) -> Option<String> {
    match source {
        ComponentSource::File(path) => component::read(path).ok().map(|bytes| sha256(&bytes)),
        ComponentSource::Builtin(name) => {
            builtins.iter().find(|(known, _)| known == name).map(|(_, bytes)| sha256(bytes))
        }
    }
}

/// What is recorded of an asset where it is stored now, by the places of its partitions.
type Known = HashMap<usize, RecordedPartition>;

/// Looks up what is recorded and what is there, each thing that several assets share once.
struct Storage<'a> {
    runner: &'a Runner,
    reader: Option<EventReader>,
    /// By the names of I/O managers.
    managers: HashMap<&'a str, Arc<Lent>>,
    /// The names in directories of which several assets are.
    listings: HashMap<PathBuf, HashSet<String>>,
}

impl<'a> Storage<'a> {
    fn open(runner: &'a Runner) -> Result<Self, RunError> {
        let reader = EventReader::open(&runner.home)?;
        Ok(Self { runner, reader, managers: HashMap::new(), listings: HashMap::new() })
    }

    /// The manager of `asset`; none where it has no value.
    fn manager(&mut self, asset: &'a Asset) -> Result<Option<Arc<Lent>>, RunError> {
        let Some(name) = asset.output.io.as_deref() else { return Ok(None) };
        if let Some(manager) = self.managers.get(name) {
            return Ok(Some(Arc::clone(manager)));
        }
        let lender = self.runner.lender();
        let manager =
            prepare::prepare_load(&self.runner.definitions, &asset.output, lender).map_err(RunError::Definitions)?;
        self.managers.insert(name, Arc::clone(&manager));
        Ok(Some(manager))
    }

    /// What is recorded of `asset`.
    fn recorded(&mut self, asset: &'a Asset, sets: &PartitionSets) -> Result<Known, RunError> {
        if self.reader.is_none() {
            return Ok(Known::new());
        }
        let manager = self.manager(asset)?;
        let store = manager.map_or_else(|| no_store(&self.runner.definitions), |manager| manager.store());
        let Some(reader) = &self.reader else { return Ok(Known::new()) };
        let set = sets.of(asset);
        // The key of an asset without partitions is empty.
        let place = |key: &str| set.map_or(key.is_empty().then_some(0), |set| set.index(key));
        let recorded = reader.partitions(&asset.name, &store)?;
        Ok(recorded.into_iter().filter_map(|(key, recorded)| Some((place(&key)?, recorded))).collect())
    }

    /// What of `asset` is there, given what is recorded of it.
    fn present(&mut self, asset: &'a Asset, sets: &PartitionSets, known: &Known) -> Result<Selected, RunError> {
        let by_record = || Selected::of_indices(known.keys().copied());
        let Some(manager) = self.manager(asset)? else { return Ok(by_record()) };
        let mounts = manager.grant.mounts();
        let is_directory = |mount: &MountGrant| matches!(mount.source, MountSource::Directory(_));
        let is_elsewhere =
            |mount: &MountGrant| mount.access == Access::Write && mount.scope == Scope::Mount && is_directory(mount);
        if mounts.is_empty() || mounts.iter().any(is_elsewhere) {
            return Ok(by_record());
        }
        let mut present = Selected::default();
        for mount in mounts {
            // What a directory in memory held went with the process that had it.
            if let MountSource::Directory(directory) = &mount.source {
                let set = sets.of(asset).map(|set| &**set);
                let found = files(directory.as_path(), &Location::asset(&asset.key), set, &mut self.listings);
                let found = found.map_err(|(path, source)| RunError::Look { path, source })?;
                present = present.union(&found);
            }
        }
        Ok(present)
    }
}

fn events(known: &Known) -> HashMap<usize, i64> {
    known.iter().map(|(place, recorded)| (*place, recorded.event_id)).collect()
}

/// The partitions of the asset at `location` that have a file or a directory below `directory`, under any extension. What
/// lies beside assets without partitions is taken from `listings`, where it is known.
fn files(
    directory: &Path,
    location: &Location,
    set: Option<&PartitionSet>,
    listings: &mut HashMap<PathBuf, HashSet<String>>,
) -> Result<Selected, (PathBuf, io::Error)> {
    let path = Path::new(location.as_str());
    // Links are not followed when a value is loaded.
    let is_link = |below: &Path| directory.join(below).is_symlink();
    if path.ancestors().skip(usize::from(set.is_none())).any(is_link) {
        return Ok(Selected::default());
    }
    let Some(set) = set else {
        let names = match listings.entry(directory.join(path.parent().unwrap_or(Path::new("")))) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let names = names(unknown.key())?;
                unknown.insert(names)
            }
        };
        let is_there = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| names.contains(name));
        return Ok(if is_there { Selected::all(1) } else { Selected::default() });
    };
    let names = names(&directory.join(path))?;
    if names.is_empty() {
        return Ok(Selected::default());
    }
    let is_there = |place: &usize| {
        let location = set.key(*place).map(|key| location.partition(&[(set.dimension(), key)]));
        let name = location.as_ref().and_then(|location| location.as_str().rsplit('/').next());
        name.is_some_and(|name| names.contains(name))
    };
    Ok(Selected::of_indices((0..set.len()).filter(is_there)))
}

/// The names in `directory`, without their extensions; none where it is not there.
fn names(directory: &Path) -> Result<HashSet<String>, (PathBuf, io::Error)> {
    let failed = |error| (directory.to_owned(), error);
    let entries = match std::fs::read_dir(directory) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(HashSet::new());
        }
        opened => opened.map_err(failed)?,
    };
    let mut names = HashSet::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        // What has no extension that a value may have, or is an empty directory, is none.
        let Some((name, extension)) = name.to_str().and_then(|name| name.split_once('.')) else { continue };
        let path = entry.path();
        if is_extension(extension) && !path.is_symlink() && !(path.is_dir() && is_empty(&path)) {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::PartitionsDefinition;

    fn touch(directory: &Path, names: &[&str]) {
        for name in names {
            let path = directory.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
    }

    #[test]
    fn what_lies_at_the_place_of_a_value_is_stored_under_whatever_extension() {
        let directory = tempfile::tempdir().unwrap();
        touch(directory.path(), &["sales/orders.csv", "sales/days=a.csv", "bare", "tree.d/part", "draft.csv~"]);
        std::fs::create_dir(directory.path().join("hollow.d")).unwrap();
        std::os::unix::fs::symlink("tree.d", directory.path().join("link.d")).unwrap();
        let is_there = |key: &[&str]| {
            !files(directory.path(), &Location::asset(key), None, &mut HashMap::new()).unwrap().is_empty()
        };
        assert!(!is_there(&["draft"]) && !is_there(&["hollow"]) && !is_there(&["link"]));
        assert!(is_there(&["sales", "orders"]) && is_there(&["tree"]));
        assert!(
            !is_there(&["sales"]) && !is_there(&["bare"]) && !is_there(&["sales", "days"]) && !is_there(&["x", "y"])
        );
    }

    #[test]
    fn each_partition_is_looked_for_at_its_own_place() {
        let directory = tempfile::tempdir().unwrap();
        touch(directory.path(), &["orders/region=eu.parquet", "orders/region=+e+u.csv", "orders/region=old.csv"]);
        let regions = ["us", "eu", "EU"].map(str::to_owned).to_vec();
        let set = PartitionsDefinition::Static(regions).partitions("region", jiff::Timestamp::UNIX_EPOCH);
        let found = files(directory.path(), &Location::asset(&["orders"]), Some(&set), &mut HashMap::new()).unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), [1, 2]);
    }
}
