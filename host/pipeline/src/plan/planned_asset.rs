//! The steps of one asset in a plan: where each partition is computed.

use std::ops::Range;

use serde::Serialize;

use crate::definitions::Asset;
use crate::partition::Selected;

/// An asset that has steps; of those that are computed together the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedAsset {
    /// Its name.
    pub asset: String,
    /// The places of its steps in the plan.
    pub steps: Range<usize>,
    /// Which of its partitions are computed; absent where it has none.
    #[serde(skip)]
    pub partitions: Option<Selected>,
    /// How many of them a step computes at most.
    #[serde(skip)]
    pub(super) per_step: usize,
    /// By range of these, how many come before it that compute the asset.
    #[serde(skip)]
    offsets: Vec<usize>,
    /// Where each is that computes the asset, if it is made from a graph, whose other steps are among them.
    #[serde(skip)]
    last: Option<Vec<usize>>,
}

impl PlannedAsset {
    /// The steps of `asset` that compute `partitions`, from the place `first` on.
    pub(super) fn new(asset: &Asset, first: usize, partitions: &Selected) -> Self {
        let per_step = asset.partitions_per_step.unwrap_or(1).max(1);
        let mut before = 0;
        let mut offsets = Vec::new();
        for range in partitions.ranges() {
            offsets.push(before);
            before += range.len().div_ceil(per_step);
        }
        let partitions = asset.partitions.is_some().then(|| partitions.clone());
        let last = asset.graph.is_some().then(Vec::new);
        Self { asset: asset.name.clone(), steps: first..first + before, partitions, per_step, offsets, last }
    }

    /// Takes note that the last of `count` steps computes the asset, where it is made from a graph.
    pub(super) fn note(&mut self, count: usize) {
        if let Some(last) = &mut self.last {
            self.steps.end = count;
            last.push(count.saturating_sub(1));
        }
    }

    /// The place of the step that computes the asset, the `number`th of those that do.
    fn place(&self, number: usize) -> usize {
        match &self.last {
            // Those that are not planned yet are not there to be waited for.
            Some(last) => last.get(number).copied().unwrap_or(self.steps.start),
            None => self.steps.start + number,
        }
    }

    /// The places of the steps that compute the partitions `wanted`, or the only step of an asset without partitions.
    pub(super) fn places(&self, wanted: Option<&Selected>) -> Selected {
        let (Some(planned), Some(wanted)) = (&self.partitions, wanted) else {
            return Selected::of_ranges(std::iter::once(self.place(0)..self.steps.end));
        };
        // Steps follow one another without the gaps that the partitions may have.
        let mut places = Vec::new();
        for range in wanted.ranges() {
            let first = planned.ranges().partition_point(|planned| planned.end <= range.start);
            let overlapping = planned.ranges().iter().zip(&self.offsets).skip(first);
            for (planned, offset) in overlapping.take_while(|(planned, _)| planned.start < range.end) {
                let step = |place: usize| self.place(offset + (place - planned.start) / self.per_step);
                let (start, end) = (planned.start.max(range.start), planned.end.min(range.end));
                places.push(step(start)..step(end - 1) + 1);
            }
        }
        Selected::of_ranges(places)
    }
}
