//! Does independent steps at once: each as soon as all that it depends on has ended.

use std::collections::{BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::dependencies::Dependencies;
use super::failure::StepFailure;
use super::prepare::Ready;
use super::ready::{ReadyStep, ReadyTask};
use super::{RunContext, StepResult, StepStatus, step};
use crate::audit::AuditLog;
use crate::event::{EventBody, EventLogError};
use crate::plan::{Elements, JobPlan};

/// What became of the steps, in their order, and why the event log could not be written.
pub(super) struct Performed {
    pub steps: Vec<StepResult>,
    pub event_log_error: Option<EventLogError>,
}

/// Does the steps of `ready`, and those that `job` adds as they become known, at most `jobs` at once.
pub(super) fn perform<'a>(
    run: &'a RunContext<'a>,
    ready: Ready<'a>,
    job: Option<JobPlan<'a>>,
    jobs: usize,
) -> Performed {
    let workers = if job.is_some() { jobs } else { jobs.min(ready.steps.len()) };
    let schedule = Schedule::new(run, ready, job);
    std::thread::scope(|scope| {
        for worker in 1..workers {
            // A machine that cannot have another thread does the steps on those that it has.
            let _ =
                std::thread::Builder::new().name(format!("worker {worker}")).spawn_scoped(scope, || schedule.work());
        }
        schedule.work();
    });
    schedule.finish()
}

struct Schedule<'a> {
    run: &'a RunContext<'a>,
    /// What the steps of a job have in common, by their names.
    tasks: HashMap<&'a str, Arc<ReadyTask<'a>>>,
    state: Mutex<State<'a>>,
    changed: Condvar,
}

struct State<'a> {
    steps: Vec<Arc<ReadyStep<'a>>>,
    /// The job, of which there may be more steps.
    job: Option<JobPlan<'a>>,
    dependencies: Dependencies,
    ready: BTreeSet<usize>,
    results: Vec<Option<StepResult>>,
    left: usize,
    event_log_error: Option<EventLogError>,
}

/// What is to be done with a step whose turn it is.
enum Turn {
    Perform,
    Skip {
        because: String,
    },
    Cancel,
    /// Nothing of it could be recorded or told of.
    Leave,
}

