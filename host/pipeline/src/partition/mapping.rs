//! Which partitions of an upstream asset a partition of a downstream asset loads.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use serde::Serialize;

use super::selected::Selected;
use super::set::{self, PartitionSet};
use super::windows::Windows;
use super::{PARTITIONS, PartitionsDefinition};

/// Which partitions of an upstream asset a partition of a downstream asset loads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionMapping {
    /// The partition that has the same key.
    Identity,
    /// All of them.
    All,
    /// Those whose windows overlap that from the start of one downstream partition to the end of another, counted
    /// from the one that loads: -1 is the one before it. They need not be there: less is loaded at the first and last
    /// upstream partitions.
    TimeWindow {
        /// To the partition with whose start the window starts.
        start_offset: i64,
        /// To the partition with whose end the window ends.
        end_offset: i64,
    },
    /// The last of them.
    Last,
    /// These, whichever partition loads.
    Specific(MappedKeys),
    /// By the key of the partition that loads, those that it loads.
    Static(BTreeMap<String, MappedKeys>),
}

/// Partitions by their keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum MappedKeys {
    /// One, which is loaded as one value where nothing beside it is loaded as parts.
    One(String),
    /// Any number, which are loaded as parts.
    Many(Vec<String>),
}

impl MappedKeys {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(key) => std::slice::from_ref(key),
            Self::Many(keys) => keys,
        }
    }

    /// Those of `set` that have these keys; the first key that none has is an error.
    fn of<'a>(&'a self, set: &PartitionSet) -> Result<Selected, &'a str> {
        let places = self.as_slice().iter().map(|key| set.index(key).ok_or(key.as_str()));
        Ok(Selected::of_indices(places.collect::<Result<Vec<_>, _>>()?))
    }

    /// What is wrong with them where they are to be some of `known`; which partitions of time there are is only known when
    /// a run starts.
    fn check(&self, known: Option<&HashSet<&str>>) -> Result<(), String> {
        let mut keys = HashSet::new();
        for key in self.as_slice() {
            if !keys.insert(key) {
                return Err(format!("{key:?} is listed twice"));
            }
            if known.is_some_and(|known| !known.contains(key.as_str())) {
                return Err(format!("{key:?} is no partition of the asset that is loaded"));
            }
        }
        Ok(())
    }
}

/// An upstream partition that a downstream partition needs and that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{who} needs {needs} of `{upstream}`, {}",
    there.as_ref().map_or("which has no partitions yet".to_owned(), |there| format!("whose partitions are {there}"))
)]
pub struct MappingError {
    /// Who needs it, in words: the downstream partition.
    pub who: String,
    /// The name of the upstream partitions.
    pub upstream: String,
    /// What it needs, in words.
    pub needs: Cow<'static, str>,
    /// The first and the last upstream key that there are: `"a" to "b"`.
    pub there: Option<String>,
}

impl PartitionMapping {
    /// The mapping between these two where the definitions name none.
    pub fn inferred(downstream: Option<&PartitionsDefinition>, upstream: Option<&PartitionsDefinition>) -> Self {
        match (downstream, upstream) {
            (Some(PartitionsDefinition::Time(_)), Some(PartitionsDefinition::Time(_))) => {
                Self::TimeWindow { start_offset: 0, end_offset: 0 }
            }
            (Some(_), Some(_)) => Self::Identity,
            _ => Self::All,
        }
    }

    /// The offsets of the first and the last partition that it loads, where all begin before the one that loads and both are
    /// of the same windows; so an asset may load itself.
    pub fn earlier(&self) -> Option<(i64, i64)> {
        match self {
            Self::TimeWindow { start_offset, end_offset: end_offset @ ..0 } => Some((*start_offset, *end_offset)),
            _ => None,
        }
    }

