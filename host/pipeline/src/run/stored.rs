//! Finds out what is stored: by what the mounts hold, so that it does not matter who stored it and whether that was
//! recorded; where an I/O manager keeps values elsewhere than at their places, by what is recorded.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use airlock_sandbox::component;
use airlock_sandbox::grant::{Access, MountGrant, MountSource, Scope};
use airlock_sandbox::layout::Location;
use airlock_sandbox::text::sha256;

use super::code_version::code_version;
use super::{RunError, Runner, prepare};
use crate::definitions::{Asset, Builtins, ComponentSource, Op};
use crate::event::{EventReader, RecordedPartition};
use crate::partition::{PartitionSet, Selected};
use crate::plan::{Extent, PartitionSets, Plan, PlanRequest, Stored, needs};

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

    /// The partitions of `asset` that are stored, of `set`; of an asset without partitions the place 0.
    ///
    /// # Errors
    /// [`RunError`]
    pub fn present(&self, asset: &Asset, set: Option<&PartitionSet>) -> Result<Selected, RunError> {
        let reader = EventReader::open(&self.home)?;
        self.look(asset, set, &recorded(reader.as_ref(), asset)?)
    }

    fn stored(&self, request: &PlanRequest) -> Result<Stored, RunError> {
        let definitions = &*self.definitions;
        let sets = PartitionSets::new(definitions, request.now);
        let reader = EventReader::open(&self.home)?;
        let mut digests = HashMap::new();
        let mut stored = Stored::default();
        let selected =
            definitions.graph().select(definitions, &request.selection).map_err(crate::plan::PlanError::from)?;
        for asset in selected.iter().filter_map(|name| definitions.asset(name)) {
            let set = sets.of(asset).map(|set| &**set);
            let records = recorded(reader.as_ref(), asset)?;
            let present = self.look(asset, set, &records)?;
            stored.present.insert(asset.name.clone(), present);
            if request.extent == Extent::Missing {
                continue;
            }
            let now = code_version(asset, self.digest(asset, &mut digests).as_deref());
            let outdated = records.iter().filter(|(_, recorded)| recorded.code_version.as_ref() != Some(&now));
            let outdated = outdated.filter_map(|(key, _)| place(set, key));
            stored.outdated.insert(asset.name.clone(), Selected::of_indices(outdated));
            stored.events.insert(asset.name.clone(), events(set, &records));
            for need in needs(definitions, asset) {
                if !stored.events.contains_key(&need.asset.name) {
                    let set = sets.of(need.asset).map(|set| &**set);
                    let records = recorded(reader.as_ref(), need.asset)?;
                    stored.events.insert(need.asset.name.clone(), events(set, &records));
                }
            }
        }
        Ok(stored)
    }

    /// What of `asset` is stored, given what is recorded of it.
    fn look(
        &self,
        asset: &Asset,
        set: Option<&PartitionSet>,
        records: &HashMap<String, RecordedPartition>,
    ) -> Result<Selected, RunError> {
        let by_record = || Selected::of_indices(records.keys().filter_map(|key| place(set, key)));
        if asset.io.is_none() {
            return Ok(by_record());
        }
        let manager = prepare::prepare_load(&self.definitions, asset, self.lender()).map_err(RunError::Definitions)?;
        let mounts = manager.grant.mounts();
        let is_elsewhere = |mount: &MountGrant| mount.access == Access::Write && mount.scope == Scope::Mount;
        if mounts.is_empty() || mounts.iter().any(is_elsewhere) {
            return Ok(by_record());
        }
        let mut present = Selected::default();
        for mount in mounts {
            // What a directory in memory held went with the process that had it.
            if let MountSource::Directory(directory) = &mount.source {
                let found = files(directory.as_path(), &Location::asset(&asset.key), set);
                let found = found.map_err(|(path, source)| RunError::Look { path, source })?;
                present = present.union(&found);
            }
        }
        Ok(present)
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

fn recorded(reader: Option<&EventReader>, asset: &Asset) -> Result<HashMap<String, RecordedPartition>, RunError> {
    Ok(reader.map_or(Ok(HashMap::new()), |reader| reader.partitions(&asset.name))?)
}

/// The place of the partition `key`, or of the whole asset, whose key is empty.
fn place(set: Option<&PartitionSet>, key: &str) -> Option<usize> {
    match set {
        Some(set) => set.index(key),
        None => key.is_empty().then_some(0),
    }
}

fn events(set: Option<&PartitionSet>, records: &HashMap<String, RecordedPartition>) -> HashMap<usize, i64> {
    records.iter().filter_map(|(key, recorded)| Some((place(set, key)?, recorded.event_id))).collect()
}

/// The partitions of the asset at `location` that have a file or a directory below `directory`, under any extension.
fn files(directory: &Path, location: &Location, set: Option<&PartitionSet>) -> Result<Selected, (PathBuf, io::Error)> {
    let path = Path::new(location.as_str());
    let Some(set) = set else {
        let names = names(&directory.join(path.parent().unwrap_or(Path::new(""))))?;
        let is_there = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| names.contains(name));
        return Ok(if is_there { Selected::all(1) } else { Selected::default() });
    };
    let names = names(&directory.join(path))?;
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
        let name = entry.map_err(failed)?.file_name();
        // What has no extension, or no name that is text, is no value.
        if let Some((name, _)) = name.to_str().and_then(|name| name.split_once('.')) {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
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
        touch(directory.path(), &["sales/orders.csv", "sales/days=a.csv", "bare", "tree.d/part"]);
        let is_there = |key: &[&str]| !files(directory.path(), &Location::asset(key), None).unwrap().is_empty();
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
        let found = files(directory.path(), &Location::asset(&["orders"]), Some(&set)).unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), [1, 2]);
    }
}
