//! Finds out what is stored: by what the mounts hold, so that it does not matter who stored it and whether that was
//! recorded; where an I/O manager keeps values elsewhere than at their places, by what is recorded.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use airlock_sandbox::component;
use airlock_sandbox::grant::{Access, MountGrant, MountSource, Scope};
use airlock_sandbox::layout::Location;
use airlock_sandbox::text::sha256;

use super::code_version::code_version;
use super::context::no_store;
use super::lend::Lent;
use super::lookup::files;
use super::{RunError, Runner, prepare};
use crate::definitions::{Asset, Builtins, ComponentSource, Op};
use crate::event::{EventReader, RecordedPartition};
use crate::partition::Selected;
use crate::plan::{Extent, PartitionSets, Plan, PlanError, PlanRequest, Stored, needs};

impl Runner {
    /// The plan of what `request` asks for. What is stored is looked at where that decides what is computed.
    ///
    /// # Errors
    /// [`RunError`]
    pub fn plan(&self, request: &PlanRequest) -> Result<Plan, RunError> {
        let sets = self.partition_sets(request.now)?;
        let stored = match request.extent {
            Extent::Everything => Stored::default(),
            Extent::Missing | Extent::Changed => self.stored(request, &sets)?,
        };
        Ok(Plan::new(&self.definitions, sets, request, &stored)?)
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
        let planned: Vec<&Asset> =
            planned.into_iter().flat_map(|asset| self.definitions.computed_with(asset)).collect();
        let loaded = planned.iter().flat_map(|asset| asset.all_inputs());
        let loaded = loaded.filter_map(|input| self.definitions.asset(input.asset()?));
        let mut assets: Vec<&Asset> = planned.iter().copied().chain(loaded).collect();
        assets.sort_by_key(|asset| &asset.name);
        assets.dedup_by_key(|asset| &asset.name);
        let present = self.present(assets.iter().copied(), &plan.sets)?;
        let named = assets.iter().zip(present).map(|(asset, present)| Some((asset.name.clone(), present?)));
        Ok(named.flatten().collect())
    }

    fn stored(&self, request: &PlanRequest, sets: &PartitionSets) -> Result<Stored, RunError> {
        let definitions = &*self.definitions;
        let mut storage = Storage::open(self)?;
        let mut digests = HashMap::new();
        let mut stored = Stored::default();
        let selected = definitions.graph().select(definitions, &request.selection).map_err(PlanError::from)?;
        for asset in selected.iter().filter_map(|name| definitions.asset(name)) {
            let known = storage.recorded(asset, sets)?;
            stored.present.insert(asset.name.clone(), storage.present(asset, sets, &known)?);
            if request.extent == Extent::Changed {
                let now = code_version(definitions, asset, self.digest(asset, &mut digests).as_deref());
                let outdated = known.iter().filter(|(_, recorded)| recorded.code_version.as_ref() != Some(&now));
                let outdated = Selected::of_indices(outdated.map(|(place, _)| *place));
                stored.outdated.insert(asset.name.clone(), outdated);
            }
            stored.events.insert(asset.name.clone(), events(&known));
            for need in needs(definitions, asset) {
                if !stored.events.contains_key(&need.asset.name) {
                    stored.events.insert(need.asset.name.clone(), events(&storage.recorded(need.asset, sets)?));
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
        let lender = self.runner.looking_lender();
        let manager = prepare::prepare_load(&self.runner.definitions, &asset.output, lender)?;
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
