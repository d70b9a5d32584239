//! Which partitions of a set are meant.

use std::ops::Range;

/// Partitions of a set by their indices: sorted ranges that are not empty and do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selected(Vec<Range<usize>>);

impl Selected {
    /// All partitions of a set of `len`.
    pub fn all(len: usize) -> Self {
        Self::of_ranges(std::iter::once(0..len))
    }

    /// The partitions with `indices`, in any order.
    pub fn of_indices(indices: impl IntoIterator<Item = usize>) -> Self {
        Self::of_ranges(indices.into_iter().map(|index| index..index.saturating_add(1)))
    }

    /// The partitions in any of `ranges`, in any order.
    pub fn of_ranges(ranges: impl IntoIterator<Item = Range<usize>>) -> Self {
        let mut ranges: Vec<Range<usize>> = ranges.into_iter().filter(|range| !range.is_empty()).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        let mut joined: Vec<Range<usize>> = Vec::new();
        for range in ranges {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        Self(joined)
    }

    /// The ranges: sorted, none of them empty, and a gap between two.
    pub fn ranges(&self) -> &[Range<usize>] {
        &self.0
    }

    /// The indices, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().cloned().flatten()
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.0.iter().map(Range::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the partition `index` is among them.
    pub fn contains(&self, index: usize) -> bool {
        let after = self.0.partition_point(|range| range.end <= index);
        self.0.get(after).is_some_and(|range| range.contains(&index))
    }

    /// Those of both together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::of_ranges(self.0.iter().chain(&other.0).cloned())
    }

    /// Those that are in both.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(a), Some(b)) = (ours.peek(), theirs.peek()) {
            both.push(a.start.max(b.start)..a.end.min(b.end));
            if a.end < b.end {
                ours.next()
            } else {
                theirs.next()
            };
        }
        Self::of_ranges(both)
    }

    /// Those that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut others = other.0.iter().peekable();
        for range in &self.0 {
            let mut start = range.start;
            while let Some(gap) = others.peek().filter(|gap| gap.start < range.end) {
                left.push(start..gap.start.max(start));
                start = start.max(gap.end);
                if gap.end > range.end {
                    break;
                }
                others.next();
            }
            left.push(start..range.end);
        }
        Self::of_ranges(left)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_that_touch_are_one() {
        let selected = Selected::of_indices([5, 1, 2, 3, 1, 7]);
        assert_eq!(selected.ranges(), [1..4, 5..6, 7..8]);
        assert_eq!((selected.len(), selected.contains(3), selected.contains(4)), (5, true, false));
        assert!(Selected::all(0).is_empty());
        assert_eq!(Selected::all(3).iter().collect::<Vec<_>>(), [0, 1, 2]);
    }

    proptest! {
        #[test]
        fn they_are_sets(a: BTreeSet<u8>, b: BTreeSet<u8>) {
            let selected = |set: &BTreeSet<u8>| Selected::of_indices(set.iter().map(|index| usize::from(*index)));
            let (ours, theirs) = (selected(&a), selected(&b));
            prop_assert_eq!(ours.union(&theirs), selected(&(&a | &b)));
            prop_assert_eq!(ours.intersect(&theirs), selected(&(&a & &b)));
            prop_assert_eq!(ours.without(&theirs), selected(&(&a - &b)));
            prop_assert_eq!(ours.len(), a.len());
            prop_assert!((0..=255).all(|index: u8| ours.contains(index.into()) == a.contains(&index)));
        }
    }
}
