//! Which partitions of an upstream asset a partition of a downstream asset loads.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::offsets::Offsets;
use super::select;
use super::selected::Selected;
use super::set::PartitionSet;

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
    /// Those that have in each dimension one of those that are loaded there; at least one of both sides has several.
    Dimensions(Vec<DimensionMapping>),
}

/// What is loaded of one dimension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DimensionMapping {
    /// The dimension of the partitions that are loaded; absent where these have only one.
    pub upstream: Option<String>,
    /// The dimension of the partition that loads which decides it; absent where that has only one, or none decides.
    pub downstream: Option<String>,
    /// Which partitions, between these two.
    pub mapping: PartitionMapping,
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
    pub(super) fn as_slice(&self) -> &[String] {
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
    /// The name of the upstream partitions, or of their dimension.
    pub upstream: String,
    /// What it needs, in words.
    pub needs: Cow<'static, str>,
    /// The first and the last upstream key that there are: `"a" to "b"`.
    pub there: Option<String>,
}

/// A partition of a downstream asset.
type Downstream<'a> = (&'a PartitionSet, usize);

impl PartitionMapping {
    /// The partitions of `upstream` that a partition of `downstream` loads, or an asset without partitions.
    ///
    /// # Errors
    /// [`MappingError`] where it needs a partition that is not there.
    pub fn upstream(
        &self,
        downstream: Option<Downstream<'_>>,
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
            (Self::Dimensions(dimensions), _) => {
                let of = |set: &PartitionSet| {
                    let Some(of) = dimensions.iter().find(|of| of.is_of(set)) else {
                        return Ok(Selected::all(set.len()));
                    };
                    of.mapping.upstream(of.downstream(downstream), set)
                };
                let selected: Result<Vec<_>, _> = upstream.dimensions().iter().map(of).collect();
                let whole = |error| MappingError { who: who(downstream), ..error };
                Ok(upstream.combined(&selected.map_err(whole)?))
            }
            (Self::Static(loaded), Some((set, index))) => {
                let keys = set.key(index).and_then(|key| loaded.get(&*key));
                keys.map_or_else(|| Ok(Selected::default()), named)
            }
            (Self::All, _) | (_, None) => Ok(Selected::all(upstream.len())),
            (Self::Identity, Some((set, index))) => {
                let key = set.key(index).unwrap_or_default();
                let found = upstream.index(&key).map(|index| Selected::of_indices([index]));
                found.ok_or_else(|| missing("the same one".into()))
            }
            (Self::TimeWindow { start_offset, end_offset }, Some((set, index))) => {
                let offsets = Offsets { start: *start_offset, end: *end_offset };
                let (Some(ours), Some(theirs)) = (set.windows(), upstream.windows()) else {
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
            Self::Dimensions(dimensions) => {
                let groups = upstream.groups(selected);
                let affected = groups.iter().map(|group| of_group(dimensions, upstream, group, downstream));
                Selected::of_ranges(affected.flat_map(|affected| affected.ranges().to_vec()))
            }
            Self::Identity => {
                let mut guess = 0;
                Selected::of_indices(selected.iter().filter_map(|index| {
                    let key = upstream.key(index)?;
                    // Where both have their keys in the same order, the next one is next.
                    let found = Some(guess).filter(|guess| downstream.key(*guess).is_some_and(|found| found == key));
                    let found = found.or_else(|| downstream.index(&key))?;
                    guess = found.saturating_add(1);
                    Some(found)
                }))
            }
            Self::TimeWindow { start_offset, end_offset } => {
                let offsets = Offsets { start: *start_offset, end: *end_offset };
                match (downstream.windows(), upstream.windows()) {
                    (Some(ours), Some(theirs)) => offsets.downstream(theirs, selected, ours),
                    _ => Selected::default(),
                }
            }
        }
    }
}

impl DimensionMapping {
    /// Whether it says what is loaded of `dimension`, one of the upstream partitions.
    fn is_of(&self, dimension: &PartitionSet) -> bool {
        self.upstream.as_deref().is_none_or(|name| name == dimension.name())
    }

    /// Whether `dimension`, one of the downstream partitions, decides it.
    fn follows(&self, dimension: &PartitionSet) -> bool {
        self.downstream.as_deref().is_none_or(|name| name == dimension.name())
    }

    /// The partition of the dimension that decides it, of the partition that loads.
    fn downstream<'a>(&self, downstream: Option<Downstream<'a>>) -> Option<Downstream<'a>> {
        let (set, index) = downstream?;
        let mut dimensions = set.dimensions().iter().zip(set.places(index));
        dimensions.find(|(dimension, _)| self.follows(dimension))
    }
}

/// The partitions of `downstream` that load any of the `group` of `upstream`: each that in every dimension loads some of it.
fn of_group(
    dimensions: &[DimensionMapping],
    upstream: &PartitionSet,
    group: &[Selected],
    downstream: &PartitionSet,
) -> Selected {
    let mut affected: Vec<Selected> = downstream.dimensions().iter().map(|set| Selected::all(set.len())).collect();
    for (theirs, selected) in upstream.dimensions().iter().zip(group) {
        let Some(of) = dimensions.iter().find(|of| of.is_of(theirs)) else { continue };
        let ours = downstream.dimensions().iter().zip(&mut affected).find(|(ours, _)| of.follows(ours));
        if let Some((ours, affected)) = ours {
            *affected = affected.intersect(&of.mapping.downstream(theirs, selected, ours));
        }
    }
    downstream.combined(&affected)
}

fn who(downstream: Option<Downstream<'_>>) -> String {
    downstream.map_or_else(
        || "it".to_owned(),
        |(set, index)| format!("the partition {:?} of `{}`", set.key(index).unwrap_or_default(), set.name()),
    )
}

fn missing(downstream: Option<Downstream<'_>>, upstream: &PartitionSet, needs: Cow<'static, str>) -> MappingError {
    let key = |index: usize| upstream.key(index).unwrap_or_default();
    let last = upstream.len().checked_sub(1);
    MappingError {
        who: who(downstream),
        upstream: upstream.name().to_owned(),
        needs,
        there: last.map(|last| select::range(&key(0), &key(last))),
    }
}
