//! From which versions of its inputs a value was computed, and whether it would be computed from the same again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use airlock_sandbox::text::sha256;
use serde_json::json;

use super::failure::Stage;
use super::ready::{ReadyInput, ReadyOp, ReadyOutput, ReadySource};
use super::step::Step;
use crate::definitions::{Asset, Op};
use crate::event::{EventLogError, LoadedVersions};
use crate::partition::Selected;

/// What was loaded for one input, value by value.
#[derive(Debug, Default)]
pub(super) struct Versions {
    count: usize,
    /// Of the keys and versions so far; none before the first.
    digest: Option<String>,
    /// Whether a value had no version.
    is_unknown: bool,
}

impl Versions {
    /// Those of one value, or of its absence where there is no `version`.
    pub fn of_one(value: Option<(Option<&str>, Option<&str>)>) -> Self {
        let mut versions = Self::default();
        if let Some((key, version)) = value {
            versions.add(key, version);
        }
        versions
    }

    /// Takes note of the next value: its partition, and its version where it has one.
    pub fn add(&mut self, key: Option<&str>, version: Option<&str>) {
        self.count += 1;
        self.is_unknown |= version.is_none();
        let before = self.digest.take();
        self.digest = Some(sha256(json!([before, key, version]).to_string().as_bytes()));
    }

    /// As it is recorded of `input`; `whole` tells whether the op was given all that there were. None where a value had
    /// no version.
    pub fn finish(self, input: &str, whole: bool) -> Option<LoadedVersions> {
        let Self { count, digest, is_unknown } = self;
        (!is_unknown).then(|| LoadedVersions { input: input.to_owned(), count, whole, digest })
    }
}

/// What a step loaded, by the names of its inputs; none where a value had no version.
#[derive(Debug, Default)]
pub(super) struct Provenance(Mutex<HashMap<String, Option<LoadedVersions>>>);

impl Provenance {
    /// Takes note of what was loaded for `input`.
    pub fn note(&self, input: &str, versions: Versions, whole: bool) {
        let loaded = versions.finish(input, whole);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(input.to_owned(), loaded);
    }
}