    /// Whether it makes sense between these two.
    ///
    /// # Errors
    /// Why not, in words that stand alone.
    pub fn check(
        &self,
        downstream: Option<&PartitionsDefinition>,
        upstream: Option<&PartitionsDefinition>,
    ) -> Result<(), String> {
        let side = match (downstream, upstream) {
            (None, _) => Some("the asset that loads"),
            (_, None) => Some("the asset that is loaded"),
            _ => None,
        };
        match (self, side) {
            (Self::All, _) | (Self::Identity, None) => Ok(()),
            (Self::Last | Self::Specific(_), _) => {
                let name = if *self == Self::Last { "last" } else { "specific" };
                let none = || format!("`{name}` is of partitions, and the asset that is loaded has none");
                let upstream = upstream.ok_or_else(none)?;
                let Self::Specific(keys) = self else { return Ok(()) };
                keys.check(listed(upstream).as_ref()).map_err(|reason| format!("`specific`: {reason}"))
            }
            (Self::Static(loaded), _) => {
                let (Some(ours), theirs @ Some(_)) = (downstream.and_then(listed), upstream.and_then(listed)) else {
                    return Err("`static` is between partitions that are listed".to_owned());
                };
                if let Some(key) = loaded.keys().find(|key| !ours.contains(key.as_str())) {
                    return Err(format!("`static`: {key:?} is no partition of the asset that loads"));
                }
                if let Some(key) = ours.iter().filter(|key| !loaded.contains_key(**key)).min() {
                    return Err(format!(
                        "`static` does not say what {key:?} loads; where that is nothing, write `{key:?} = []`"
                    ));
                }
                let mut keys = loaded.values();
                let checked = keys.try_for_each(|keys| keys.check(theirs.as_ref()));
                checked.map_err(|reason| format!("`static`: {reason}"))
            }
            (Self::Identity, Some(side)) => Err(format!("`identity` is between partitions, and {side} has none")),
            (Self::TimeWindow { .. }, Some(side)) => {
                Err(format!("`time_window` is between partitions of time, and {side} has none"))
            }
            (Self::TimeWindow { start_offset, end_offset }, None) => {
                let static_side = [("loads", downstream), ("is loaded", upstream)]
                    .into_iter()
                    .find(|(_, definition)| definition.and_then(PartitionsDefinition::time).is_none());
                if let Some((side, _)) = static_side {
                    Err(format!(
                        "`time_window` is between partitions of time, and those of the asset that {side} are not"
                    ))
                } else if [start_offset, end_offset].iter().any(|offset| offset.unsigned_abs() > OFFSET) {
                    Err(format!("an offset is -{OFFSET} to {OFFSET} partitions"))
                } else if start_offset > end_offset {
                    Err(format!(
                        "`start_offset` ({start_offset}) is after `end_offset` ({end_offset}), so nothing would be loaded"
                    ))
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Whether it can yield several partitions; what it yields is then a list, even of one or none.
    pub fn is_many(&self, downstream: Option<&PartitionsDefinition>, upstream: Option<&PartitionsDefinition>) -> bool {
        match self {
            Self::Identity | Self::Last | Self::Specific(MappedKeys::One(_)) => false,
            Self::Static(loaded) => loaded.values().any(|keys| matches!(keys, MappedKeys::Many(_))),
            Self::All => upstream.is_some(),
            Self::TimeWindow { start_offset, end_offset } if start_offset == end_offset => match (downstream, upstream)
            {
                (Some(PartitionsDefinition::Time(downstream)), Some(PartitionsDefinition::Time(upstream))) => {
                    !downstream.calendar.has_windows_of(&upstream.calendar)
                }
                _ => true,
            },
            Self::TimeWindow { .. } | Self::Specific(MappedKeys::Many(_)) => true,
        }
    }

    /// The partitions of `upstream` that a partition of `downstream` loads, or an asset without partitions.
    ///
    /// # Errors
    /// [`MappingError`] where it needs a partition that is not there.
    pub fn upstream(
        &self,
        downstream: Option<(&PartitionSet, usize)>,
        upstream: &PartitionSet,
    ) -> Result<Selected, MappingError> {
        let missing = |needs: Cow<'static, str>| missing(downstream, upstream, needs);
        let named =
            |keys: &MappedKeys| keys.of(upstream).map_err(|key| missing(format!("the partition {key:?}").into()));
        match (self, downstream) {
            (Self::Last, _) => match upstream.len().checked_sub(1) {
                Some(last) => Ok(Selected::of_indices([last])),
                None => Err(missing("the last one".into())),
            },
            (Self::Specific(keys), _) => named(keys),
            (Self::Static(loaded), Some((set, index))) => {
                set.key(index).and_then(|key| loaded.get(key)).map_or_else(|| Ok(Selected::default()), named)
            }
            (Self::All, _) | (_, None) => Ok(Selected::all(upstream.len())),
            (Self::Identity, Some((set, index))) => {
                let key = set.key(index).unwrap_or_default();
                let found = upstream.index(key).map(|index| Selected::of_indices([index]));
                found.ok_or_else(|| missing("the same one".into()))
            }
            (Self::TimeWindow { start_offset, end_offset }, Some((set, index))) => {
                let offsets = Offsets { start: *start_offset, end: *end_offset };
                let (Some(ours), Some(theirs)) = (&set.windows, &upstream.windows) else {
                    return Err(missing("a window of time".into()));
                };
                offsets.upstream(ours, index, theirs).ok_or_else(|| missing("all of its window".into()))
            }
        }
    }

    /// The partitions of `downstream` that load any of `selected` of `upstream`; not those that lack a partition that
    /// they need.
    pub fn downstream(&self, upstream: &PartitionSet, selected: &Selected, downstream: &PartitionSet) -> Selected {
        let loads = |needed: &Selected| !needed.intersect(selected).is_empty();
        match self {
            Self::All if selected.is_empty() => Selected::default(),
            Self::All => Selected::all(downstream.len()),
            Self::Last | Self::Specific(_) => match self.upstream(None, upstream) {
                Ok(needed) if loads(&needed) => Selected::all(downstream.len()),
                _ => Selected::default(),
            },
            Self::Static(loaded) => {
                let affected = loaded.iter().filter(|(_, keys)| keys.of(upstream).is_ok_and(|needed| loads(&needed)));
                Selected::of_indices(affected.filter_map(|(key, _)| downstream.index(key)))
            }
            Self::Identity => {
                let mut guess = 0;
                Selected::of_indices(selected.iter().filter_map(|index| {
                    let key = upstream.key(index)?;
                    // Where both have their keys in the same order, the next one is next.
                    let found = Some(guess).filter(|guess| downstream.key(*guess) == Some(key));
                    let found = found.or_else(|| downstream.index(key))?;
                    guess = found.saturating_add(1);
                    Some(found)
                }))
            }
            Self::TimeWindow { start_offset, end_offset } => {
                let offsets = Offsets { start: *start_offset, end: *end_offset };
                match (&downstream.windows, &upstream.windows) {
                    (Some(ours), Some(theirs)) => offsets.downstream(theirs, selected, ours),
                    _ => Selected::default(),
                }
            }
        }
    }
}

/// The keys of partitions that are listed.
fn listed(partitions: &PartitionsDefinition) -> Option<HashSet<&str>> {
    match partitions {
        PartitionsDefinition::Static(keys) => Some(keys.iter().map(String::as_str).collect()),
        PartitionsDefinition::Time(_) => None,
    }
}

/// How far an offset leads, in partitions: as far as there can be any.
const OFFSET: u64 = PARTITIONS as u64;

fn missing(
    downstream: Option<(&PartitionSet, usize)>,
    upstream: &PartitionSet,
    needs: Cow<'static, str>,
) -> MappingError {
    let key = |index: usize| upstream.key(index).unwrap_or_default();
    let last = upstream.len().checked_sub(1);
    let who = |(set, index): (&PartitionSet, usize)| {
        format!("the partition {:?} of `{}`", set.key(index).unwrap_or_default(), set.dimension())
    };
    MappingError {
        who: downstream.map_or_else(|| "it".to_owned(), who),
        upstream: upstream.dimension().to_owned(),
        needs,
        there: last.map(|last| set::range(key(0), key(last))),
    }
}

/// The offsets of a mapping by windows.
#[derive(Clone, Copy)]
struct Offsets {
    start: i64,
    end: i64,
}

impl Offsets {
    /// What the downstream partition `index` loads; none where its own window is not covered.
    fn upstream(self, downstream: &Windows, index: usize, upstream: &Windows) -> Option<Selected> {
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
    fn downstream(self, upstream: &Windows, selected: &Selected, downstream: &Windows) -> Selected {
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
