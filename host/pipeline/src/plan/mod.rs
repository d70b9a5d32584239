//! The steps of a run, in order.

mod extent;
mod job;
mod needs;
mod planned_asset;
mod sets;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use jiff::Timestamp;
use serde::Serialize;

pub use extent::Stored;
pub use job::JOB;
pub(crate) use job::{Elements, JobPlan};
pub(crate) use needs::{Need, needs};
pub use planned_asset::PlannedAsset;
pub use sets::{PartitionSets, TooManyPartitions};

use self::needs::{needs_of, upstream_of};
use crate::definitions::{Asset, Definitions, Input, Op};
use crate::graph::SelectionError;
use crate::partition::{MappingError, PartitionError, PartitionSet, Selected, value_name};

/// What is to be computed.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// Assets, as [`Graph::select`](crate::graph::Graph::select) reads them; none mean all.
    pub selection: Vec<String>,
    /// Partitions, as [`PartitionSet::select`] reads them. They are those of the selected assets that load no other selected partitioned
    /// asset; of the other partitioned ones it is what depends on them, and of those without partitions it is all.
    pub partition: Option<String>,
    /// How much of that.
    pub extent: Extent,
    /// Of that only the steps with these keys, where it is what a run left undone.
    pub only: Option<BTreeSet<String>>,
    /// The moment at which partitions without an end, end.
    pub now: Timestamp,
}

/// How much of what was selected is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// All of it.
    #[default]
    Everything,
    /// What is not stored, or was computed from values that are newer now, as what a run left undone was; and what depends
    /// on that.
    Missing,
    /// As [`Extent::Missing`], and what was computed by something else than would compute it now.
    Changed,
}

impl PlanRequest {
    /// All of what `selection` means, as of now.
    pub fn of(selection: &[String]) -> Self {
        Self {
            selection: selection.to_vec(),
            partition: None,
            extent: Extent::Everything,
            only: None,
            now: Timestamp::now(),
        }
    }
}

/// The steps of a run, each after all that it depends on.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Plan {
    /// In order: those of one asset follow one another, in the order of its partitions.
    pub steps: Vec<PlannedStep>,
    /// The assets that have steps, in order; none in the plan of a job.
    pub assets: Vec<PlannedAsset>,
    /// The job whose steps they are.
    pub job: Option<String>,
    /// The run that left them undone.
    pub parent: Option<String>,
    /// What was selected, as it was named; none: all assets.
    pub selection: Vec<String>,
    /// The partitions that were asked for, as they were named.
    pub partition: Option<String>,
    /// The partitions of the definitions, as of the plan.
    #[serde(skip)]
    pub sets: PartitionSets,
}

/// One execution of an op.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// Its key: the name of the asset, and of a partition its key in brackets, of several the first and the last:
    /// `daily_weather[2012-01-01]`, `daily_weather[2012-01-01..2012-01-31]`.
    pub key: String,
    /// The asset or multi-asset that it computes, or the step of a job that it is an execution of.
    pub name: String,
    /// The partitions that it computes; absent where what it computes has none.
    pub partitions: Option<PlannedPartitions>,
    /// The element of a dynamic output that it is done for; only steps of jobs have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping_key: Option<String>,
    /// The places of the steps of this plan that must succeed first: ranges in order that do not overlap.
    pub after: Vec<Range<usize>>,
    /// The assets that it loads, in the order of the op's inputs.
    pub loads: Vec<PlannedLoad>,
}

impl PlannedStep {
    /// How many partitions it computes; 0 where what it computes has none.
    pub fn partition_count(&self) -> usize {
        self.partitions.as_ref().map_or(0, |partitions| partitions.places.len())
    }
}

/// The partitions that a step computes: one, or several that follow one another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedPartitions {
    /// The key of the only one, or those of the first and the last: `2012-01-01..2012-01-31`.
    pub key: String,
    /// Their places among the partitions of the asset.
    #[serde(skip)]
    pub places: Range<usize>,
}

impl PlannedPartitions {
    fn new(set: &PartitionSet, places: Range<usize>) -> Option<Self> {
        Some(Self { key: set.range_name(&places)?, places })
    }
}

/// A load of one input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedLoad {
    /// The op's name for it.
    pub input: String,
    /// The asset.
    pub asset: String,
    /// The I/O manager that loads it.
    pub with: String,
    /// The partitions that are loaded; absent where the asset has none.
    #[serde(skip)]
    pub partitions: Option<Selected>,
    /// Whether a step of this run stores some of it; otherwise an earlier run did.
    pub computed_here: bool,
}