impl Step<'_> {
    /// From which versions its value was computed; none where one is not known.
    pub fn loaded_versions(&self) -> Option<Vec<LoadedVersions>> {
        let loaded = self.provenance.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.ready.of.inputs.iter().map(|input| loaded.get(&input.input.name).cloned().flatten()).collect()
    }

    /// Whether what is stored was computed by the same code from the same versions, as far as is recorded; where that is
    /// asked for.
    ///
    /// What waits for something without loading it is not, since there is no telling what that did, and neither is what has
    /// no value, since it is there for what it does.
    pub fn is_unchanged(&self) -> Result<bool, EventLogError> {
        let Some(stored) = &self.run.stored else { return Ok(false) };
        for ready in &self.ready.of.outputs {
            let is_unchanged = ready.asset.map_or(Ok(false), |asset| self.is_asset_unchanged(ready, asset, stored))?;
            if !is_unchanged {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether `asset`, the output `ready`, is, given what is `stored`.
    fn is_asset_unchanged(
        &self,
        ready: &ReadyOutput<'_>,
        asset: &Asset,
        stored: &HashMap<String, Selected>,
    ) -> Result<bool, EventLogError> {
        let places = self.ready.planned.partitions.as_ref().map_or(0..1, |partitions| partitions.places.clone());
        if !places.clone().all(|place| is_stored(stored, asset, place)) {
            return Ok(false);
        }
        if !asset.deps.is_empty() || asset.output.io.is_none() {
            return Ok(false);
        }
        let store = self.run.store(ready.manager.as_deref());
        let set = self.ready.of.set.as_deref();
        let mut computed_from = None;
        for place in places {
            let key = set.and_then(|set| set.key(place));
            let Some(recorded) = self.run.latest(&asset.name, key.as_deref(), &store)? else { return Ok(false) };
            let from = (recorded.body.code_version, recorded.body.inputs);
            // What was computed together was computed from the same.
            if computed_from.get_or_insert_with(|| from.clone()) != &from {
                return Ok(false);
            }
        }
        let Some((code_version, Some(versions))) = computed_from else { return Ok(false) };
        let digest = match &self.ready.of.op {
            ReadyOp::Command(_) => None,
            ReadyOp::Component(lent) => match self.component(lent, &Stage::Op) {
                Ok(component) => Some(component.digest()),
                // The step says why.
                Err(_) => return Ok(false),
            },
        };
        if code_version.as_deref() != Some(&*self.code_version(ready, asset, digest)) {
            return Ok(false);
        }
        for input in &self.ready.of.inputs {
            let Some(known) = versions.iter().find(|known| known.input == input.input.name) else { return Ok(false) };
            let planned = self.ready.planned.loads.iter().find(|load| load.input == input.input.name);
            if !self.is_same(input, planned.and_then(|load| load.partitions.as_ref()), known, stored)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether `known`, what was loaded for `input`, is what would be loaded now, given what is `stored`.
    fn is_same(
        &self,
        input: &ReadyInput<'_>,
        partitions: Option<&Selected>,
        known: &LoadedVersions,
        stored: &HashMap<String, Selected>,
    ) -> Result<bool, EventLogError> {
        let only = Selected::all(1);
        let (asset, set, store) = match &input.source {
            // It is part of the definition.
            ReadySource::Value(_) => return Ok(true),
            ReadySource::Asset { asset, set, loaded_with, .. } if input.has_versions() => {
                let key = |place| set.as_deref().and_then(|set| set.key(place));
                let with = loaded_with.branch(self.run, asset, || partitions.unwrap_or(&only).iter().map(key))?;
                (*asset, set, with.stored_with.store())
            }
            _ => return Ok(false),
        };
        let mut versions = Versions::default();
        for place in partitions.unwrap_or(&only).iter() {
            if versions.count == known.count && !known.whole {
                break;
            }
            let key = set.as_deref().and_then(|set| set.key(place));
            let recorded = self.run.latest(&asset.name, key.as_deref(), &store)?;
            let is_new = recorded.as_ref().is_some_and(|recorded| recorded.run_id == self.run.run_id);
            match recorded {
                _ if !is_new && !is_stored(stored, asset, place) && input.input.allow_missing => {}
                Some(recorded) if is_new || is_stored(stored, asset, place) => {
                    versions.add(key.as_deref(), recorded.body.data_version.as_deref());
                }
                _ => return Ok(false),
            }
        }
        Ok(versions.finish(&known.input, known.whole).as_ref() == Some(known))
    }
}

impl ReadyInput<'_> {
    /// Whether what is recorded of the asset is of what is loaded: nothing is where something else makes it, or another
    /// manager loads it than stores it.
    pub(super) fn has_versions(&self) -> bool {
        match &self.source {
            ReadySource::Asset { asset, loaded_with, .. } => {
                !matches!(asset.op, Op::External) && loaded_with.manager.name == loaded_with.stored_with.name
            }
            ReadySource::Outputs { .. } | ReadySource::Unconnected { .. } | ReadySource::Value(_) => false,
        }
    }
}

/// Whether the partition of `asset` at `place` was stored when the run began.
fn is_stored(stored: &HashMap<String, Selected>, asset: &Asset, place: usize) -> bool {
    stored.get(&asset.name).is_some_and(|stored| stored.contains(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(&str, &str)], whole: bool) -> LoadedVersions {
        let mut versions = Versions::default();
        for (key, version) in values {
            versions.add(Some(key), Some(version));
        }
        versions.finish("input", whole).unwrap()
    }

    #[test]
    fn versions_differ_where_a_key_a_version_their_order_or_their_number_does() {
        let all = [
            of(&[], true),
            of(&[], false),
            of(&[("a", "1")], true),
            of(&[("a", "2")], true),
            of(&[("b", "1")], true),
            of(&[("a", "1"), ("b", "2")], true),
            of(&[("b", "2"), ("a", "1")], true),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(all.iter().skip(place + 1).all(|other| other != one), "{one:?}");
        }
        assert_eq!(of(&[("a", "1"), ("b", "2")], true), all[5]);
    }

    #[test]
    fn a_value_without_a_version_leaves_nothing_to_compare() {
        assert_eq!(Versions::of_one(Some((None, None))).finish("input", true), None);
        assert_eq!(Versions::of_one(None).finish("input", true).unwrap().count, 0);
    }
}
