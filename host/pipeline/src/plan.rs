//! The steps of a run, in order.

use std::collections::HashSet;

use serde::Serialize;

use crate::definitions::{Asset, Definitions, Input};
use crate::graph::SelectionError;

/// The steps of a run, each after all that it depends on.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// In order.
    pub steps: Vec<PlannedStep>,
}

/// One execution of an op.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// Its key: the name of the asset.
    pub key: String,
    /// The asset that it computes.
    pub asset: String,
    /// The steps of this run that must succeed first, by key.
    pub after: Vec<String>,
    /// The assets that it loads, by the op's name for them.
    pub loads: Vec<PlannedLoad>,
    /// The I/O manager that stores the value; absent where there is none.
    pub stores_with: Option<String>,
}

/// A load of one input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedLoad {
    /// The op's name for it.
    pub input: String,
    /// The asset.
    pub asset: String,
    /// The I/O manager that loads it.
    pub with: String,
    /// Whether a step of this run stores it; otherwise an earlier run did.
    pub computed_here: bool,
}

impl Plan {
    /// The plan of what `selection` means, as [`Graph::select`](crate::graph::Graph::select) reads it.
    ///
    /// # Errors
    /// [`SelectionError`]
    pub fn new(definitions: &Definitions, selection: &[String]) -> Result<Self, SelectionError> {
        let selected = definitions.graph().select(definitions, selection)?;
        let names: HashSet<&str> = selected.iter().map(String::as_str).collect();
        let steps = selected.iter().filter_map(|name| definitions.asset(name));
        Ok(Self { steps: steps.map(|asset| step(definitions, asset, &names)).collect() })
    }
}

fn step(definitions: &Definitions, asset: &Asset, selected: &HashSet<&str>) -> PlannedStep {
    let upstream = definitions.graph().upstream(&asset.name).into_iter();
    let load = |input: &Input| PlannedLoad {
        input: input.name.clone(),
        asset: input.asset.clone(),
        with: definitions.asset(&input.asset).and_then(|asset| asset.io.clone()).unwrap_or_default(),
        computed_here: selected.contains(input.asset.as_str()),
    };
    PlannedStep {
        key: asset.name.clone(),
        asset: asset.name.clone(),
        after: upstream.filter(|name| selected.contains(name)).map(str::to_owned).collect(),
        loads: asset.inputs.iter().map(load).collect(),
        stores_with: asset.io.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::definitions::tests::definitions;

    use super::*;

    #[test]
    fn a_step_follows_what_it_needs_of_this_run_and_loads_the_rest_from_storage() {
        let definitions = definitions(
            r#"
            defaults.io = "lake"
            io.lake.component = "builtin:files"
            [assets.report]
            command = ["x"]
            type = "text"
            inputs = ["summary"]
            deps = ["notice"]
            [assets.summary]
            command = ["x"]
            type = "json"
            inputs = { days = "raw" }
            [assets.raw]
            command = ["x"]
            type = "bytes"
            [assets.notice]
            command = ["x"]
            type = "none"
            "#,
        );
        let plan = Plan::new(&definitions, &["report".to_owned(), "summary".to_owned(), "notice".to_owned()]).unwrap();
        let load = |input: &str, asset: &str, computed_here| PlannedLoad {
            input: input.to_owned(),
            asset: asset.to_owned(),
            with: "lake".to_owned(),
            computed_here,
        };
        let step = |key: &str, after: &[&str], loads: Vec<PlannedLoad>, stores_with: Option<&str>| PlannedStep {
            key: key.to_owned(),
            asset: key.to_owned(),
            after: after.iter().map(|name| (*name).to_owned()).collect(),
            loads,
            stores_with: stores_with.map(str::to_owned),
        };
        let expected = [
            step("summary", &[], vec![load("days", "raw", false)], Some("lake")),
            step("notice", &[], vec![], None),
            step("report", &["summary", "notice"], vec![load("summary", "summary", true)], Some("lake")),
        ];
        assert_eq!(plan.steps, expected);
    }
}
