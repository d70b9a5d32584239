//! Which mappings there can be between two definitions of partitions, and what follows from them.

use std::collections::{BTreeSet, HashSet};

use super::keys::SEPARATOR;
use super::mapping::{DimensionMapping, MappedKeys, PartitionMapping};
use super::{Dimension, PARTITIONS, PartitionsDefinition};

/// How far an offset leads, in partitions: as far as there can be any.
const OFFSET: u64 = PARTITIONS as u64;

impl PartitionMapping {
    /// The mapping between these two where the definitions name none.
    ///
    /// # Errors
    /// Why there is none, in words that stand alone: several dimensions have to be told apart.
    pub fn inferred(
        downstream: Option<&PartitionsDefinition>,
        upstream: Option<&PartitionsDefinition>,
    ) -> Result<Self, String> {
        match (downstream, upstream) {
            (Some(PartitionsDefinition::Time(_)), Some(PartitionsDefinition::Time(_))) => {
                Ok(Self::TimeWindow { start_offset: 0, end_offset: 0 })
            }
            (Some(ours), Some(theirs)) if ours != theirs => match (ours.dimensions(), theirs.dimensions()) {
                ([], []) => Ok(Self::Identity),
                ([], dimensions) => Self::of_one(ours, matching(dimensions, ours, ["is loaded", "loads"])?),
                (dimensions, []) => Self::by_one(matching(dimensions, theirs, ["loads", "is loaded"])?, theirs),
                (ours, theirs) => Self::of_same_dimensions(ours, theirs),
            },
            (Some(_), Some(_)) => Ok(Self::Identity),
            _ => Ok(Self::All),
        }
    }

    /// The mapping between partitions of several dimensions and others by their dimension `name`, where the definitions
    /// say no more.
    ///
    /// # Errors
    /// Why there is none, in words that stand alone.
    pub fn by_dimension(
        name: &str,
        downstream: Option<&PartitionsDefinition>,
        upstream: Option<&PartitionsDefinition>,
    ) -> Result<Self, String> {
        let (Some(ours), Some(theirs)) = (downstream, upstream) else {
            return Err("`dimension` is between partitions, and one of the two assets has none".to_owned());
        };
        let is_named = |dimension: &&Dimension| dimension.name == name;
        match (ours.dimensions(), theirs.dimensions()) {
            ([], []) => Err("`dimension` is of several dimensions, and neither of the two assets has any".to_owned()),
            ([], dimensions) => {
                let found = dimensions.iter().find(is_named);
                Self::of_one(ours, found.ok_or_else(|| no_dimension("is loaded", name, dimensions))?)
            }
            (dimensions, []) => {
                let found = dimensions.iter().find(is_named);
                Self::by_one(found.ok_or_else(|| no_dimension("loads", name, dimensions))?, theirs)
            }
            _ => Err("both assets have several dimensions: say by `dimensions` what is loaded of each".to_owned()),
        }
    }

    /// What `downstream` loads of the dimension `upstream`, and all of the others.
    fn of_one(downstream: &PartitionsDefinition, upstream: &Dimension) -> Result<Self, String> {
        let mapping = Self::inferred(Some(downstream), Some(&upstream.partitions))?;
        let upstream = Some(upstream.name.clone());
        Ok(Self::Dimensions(vec![DimensionMapping { upstream, downstream: None, mapping }]))
    }

    /// What the dimension `downstream` loads of `upstream`, whatever the others are.
    fn by_one(downstream: &Dimension, upstream: &PartitionsDefinition) -> Result<Self, String> {
        let mapping = Self::inferred(Some(&downstream.partitions), Some(upstream))?;
        let downstream = Some(downstream.name.clone());
        Ok(Self::Dimensions(vec![DimensionMapping { upstream: None, downstream, mapping }]))
    }

