//! Which partitions of the selected assets are computed.

use std::collections::HashMap;
use std::ops::Range;

use super::{Extent, Need, PartitionSets, PlanError, PlanRequest, needs};
use crate::definitions::{Asset, Definitions};
use crate::partition::{PartitionError, Selected};

/// What is stored and recorded of assets, by name: of each partition by its place, of an asset without partitions as
/// that of the place 0.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// What is stored.
    pub present: HashMap<String, Selected>,
    /// What was computed by something else than would compute it now.
    pub outdated: HashMap<String, Selected>,
    /// The last event that says that it was stored; later events have greater numbers.
    pub events: HashMap<String, HashMap<usize, i64>>,
}

/// The partitions of each of `assets`, which are in order, that `request` asks for; of an asset without partitions the
/// place 0.
pub(super) fn choose(
    definitions: &Definitions,
    sets: &PartitionSets,
    assets: &[&Asset],
    request: &PlanRequest,
    stored: &Stored,
) -> Result<Vec<Selected>, PlanError> {
    let asked = asked(definitions, sets, assets, request)?;
    if request.extent == Extent::Everything {
        return Ok(asked);
    }
    let mut chosen: HashMap<&str, Selected> = HashMap::new();
    let mut list = Vec::new();
    for (asset, asked) in assets.iter().zip(asked) {
        let mut due = Selected::default();
        // What lacks one of those that are computed together lacks all of them.
        for asset in definitions.computed_with(asset) {
            due = due.union(&asked.without(stored.present.get(&asset.name).unwrap_or(&Selected::default())));
            // What a run left undone that failed half-way: its inputs are newer than it.
            due = due.union(&older(definitions, sets, asset, stored));
            if request.extent == Extent::Changed {
                due = due.union(stored.outdated.get(&asset.name).unwrap_or(&Selected::default()));
            }
        }
        due = due.union(&after(definitions, sets, asset, &chosen)).intersect(&asked);
        due = with_later(definitions, sets, asset, due).intersect(&asked);
        chosen.insert(&asset.name, due.clone());
        list.push(due);
    }
    Ok(list)
}

/// All that `request` asks for, stored or not.
fn asked(
    definitions: &Definitions,
    sets: &PartitionSets,
    assets: &[&Asset],
    request: &PlanRequest,
) -> Result<Vec<Selected>, PlanError> {
    let is_partitioned = |asset: &&&Asset| asset.partitions.is_some();
    let Some(text) = &request.partition else {
        let partitioned: Vec<String> = assets.iter().filter(is_partitioned).map(|asset| asset.name.clone()).collect();
        if request.extent == Extent::Everything && !partitioned.is_empty() {
            return Err(PlanError::PartitionNeeded { assets: partitioned });
        }
        return Ok(assets.iter().map(|asset| all(sets, asset)).collect());
    };
    if !assets.iter().any(|asset| asset.partitions.is_some()) {
        return Err(PlanError::NotPartitioned { partition: text.clone() });
    }
    let mut asked: HashMap<&str, Selected> = HashMap::new();
    let mut list = Vec::new();
    for asset in assets {
        let partitions = match sets.of(asset) {
            None => Selected::all(1),
            Some(set) => {
                let follows = needs(definitions, asset)
                    .any(|need| need.asset.partitions.is_some() && asked.contains_key(need.asset.name.as_str()));
                if follows {
                    after(definitions, sets, asset, &asked)
                } else {
                    let wrong =
                        |error: PartitionError| PlanError::Partition { asset: asset.name.clone(), error: error.into() };
                    set.select(text).map_err(wrong)?
                }
            }
        };
        if asset.partitions.is_some() {
            asked.insert(&asset.name, partitions.clone());
        }
        list.push(partitions);
    }
    Ok(list)
}

fn all(sets: &PartitionSets, asset: &Asset) -> Selected {
    Selected::all(sets.of(asset).map_or(1, |set| set.len()))
}