/// A plan that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The selection means nothing.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// Nothing that is selected is computed.
    #[error("`{asset}` is external: something else makes it, so there is nothing to run")]
    External {
        /// The first asset that is selected.
        asset: String,
    },
    /// A step that a run left undone is not defined any more.
    #[error("the step `{step}` was left undone, and the definitions have it no more")]
    Gone {
        /// The key of the step.
        step: String,
    },
    /// There is no such job.
    #[error("there is no job `{name}`{}", help.as_ref().map(|help| format!(": {help}")).unwrap_or_default())]
    UnknownJob {
        /// As it was named.
        name: String,
        /// What was probably meant.
        help: Option<String>,
    },
    /// It was not said which partitions are meant.
    #[error("{} partitioned: say which partitions are meant", are(assets))]
    PartitionNeeded {
        /// The assets.
        assets: Vec<String>,
    },
    /// Partitions are named, and nothing that was selected has any.
    #[error("nothing that is selected is partitioned, so it has no partition `{partition}`")]
    NotPartitioned {
        /// As they were named.
        partition: String,
    },
    /// An asset does not have the partitions.
    #[error("`{asset}`: {error}")]
    Partition {
        /// The asset.
        asset: String,
        /// Why not.
        error: Box<PartitionError>,
    },
    /// There are more partitions than there can be.
    #[error(transparent)]
    TooManyPartitions(#[from] TooManyPartitions),
    /// A partition depends on others that do not exist.
    #[error("`{asset}` cannot load its input `{input}`: {error}")]
    Mapping {
        /// The asset.
        asset: String,
        /// Its input, or what it waits for.
        input: String,
        /// Why not.
        error: Box<MappingError>,
    },
}

fn are(assets: &[String]) -> String {
    match assets {
        [only] => format!("`{only}` is"),
        [first, second] => format!("`{first}` and `{second}` are"),
        [first, rest @ ..] => format!("`{first}` and {} other assets are", rest.len()),
        [] => "nothing is".to_owned(),
    }
}

impl Plan {
    /// The plan of what `request` asks for of the partitions in `sets`, given what is `stored` of it and of what it
    /// depends on.
    ///
    /// # Errors
    /// [`PlanError`]
    pub fn new(
        definitions: &Definitions,
        sets: PartitionSets,
        request: &PlanRequest,
        stored: &Stored,
    ) -> Result<Self, PlanError> {
        let selected = definitions.graph().select(definitions, &request.selection)?;
        let selected = selected.iter().filter_map(|name| definitions.asset(name));
        let (external, assets): (Vec<&Asset>, Vec<&Asset>) =
            selected.partition(|asset| matches!(asset.op, Op::External));
        if let (Some(asset), true) = (external.first(), assets.is_empty()) {
            return Err(PlanError::External { asset: asset.name.clone() });
        }
        let chosen = extent::choose(definitions, &sets, &assets, request, stored)?;
        let (partition, selection) = (request.partition.clone(), request.selection.clone());
        let mut plan = Self { selection, partition, sets, ..Self::default() };
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (asset, mut partitions) in assets.into_iter().zip(chosen) {
            let name = asset.multi_asset.as_deref().unwrap_or(&asset.name);
            if let Some(place) = places.get(name).filter(|_| asset.multi_asset.is_some()).copied() {
                // Its steps are those of the first that is computed together with it.
                places.insert(&asset.name, place);
                continue;
            }
            let set = plan.sets.of(asset).cloned();
            if let Some(only) = &request.only {
                partitions = left(only, name, set.as_deref(), &partitions, asset.partitions_per_step.is_some());
            }
            if partitions.is_empty() {
                continue;
            }
            let planned = PlannedAsset::new(asset, plan.steps.len(), &partitions);
            // The asset may load earlier partitions of itself.
            places.insert(&asset.name, plan.assets.len());
            places.insert(name, plan.assets.len());
            let per_step = planned.per_step;
            plan.assets.push(planned);
            let steps = partitions.ranges().iter().flat_map(|range| {
                range.clone().step_by(per_step).map(|start| start..range.end.min(start.saturating_add(per_step)))
            });
            for places_of_step in steps {
                let partitions = set.as_deref().and_then(|set| PlannedPartitions::new(set, places_of_step));
                let within = Within { definitions, asset, set: set.as_deref(), partitions, places: &places };
                let siblings = plan.add_graph(&within, request.only.as_ref())?;
                let mut step = plan.step(&within, name, &asset.inputs)?;
                step.after = Selected::of_ranges(step.after.into_iter().chain(siblings)).ranges().to_vec();
                plan.steps.push(step);
                plan.assets.last_mut().into_iter().for_each(|planned| planned.note(plan.steps.len()));
            }
        }
        if let Some(only) = &request.only {
            let planned: HashSet<&str> = plan.steps.iter().map(|step| step.key.as_str()).collect();
            if let Some(gone) = only.iter().find(|step| !planned.contains(step.as_str())) {
                return Err(PlanError::Gone { step: gone.clone() });
            }
        }
        Ok(plan)
    }

