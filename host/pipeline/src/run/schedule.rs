//! Does independent steps at once: each as soon as all that it depends on has ended.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

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
    dependencies: Dependencies,
    state: Mutex<State>,
    changed: Condvar,
}

/// Who waits for whom. A step that waits for all steps of an asset waits for the asset, so that ten thousand steps that
/// wait for ten thousand others are no hundred million pairs.
struct Dependencies {
    /// By place of a step, what it waits for.
    upstream: Vec<Vec<Upstream>>,
    /// By place of a step, the places of the steps that wait for it alone.
    downstream: Vec<Vec<usize>>,
    /// By place of a step, the place of its asset.
    asset_of: Vec<usize>,
    /// By place of an asset, the places of the steps that wait for all its steps.
    downstream_of_asset: Vec<Vec<usize>>,
}

enum Upstream {
    Steps(Range<usize>),
    Asset(usize),
}

struct State {
    /// By place, how many steps and assets it waits for still.
    waits_for: Vec<usize>,
    ready: BTreeSet<usize>,
    results: Vec<Option<StepResult>>,
    left: usize,
    assets: Vec<AssetState>,
    event_log_error: Option<EventLogError>,
}

/// What became of the steps of an asset.
#[derive(Clone, Default)]
struct AssetState {
    left: usize,
    /// The place of the first step that did not succeed, whose steps ended so far.
    unsuccessful: Option<usize>,
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

impl Dependencies {
    /// Those of the steps of `plan`, and for how many each waits.
    fn new(plan: &Plan) -> (Self, Vec<usize>) {
        let blocks: HashMap<&Range<usize>, usize> =
            plan.assets.iter().enumerate().map(|(place, asset)| (&asset.steps, place)).collect();
        let mut asset_of = vec![0; plan.steps.len()];
        for (place, asset) in plan.assets.iter().enumerate() {
            asset_of.get_mut(asset.steps.clone()).unwrap_or_default().fill(place);
        }
        let mut downstream = vec![Vec::new(); plan.steps.len()];
        let mut downstream_of_asset = vec![Vec::new(); plan.assets.len()];
        let mut waits_for = Vec::with_capacity(plan.steps.len());
        let mut upstream = Vec::with_capacity(plan.steps.len());
        for (place, step) in plan.steps.iter().enumerate() {
            let mut waits = 0;
            let mut needed = Vec::new();
            for range in &step.after {
                // A range may go on over several assets.
                for range in split(range, &asset_of, plan) {
                    if let Some(asset) = blocks.get(&range).filter(|_| range.len() > 1) {
                        push(&mut downstream_of_asset, *asset, place);
                        needed.push(Upstream::Asset(*asset));
                        waits += 1;
                    } else {
                        range.clone().for_each(|other| push(&mut downstream, other, place));
                        waits += range.len();
                        needed.push(Upstream::Steps(range));
                    }
                }
            }
            waits_for.push(waits);
            upstream.push(needed);
        }
        (Self { upstream, downstream, asset_of, downstream_of_asset }, waits_for)
    }
}

/// `range` cut where one asset's steps end and another's begin.
fn split(range: &Range<usize>, asset_of: &[usize], plan: &Plan) -> Vec<Range<usize>> {
    let mut cut = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let asset = asset_of.get(start).and_then(|asset| plan.assets.get(*asset));
        let end = asset.map_or(range.end, |asset| asset.steps.end.min(range.end)).max(start + 1);
        cut.push(start..end);
        start = end;
    }
    cut
}

fn push(lists: &mut [Vec<usize>], place: usize, item: usize) {
    if let Some(list) = lists.get_mut(place) {
        list.push(item);
    }
}

impl<'a> Schedule<'a> {
    fn new(run: &'a RunContext<'a>, plan: &Plan, steps: &'a [ReadyStep<'a>]) -> Self {
        let (dependencies, waits_for) = Dependencies::new(plan);
        let is_ready = |(place, count): (usize, &usize)| (*count == 0).then_some(place);
        let ready = waits_for.iter().enumerate().filter_map(is_ready).collect();
        let results = steps.iter().map(|_| None).collect();
        let of_asset = plan.assets.iter().map(|asset| AssetState { left: asset.steps.len(), unsuccessful: None });
        let assets = of_asset.collect();
        let state = State { waits_for, ready, results, left: steps.len(), assets, event_log_error: None };
        Self { run, steps, dependencies, state: Mutex::new(state), changed: Condvar::new() }
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
        let result = |place: &usize| state.results.get(*place)?.as_ref();
        let unsuccessful = |upstream: &Upstream| match upstream {
            Upstream::Steps(range) => range.clone().find(|place| is_unsuccessful(result(place))),
            Upstream::Asset(asset) => state.assets.get(*asset)?.unsuccessful,
        };
        let needed = self.dependencies.upstream.get(place).into_iter().flatten();
        let ended: Vec<&StepResult> = needed.filter_map(unsuccessful).filter_map(|place| result(&place)).collect();
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
        let state = &mut *state;
        state.event_log_error = state.event_log_error.take().or(error);
        let failed = is_unsuccessful(Some(&result));
        if let Some(slot) = state.results.get_mut(place) {
            *slot = Some(result);
        }
        state.left -= 1;
        let asset = self.dependencies.asset_of.get(place).copied().unwrap_or_default();
        let mut of_asset: &[usize] = &[];
        if let Some(ended) = state.assets.get_mut(asset) {
            if failed {
                ended.unsuccessful = Some(ended.unsuccessful.map_or(place, |first| first.min(place)));
            }
            ended.left = ended.left.saturating_sub(1);
            if ended.left == 0 {
                of_asset = self.dependencies.downstream_of_asset.get(asset).map_or(&[], Vec::as_slice);
            }
        }
        for other in self.dependencies.downstream.get(place).into_iter().flatten().chain(of_asset) {
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

fn is_unsuccessful(result: Option<&StepResult>) -> bool {
    result.is_some_and(|result| result.status != StepStatus::Succeeded)
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
