//! What an asset depends on, and which partitions of that.

use std::borrow::Cow;
use std::ops::Range;

use crate::definitions::{Asset, Definitions, Input};
use crate::partition::{MappingError, PartitionMapping, PartitionSet, Selected};

/// What an asset depends on.
pub(crate) struct Need<'a> {
    /// The op's name for it, or that of the asset where it is not loaded.
    pub name: &'a str,
    pub asset: &'a Asset,
    pub mapping: Cow<'a, PartitionMapping>,
    /// The input that loads it; absent where it is only waited for.
    pub input: Option<&'a Input>,
}

/// What `asset` depends on: what it and the steps of its graph load, then what it waits for.
pub(crate) fn needs<'a>(definitions: &'a Definitions, asset: &'a Asset) -> impl Iterator<Item = Need<'a>> {
    needs_of(definitions, asset, asset.all_inputs())
}

/// What a step of `asset` that has `inputs` depends on: what it loads, then what the asset waits for.
pub(super) fn needs_of<'a>(
    definitions: &'a Definitions,
    asset: &'a Asset,
    inputs: impl Iterator<Item = &'a Input>,
) -> impl Iterator<Item = Need<'a>> {
    let of = |asset: &Asset| asset.partitions.as_deref().and_then(|name| definitions.partitions_definition(name));
    let loaded = inputs.filter_map(|input| Some((&*input.name, input.asset()?, Some(input))));
    let waited_for = asset.deps.iter().map(|name| (&**name, &**name, None));
    loaded.chain(waited_for).filter_map(move |(name, upstream, input)| {
        let upstream = definitions.asset(upstream)?;
        // That there is none was a mistake of the definitions.
        let inferred =
            || Cow::Owned(PartitionMapping::inferred(of(asset), of(upstream)).unwrap_or(PartitionMapping::All));
        let mapping = input.map_or_else(inferred, |input| Cow::Borrowed(&input.partition_mapping));
        Some(Need { name, asset: upstream, mapping, input })
    })
}

/// The partitions of `upstream` that those of `own` load, or an asset without partitions.
pub(super) fn upstream_of(
    mapping: &PartitionMapping,
    own: Option<(&PartitionSet, Range<usize>)>,
    upstream: &PartitionSet,
) -> Result<Selected, MappingError> {
    let Some((set, places)) = own else { return mapping.upstream(None, upstream) };
    if places.len() == 1 || !mapping.follows_what_loads() {
        return mapping.upstream(Some((set, places.start)), upstream);
    }
    let mut ranges = Vec::new();
    for place in places {
        ranges.extend_from_slice(mapping.upstream(Some((set, place)), upstream)?.ranges());
    }
    Ok(Selected::of_ranges(ranges))
}