    fn of_same_dimensions(ours: &[Dimension], theirs: &[Dimension]) -> Result<Self, String> {
        let same = |theirs: &Dimension| {
            let ours = ours.iter().find(|ours| ours.name == theirs.name)?;
            let mapping = Self::inferred(Some(&ours.partitions), Some(&theirs.partitions)).ok()?;
            Some(DimensionMapping { upstream: Some(theirs.name.clone()), downstream: Some(ours.name.clone()), mapping })
        };
        let mappings: Option<Vec<_>> = theirs.iter().map(same).collect();
        let mappings = mappings.filter(|mappings| mappings.len() == ours.len()).ok_or_else(|| {
            let (ours, theirs) = (names(ours), names(theirs));
            format!("the asset that loads has the dimensions {ours}, and the asset that is loaded {theirs}")
        })?;
        Ok(Self::Dimensions(mappings))
    }

    /// Whether all that it loads comes before the partition that loads, in the order of partitions that are the same on
    /// both sides; so an asset may load itself.
    pub fn is_earlier(&self) -> bool {
        match self {
            Self::TimeWindow { end_offset, .. } => *end_offset < 0,
            Self::Dimensions(dimensions) => {
                // Partitions follow one another as those of the first dimension do in which they differ.
                let is_same = |of: &&DimensionMapping| of.upstream == of.downstream && of.mapping.is_same();
                let first = dimensions.iter().find(|of| !is_same(of));
                first.is_some_and(|of| of.upstream == of.downstream && of.mapping.is_earlier())
            }
            _ => false,
        }
    }

    /// Whether what it loads depends on which partition loads.
    pub(crate) fn follows_what_loads(&self) -> bool {
        match self {
            Self::All | Self::Last | Self::Specific(_) => false,
            Self::Identity | Self::TimeWindow { .. } | Self::Static(_) => true,
            Self::Dimensions(dimensions) => dimensions.iter().any(|of| of.mapping.follows_what_loads()),
        }
    }

    /// Whether it loads the partition that loads, where these are the same on both sides.
    fn is_same(&self) -> bool {
        matches!(self, Self::Identity | Self::TimeWindow { start_offset: 0, end_offset: 0 })
    }

    /// Whether it makes sense between these two. What it says of dimensions is taken to be of those that there are.
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
            (Self::All | Self::Dimensions(_), _) => Ok(()),
            (Self::Identity, None) => {
                let names = |side: Option<&'_ PartitionsDefinition>| -> BTreeSet<String> {
                    side.into_iter().flat_map(PartitionsDefinition::dimensions).map(|of| of.name.clone()).collect()
                };
                if names(downstream) == names(upstream) {
                    return Ok(());
                }
                Err("`identity` is between partitions of the same dimensions".to_owned())
            }
            (Self::Last | Self::Specific(_), _) => {
                let name = if *self == Self::Last { "last" } else { "specific" };
                let none = || format!("`{name}` is of partitions, and the asset that is loaded has none");
                let upstream = upstream.ok_or_else(none)?;
                let Self::Specific(keys) = self else { return Ok(()) };
                check_keys(keys, &KnownKeys::of(upstream)).map_err(|reason| format!("`specific`: {reason}"))
            }
            (Self::Static(loaded), _) => {
                let (Some(ours), Some(theirs)) =
                    (downstream.and_then(listed), upstream.filter(|of| listed(of).is_some()))
                else {
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
                let (theirs, mut keys) = (KnownKeys::of(theirs), loaded.values());
                let checked = keys.try_for_each(|keys| check_keys(keys, &theirs));
                checked.map_err(|reason| format!("`static`: {reason}"))
            }
            (Self::Identity, Some(side)) => Err(format!("`identity` is between partitions, and {side} has none")),
            (Self::TimeWindow { .. }, Some(side)) => {
                Err(format!("`time_window` is between partitions of time, and {side} has none"))
            }
            (Self::TimeWindow { start_offset, end_offset }, None) => {
                let other_side = [("loads", downstream), ("is loaded", upstream)]
                    .into_iter()
                    .find(|(_, definition)| definition.and_then(PartitionsDefinition::time).is_none());
                if let Some((side, _)) = other_side {
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
            Self::Dimensions(dimensions) => {
                let is_many = |of: &DimensionMapping| {
                    let ours = downstream.and_then(|side| side.dimension(of.downstream.as_deref()));
                    of.mapping.is_many(ours, upstream.and_then(|side| side.dimension(of.upstream.as_deref())))
                };
                // Of a dimension of which nothing is said, all are loaded.
                upstream.is_some_and(|upstream| upstream.dimensions().len() > dimensions.len())
                    || dimensions.iter().any(is_many)
            }
        }
    }
}

