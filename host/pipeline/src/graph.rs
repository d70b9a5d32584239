//! What depends on what, and what a selection means.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use crate::definitions::{Asset, Definitions, Input};
use crate::suggest;

/// The assets in an order in which each follows all that it depends on; the order of definition breaks ties.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    order: Vec<String>,
    places: HashMap<String, usize>,
    /// By place, the places of what it depends on, in order.
    upstream: Vec<Vec<usize>>,
    /// By place, the places of what depends on it, in order.
    downstream: Vec<Vec<usize>>,
    /// By the name of a multi-asset, the places of the assets that it computes.
    members: HashMap<String, Vec<usize>>,
}

impl Graph {
    /// The graph of `assets`; a name that none of them has is left out.
    ///
    /// # Errors
    /// Sets of assets that depend on one another, each in the order of the dependencies.
    pub(crate) fn new(assets: &[Asset]) -> Result<Self, Vec<Vec<&Asset>>> {
        let index: HashMap<&str, usize> =
            assets.iter().enumerate().map(|(i, asset)| (asset.name.as_str(), i)).collect();
        let needs: Vec<BTreeSet<usize>> = assets
            .iter()
            .map(|asset| {
                // What an asset loads of itself is of earlier partitions, which come before by themselves.
                let is_earlier =
                    |input: &&Input| input.asset() == Some(&asset.name) && input.partition_mapping.is_earlier();
                let inputs = asset.all_inputs().filter(|input| !is_earlier(input));
                let names = inputs.filter_map(Input::asset).chain(asset.deps.iter().map(String::as_str));
                names.filter_map(|name| index.get(name).copied()).collect()
            })
            .collect();
        let of_assets = |cycle: Vec<usize>| cycle.into_iter().filter_map(|i| assets.get(i)).collect();
        let order = order(&needs).map_err(|cycles| cycles.into_iter().map(of_assets).collect::<Vec<_>>())?;
        let mut place = vec![0; order.len()];
        for (position, asset) in order.iter().enumerate() {
            if let Some(slot) = place.get_mut(*asset) {
                *slot = position;
            }
        }
        let mut graph = Self { downstream: vec![Vec::new(); order.len()], ..Self::default() };
        for (position, asset) in order.iter().filter_map(|i| assets.get(*i)).enumerate() {
            let needed = order.get(position).and_then(|asset| needs.get(*asset)).into_iter().flatten();
            let upstream: BTreeSet<usize> = needed.filter_map(|i| place.get(*i).copied()).collect();
            for other in &upstream {
                if let Some(list) = graph.downstream.get_mut(*other) {
                    list.push(position);
                }
            }
            graph.upstream.push(upstream.into_iter().collect());
            if let Some(multi) = &asset.multi_asset {
                graph.members.entry(multi.clone()).or_default().push(position);
            }
            graph.places.insert(asset.name.clone(), position);
            graph.order.push(asset.name.clone());
        }
        Ok(graph)
    }

    /// The names of all assets in order.
    pub fn order(&self) -> &[String] {
        &self.order
    }

    /// The names of the assets that `asset` loads or waits for, in order.
    pub fn upstream(&self, asset: &str) -> Vec<&str> {
        self.neighbours(asset, &self.upstream)
    }

    /// The names of the assets that load or wait for `asset`, in order.
    pub fn downstream(&self, asset: &str) -> Vec<&str> {
        self.neighbours(asset, &self.downstream)
    }

    fn neighbours(&self, asset: &str, edges: &[Vec<usize>]) -> Vec<&str> {
        let places = self.places.get(asset).and_then(|place| edges.get(*place)).into_iter().flatten();
        places.filter_map(|place| self.order.get(*place)).map(String::as_str).collect()
    }

    /// The names of the assets that `selection` means, in order, with those that are computed together with one of them: each entry is `name`, `+name` (and all upstream),
    /// `name+` (and all downstream), `+name+`, or with the same signs `group:NAME`, `kind:NAME`, `owner:OWNER`, `tag:KEY`
    /// or `tag:KEY=VALUE`; several mean their union, none mean all.
    ///
    /// # Errors
    /// [`SelectionError`] for the first entry that means nothing.
    pub fn select(&self, definitions: &Definitions, selection: &[String]) -> Result<Vec<String>, SelectionError> {
        self.select_from(definitions.assets(), selection)
    }

    fn select_from(&self, assets: &[Asset], selection: &[String]) -> Result<Vec<String>, SelectionError> {
        if selection.is_empty() {
            return Ok(self.order.clone());
        }
        let mut selected = BTreeSet::new();
        for entry in selection {
            let name = entry.strip_prefix('+').unwrap_or(entry);
            let is_upstream = name.len() < entry.len();
            let stripped = name.strip_suffix('+').unwrap_or(name);
            let is_downstream = stripped.len() < name.len();
            let named = self.named(assets, entry, stripped)?;
            for (wanted, edges) in [(is_upstream, &self.upstream), (is_downstream, &self.downstream)] {
                if wanted {
                    selected.extend(reach(&named, edges));
                }
            }
            selected.extend(named);
        }
        // What is computed together is selected together.
        for members in self.members.values() {
            if members.iter().any(|place| selected.contains(place)) {
                selected.extend(members);
            }
        }
        Ok(selected.into_iter().filter_map(|place| self.order.get(place).cloned()).collect())
    }