    /// Adds the steps of the graph that the asset is made from, but for the last, and gives their places. Where `only` some
    /// steps are done, the others were done before.
    fn add_graph(
        &mut self,
        within: &Within<'_>,
        only: Option<&BTreeSet<String>>,
    ) -> Result<Vec<Range<usize>>, PlanError> {
        let first = self.steps.len();
        let mut siblings: HashMap<&str, usize> = HashMap::new();
        for step in within.asset.graph.iter().flat_map(|graph| &graph.steps) {
            let mut planned = self.step(within, &step.name, &step.inputs)?;
            if only.is_some_and(|only| !only.contains(&planned.key)) {
                continue;
            }
            let before = step.upstream().filter_map(|name| siblings.get(name)).map(|place| *place..*place + 1);
            planned.after = Selected::of_ranges(planned.after.into_iter().chain(before)).ranges().to_vec();
            siblings.insert(&step.name, self.steps.len());
            self.steps.push(planned);
        }
        Ok(Vec::from_iter((self.steps.len() > first).then_some(first..self.steps.len())))
    }

    /// The step called `name` that has `inputs`.
    fn step(&self, within: &Within<'_>, name: &str, inputs: &[Input]) -> Result<PlannedStep, PlanError> {
        let Within { definitions, asset, set, partitions, places } = within;
        let mut after = Selected::default();
        let mut loads = Vec::new();
        for Need { name, asset: upstream, mapping, input } in needs_of(definitions, asset, inputs.iter()) {
            let own = set.zip(partitions.as_ref().map(|partitions| partitions.places.clone()));
            let needed = self.sets.of(upstream).map(|upstream| upstream_of(&mapping, own, upstream)).transpose();
            let needed = needed.map_err(|error| PlanError::Mapping {
                asset: asset.name.clone(),
                input: name.to_owned(),
                error: error.into(),
            })?;
            let planned = places.get(upstream.name.as_str()).and_then(|place| self.assets.get(*place));
            let here = planned.map(|planned| planned.places(needed.as_ref())).unwrap_or_default();
            let computed_here = !here.is_empty();
            after = after.union(&here);
            if let Some(input) = input {
                loads.push(load(input, upstream, needed, computed_here));
            }
        }
        Ok(PlannedStep {
            key: value_name(name, partitions.as_ref().map(|partitions| partitions.key.as_str())),
            name: name.to_owned(),
            partitions: partitions.clone(),
            mapping_key: None,
            after: after.ranges().to_vec(),
            loads,
        })
    }
}

/// What the steps of one execution of an asset have in common.
struct Within<'a> {
    definitions: &'a Definitions,
    asset: &'a Asset,
    set: Option<&'a PartitionSet>,
    /// Those that are computed.
    partitions: Option<PlannedPartitions>,
    /// By name, the places of the assets that are planned.
    places: &'a HashMap<&'a str, usize>,
}

/// What of `partitions` of the steps called `name` are those with the keys `only`, of which each may have several.
fn left(
    only: &BTreeSet<String>,
    name: &str,
    set: Option<&PartitionSet>,
    partitions: &Selected,
    has_several: bool,
) -> Selected {
    if let (Some(set), true) = (set, has_several) {
        let key = |step: &'_ String| {
            let key = step.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
            set.select_range(key).ok()
        };
        let of_steps = only.iter().filter_map(key).fold(Selected::default(), |all, of| all.union(&of));
        return partitions.intersect(&of_steps);
    }
    let key = |place: &usize| value_name(name, set.and_then(|set| set.key(*place)).as_deref());
    Selected::of_indices(partitions.iter().filter(|place| only.contains(&key(place))))
}

fn load(input: &Input, upstream: &Asset, partitions: Option<Selected>, computed_here: bool) -> PlannedLoad {
    PlannedLoad {
        input: input.name.clone(),
        asset: upstream.name.clone(),
        with: input.io.clone().or_else(|| upstream.output.io.clone()).unwrap_or_default(),
        partitions,
        computed_here,
    }
}