/// What of `asset` depends on what is `chosen` of other assets.
fn after(definitions: &Definitions, sets: &PartitionSets, asset: &Asset, chosen: &HashMap<&str, Selected>) -> Selected {
    let mut due = Selected::default();
    for need in needs(definitions, asset) {
        let Some(upstream) = chosen.get(need.asset.name.as_str()).filter(|chosen| !chosen.is_empty()) else { continue };
        let affected = match (sets.of(need.asset), sets.of(asset)) {
            (Some(of), Some(set)) => need.mapping.downstream(of, upstream, set),
            (Some(of), None) => match need.mapping.upstream(None, of) {
                Ok(needed) if !needed.intersect(upstream).is_empty() => all(sets, asset),
                _ => Selected::default(),
            },
            (None, _) => all(sets, asset),
        };
        due = due.union(&affected);
    }
    due
}

/// `due`, and what of `asset` depends on that where it loads earlier partitions of itself.
fn with_later(definitions: &Definitions, sets: &PartitionSets, asset: &Asset, due: Selected) -> Selected {
    let of_itself: Vec<_> = needs(definitions, asset).filter(|need| need.asset.name == asset.name).collect();
    let (Some(set), false) = (sets.of(asset), of_itself.is_empty()) else { return due };
    // By place, how many before it are due.
    let mut before = vec![0_usize];
    let mut places = Vec::new();
    for place in 0..set.len() {
        let count = |place: usize| before.get(place).or(before.last()).copied().unwrap_or(0);
        let loads_due = |need: &Need<'_>| {
            let needed = need.mapping.upstream(Some((set, place)), set).unwrap_or_default();
            needed.ranges().iter().any(|range| count(range.end) > count(range.start))
        };
        let is_due = due.contains(place) || of_itself.iter().any(loads_due);
        before.push(count(place) + usize::from(is_due));
        if is_due {
            places.push(place);
        }
    }
    Selected::of_indices(places)
}

/// What of `asset` was stored before something that it depends on.
fn older(definitions: &Definitions, sets: &PartitionSets, asset: &Asset, stored: &Stored) -> Selected {
    let Some(own) = stored.events.get(&asset.name) else { return Selected::default() };
    let set = sets.of(asset);
    let mut due = Vec::new();
    for need in needs(definitions, asset) {
        let Some(events) = stored.events.get(&need.asset.name) else { continue };
        let newest = Newest::new(events);
        for (place, event) in own {
            let needed = match sets.of(need.asset) {
                None => Selected::all(1),
                Some(upstream) => {
                    let own = set.map(|set| (&**set, *place));
                    // What does not exist is told when the plan is made.
                    need.mapping.upstream(own, upstream).unwrap_or_default()
                }
            };
            if needed.ranges().iter().any(|range| newest.within(range) > *event) {
                due.push(*place);
            }
        }
    }
    Selected::of_indices(due)
}

/// The newest event of any range of places, found at once however long it is.
struct Newest(Vec<Vec<i64>>);

impl Newest {
    fn new(events: &HashMap<usize, i64>) -> Self {
        let mut first = vec![0; events.keys().max().map_or(0, |last| last + 1)];
        for (place, event) in events {
            if let Some(slot) = first.get_mut(*place) {
                *slot = *event;
            }
        }
        // In each row what two neighbours of the one before have at most, so that a row is of twice as long ranges.
        let mut rows = vec![first];
        let mut length = 1;
        while let Some(row) = rows.last().filter(|row| row.len() > length) {
            let pairs = row.iter().zip(row.iter().skip(length));
            rows.push(pairs.map(|(a, b)| *a.max(b)).collect());
            length *= 2;
        }
        Self(rows)
    }

    /// That of `range`; 0 where there is none.
    fn within(&self, range: &Range<usize>) -> i64 {
        let end = range.end.min(self.0.first().map_or(0, Vec::len));
        let Some(power) = end.checked_sub(range.start).and_then(usize::checked_ilog2) else { return 0 };
        let row = usize::try_from(power).ok().and_then(|power| self.0.get(power));
        let at = |place: usize| row.and_then(|row| row.get(place)).copied().unwrap_or(0);
        at(range.start).max(at(end - (1 << power)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_event_of_every_range_is_found() {
        let events: HashMap<usize, i64> = [(0, 3), (1, 9), (3, 4), (4, 1), (6, 7)].into();
        let newest = Newest::new(&events);
        for start in 0..9 {
            for end in start..9 {
                let expected = (start..end).filter_map(|place| events.get(&place)).max().copied().unwrap_or(0);
                assert_eq!(newest.within(&(start..end)), expected, "{start}..{end}");
            }
        }
        assert_eq!(Newest::new(&HashMap::new()).within(&(0..1)), 0);
    }
}
