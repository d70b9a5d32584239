//! What a run did that another goes on from, as it is recorded.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use airlock_sandbox::context::MetadataEntry;
use jiff::Timestamp;

use super::produced::{NotGiven, Produced, StepOutputs};
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
    /// Why steps were passed over, by their keys.
    pub passed_over: HashMap<String, NotGiven>,
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

/// What ops recorded of their outputs, by the keys of the steps and the names of the outputs.
#[derive(Default)]
struct Told {
    of_outputs: HashMap<(String, String), Vec<MetadataEntry>>,
    /// Of single elements, by their mapping keys too.
    of_elements: HashMap<((String, String), String), Vec<MetadataEntry>>,
}

impl Told {
    /// Of the output `key`, or of its element `mapping_key`.
    fn of(&self, key: (String, String), mapping_key: Option<&String>) -> Vec<MetadataEntry> {
        let of_output = self.of_outputs.get(&key).map(Vec::as_slice).unwrap_or_default();
        let of_element = mapping_key.and_then(|mapping_key| self.of_elements.get(&(key, mapping_key.clone())));
        value::merge(of_output, of_element.map(Vec::as_slice).unwrap_or_default())
    }
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
            let mut told = Told::default();
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

    fn add(&mut self, event: Event, steps: &mut HashMap<String, StepOutputs>, told: &mut Told) {
        let Event { run_id, step_key: Some(step_key), body, .. } = event else { return };
        match body {
            EventBody::StepOutput { output, mapping_key, metadata, part_metadata, .. } => {
                // A dynamic output may have no element.
                steps.entry(step_key.clone()).or_default().entry(output.clone()).or_default();
                let key = (step_key, output);
                if let Some(mapping_key) = mapping_key.filter(|_| !part_metadata.is_empty()) {
                    told.of_elements.insert((key.clone(), mapping_key), part_metadata);
                }
                told.of_outputs.entry(key).or_insert(metadata);
            }
            EventBody::HandledOutput { output, mapping_key, metadata, data_version, manager, .. } => {
                let by_op = told.of((step_key.clone(), output.clone()), mapping_key.as_ref());
                let metadata = value::merge(&by_op, &metadata);
                let manager = manager.name;
                let step = step_key.clone();
                let produced = Produced { run_id, step_key: step, mapping_key, metadata, data_version, manager };
                steps.entry(step_key).or_default().entry(output).or_default().push(Arc::new(produced));
            }
            EventBody::StepSuccess {} | EventBody::StepUnchanged {} => {
                let outputs = steps.remove(&step_key).unwrap_or_default();
                self.passed_over.remove(&step_key);
                self.done.insert(step_key, outputs);
            }
            EventBody::StepSkipped { because, output: Some(output) } => {
                self.done.remove(&step_key);
                self.passed_over.insert(step_key, NotGiven { step_key: because, output });
            }
            _ => {}
        }
    }

    /// The keys of the steps that need not be done again.
    pub fn ended(&self) -> HashSet<String> {
        self.done.keys().chain(self.passed_over.keys()).cloned().collect()
    }

    /// As it is, where the steps are those of `job`: what follows a step that is done anew is done anew.
    pub fn of_job(mut self, job: &Job) -> Self {
        let mut anew: HashSet<&str> = HashSet::new();
        for step in &job.steps {
            let is_of = |key: &String| name_of(key) == step.name;
            let is_empty =
                step.mapped_over.as_ref().is_some_and(|over| self.elements(over) == Elements::Known(Vec::new()));
            let has_ended = is_empty || self.done.keys().chain(self.passed_over.keys()).any(is_of);
            if !has_ended || step.upstream().any(|upstream| anew.contains(upstream)) {
                anew.insert(&step.name);
                self.done.retain(|key, _| !is_of(key));
                self.passed_over.retain(|key, _| !is_of(key));
            }
        }
        for (key, outputs) in &mut self.done {
            let defined = job.step(name_of(key)).map(|step| step.outputs.as_slice()).unwrap_or_default();
            for output in defined {
                for produced in outputs.get_mut(&output.name).into_iter().flatten() {
                    let produced = Arc::make_mut(produced);
                    produced.metadata = value::merge(&output.metadata, &produced.metadata);
                }
            }
        }
        self
    }

    /// What the executions of the step `name` gave that succeeded.
    fn of_step(&self, name: &str) -> impl Iterator<Item = &StepOutputs> {
        self.done.iter().filter(move |(key, _)| name_of(key) == name).map(|(_, outputs)| outputs)
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

/// The name of the step that `key` is an execution of.
pub(super) fn name_of(key: &str) -> &str {
    key.split_once('[').map_or(key, |(name, _)| name)
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
        let done = earlier.ended();
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

    /// The job that a run which did `earlier` was of; where it was of assets, the graphs that they may be made from. None
    /// where the definitions have the job no more.
    pub(super) fn graphs_of(&self, earlier: &Earlier) -> Option<Vec<&Job>> {
        match earlier.job.as_deref() {
            Some(name) => Some(vec![self.definitions.job(name)?]),
            None => Some(self.definitions.assets().iter().filter_map(|asset| asset.graph.as_deref()).collect()),
        }
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
            let stored = || given.iter().filter_map(|outputs| outputs.get(&output.name)).flatten();
            let lacks = |outputs: &&StepOutputs| {
                outputs.get(&output.name).is_none_or(|given| given.is_empty() && !output.is_dynamic)
            };
            let reason = if !output.is_optional && given.iter().any(lacks) {
                "did not give that"
            } else if stored().any(|produced| produced.mapping_key.is_some() != output.is_dynamic) {
                "gave that as another kind of output"
            } else if stored().any(|produced| Some(&produced.manager) != output.io.as_ref()) {
                "stored that with another I/O manager"
            } else {
                let manager = output.io.as_deref().and_then(|name| self.definitions.io_manager(name));
                let forgetful = manager.filter(|manager| manager.component.mounts.iter().any(is_memory));
                if let (Some(manager), Some(_)) = (forgetful, stored().next()) {
                    return Err(RunError::InMemory { run_id, output: name, manager: manager.name.clone() });
                }
                continue;
            };
            return Err(RunError::OtherThen { run_id, output: name, reason });
        }
        Ok(())
    }
}
