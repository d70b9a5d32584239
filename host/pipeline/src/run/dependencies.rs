//! Which steps wait for which, however many they are.

use std::ops::Range;

use crate::plan::PlannedStep;

/// What each step waits for still.
///
/// Steps wait for ranges of others: a month for its days, and with rolling windows each of 100,000 hours for the 720 before
/// it, which are too many pairs. So ranges are cut into the blocks of a binary tree over all steps. A step waits for few
/// blocks, and the end of a step touches few.
pub(super) struct Dependencies {
    /// By place of a step, for how many blocks it waits.
    waits_for: Vec<usize>,
    /// The root is at 1; what is at `n` covers what is at `2n` and `2n + 1`; the second half are the steps.
    blocks: Vec<Block>,
}

#[derive(Clone, Default)]
struct Block {
    /// How many of its steps have not ended.
    left: usize,
    /// The first of its steps that did not succeed.
    unsuccessful: Option<usize>,
    /// The places of the steps that wait for all of it.
    waiting: Vec<usize>,
}

impl Dependencies {
    pub(super) fn new<'a>(steps: impl ExactSizeIterator<Item = &'a PlannedStep> + Clone) -> Self {
        let count = 2 * steps.len().next_power_of_two();
        let mut blocks = vec![Block::default(); count];
        for place in 0..steps.len() {
            for block in around(place, count) {
                update(&mut blocks, block, |block| block.left += 1);
            }
        }
        let mut waits_for = Vec::with_capacity(steps.len());
        for (place, step) in steps.enumerate() {
            let after: Vec<usize> = step.after.iter().flat_map(|range| cut(range, count)).collect();
            waits_for.push(after.len());
            for block in after {
                update(&mut blocks, block, |block| block.waiting.push(place));
            }
        }
        Self { waits_for, blocks }
    }

    /// How many steps there are.
    pub(super) fn len(&self) -> usize {
        self.waits_for.len()
    }

    /// The places of the steps that wait for nothing.
    pub(super) fn ready(&self) -> impl Iterator<Item = usize> {
        self.waits_for.iter().enumerate().filter_map(|(place, count)| (*count == 0).then_some(place))
    }

    /// Takes note of the end of the step at `place`, and gives the places of those that now wait for nothing.
    pub(super) fn end(&mut self, place: usize, succeeded: bool) -> Vec<usize> {
        let mut ready = Vec::new();
        for block in around(place, self.blocks.len()) {
            let Some(block) = self.blocks.get_mut(block) else { continue };
            block.left = block.left.saturating_sub(1);
            if !succeeded {
                block.unsuccessful = Some(block.unsuccessful.map_or(place, |first| first.min(place)));
            }
            if block.left > 0 {
                continue;
            }
            for waiting in std::mem::take(&mut block.waiting) {
                if let Some(count) = self.waits_for.get_mut(waiting) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push(waiting);
                    }
                }
            }
        }
        ready
    }

    /// Steps that `step` is after and that did not succeed, among them the first.
    pub(super) fn unsuccessful(&self, step: &PlannedStep) -> impl Iterator<Item = usize> {
        let blocks = step.after.iter().flat_map(|range| cut(range, self.blocks.len()));
        blocks.filter_map(|block| self.blocks.get(block)?.unsuccessful)
    }
}

fn update(blocks: &mut [Block], block: usize, change: impl FnOnce(&mut Block)) {
    if let Some(block) = blocks.get_mut(block) {
        change(block);
    }
}

/// The blocks that cover the step at `place`, where there are `count` blocks.
fn around(place: usize, count: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(count / 2 + place), |block| Some(block / 2)).take_while(|block| *block > 0)
}

/// The fewest blocks that cover `range`, in order, where there are `count`.
fn cut(range: &Range<usize>, count: usize) -> Vec<usize> {
    let (mut start, mut end) = (range.start + count / 2, range.end + count / 2);
    let (mut blocks, mut last) = (Vec::new(), Vec::new());
    while start < end {
        if start % 2 == 1 {
            blocks.push(start);
            start += 1;
        }
        if end % 2 == 1 {
            end -= 1;
            last.push(end);
        }
        (start, end) = (start / 2, end / 2);
    }
    blocks.extend(last.into_iter().rev());
    blocks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn steps(after: Vec<Vec<Range<usize>>>) -> Vec<PlannedStep> {
        let step = |(place, after): (usize, Vec<Range<usize>>)| PlannedStep {
            key: place.to_string(),
            name: "asset".into(),
            partitions: None,
            mapping_key: None,
            loads: Vec::new(),
            after,
        };
        after.into_iter().enumerate().map(step).collect()
    }

    #[test]
    fn a_step_is_ready_when_the_last_that_it_waits_for_ends() {
        let steps = steps(vec![vec![], vec![], vec![], vec![0..1, 2..3], vec![0..4]]);
        let mut dependencies = Dependencies::new(steps.iter());
        assert_eq!(dependencies.ready().collect::<Vec<_>>(), [0, 1, 2]);
        assert!(dependencies.end(2, true).is_empty());
        assert_eq!(dependencies.end(0, true), [3]);
        assert!(dependencies.end(3, true).is_empty());
        assert_eq!(dependencies.end(1, true), [4]);
    }

    #[test]
    fn what_did_not_succeed_is_told_to_those_that_wait_for_it_alone() {
        let steps = steps(vec![vec![], vec![], vec![], vec![0..3], vec![1..3]]);
        let mut dependencies = Dependencies::new(steps.iter());
        for (place, succeeded) in [(0, false), (1, true), (2, true)] {
            dependencies.end(place, succeeded);
        }
        assert_eq!(dependencies.unsuccessful(&steps[3]).collect::<Vec<_>>(), [0]);
        assert_eq!(dependencies.unsuccessful(&steps[4]).count(), 0);
    }

    #[test]
    fn rolling_windows_over_many_steps_are_few_blocks() {
        const STEPS: usize = 100_000;
        const WINDOW: usize = 720;
        let hours = (0..STEPS).map(|_| vec![]);
        let windows = (0..STEPS).map(|place| std::iter::once(place.saturating_sub(WINDOW)..place + 1).collect());
        let dependencies = Dependencies::new(steps(hours.chain(windows).collect()).iter());
        let waiting: usize = dependencies.blocks.iter().map(|block| block.waiting.len()).sum();
        assert!(waiting < 20 * STEPS, "{waiting}");
    }

    proptest! {
        #[test]
        fn a_range_is_cut_into_blocks_that_cover_its_steps_once(start in 0_usize..70, length in 0_usize..70) {
            let range = start..start + length;
            let count = 2 * 140_usize.next_power_of_two();
            let blocks = cut(&range, count);
            for place in 0..140 {
                let covering = around(place, count).filter(|block| blocks.contains(block)).count();
                prop_assert_eq!(covering, usize::from(range.contains(&place)));
            }
        }
    }
}