    /// The places that `name`, an entry without its signs, means.
    fn named(&self, assets: &[Asset], entry: &str, name: &str) -> Result<Vec<usize>, SelectionError> {
        let (by, name) = name
            .split_once(':')
            .and_then(|(prefix, name)| Some((By::PREFIXES.iter().find(|(known, _)| *known == prefix)?.1, name)))
            .unwrap_or((By::Name, name));
        // Owners are called `team:…`, and may have a `+` in an address.
        let reserved: &[char] = if by == By::Owner { &['*', ' ', ','] } else { &['+', ':', '*', ' ', ','] };
        if name.is_empty() || name.contains(reserved) {
            return Err(SelectionError::Syntax { entry: entry.to_owned() });
        }
        let unknown = |candidates: &mut dyn Iterator<Item = &str>| SelectionError::Unknown {
            what: by.what(),
            name: name.to_owned(),
            suggestion: suggest::closest(name, candidates),
        };
        if by == By::Name {
            if let Some(members) = self.members.get(name) {
                return Ok(members.clone());
            }
            let place = self.places.get(name).copied();
            return place.map(|place| vec![place]).ok_or_else(|| unknown(&mut self.order.iter().map(String::as_str)));
        }
        let members = assets.iter().filter(|asset| by.labels(asset).iter().any(|label| label == name));
        let places: Vec<usize> = members.filter_map(|asset| self.places.get(&asset.name).copied()).collect();
        if places.is_empty() {
            let labels: BTreeSet<Cow<'_, str>> = assets.iter().flat_map(|asset| by.labels(asset)).collect();
            return Err(unknown(&mut labels.iter().map(|label| &**label)));
        }
        Ok(places)
    }
}

/// What an entry of a selection names assets by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Name,
    Group,
    Kind,
    Owner,
    Tag,
}

impl By {
    const PREFIXES: [(&'static str, By); 4] =
        [("group", By::Group), ("kind", By::Kind), ("owner", By::Owner), ("tag", By::Tag)];

    fn what(self) -> &'static str {
        let found = Self::PREFIXES.iter().find(|(_, by)| *by == self);
        found.map_or("asset", |(prefix, _)| prefix)
    }

    /// What `asset` can be named by.
    fn labels(self, asset: &Asset) -> Vec<Cow<'_, str>> {
        match self {
            By::Name => vec![asset.name.as_str().into()],
            By::Group => asset.group.iter().map(Into::into).collect(),
            By::Kind => asset.kinds.iter().map(Into::into).collect(),
            By::Owner => asset.owners.iter().map(Into::into).collect(),
            By::Tag => {
                let pair = |(key, value): (&'_ String, &String)| Cow::Owned(format!("{key}={value}"));
                asset.tags.keys().map(Into::into).chain(asset.tags.iter().map(pair)).collect()
            }
        }
    }
}

/// The assets of `needs` in order; those on a cycle, and what depends on them, are left out.
/// The places of `needs` in an order in which each follows all that it needs; the lower comes first.
///
/// # Errors
/// Sets of places that need one another, each in the order of the needs.
pub(crate) fn order(needs: &[BTreeSet<usize>]) -> Result<Vec<usize>, Vec<Vec<usize>>> {
    let order = sort(needs);
    if order.len() < needs.len() { Err(cycles(needs, &order)) } else { Ok(order) }
}

fn sort(needs: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut missing: Vec<usize> = needs.iter().map(BTreeSet::len).collect();
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (asset, needed) in needs.iter().enumerate() {
        for other in needed {
            if let Some(list) = needed_by.get_mut(*other) {
                list.push(asset);
            }
        }
    }
    let is_ready = |(asset, count): (usize, &usize)| (*count == 0).then_some(Reverse(asset));
    let mut ready: BinaryHeap<Reverse<usize>> = missing.iter().enumerate().filter_map(is_ready).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(Reverse(asset)) = ready.pop() {
        order.push(asset);
        for other in needed_by.get(asset).into_iter().flatten() {
            if let Some(count) = missing.get_mut(*other) {
                *count -= 1;
                if *count == 0 {
                    ready.push(Reverse(*other));
                }
            }
        }
    }
    order
}

/// At least one cycle of each set of assets of `needs` that depend on one another, given what could be `sorted`.
fn cycles(needs: &[BTreeSet<usize>], sorted: &[usize]) -> Vec<Vec<usize>> {
    let mut done: BTreeSet<usize> = sorted.iter().copied().collect();
    let mut cycles = Vec::new();
    for start in 0..needs.len() {
        // Each asset that is not sorted needs one that is not sorted, so this walk ends on a cycle or on one seen.
        let mut walk = Vec::new();
        let mut next = Some(start);
        while let Some(asset) = next.filter(|asset| !done.contains(asset)) {
            if let Some(first) = walk.iter().position(|seen| *seen == asset) {
                let mut cycle = walk.split_off(first);
                let least = cycle.iter().enumerate().min_by_key(|(_, asset)| **asset).map_or(0, |(place, _)| place);
                cycle.rotate_left(least);
                done.extend(&cycle);
                cycles.push(cycle);
                break;
            }
            walk.push(asset);
            let unsorted = |other: &&usize| !done.contains(other);
            next = needs.get(asset).and_then(|needed| needed.iter().find(unsorted)).copied();
        }
        done.extend(walk);
    }
    cycles
}

/// What can be reached from `places` along `edges`.
fn reach(places: &[usize], edges: &[Vec<usize>]) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut left = places.to_vec();
    while let Some(place) = left.pop() {
        for next in edges.get(place).into_iter().flatten() {
            if reached.insert(*next) {
                left.push(*next);
            }
        }
    }
    reached
}