impl<'a> Schedule<'a> {
    fn new(run: &'a RunContext<'a>, ready: Ready<'a>, job: Option<JobPlan<'a>>) -> Self {
        let steps: Vec<_> = ready.steps.into_iter().map(Arc::new).collect();
        let dependencies = Dependencies::new(steps.iter().map(|step| &step.planned));
        let mut state = State {
            ready: dependencies.ready().collect(),
            results: steps.iter().map(|_| None).collect(),
            left: steps.len(),
            steps,
            job,
            dependencies,
            event_log_error: None,
        };
        // What is done for elements that an earlier run gave is known.
        state.grow(run, &ready.tasks);
        Self { run, tasks: ready.tasks, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does steps until none is left.
    fn work(&self) {
        loop {
            let mut state = self.lock();
            let place = loop {
                if state.left == 0 {
                    return;
                }
                if let Some(place) = state.ready.pop_first() {
                    break place;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            };
            let Some(step) = state.steps.get(place).cloned() else { return };
            let step = &*step;
            let turn = self.turn(&state, step);
            drop(state);
            // A step that panics, or whoever is told of it, must not leave the others waiting for its end.
            let taken = std::panic::catch_unwind(AssertUnwindSafe(|| self.take(step, place, turn)));
            let (result, error) = taken.unwrap_or_else(|_| (panicked(step), None));
            self.end(place, result, error);
        }
    }

    fn take(&self, step: &ReadyStep<'_>, place: usize, turn: Turn) -> (StepResult, Option<EventLogError>) {
        let status = match turn {
            Turn::Perform => return step::perform(self.run, step, place),
            Turn::Skip { because } => {
                let body = EventBody::StepSkipped { because: because.clone(), output: None };
                self.run.emit(Some(&step.planned.key), body);
                StepStatus::Skipped { because, output: None }
            }
            Turn::Cancel => {
                self.run.emit(Some(&step.planned.key), EventBody::StepCanceled {});
                StepStatus::Canceled
            }
            Turn::Leave => StepStatus::NotBegun,
        };
        (not_begun(step, status), None)
    }

    fn turn(&self, state: &State<'_>, step: &ReadyStep<'_>) -> Turn {
        let unsuccessful = state.dependencies.unsuccessful(&step.planned);
        let ended: Vec<&StepResult> = unsuccessful.filter_map(|place| state.results.get(place)?.as_ref()).collect();
        let because = ended.iter().find_map(|result| match &result.status {
            StepStatus::Failed => Some(result.key.clone()),
            StepStatus::Skipped { because, .. } => Some(because.clone()),
            StepStatus::Succeeded | StepStatus::Unchanged | StepStatus::Canceled | StepStatus::NotBegun => None,
        });
        let is_canceled = ended.iter().any(|result| result.status == StepStatus::Canceled);
        match because {
            Some(because) => Turn::Skip { because },
            None if is_canceled || self.run.interrupt.is_interrupted() => Turn::Cancel,
            None if state.event_log_error.is_some() || self.run.audit.is_some_and(AuditLog::has_failed) => Turn::Leave,
            None => Turn::Perform,
        }
    }

    fn end(&self, place: usize, result: StepResult, error: Option<EventLogError>) {
        let mut state = self.lock();
        let state = &mut *state;
        state.event_log_error = state.event_log_error.take().or(error);
        state.left -= 1;
        let succeeded = is_success(&result.status);
        state.ready.extend(state.dependencies.end(place, succeeded));
        if let Some(slot) = state.results.get_mut(place) {
            *slot = Some(result);
        }
        state.grow(self.run, &self.tasks);
        self.changed.notify_all();
    }

    fn finish(self) -> Performed {
        let State { steps, results, job, event_log_error, .. } =
            self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut ended: Vec<_> = steps.iter().zip(results).filter_map(|(step, result)| Some((step, result?))).collect();
        if let Some(job) = &job {
            // Steps that were added as they became known go where they belong.
            ended.sort_by_key(|(step, _)| job.place(&step.planned.name));
        }
        Performed { steps: ended.into_iter().map(|(_, result)| result).collect(), event_log_error }
    }
}

impl<'a> State<'a> {
    /// Adds the steps of the job that can be planned now.
    fn grow(&mut self, run: &RunContext<'_>, tasks: &HashMap<&'a str, Arc<ReadyTask<'a>>>) {
        let Some(mut job) = self.job.take_if(|job| !job.is_whole()) else { return };
        let failed = |key: &str| {
            let ended = self.results.iter().flatten().find(|result| result.key == key);
            ended.is_some_and(|result| result.status != StepStatus::Succeeded)
        };
        let added = job.extend(&|output| match run.produced.mapping_keys(&output.step, &output.output) {
            Some(keys) => Elements::Known(keys),
            None if failed(&output.step) => Elements::None,
            None => Elements::Unknown,
        });
        self.job = Some(job);
        if added.is_empty() {
            return;
        }
        for planned in added {
            if let Some(of) = tasks.get(planned.name.as_str()) {
                self.steps.push(Arc::new(ReadyStep { planned, of: Arc::clone(of) }));
                self.results.push(None);
                self.left += 1;
            }
        }
        let before = self.dependencies.len();
        self.dependencies = Dependencies::new(self.steps.iter().map(|step| &step.planned));
        for (place, result) in self.results.iter().enumerate() {
            if let Some(result) = result {
                self.dependencies.end(place, is_success(&result.status));
            }
        }
        self.ready.extend(self.dependencies.ready().filter(|place| *place >= before));
    }
}

/// Whether what depends on a step with `status` is done; it may lack what the step did not give.
fn is_success(status: &StepStatus) -> bool {
    matches!(status, StepStatus::Succeeded | StepStatus::Unchanged | StepStatus::Skipped { output: Some(_), .. })
}

fn panicked(step: &ReadyStep<'_>) -> StepResult {
    StepResult { failure: Some(StepFailure::panicked().into()), ..not_begun(step, StepStatus::Failed) }
}

fn not_begun(step: &ReadyStep<'_>, status: StepStatus) -> StepResult {
    StepResult {
        key: step.planned.key.clone(),
        asset: step.of.asset().map(|asset| asset.name.clone()),
        name: step.planned.name.clone(),
        mapping_key: step.planned.mapping_key.clone(),
        partition: step.planned.partitions.as_ref().map(|partitions| partitions.key.clone()),
        partition_count: step.planned.partition_count(),
        status,
        time: std::time::Duration::ZERO,
        size: None,
        metadata: Vec::new(),
        failure: None,
        log: None,
    }
}
