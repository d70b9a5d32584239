//! What of an asset is stored; of its partitions which, in words and as a bar.

use std::borrow::Cow;
use std::collections::HashMap;

use airlock_pipeline::definitions::Asset;
use airlock_pipeline::partition::{PartitionSet, Selected};
use jiff::Timestamp;
use serde::Serialize;

use crate::arguments::IsolateArgument;
use crate::error::Error;
use crate::failure;
use crate::project::Project;
use crate::render::thousands;

/// Ranges of missing partitions that are listed.
const RANGES_SHOWN: usize = 10;

/// The partitions of an asset.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Partitions {
    /// The name of their definition.
    pub definition: String,
    /// How many there are.
    pub count: usize,
    /// How many are stored.
    pub stored: usize,
    /// The first key.
    pub first: Option<String>,
    /// The last key.
    pub last: Option<String>,
    /// The first of those that are not stored, each as a run takes them: one key, `A..B`, or of several dimensions one of
    /// these or `*` in each.
    pub missing: Vec<String>,
    /// Ranges that are not listed.
    pub missing_unlisted: usize,
    #[serde(skip)]
    present: Selected,
}

/// What of an asset is stored.
#[derive(Debug)]
pub struct Presence {
    /// Whether anything is; absent where that cannot be told.
    pub is_stored: Option<bool>,
    /// Which of its partitions, where it has some and that can be told.
    pub partitions: Option<Partitions>,
}

impl Presence {
    /// That of each of `assets`, at `now`, by the name of the asset.
    pub fn of<'a>(project: &Project, assets: &[&'a Asset], now: Timestamp) -> Result<HashMap<&'a str, Self>, Error> {
        let runner = project.runner(IsolateArgument::default())?;
        let sets = runner.partition_sets(now).map_err(failure::run)?;
        let present = runner.present(assets.iter().copied(), &sets).map_err(failure::run)?;
        let of = |(asset, present): (&&'a Asset, Option<Selected>)| {
            let is_stored = present.as_ref().map(|present| !present.is_empty());
            let partitions = sets.of(asset).zip(present).map(|(set, present)| Partitions::new(set, present));
            (&*asset.name, Self { is_stored, partitions })
        };
        Ok(assets.iter().zip(present).map(of).collect())
    }
}

impl Partitions {
    fn new(set: &PartitionSet, present: Selected) -> Self {
        let key = |place: usize| set.key(place).map(Cow::into_owned);
        let mut missing = set.named(&Selected::all(set.len()).without(&present));
        let missing_unlisted = missing.len().saturating_sub(RANGES_SHOWN);
        missing.truncate(RANGES_SHOWN);
        Self {
            definition: set.name().to_owned(),
            count: set.len(),
            stored: present.len(),
            first: key(0),
            last: set.len().checked_sub(1).and_then(key),
            missing,
            missing_unlisted,
            present,
        }
    }

    /// `1,460 of 1,461`
    pub fn counted(&self) -> String {
        format!("{} of {}", thousands(self.stored), thousands(self.count))
    }

    /// A bar of at most `width` cells, each of as many partitions: full where all of them are stored, shaded where some
    /// are, and a dot where none is.
    pub fn bar(&self, width: usize) -> String {
        let cells = width.min(self.count);
        let cell = |cell: usize| {
            // 128 bits, so that the product of two lengths cannot be too large.
            let bound = |cell: usize| {
                let place = (cell as u128 * self.count as u128) / cells as u128;
                usize::try_from(place).unwrap_or(self.count)
            };
            let range = bound(cell)..bound(cell + 1);
            let stored = self.present.intersect(&Selected::of_ranges([range.clone()])).len();
            match stored {
                0 => '·',
                stored if stored == range.len() => '█',
                _ => '▒',
            }
        };
        (0..cells).map(cell).collect()
    }
}

#[cfg(test)]
mod tests {
    use airlock_pipeline::partition::PartitionsDefinition;

    use super::*;

    fn partitions(count: usize, missing: &[usize]) -> Partitions {
        let keys = (0..count).map(|place| place.to_string()).collect();
        let set = PartitionsDefinition::Static(keys).partitions("numbers", Timestamp::UNIX_EPOCH);
        Partitions::new(&set, Selected::all(count).without(&Selected::of_indices(missing.iter().copied())))
    }

    #[test]
    fn one_missing_of_ten_thousand_is_seen() {
        let partitions = partitions(10_000, &[9_999]);
        assert_eq!(partitions.bar(10), "█████████▒");
        assert_eq!(partitions.counted(), "9,999 of 10,000");
        assert_eq!(partitions.missing, ["9999"]);
    }

    #[test]
    fn one_stored_of_ten_thousand_is_seen() {
        let missing: Vec<usize> = (1..10_000).collect();
        let partitions = partitions(10_000, &missing);
        assert_eq!(partitions.bar(10), "▒·········");
        assert_eq!(partitions.missing, ["1..9999"]);
    }

    #[test]
    fn a_bar_has_no_more_cells_than_partitions() {
        assert_eq!(partitions(3, &[1]).bar(20), "█·█");
        assert_eq!(partitions(0, &[]).bar(20), "");
        assert_eq!(partitions(3, &[]).bar(2), "██");
    }

    #[test]
    fn gaps_are_listed_as_far_as_a_person_reads_them() {
        let odd: Vec<usize> = (0..50).map(|place| place * 2).collect();
        let partitions = partitions(100, &odd);
        assert_eq!((partitions.missing.len(), partitions.missing_unlisted), (10, 40));
    }
}