/// An entry of a selection that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// No asset has the name, or is labelled so.
    #[error("there is no {what} `{name}`{}", likely(suggestion.as_deref()))]
    Unknown {
        /// `asset`, `group`, `kind`, `owner` or `tag`.
        what: &'static str,
        /// As it was given.
        name: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// It is not a selection.
    #[error(
        "`{entry}` selects nothing: write `NAME`, `group:NAME`, `kind:NAME`, `owner:OWNER`, `tag:KEY` or `tag:KEY=VALUE`, \
         with a `+` before or after it for what it depends on or what depends on it"
    )]
    Syntax {
        /// As it was given.
        entry: String,
    },
}

/// `; did you mean …`, where something was probably meant.
pub(crate) fn likely(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::definitions::tests::definitions;

    use super::*;

    fn pipeline() -> Definitions {
        definitions(
            r#"
            [assets.d]
            command = ["x"]
            type = "none"
            deps = ["b", "c"]
            group = "late"
            owners = ["team:weather", "a+b@example.org"]
            tags = { tier = "1", pii = "" }
            [assets.c]
            command = ["x"]
            type = "none"
            deps = ["a"]
            kinds = ["python"]
            tags = { tier = "2" }
            [assets.a]
            command = ["x"]
            type = "none"
            group = "early"
            [assets.b]
            command = ["x"]
            type = "none"
            deps = ["a"]
            [assets."other/e"]
            command = ["x"]
            type = "none"
            group = "early"
            "#,
        )
    }

    fn select(selection: &[&str]) -> Result<String, SelectionError> {
        let definitions = pipeline();
        let selection: Vec<String> = selection.iter().map(|entry| (*entry).to_owned()).collect();
        definitions.graph().select(&definitions, &selection).map(|names| names.join(" "))
    }

    #[test]
    fn assets_follow_what_they_depend_on_and_otherwise_the_order_of_definition() {
        assert_eq!(pipeline().graph().order().join(" "), "a c b d other/e");
    }

    #[test]
    fn a_selection_is_the_union_of_its_entries_in_order() {
        for (selection, expected) in [
            (&[][..], "a c b d other/e"),
            (&["b"], "b"),
            (&["+b"], "a b"),
            (&["b+"], "b d"),
            (&["+b+"], "a b d"),
            (&["+d"], "a c b d"),
            (&["d", "a"], "a d"),
            (&["group:early"], "a other/e"),
            (&["+group:late"], "a c b d"),
            (&["group:early+", "b"], "a c b d other/e"),
            (&["other/e"], "other/e"),
            (&["kind:python"], "c"),
            (&["+kind:python+"], "a c d"),
            (&["tag:tier"], "c d"),
            (&["tag:tier=2", "other/e"], "c other/e"),
            (&["tag:pii="], "d"),
            (&["owner:team:weather"], "d"),
            (&["+owner:a+b@example.org"], "a c b d"),
        ] {
            assert_eq!(select(selection).as_deref(), Ok(expected), "{selection:?}");
        }
    }

    #[test]
    fn an_entry_that_means_nothing_is_an_error_that_says_what_was_probably_meant() {
        for (entry, message) in [
            ("other/f", "there is no asset `other/f`; did you mean `other/e`?"),
            ("sales", "there is no asset `sales`"),
            ("group:erly", "there is no group `erly`; did you mean `early`?"),
            ("kind:pyton", "there is no kind `pyton`; did you mean `python`?"),
            ("tag:tier=3", "there is no tag `tier=3`; did you mean `tier=1`?"),
            ("owner:team:wether", "there is no owner `team:wether`; did you mean `team:weather`?"),
        ] {
            assert_eq!(select(&[entry]).unwrap_err().to_string(), message);
        }
        for entry in ["", "+", "a,b", "a*", "group:", "colour:red", "a:b"] {
            assert_eq!(select(&[entry]), Err(SelectionError::Syntax { entry: entry.to_owned() }));
        }
    }

    #[test]
    fn neighbours_are_known_in_both_directions() {
        let definitions = pipeline();
        assert_eq!(definitions.graph().upstream("d"), ["c", "b"]);
        assert_eq!(definitions.graph().downstream("a"), ["c", "b"]);
    }
}
