//! Which windows of time load which, counted in partitions of the one that loads.

use std::ops::Range;

use super::selected::Selected;
use super::windows::Windows;

/// The offsets of a mapping by windows.
#[derive(Clone, Copy)]
pub(super) struct Offsets {
    /// To the partition with whose start the window starts.
    pub start: i64,
    /// To the partition with whose end the window ends.
    pub end: i64,
}

impl Offsets {
    /// What the downstream partition `index` loads; none where its own window is not covered.
    pub fn upstream(self, downstream: &Windows, index: usize, upstream: &Windows) -> Option<Selected> {
        let index = i64::try_from(index).ok()?;
        let (from, to) = (index.saturating_add(self.start), index.saturating_add(self.end).saturating_add(1));
        let boundaries = upstream.boundaries();
        let (first, last) = (boundaries.first().copied(), boundaries.last().copied());
        let reach = downstream.reach(from, to, first.zip(last));
        let (start, end) = (reach.boundary(from), reach.boundary(to));
        let is_covered = (self.start != 0 || first.is_some_and(|first| first <= start))
            && (self.end != 0 || last.is_some_and(|last| end <= last));
        let windows = boundaries.len().saturating_sub(1);
        let from = boundaries.partition_point(|boundary| *boundary <= start).saturating_sub(1);
        let to = boundaries.partition_point(|boundary| *boundary < end).min(windows);
        is_covered.then(|| Selected::of_ranges(std::iter::once(from..to)))
    }

    /// The downstream partitions that load any of `selected`.
    pub fn downstream(self, upstream: &Windows, selected: &Selected, downstream: &Windows) -> Selected {
        let (ours, theirs) = (downstream.boundaries(), upstream.boundaries());
        let (Some(first), Some(last)) = (theirs.first().copied(), theirs.last().copied()) else {
            return Selected::default();
        };
        let windows = ours.len().saturating_sub(1);
        // Those whose own window is covered.
        let from = if self.start == 0 { ours.partition_point(|boundary| *boundary < first) } else { 0 };
        let covered = ours.partition_point(|boundary| *boundary <= last).saturating_sub(1);
        let to = if self.end == 0 { covered } else { windows };
        let beyond = i64::try_from(windows).unwrap_or(i64::MAX).saturating_add(self.end);
        let reach = downstream.reach(self.start, beyond, Some((first, last)));
        let loads = |range: &Range<usize>| {
            let (start, end) = (*theirs.get(range.start)?, *theirs.get(range.end)?);
            // Those whose window ends after the start of the range, and starts before its end.
            let after = reach.count(|boundary| boundary <= start).saturating_sub(self.end).saturating_sub(1);
            let before = reach.count(|boundary| boundary < end).saturating_sub(self.start);
            let index = |place: i64| usize::try_from(place.max(0)).unwrap_or(usize::MAX);
            Some(index(after).max(from)..index(before).min(to))
        };
        Selected::of_ranges(selected.ranges().iter().filter_map(loads))
    }
}
