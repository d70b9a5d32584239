//! What a run did that another goes on from, as it is recorded.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use airlock_sandbox::context::MetadataEntry;
use jiff::Timestamp;

use super::produced::{Produced, StepOutputs};
use super::{RunError, Runner, value};
use crate::definitions::{Input, Job, Mount, MountPath, OutputReference};
use crate::event::{Event, EventBody, EventLogError, EventReader, RunStatus, RunSummary};
use crate::plan::{Elements, Extent, Plan, PlanRequest};

/// Events that are read at once.
const EVENTS: usize = 10_000;

/// What a run, and those that it went on from, did.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// What it gave, by the keys of the steps that succeeded.
    pub done: HashMap<String, StepOutputs>,
    /// The job; absent where assets were selected.
    pub job: Option<String>,
    start: Start,
}

/// How the last of the runs began.
#[derive(Clone, Debug, Default)]
struct Start {
    steps: Vec<String>,
    selection: Vec<String>,
    partition: Option<String>,
    job: Option<String>,
    parent: Option<String>,
}

impl Earlier {
    /// What the run `run_id` did, of whose job the definitions are `job`.
    pub fn read(reader: &EventReader, run_id: &str) -> Result<Self, EventLogError> {
        let mut runs: Vec<(String, Start)> = Vec::new();
        let mut next = Some(run_id.to_owned());
        while let Some(id) = next.take().filter(|id| runs.iter().all(|(known, _)| known != id)) {
            let start = reader.events(&id, 0, 1)?.into_iter().find_map(|recorded| start(recorded.event));
            let Some(start) = start else { break };
            next.clone_from(&start.parent);
            runs.push((id, start));
        }
        let start = runs.first().map(|(_, start)| start.clone()).unwrap_or_default();
        let mut earlier = Self { job: start.job.clone(), start, ..Self::default() };
        for (id, _) in runs.iter().rev() {
            let mut after = 0;
            let mut steps: HashMap<String, StepOutputs> = HashMap::new();
            let mut told: HashMap<(String, String), Vec<MetadataEntry>> = HashMap::new();
            loop {
                let events = reader.events(id, after, EVENTS)?;
                let Some(last) = events.last() else { break };
                after = last.id;
                for recorded in events {
                    earlier.add(recorded.event, &mut steps, &mut told);
                }
            }
        }
        Ok(earlier)
    }

    fn add(
        &mut self,
        event: Event,
        steps: &mut HashMap<String, StepOutputs>,
        told: &mut HashMap<(String, String), Vec<MetadataEntry>>,
    ) {
        let Event { run_id, step_key: Some(step_key), body, .. } = event else { return };
        match body {
            EventBody::StepOutput { output, metadata, .. } => {
                told.insert((step_key, output), metadata);
            }
            EventBody::HandledOutput { output, mapping_key, metadata, data_version, .. } => {
                let of_op = told.get(&(step_key.clone(), output.clone())).map(Vec::as_slice).unwrap_or_default();
                let metadata = value::merge(of_op, &metadata);
                let produced = Produced { run_id, step_key: step_key.clone(), mapping_key, metadata, data_version };
                steps.entry(step_key).or_default().entry(output).or_default().push(Arc::new(produced));
            }
            EventBody::StepSuccess {} | EventBody::StepUnchanged {} => {
                let outputs = steps.remove(&step_key).unwrap_or_default();
                self.done.insert(step_key, outputs);
            }
            _ => {}
        }
    }

    /// As it is, where the steps are those of `job`: a dynamic output may have been empty.
    pub fn of_job(mut self, job: &Job) -> Self {
        for step in &job.steps {
            let Some(given) = self.done.get_mut(&step.name) else { continue };
            for output in step.outputs.iter().filter(|output| output.is_dynamic) {
                given.entry(output.name.clone()).or_default();
            }
        }
        self
    }

    /// What the executions of the step `name` gave that succeeded.
    fn of_step(&self, name: &str) -> impl Iterator<Item = &StepOutputs> {
        let is_of = move |key: &str| key.split_once('[').map_or(key, |(name, _)| name) == name;
        self.done.iter().filter(move |(key, _)| is_of(key)).map(|(_, outputs)| outputs)
    }

