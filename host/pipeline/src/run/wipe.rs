//! Removes what is stored of assets, and of runs of jobs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use airlock_sandbox::grant::{Access, MountGrant, MountSource, Scope};
use airlock_sandbox::layout::Location;
use airlock_sandbox::mount::{RemovedValue, Wipe};
use airlock_sandbox::report::Failure;
use jiff::Timestamp;

use super::failure::FailureClass;
use super::lend::Lent;
use super::subject::{Places, Subject};
use super::{RunError, RunOptions, Runner, prepare};
use crate::definitions::{Asset, Job, Op};
use crate::event::{AssetWiped, Event, EventBody, EventLog, EventLogError, EventReader, RunStatus, RunSummary};
use crate::partition::{PartitionError, value_name};

/// What of an asset is to be removed.
#[derive(Debug)]
pub struct WipeTarget<'a> {
    asset: &'a Asset,
    manager: Arc<Lent>,
    /// Where its partitions lie, by key; that of an asset without partitions by the empty key.
    places: BTreeMap<String, Location>,
    is_partitioned: bool,
}

/// A value that was removed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Wiped {
    /// The asset; absent where it was of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// The partition; absent where the asset has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// The run whose outputs they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The I/O manager whose mount it was in.
    pub manager: String,
    /// The file or directory.
    pub path: String,
}

/// An I/O manager of whose values nothing can be removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotWiped {
    /// It keeps them in memory.
    #[error("`{manager}` keeps values in memory, which end with the program: there is nothing to remove")]
    InMemory {
        /// The I/O manager.
        manager: String,
    },
    /// It chooses its paths itself.
    #[error(
        "`{manager}` is lent a whole mount (`scope = \"mount\"`) and chooses its paths itself, so only it knows what to \
         remove: remove it by hand"
    )]
    OwnPaths {
        /// The I/O manager.
        manager: String,
    },
    /// Nothing is lent to it to be written.
    #[error(
        "`{manager}` is lent no directory to write, so what it stores is not in Airlock's reach: remove it by hand"
    )]
    NoDirectory {
        /// The I/O manager.
        manager: String,
    },
}

/// Nothing was removed, or not all.
#[derive(Debug, thiserror::Error)]
pub enum WipeError {
    /// The asset is made by something else.
    #[error("`{name}` is external: what makes it is to remove it")]
    External {
        /// The asset.
        name: String,
    },
    /// The asset stores no value.
    #[error("`{name}` has no value: it is defined with `type = \"none\"`")]
    NoValue {
        /// The asset.
        name: String,
    },
    /// It was not said which partitions are meant.
    #[error("`{name}` is partitioned: say which partitions are meant")]
    PartitionNeeded {
        /// The asset.
        name: String,
    },
    /// The asset has no partitions.
    #[error("`{name}` is not partitioned")]
    NotPartitioned {
        /// The asset.
        name: String,
    },
    /// The asset does not have the partitions.
    #[error("`{name}`: {error}")]
    Partition {
        /// The asset.
        name: String,
        /// Why not.
        error: Box<PartitionError>,
    },
    /// The I/O manager keeps values where they cannot be removed.
    #[error("cannot remove `{name}`: {reason}")]
    NotWiped {
        /// The asset or run.
        name: String,
        /// Why not.
        reason: NotWiped,
    },
    /// The run computed assets.
    #[error("the run {run_id} computed assets, which are removed by their names: leave `--run` out")]
    NoJob {
        /// The run.
        run_id: String,
    },
    /// The definitions do not have the job any more.
    #[error(
        "the run was of the job `{job}`, which the definitions have no more: remove its directories `runs=…` by hand"
    )]
    JobGone {
        /// The job.
        job: String,
    },
    /// Nothing was begun.
    #[error(transparent)]
    Run(#[from] RunError),
    /// It could not be removed.
    #[error("cannot remove what is stored of `{name}`: {failure}")]
    Failed {
        /// The asset or run.
        name: String,
        /// Why not.
        failure: Box<Failure>,
    },
    /// It was removed, and that could not be recorded.
    #[error("what is stored of `{name}` was removed, but that is not recorded: {error}")]
    NotRecorded {
        /// The asset or run.
        name: String,
        /// Why not.
        error: EventLogError,
    },
}

impl WipeError {
    /// The exit code of a program that tried this.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Run(error) => error.exit_code(),
            Self::Failed { failure, .. } => FailureClass::from(&**failure).exit_code(),
            Self::NotRecorded { .. } => FailureClass::Storage.exit_code(),
            _ => FailureClass::Definitions.exit_code(),
        }
    }
}

