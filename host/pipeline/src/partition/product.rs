//! The partitions of several dimensions: one for each combination of theirs.

use std::collections::HashMap;
use std::ops::Range;

use super::keys::SEPARATOR;
use super::selected::Selected;
use super::set::PartitionSet;

/// The combinations of the partitions of several dimensions. None of them is kept: what is asked of one is made of the
/// dimensions.
#[derive(Debug)]
pub(super) struct Product {
    /// In the order of their definition; the partitions of the last one follow one another.
    dimensions: Vec<PartitionSet>,
    /// The places of the dimensions in the order of their names, in which a key has theirs.
    by_name: Vec<usize>,
    len: usize,
}

impl Product {
    pub fn new(dimensions: Vec<PartitionSet>) -> Self {
        let mut by_name: Vec<usize> = (0..dimensions.len()).collect();
        by_name.sort_by_key(|place| dimensions.get(*place).map(PartitionSet::name));
        let len = dimensions.iter().map(PartitionSet::len).fold(1, usize::saturating_mul);
        Self { dimensions, by_name, len }
    }

    pub fn dimensions(&self) -> &[PartitionSet] {
        &self.dimensions
    }

    /// How many there are; more than memory can hold count as the largest number.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The place of the partition `index` in each dimension.
    pub fn places(&self, mut index: usize) -> Vec<usize> {
        let mut places = vec![0; self.dimensions.len()];
        for (place, dimension) in places.iter_mut().zip(&self.dimensions).rev() {
            let len = dimension.len().max(1);
            (*place, index) = (index % len, index / len);
        }
        places
    }

    /// The names of the dimensions and the keys that the partition `index` has in them, in the order of the names.
    pub fn keys(&self, index: usize) -> Vec<(&str, &str)> {
        if index >= self.len {
            return Vec::new();
        }
        let places = self.places(index);
        let key = |dimension: &usize| {
            let (set, place) = (self.dimensions.get(*dimension)?, places.get(*dimension)?);
            set.dimension_keys(*place).pop()
        };
        self.by_name.iter().filter_map(key).collect()
    }

    pub fn key(&self, index: usize) -> Option<String> {
        let keys = self.keys(index);
        let keys: Vec<&str> = keys.iter().map(|(_, key)| *key).collect();
        (!keys.is_empty()).then(|| joined(&keys))
    }

    pub fn find(&self, key: &str) -> Option<usize> {
        let places: Option<Vec<usize>> = self.parts(key)?.iter().map(|(set, key)| set.index(key)).collect();
        places.map(|places| self.at(&places))
    }

    /// The partition that has these places in the dimensions.
    pub fn at(&self, places: &[usize]) -> usize {
        places.iter().zip(&self.dimensions).fold(0, |index, (place, set)| index * set.len() + place)
    }

    /// The dimensions, in the order of their definition, with what `text` says of each; none where it does not say as much.
    pub fn parts<'a>(&self, text: &'a str) -> Option<Vec<(&PartitionSet, &'a str)>> {
        let parts: Vec<&str> = text.split(SEPARATOR).collect();
        let mut of = vec![""; self.dimensions.len()];
        for (place, part) in self.by_name.iter().zip(&parts) {
            if let Some(slot) = of.get_mut(*place) {
                *slot = part;
            }
        }
        (parts.len() == of.len()).then(|| self.dimensions.iter().zip(of).collect())
    }

    /// What each dimension has, in the order of their definition, as a key has it.
    pub fn written(&self, of: &[String]) -> String {
        let parts: Vec<&str> = self.by_name.iter().filter_map(|place| of.get(*place)).map(String::as_str).collect();
        joined(&parts)
    }

    /// The names of the dimensions as a key has them.
    pub fn names(&self) -> Vec<&str> {
        self.by_name.iter().filter_map(|place| self.dimensions.get(*place)).map(PartitionSet::name).collect()
    }

    /// The partitions that have in each dimension one of those that are selected there.
    pub fn combined(&self, selected: &[Selected]) -> Selected {
        // Of the dimensions so far, which are the last ones; and how many combinations of them there are.
        let (mut ranges, mut len): (Vec<Range<usize>>, usize) = (std::iter::once(0..1).collect(), 1);
        for (dimension, selected) in self.dimensions.iter().zip(selected).rev() {
            let is_whole = matches!(ranges.as_slice(), [range] if range.len() == len);
            ranges = if is_whole {
                selected.ranges().iter().map(|range| range.start * len..range.end * len).collect()
            } else {
                let at = |place| ranges.iter().map(move |range| place * len + range.start..place * len + range.end);
                selected.iter().flat_map(at).collect()
            };
            len = len.saturating_mul(dimension.len());
        }
        Selected::of_ranges(ranges)
    }

    /// What `selected` consists of: groups that have in each dimension one of those that are selected there, and of
    /// which no two have a partition in common.
    pub fn groups(&self, selected: &Selected) -> Vec<Vec<Selected>> {
        let lens: Vec<usize> = self.dimensions.iter().map(PartitionSet::len).collect();
        groups(lens.get(1..).unwrap_or_default(), selected)
    }
}

fn joined(parts: &[&str]) -> String {
    parts.join(SEPARATOR.encode_utf8(&mut [0; 4]))
}