    /// The elements of `output`, as far as they are known.
    pub fn elements(&self, output: &OutputReference) -> Elements {
        let given = self.done.get(&output.step).and_then(|outputs| outputs.get(&output.output));
        match given {
            None => Elements::Unknown,
            Some(elements) => {
                Elements::Known(elements.iter().filter_map(|element| element.mapping_key.clone()).collect())
            }
        }
    }
}

fn start(event: Event) -> Option<Start> {
    match event.body {
        EventBody::RunStart { selection, steps, partition, job, parent, .. } => {
            Some(Start { steps, selection, partition, job, parent })
        }
        _ => None,
    }
}

impl Runner {
    /// The plan of the job `name` as of `now`, as far as it is known before it begins.
    ///
    /// # Errors
    /// [`RunError`]
    pub fn plan_job(&self, name: &str, now: Timestamp) -> Result<Plan, RunError> {
        let sets = self.partition_sets(now)?;
        Ok(Plan::of_job(&self.definitions, name, sets, &HashSet::new(), &|_| Elements::Unknown)?)
    }

    /// The plan of what the run `run` left undone, as of `now`: what of its steps, and those of the runs that it went on
    /// from, did not succeed. Empty where there is nothing.
    ///
    /// # Errors
    /// [`RunError`]
    pub fn plan_rest(&self, run: &RunSummary, now: Timestamp) -> Result<Plan, RunError> {
        if run.status == RunStatus::Running {
            return Err(RunError::StillRunning { run_id: run.run_id.clone() });
        }
        if run.profile.as_deref() != self.definitions.profile() {
            return Err(RunError::OtherProfile { run_id: run.run_id.clone(), profile: run.profile.clone() });
        }
        let earlier = self.earlier(&run.run_id)?;
        let done: HashSet<String> = earlier.done.keys().cloned().collect();
        let mut plan = if let Some(name) = &earlier.job {
            let plan = Plan::of_job(&self.definitions, name, self.partition_sets(now)?, &done, &|output| {
                earlier.elements(output)
            })?;
            if let Some(job) = self.definitions.job(name) {
                self.check_rest(job, &plan, &earlier, &run.run_id)?;
            }
            plan
        } else {
            let Start { steps, selection, partition, .. } = earlier.start;
            let left = steps.into_iter().filter(|step| !done.contains(step)).collect();
            let request = PlanRequest { selection, partition, extent: Extent::Everything, only: Some(left), now };
            self.plan(&request)?
        };
        plan.parent = Some(run.run_id.clone());
        Ok(plan)
    }

    /// What the run `run_id` did.
    pub(super) fn earlier(&self, run_id: &str) -> Result<Earlier, EventLogError> {
        let Some(reader) = EventReader::open(&self.home)? else { return Ok(Earlier::default()) };
        let earlier = Earlier::read(&reader, run_id)?;
        let job = earlier.job.as_deref().and_then(|name| self.definitions.job(name));
        Ok(match job {
            Some(job) => earlier.of_job(job),
            None => earlier,
        })
    }

    /// That a step of `plan` loads what is not there cannot be made good: what went with the process that did it, or what
    /// the definitions did not have then.
    fn check_rest(&self, job: &Job, plan: &Plan, earlier: &Earlier, run_id: &str) -> Result<(), RunError> {
        let is_memory = |mount: &Mount| matches!(mount.source, MountPath::Memory);
        let left: HashSet<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
        let loads = job.steps.iter().filter(|step| left.contains(&*step.name)).flat_map(|step| &step.inputs);
        for reference in loads.flat_map(|input: &Input| input.source.outputs()) {
            let Some(output) = job.output(reference) else { continue };
            let given: Vec<&StepOutputs> = earlier.of_step(&reference.step).collect();
            let (run_id, name) = (run_id.to_owned(), reference.to_string());
            if !output.is_optional && given.iter().any(|outputs| !outputs.contains_key(&output.name)) {
                return Err(RunError::NotGivenThen { run_id, output: name });
            }
            let manager = output.io.as_deref().and_then(|name| self.definitions.io_manager(name));
            let forgetful = manager.filter(|manager| manager.component.mounts.iter().any(is_memory));
            if let (Some(manager), false) = (forgetful, given.is_empty()) {
                return Err(RunError::InMemory { run_id, output: name, manager: manager.name.clone() });
            }
        }
        Ok(())
    }
}
