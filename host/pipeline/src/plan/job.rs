//! The steps of a run of a job: those that are known when it begins, and those that are done for the elements of a
//! dynamic output, once these are known.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::{PartitionSets, Plan, PlanError, PlannedLoad, PlannedStep, load};
use crate::definitions::{Definitions, InputSource, Job, JobStep, OutputReference};
use crate::partition::{Selected, value_name};
use crate::suggest;

/// What begins the name of a job where assets may be named too.
pub const JOB: &str = "job:";

impl Plan {
    /// The plan of the job `name`, as far as it is known before it begins: without the steps whose keys are `done` already,
    /// and with those for the `elements` that are known. `sets` are the partitions as of now.
    ///
    /// # Errors
    /// [`PlanError`]
    pub(crate) fn of_job(
        definitions: &Definitions,
        name: &str,
        sets: PartitionSets,
        done: &HashSet<String>,
        elements: &dyn Fn(&OutputReference) -> Elements,
    ) -> Result<Self, PlanError> {
        let job = definitions.job(name).ok_or_else(|| PlanError::UnknownJob {
            name: name.to_owned(),
            help: suggest::help(name, definitions.jobs().iter().map(|job| &*job.name)),
        })?;
        let mut plan = JobPlan::new(definitions, job, &sets, done.clone())?;
        let selection = vec![format!("{JOB}{}", job.name)];
        Ok(Self { steps: plan.extend(elements), job: Some(job.name.clone()), selection, sets, ..Self::default() })
    }
}

/// The elements of a dynamic output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Elements {
    /// The step that gives them has not ended.
    Unknown,
    /// Their mapping keys, in order.
    Known(Vec<String>),
    /// The step that gives them did not succeed.
    None,
}

/// The plan of a job, which grows.
pub(crate) struct JobPlan<'a> {
    job: &'a Job,
    /// The keys of the steps that were done before.
    done: HashSet<String>,
    /// By the name of a step, where its executions are planned.
    planned: HashMap<&'a str, Planned>,
    /// By the name of a step, the assets that it loads.
    loads: HashMap<&'a str, Vec<PlannedLoad>>,
    count: usize,
}

/// The executions of a step.
struct Planned {
    /// Their places.
    places: Range<usize>,
    /// Of those that are done for an element of a dynamic output, by its mapping key.
    by_key: HashMap<String, usize>,
}

impl<'a> JobPlan<'a> {
    /// The plan of `job`, of which the steps with the keys `done` were done before. Nothing is planned yet.
    ///
    /// # Errors
    /// [`PlanError::Mapping`]
    pub fn new(
        definitions: &Definitions,
        job: &'a Job,
        sets: &PartitionSets,
        done: HashSet<String>,
    ) -> Result<Self, PlanError> {
        let mut loads = HashMap::new();
        for step in &job.steps {
            let mut of_step = Vec::new();
            for input in &step.inputs {
                let Some(asset) = input.asset().and_then(|name| definitions.asset(name)) else { continue };
                let partitions = sets.of(asset).map(|set| input.partition_mapping.upstream(None, set)).transpose();
                let partitions = partitions.map_err(|error| PlanError::Mapping {
                    asset: format!("{}.{}", job.name, step.name),
                    input: input.name.clone(),
                    error: error.into(),
                })?;
                of_step.push(load(input, asset, partitions, false));
            }
            loads.insert(step.name.as_str(), of_step);
        }
        Ok(Self { job, done, planned: HashMap::new(), loads, count: 0 })
    }

    /// Whether all its steps are planned.
    pub fn is_whole(&self) -> bool {
        self.planned.len() == self.job.steps.len()
    }

    /// The place of the step `name` in the order of the job.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.job.steps.iter().position(|step| step.name == name)
    }

    /// The steps that can be planned in addition, given the `elements` of dynamic outputs.
    pub fn extend(&mut self, elements: &dyn Fn(&OutputReference) -> Elements) -> Vec<PlannedStep> {
        let mut steps = Vec::new();
        for step in &self.job.steps {
            let is_planned = |name: &str| self.planned.contains_key(name);
            if is_planned(&step.name) || !step.upstream().all(is_planned) {
                continue;
            }
            let keys = match step.mapped_over.as_ref().map(elements) {
                None | Some(Elements::None) => vec![None],
                Some(Elements::Unknown) => continue,
                Some(Elements::Known(keys)) => keys.into_iter().map(Some).collect(),
            };
            let first = self.count;
            let mut by_key = HashMap::new();
            for mapping_key in keys {
                let key = value_name(&step.name, mapping_key.as_deref());
                if self.done.contains(&key) {
                    continue;
                }
                let after = self.after(step, mapping_key.as_deref());
                if let Some(key) = &mapping_key {
                    by_key.insert(key.clone(), self.count);
                }
                let (name, loads) = (step.name.clone(), self.loads.get(&*step.name).cloned().unwrap_or_default());
                steps.push(PlannedStep { key, name, partitions: None, mapping_key, after, loads });
                self.count += 1;
            }
            self.planned.insert(&step.name, Planned { places: first..self.count, by_key });
        }
        steps
    }

    /// The places of what the execution of `step` for `mapping_key` is after.
    fn after(&self, step: &JobStep, mapping_key: Option<&str>) -> Vec<Range<usize>> {
        let planned = |name: &str| self.planned.get(name);
        let mut after: Vec<Range<usize>> =
            step.deps.iter().filter_map(|name| planned(name)).map(|planned| planned.places.clone()).collect();
        for input in &step.inputs {
            for planned in input.source.outputs().iter().filter_map(|output| planned(&output.step)) {
                match (&input.source, mapping_key) {
                    // What is done for the same element is all that this input waits for.
                    (InputSource::Each(_), Some(key)) if !planned.by_key.is_empty() => {
                        after.extend(planned.by_key.get(key).map(|place| *place..*place + 1));
                    }
                    _ => after.push(planned.places.clone()),
                }
            }
        }
        let places = after.into_iter().filter(|places| !places.is_empty());
        places.fold(Selected::default(), |all, places| all.union(&Selected::of_ranges([places]))).ranges().to_vec()
    }
}