/// The only one of `dimensions` by which they map to partitions of one dimension: that is the same, or the only one of
/// time where these are of time. `[theirs, other]` is what the assets of both do.
fn matching<'a>(
    dimensions: &'a [Dimension],
    single: &PartitionsDefinition,
    [theirs, other]: [&str; 2],
) -> Result<&'a Dimension, String> {
    let same: Vec<&Dimension> = dimensions.iter().filter(|of| of.partitions == *single).collect();
    let of_time: Vec<&Dimension> =
        dimensions.iter().filter(|of| of.partitions.time().is_some() && single.time().is_some()).collect();
    match (same.as_slice(), of_time.as_slice()) {
        ([only], _) | ([], [only]) => Ok(only),
        ([], []) => {
            let names = names(dimensions);
            Err(format!(
                "the asset that {theirs} has the dimensions {names}, and none of them has the partitions of the asset that {other}"
            ))
        }
        _ => {
            let meant = if same.is_empty() { of_time } else { same };
            let names = names(meant.iter().copied());
            Err(format!("each of the dimensions {names} of the asset that {theirs} goes with the asset that {other}"))
        }
    }
}

fn no_dimension(side: &str, name: &str, dimensions: &[Dimension]) -> String {
    let names = names(dimensions);
    format!("the asset that {side} has no dimension `{name}`, but {names}")
}

/// `` `days` and `region` ``
fn names<'a>(dimensions: impl IntoIterator<Item = &'a Dimension>) -> String {
    let names: Vec<String> = dimensions.into_iter().map(|dimension| format!("`{}`", dimension.name)).collect();
    names.join(" and ")
}

/// The keys of partitions that are listed.
fn listed(partitions: &PartitionsDefinition) -> Option<HashSet<&str>> {
    match partitions {
        PartitionsDefinition::Static(keys) => Some(keys.iter().map(String::as_str).collect()),
        PartitionsDefinition::Time(_) | PartitionsDefinition::Dynamic(_) | PartitionsDefinition::Dimensions(_) => None,
    }
}

/// The keys that partitions can have, as far as that is known before a run starts; of each dimension in the order of
/// their names.
struct KnownKeys<'a>(Vec<Option<HashSet<&'a str>>>);

impl<'a> KnownKeys<'a> {
    fn of(partitions: &'a PartitionsDefinition) -> Self {
        let mut dimensions: Vec<&Dimension> = partitions.dimensions().iter().collect();
        dimensions.sort_by_key(|dimension| &dimension.name);
        if dimensions.is_empty() {
            return Self(vec![listed(partitions)]);
        }
        Self(dimensions.iter().map(|dimension| listed(&dimension.partitions)).collect())
    }

    fn can_have(&self, key: &str) -> bool {
        let has = |(known, key): (&Option<HashSet<&str>>, &str)| known.as_ref().is_none_or(|known| known.contains(key));
        if let [only] = self.0.as_slice() {
            return has((only, key));
        }
        let parts: Vec<&str> = key.split(SEPARATOR).collect();
        parts.len() == self.0.len() && self.0.iter().zip(parts).all(has)
    }
}

/// What is wrong with `keys` where they are to be some of `known`.
fn check_keys(keys: &MappedKeys, known: &KnownKeys<'_>) -> Result<(), String> {
    let mut seen = HashSet::new();
    for key in keys.as_slice() {
        if !seen.insert(key) {
            return Err(format!("{key:?} is listed twice"));
        }
        if !known.can_have(key) {
            return Err(format!("{key:?} is no partition of the asset that is loaded"));
        }
    }
    Ok(())
}
