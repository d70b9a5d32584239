//! Does independent steps at once: each as soon as all that it depends on has ended.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::dependencies::Dependencies;
use super::failure::StepFailure;
use super::prepare::ReadyStep;
use super::{RunContext, StepResult, StepStatus, step};
use crate::event::{EventBody, EventLogError};
use crate::plan::Plan;

/// What became of the steps, in their order, and why the event log could not be written.
pub(super) struct Performed {
    pub steps: Vec<StepResult>,
    pub event_log_error: Option<EventLogError>,
}

/// Does `steps`, those of `plan`, at most `jobs` at once.
pub(super) fn perform(run: &RunContext<'_>, plan: &Plan, steps: &[ReadyStep<'_>], jobs: usize) -> Performed {
    let schedule = Schedule::new(run, plan, steps);
    std::thread::scope(|scope| {
        for worker in 1..jobs.min(steps.len()) {
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
    steps: &'a [ReadyStep<'a>],
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
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
    /// Nothing of it could be recorded.
    Leave,
}

impl<'a> Schedule<'a> {
    fn new(run: &'a RunContext<'a>, plan: &Plan, steps: &'a [ReadyStep<'a>]) -> Self {
        let dependencies = Dependencies::new(&plan.steps);
        let ready = dependencies.ready().collect();
        let results = steps.iter().map(|_| None).collect();
        let state = State { dependencies, ready, results, left: steps.len(), event_log_error: None };
        Self { run, steps, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
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
            let Some(step) = self.steps.get(place) else { return };
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
                self.run.emit(Some(&step.planned.key), EventBody::StepSkipped { because: because.clone() });
                StepStatus::Skipped { because }
            }
            Turn::Cancel => {
                self.run.emit(Some(&step.planned.key), EventBody::StepCanceled {});
                StepStatus::Canceled
            }
            Turn::Leave => StepStatus::NotBegun,
        };
        (not_begun(step, status), None)
    }

    fn turn(&self, state: &State, step: &ReadyStep<'_>) -> Turn {
        let unsuccessful = state.dependencies.unsuccessful(step.planned);
        let ended: Vec<&StepResult> = unsuccessful.filter_map(|place| state.results.get(place)?.as_ref()).collect();
        let because = ended.iter().find_map(|result| match &result.status {
            StepStatus::Failed => Some(result.key.clone()),
            StepStatus::Skipped { because } => Some(because.clone()),
            StepStatus::Succeeded | StepStatus::Unchanged | StepStatus::Canceled | StepStatus::NotBegun => None,
        });
        let is_canceled = ended.iter().any(|result| result.status == StepStatus::Canceled);
        match because {
            Some(because) => Turn::Skip { because },
            None if is_canceled || self.run.interrupt.is_interrupted() => Turn::Cancel,
            None if state.event_log_error.is_some() => Turn::Leave,
            None => Turn::Perform,
        }
    }

    fn end(&self, place: usize, result: StepResult, error: Option<EventLogError>) {
        let mut state = self.lock();
        let state = &mut *state;
        state.event_log_error = state.event_log_error.take().or(error);
        state.left -= 1;
        let succeeded = matches!(result.status, StepStatus::Succeeded | StepStatus::Unchanged);
        state.ready.extend(state.dependencies.end(place, succeeded));
        if let Some(slot) = state.results.get_mut(place) {
            *slot = Some(result);
        }
        self.changed.notify_all();
    }

    fn finish(self) -> Performed {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        Performed { steps: state.results.into_iter().flatten().collect(), event_log_error: state.event_log_error }
    }
}

fn panicked(step: &ReadyStep<'_>) -> StepResult {
    StepResult { failure: Some(StepFailure::panicked().into()), ..not_begun(step, StepStatus::Failed) }
}

fn not_begun(step: &ReadyStep<'_>, status: StepStatus) -> StepResult {
    StepResult {
        key: step.planned.key.clone(),
        asset: step.planned.asset.clone(),
        partition: step.planned.partition.as_ref().map(|partition| partition.key.clone()),
        status,
        time: std::time::Duration::ZERO,
        size: None,
        metadata: Vec::new(),
        failure: None,
        log: None,
    }
}
