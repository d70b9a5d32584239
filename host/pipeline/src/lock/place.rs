//! What the places of components in definitions are called.

use std::borrow::Cow;

use crate::definitions::{Asset, ComponentUse, Definitions, Job, JobStep, Op};

/// `io.lake`.
pub fn place_of_manager(name: &str) -> String {
    format!("io.{}", part(name))
}

/// `assets.daily`, or `multi_assets.split` where one op computes several.
pub fn place_of_asset(asset: &Asset) -> String {
    match &asset.multi_asset {
        Some(multi) => format!("multi_assets.{}", part(multi)),
        None => format!("assets.{}", part(&asset.name)),
    }
}

/// `jobs.nightly.steps.clean`, or `ops.clean` where several steps may be made from what has the component.
pub fn place_of_step(job: &Job, step: &JobStep) -> String {
    step.shared_table.clone().unwrap_or_else(|| format!("jobs.{}.steps.{}", part(&job.name), part(&step.name)))
}

/// The components of `definitions` in their places; that of a multi-asset once for each asset that it computes.
pub(crate) fn components(definitions: &Definitions) -> impl Iterator<Item = (String, &ComponentUse)> {
    let managers = definitions.io_managers().iter();
    let managers = managers.map(|manager| (place_of_manager(&manager.name), &manager.component));
    let assets = definitions.assets().iter().map(|asset| (place_of_asset(asset), &asset.op));
    let steps = definitions.graphs().flat_map(|job| job.steps.iter().map(move |step| (job, step)));
    let ops = assets.chain(steps.map(|(job, step)| (place_of_step(job, step), &step.op)));
    let of_ops = ops.filter_map(|(place, op)| match op {
        Op::Component(used) => Some((place, &**used)),
        Op::Command(_) | Op::External => None,
    });
    managers.chain(of_ops)
}

/// `name` as a part of a place, so that no two places are called the same.
fn part(name: &str) -> Cow<'_, str> {
    if name.contains(['.', '"']) { Cow::Owned(format!("{name:?}")) } else { Cow::Borrowed(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_dots_is_not_taken_for_several() {
        let named: Vec<String> = ["lake", "a.b", "\"a.b\""].map(place_of_manager).into();
        assert_eq!(named, ["io.lake", "io.\"a.b\"", "io.\"\\\"a.b\\\"\""]);
    }
}
