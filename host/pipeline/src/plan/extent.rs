//! Which partitions of the selected assets are computed.

use std::collections::HashMap;

use super::{Extent, PartitionSets, PlanError, PlanRequest, needs};
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
        let mut due = asked.without(stored.present.get(&asset.name).unwrap_or(&Selected::default()));
        // What a run left undone that failed half-way: its inputs are newer than it.
        due = due.union(&older(definitions, sets, asset, stored));
        if request.extent == Extent::Changed {
            due = due.union(stored.outdated.get(&asset.name).unwrap_or(&Selected::default()));
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
fn with_later(definitions: &Definitions, sets: &PartitionSets, asset: &Asset, mut due: Selected) -> Selected {
    let Some(set) = sets.of(asset) else { return due };
    for need in needs(definitions, asset).filter(|need| need.asset.name == asset.name) {
        let mut found = due.clone();
        while !found.is_empty() {
            found = need.mapping.downstream(set, &found, set).without(&due);
            due = due.union(&found);
        }
    }
    due
}

/// What of `asset` was stored before something that it depends on.
fn older(definitions: &Definitions, sets: &PartitionSets, asset: &Asset, stored: &Stored) -> Selected {
    let Some(own) = stored.events.get(&asset.name) else { return Selected::default() };
    let set = sets.of(asset);
    let mut due = Vec::new();
    for need in needs(definitions, asset) {
        let Some(events) = stored.events.get(&need.asset.name) else { continue };
        // Partitions that load the same ask once.
        let mut last: Option<(Selected, i64)> = None;
        for (place, event) in own {
            let needed = match sets.of(need.asset) {
                None => Selected::all(1),
                Some(upstream) => {
                    let own = set.map(|set| (&**set, *place));
                    // What does not exist is told when the plan is made.
                    need.mapping.upstream(own, upstream).unwrap_or_default()
                }
            };
            let newest = match last.take() {
                Some((of, newest)) if of == needed => newest,
                _ => needed.iter().filter_map(|place| events.get(&place)).max().copied().unwrap_or(0),
            };
            last = Some((needed, newest));
            if newest > *event {
                due.push(*place);
            }
        }
    }
    Selected::of_indices(due)
}