impl WipeTarget<'_> {
    /// What it is called, with the partition where it is one.
    pub fn name(&self) -> String {
        let only = self.places.keys().next().filter(|_| self.is_partitioned && self.places.len() == 1);
        value_name(&self.asset.name, only.map(String::as_str))
    }

    /// How many partitions; none where the asset has none.
    pub fn partitions(&self) -> Option<usize> {
        self.is_partitioned.then_some(self.places.len())
    }
}

impl Runner {
    /// What of `asset`, or of its partitions that `partition` names as of `now`, would be removed.
    ///
    /// # Errors
    /// [`WipeError`] where it could not be.
    pub fn wipe_target<'a>(
        &self,
        asset: &'a Asset,
        partition: Option<&str>,
        now: Timestamp,
    ) -> Result<WipeTarget<'a>, WipeError> {
        let name = || asset.name.clone();
        if matches!(asset.op, Op::External) {
            return Err(WipeError::External { name: name() });
        }
        if asset.output.io.is_none() {
            return Err(WipeError::NoValue { name: name() });
        }
        let sets = self.partition_sets(now)?;
        let place = |partitions| {
            let subject = Subject::Asset { asset, partitions };
            (subject, subject.key().map(Cow::into_owned))
        };
        let subjects = match (partition, sets.of(asset)) {
            (None, None) => vec![place(None)],
            (None, Some(_)) => return Err(WipeError::PartitionNeeded { name: name() }),
            (Some(_), None) => return Err(WipeError::NotPartitioned { name: name() }),
            (Some(text), Some(set)) => {
                let unknown = |error: PartitionError| WipeError::Partition { name: name(), error: error.into() };
                set.select(text).map_err(unknown)?.iter().map(|index| place(Some(Places::one(set, index)))).collect()
            }
        };
        let located = subjects.iter().flat_map(|(subject, key)| {
            let locations = subject.partitions().locations(&subject.location());
            locations.into_iter().map(|location| (key.as_deref().unwrap_or_default().to_owned(), location))
        });
        let places = located.collect();
        let manager = prepare::prepare_load(&self.definitions, &asset.output, self.looking_lender())?;
        can_be_wiped(&manager).map_err(|reason| WipeError::NotWiped { name: name(), reason })?;
        Ok(WipeTarget { asset, manager, places, is_partitioned: partition.is_some() })
    }

    /// Removes `target`, and records that. What was recorded of it counts no more, also where nothing was stored.
    ///
    /// # Errors
    /// [`WipeError`]
    pub fn wipe(&self, target: &WipeTarget<'_>, options: &RunOptions) -> Result<Vec<Wiped>, WipeError> {
        let WipeTarget { asset, manager, places, is_partitioned } = target;
        let failed = |failure: Failure| WipeError::Failed { name: target.name(), failure: failure.into() };
        let store = manager.store();
        let recorded = EventReader::open(&self.home)
            .and_then(|reader| reader.map_or(Ok(HashMap::new()), |reader| reader.partitions(&asset.name, &store)))
            .map_err(RunError::from)?;
        let locations: Vec<Location> = places.values().cloned().collect();
        let removed =
            self.sandbox.wipe(&manager.grant, Wipe::Outputs(&locations), &options.interrupt).map_err(failed)?;

        let keys: HashMap<&str, &str> =
            places.iter().map(|(key, location)| (location.as_str(), key.as_str())).collect();
        let key_of = |value: &RemovedValue| keys.get(value.place.as_str()).copied().unwrap_or_default();
        let partition = |key: &str| is_partitioned.then(|| key.to_owned());
        let forgotten = recorded.keys().map(String::as_str).filter(|key| places.contains_key(*key));
        let wiped: BTreeSet<&str> = removed.iter().map(key_of).chain(forgotten).collect();
        let events = wiped.into_iter().map(|key| {
            EventBody::AssetWiped(AssetWiped {
                asset: asset.name.clone(),
                partition: partition(key),
                manager: manager.name.clone(),
                store: store.clone(),
            })
        });
        // Nothing was run, so it is of no run.
        self.record("", events).map_err(|error| WipeError::NotRecorded { name: target.name(), error })?;
        let value = |value: &RemovedValue| Wiped {
            asset: Some(asset.name.clone()),
            partition: partition(key_of(value)),
            run_id: None,
            manager: manager.name.clone(),
            path: value.path.clone(),
        };
        Ok(removed.iter().map(value).collect())
    }

    /// Removes what the run `run`, which was of a job, stored, and records that. What cannot be removed is given beside it,
    /// where something else can.
    ///
    /// # Errors
    /// [`WipeError`]
    pub fn wipe_run(&self, run: &RunSummary, options: &RunOptions) -> Result<(Vec<Wiped>, Vec<NotWiped>), WipeError> {
        let run_id = &run.run_id;
        let (mut managers, mut left) = (Vec::new(), Vec::new());
        for manager in self.managers_of(&self.graphs_of_run(run)?)? {
            match can_be_wiped(&manager) {
                Ok(()) => managers.push(manager),
                // What was in memory went with the run.
                Err(NotWiped::InMemory { .. }) => {}
                Err(reason) => left.push(reason),
            }
        }
        if managers.is_empty()
            && let Some(reason) = left.pop()
        {
            return Err(WipeError::NotWiped { name: run_id.clone(), reason });
        }
        let mut wiped = Vec::new();
        for manager in managers {
            let removed = self.sandbox.wipe(&manager.grant, Wipe::Run(run_id), &options.interrupt);
            let removed = removed
                .map_err(|failure| WipeError::Failed { name: run_id.clone(), failure: failure.into() })?
                .into_iter();
            wiped.extend(removed.map(|value| Wiped {
                asset: None,
                partition: None,
                run_id: Some(run_id.clone()),
                manager: manager.name.clone(),
                path: value.path,
            }));
        }
        let event = (!wiped.is_empty()).then_some(EventBody::RunWiped {});
        self.record(run_id, event).map_err(|error| WipeError::NotRecorded { name: run_id.clone(), error })?;
        Ok((wiped, left))
    }

    /// The job of `run`, or the graphs of its assets, whose outputs can be found by the definitions as they are.
    fn graphs_of_run(&self, run: &RunSummary) -> Result<Vec<&Job>, WipeError> {
        let run_id = run.run_id.clone();
        if run.status == RunStatus::Running {
            return Err(RunError::StillRunning { run_id }.into());
        }
        if run.profile.as_deref() != self.definitions.profile() {
            return Err(RunError::OtherProfile { run_id, profile: run.profile.clone() }.into());
        }
        let earlier = self.earlier(&run_id).map_err(RunError::from)?;
        let gone = || WipeError::JobGone { job: earlier.job.clone().unwrap_or_default() };
        let graphs = self.graphs_of(&earlier).ok_or_else(gone)?;
        if graphs.is_empty() { Err(WipeError::NoJob { run_id }) } else { Ok(graphs) }
    }

    /// The I/O managers of the outputs of `graphs`, each once.
    fn managers_of(&self, graphs: &[&Job]) -> Result<Vec<Arc<Lent>>, WipeError> {
        let outputs = graphs.iter().flat_map(|graph| &graph.steps).flat_map(|step| &step.outputs);
        let by_name: BTreeMap<&str, _> = outputs.filter_map(|output| Some((output.io.as_deref()?, output))).collect();
        let lent = |output| prepare::prepare_load(&self.definitions, output, self.looking_lender());
        Ok(by_name.into_values().map(lent).collect::<Result<_, _>>()?)
    }

    fn record(&self, run_id: &str, bodies: impl IntoIterator<Item = EventBody>) -> Result<(), EventLogError> {
        let mut bodies = bodies.into_iter().peekable();
        if bodies.peek().is_none() {
            return Ok(());
        }
        // The directory of the log is there, since something is recorded of what is stored, or is made.
        let unusable = |error: crate::home::HomeError| EventLogError::Unusable {
            path: self.home.events().display().to_string(),
            reason: error.to_string(),
        };
        self.home.create().map_err(unusable)?;
        let log = EventLog::open(&self.home.events())?;
        for body in bodies {
            log.append(Event { run_id: run_id.to_owned(), time: Timestamp::now(), step_key: None, body });
        }
        log.flush()
    }
}

/// That what `manager` stores lies where it can be removed.
fn can_be_wiped(manager: &Lent) -> Result<(), NotWiped> {
    let name = || manager.name.clone();
    let written: Vec<&MountGrant> =
        manager.grant.mounts().iter().filter(|mount| mount.access == Access::Write).collect();
    if written.is_empty() {
        return Err(NotWiped::NoDirectory { manager: name() });
    }
    let on_disk = |mount: &&&MountGrant| matches!(mount.source, MountSource::Directory(_));
    match written.iter().filter(on_disk).map(|mount| mount.scope).collect::<Vec<_>>().as_slice() {
        [] => Err(NotWiped::InMemory { manager: name() }),
        scopes if scopes.contains(&Scope::Mount) => Err(NotWiped::OwnPaths { manager: name() }),
        _ => Ok(()),
    }
}