/// The groups of `selected`; `later` are the lengths of all dimensions but the first.
fn groups(later: &[usize], selected: &Selected) -> Vec<Vec<Selected>> {
    if selected.is_empty() {
        return Vec::new();
    }
    let Some((_, after)) = later.split_first() else { return vec![vec![selected.clone()]] };
    let row: usize = later.iter().product();
    let mut of_rows: HashMap<Selected, Vec<Range<usize>>> = HashMap::new();
    let mut order: Vec<Selected> = Vec::new();
    for (rows, of_row) in rows(row, selected) {
        let known = of_rows.entry(of_row);
        if let std::collections::hash_map::Entry::Vacant(new) = &known {
            order.push(new.key().clone());
        }
        known.or_default().push(rows);
    }
    let group = |of_row: &Selected| {
        let rows = Selected::of_ranges(of_rows.get(of_row).into_iter().flatten().cloned());
        let with_rows = move |group: Vec<Selected>| std::iter::once(rows.clone()).chain(group).collect();
        groups(after, of_row).into_iter().map(with_rows).collect::<Vec<_>>()
    };
    order.iter().flat_map(group).collect()
}

/// The rows of `row` partitions that hold some of `selected`, with what they hold; rows that are full may be together.
fn rows(row: usize, selected: &Selected) -> Vec<(Range<usize>, Selected)> {
    let mut found: Vec<(Range<usize>, Vec<Range<usize>>)> = Vec::new();
    for range in selected.ranges() {
        let mut start = range.start;
        while start < range.end {
            let first = start / row;
            let (rows, end) = if start == first * row && range.end - start >= row {
                let last = range.end / row;
                (first..last, last * row)
            } else {
                (first..first + 1, range.end.min((first + 1) * row))
            };
            let of_row = start - first * row..(end - first * row).min(row);
            match found.last_mut() {
                Some((last, ranges)) if last.start == first => ranges.push(of_row),
                _ => found.push((rows, vec![of_row])),
            }
            start = end;
        }
    }
    found.into_iter().map(|(rows, ranges)| (rows, Selected::of_ranges(ranges))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(name: &str, count: usize) -> PartitionSet {
        let keys: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        PartitionSet::of_keys(name, &keys)
    }

    /// Three dimensions that are defined in another order than that of their names.
    fn product(lens: [usize; 3]) -> Product {
        let [b, c, a] = lens;
        Product::new(vec![numbers("b", b), numbers("c", c), numbers("a", a)])
    }

    #[test]
    fn the_last_dimension_changes_first_and_a_key_has_them_by_name() {
        let product = product([2, 1, 3]);
        let keys: Vec<String> = (0..product.len()).filter_map(|index| product.key(index)).collect();
        assert_eq!(keys, ["0|0|0", "1|0|0", "2|0|0", "0|1|0", "1|1|0", "2|1|0"]);
        assert_eq!(product.keys(5), [("a", "2"), ("b", "1"), ("c", "0")]);
        assert_eq!((product.key(6), product.find("3|0|0"), product.find("0|0")), (None, None, None));
    }

    #[test]
    fn rows_that_are_alike_are_one_group() {
        let product = product([4, 1, 3]);
        let selected = Selected::of_indices([0, 1, 2, 4, 6, 7, 8, 10]);
        let of = |indices: &[usize]| Selected::of_indices(indices.iter().copied());
        let expected = [[of(&[0, 2]), of(&[0]), of(&[0, 1, 2])], [of(&[1, 3]), of(&[0]), of(&[1])]];
        assert_eq!(product.groups(&selected), expected);
    }

    #[test]
    fn where_a_dimension_is_empty_there_are_none() {
        let product = product([2, 0, 3]);
        assert_eq!((product.len(), product.key(0), product.find("0|0|0")), (0, None, None));
        assert_eq!(product.combined(&[2, 0, 3].map(Selected::all)), Selected::default());
    }

    proptest! {
        #[test]
        fn a_partition_is_its_places_and_its_key(lens in [1_usize..5, 1_usize..5, 1_usize..5]) {
            let product = product(lens);
            for index in 0..product.len() {
                prop_assert_eq!(product.find(&product.key(index).unwrap()), Some(index));
                let only: Vec<Selected> =
                    product.places(index).into_iter().map(|place| Selected::of_indices([place])).collect();
                prop_assert_eq!(product.combined(&only), Selected::of_indices([index]));
            }
        }

        #[test]
        fn groups_are_apart_and_make_up_what_they_are_of(
            lens in [1_usize..5, 1_usize..5, 1_usize..5],
            picked: std::collections::BTreeSet<u8>,
        ) {
            let product = product(lens);
            let picked = picked.into_iter().map(usize::from).filter(|index| *index < product.len());
            let selected = Selected::of_indices(picked);
            let groups: Vec<Selected> =
                product.groups(&selected).iter().map(|group| product.combined(group)).collect();
            prop_assert_eq!(groups.iter().map(Selected::len).sum::<usize>(), selected.len());
            let together = groups.iter().fold(Selected::default(), |all, group| all.union(group));
            prop_assert_eq!(together, selected);
        }
    }
}
