//! Does independent steps at once: each as soon as all that it depends on has ended.

use std::collections::{BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::failure::StepFailure;
use super::prepare::ReadyStep;
use super::{RunContext, StepResult, StepStatus, step};
use crate::event::{EventBody, EventLogError};

/// What became of the steps, in their order, and why the event log could not be written.
pub(super) struct Performed {
    pub steps: Vec<StepResult>,
    pub event_log_error: Option<EventLogError>,
}

/// Does `steps`, at most `jobs` at once.
pub(super) fn perform(run: &RunContext<'_>, steps: &[ReadyStep<'_>], jobs: usize) -> Performed {
    let schedule = Schedule::new(run, steps);
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
    /// By place, the places of the steps that it waits for.
    upstream: Vec<Vec<usize>>,
    /// By place, the places of the steps that wait for it.
    downstream: Vec<Vec<usize>>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// By place, how many steps it waits for still.
    waits_for: Vec<usize>,
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
    fn new(run: &'a RunContext<'a>, steps: &'a [ReadyStep<'a>]) -> Self {
        let places: HashMap<&str, usize> =
            steps.iter().enumerate().map(|(place, step)| (step.planned.key.as_str(), place)).collect();
        let upstream: Vec<Vec<usize>> = steps
            .iter()
            .map(|step| step.planned.after.iter().filter_map(|key| places.get(key.as_str()).copied()).collect())
            .collect();
        let mut downstream = vec![Vec::new(); steps.len()];
        for (place, others) in upstream.iter().enumerate() {
            for other in others {
                if let Some(list) = downstream.get_mut(*other) {
                    list.push(place);
                }
            }
        }
        let waits_for: Vec<usize> = upstream.iter().map(Vec::len).collect();
        let is_ready = |(place, count): (usize, &usize)| (*count == 0).then_some(place);
        let ready = waits_for.iter().enumerate().filter_map(is_ready).collect();
        let results = steps.iter().map(|_| None).collect();
        let state = State { waits_for, ready, results, left: steps.len(), event_log_error: None };
        Self { run, steps, upstream, downstream, state: Mutex::new(state), changed: Condvar::new() }
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
            let turn = self.turn(&state, place);
            drop(state);
            let Some(step) = self.steps.get(place) else { return };
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

    fn turn(&self, state: &State, place: usize) -> Turn {
        let upstream = self.upstream.get(place).into_iter().flatten();
        let ended: Vec<&StepResult> = upstream.filter_map(|place| state.results.get(*place)?.as_ref()).collect();
        let because = ended.iter().find_map(|result| match &result.status {
            StepStatus::Failed => Some(result.key.clone()),
            StepStatus::Skipped { because } => Some(because.clone()),
            StepStatus::Succeeded | StepStatus::Canceled | StepStatus::NotBegun => None,
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
        state.event_log_error = state.event_log_error.take().or(error);
        if let Some(slot) = state.results.get_mut(place) {
            *slot = Some(result);
        }
        state.left -= 1;
        for other in self.downstream.get(place).into_iter().flatten() {
            if let Some(count) = state.waits_for.get_mut(*other) {
                *count -= 1;
                if *count == 0 {
                    state.ready.insert(*other);
                }
            }
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
        asset: step.asset.name.clone(),
        status,
        time: std::time::Duration::ZERO,
        size: None,
        metadata: Vec::new(),
        failure: None,
        log: None,
    }
}
