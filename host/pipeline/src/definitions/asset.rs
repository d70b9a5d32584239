//! Reads one asset.

use airlock_sandbox::context::AssetKey;
use airlock_sandbox::limits;

use super::dimension_mapping::Sides;
use super::fields::{Fields, Problems};
use super::input::{self, Reader};
use super::known::{Known, Mistaken, Steps};
use super::output::{self, RESULT};
use super::table::Form;
use super::tree::{Entry, Tree};
use super::{Asset, Op, Position, ValueType, job, label, op};

/// Reads the asset `entry`, which messages call `what`, which takes the keys `known_keys`, and which the steps `graph` come
/// before where it is made from a graph. What cannot be read is a
/// problem, and something else stands in its place, so that what depends on the asset can be checked still.
pub(super) fn read(
    entry: &Entry,
    what: &str,
    known_keys: &'static [&'static str],
    graph: Option<&[Entry]>,
    known: &Known<'_>,
    problems: &Problems,
) -> Asset {
    let fields = Fields::new(&entry.node, &entry.position, what, known_keys, problems);
    let key = asset_key(&entry.key, &entry.position, problems);
    let labels = label::read(&fields, problems);
    let by = op::kind(&fields);
    let output = output::read(&output_name(&fields, problems), &fields, by, known, known.default_io, problems);
    let partitions = fields.text("partitions").map(|(name, position)| {
        known.check_partitions(name, position, problems);
        check_depth(&key, name, position, known, problems);
        name
    });
    let partitions_per_step = partitions_per_step(&fields, problems);
    let deps = fields.texts("deps");
    for (name, position) in &deps {
        let upstream = known.asset(name, position, problems).ok_or(Mistaken);
        let upstream = upstream.and_then(|upstream| known.partitions(upstream.partitions));
        if let (Ok(downstream), Ok(upstream)) = (known.partitions(partitions), upstream) {
            Sides { downstream, upstream }.inferred(position, problems);
        }
    }
    if output.value_type == ValueType::None
        && let Some(entry) = fields.get("external").filter(|_| op::is_external(&fields))
    {
        problems.at(&entry.position, format!("{what} has no value that could be made elsewhere (`type = \"none\"`)"));
    }
    let steps = graph.map(Steps::new);
    let form = output.form.unwrap_or(Form::Csv);
    let inputs = Reader { known, by, form, partitions, steps: steps.as_ref(), problems }.read(&fields);
    let graph = graph.map(|steps| Box::new(job::read_graph(entry, steps, known, partitions, problems)));
    Asset {
        name: entry.key.clone(),
        key,
        position: entry.position.clone(),
        description: fields.text("description").map(|(text, _)| text.to_owned()),
        group: labels.group,
        owners: labels.owners,
        tags: labels.tags,
        kinds: labels.kinds,
        multi_asset: None,
        partitions: partitions.map(str::to_owned),
        partitions_per_step,
        graph,
        op: op::of_asset(&fields, known.builtins, problems).unwrap_or(Op::Command(Vec::new())),
        inputs,
        deps: deps.into_iter().map(|(name, _)| name.to_owned()).collect(),
        output,
    }
}

/// What stands for as many partitions as there are.
const ALL: &str = "all";

/// How many partitions a step of the asset `fields` computes at most, where it computes several.
fn partitions_per_step(fields: &Fields<'_>, problems: &Problems) -> Option<usize> {
    let entry = fields.get("partitions_per_step")?;
    let position = &entry.node.position;
    if fields.get("partitions").is_none() {
        problems.at(position, format!("{} has no partitions of which a step could compute several", fields.what));
    }
    if op::is_external(fields) {
        problems.at(position, format!("{} is external, so no step computes it", fields.what));
    }
    match &entry.node.tree {
        Tree::Text(text) if text == ALL => Some(limits::PARTS),
        Tree::Integer(given) => {
            let count = usize::try_from(*given).ok().filter(|count| (1..=limits::PARTS).contains(count));
            if count.is_none() {
                let message = format!("`partitions_per_step` is a number from 1 to {}, not {given}", limits::PARTS);
                problems.at(position, message);
            }
            count
        }
        _ => {
            problems.wrong_kind(&entry.node, "`partitions_per_step`", "a number, or \"all\"");
            None
        }
    }
}

/// What the op calls the asset `fields`, where it computes several.
fn output_name(fields: &Fields<'_>, problems: &Problems) -> String {
    match fields.text("output") {
        Some((name, position)) => {
            if !input::is_name(name) {
                problems.at(position, format!("the name of the output {name:?} {}", input::NAME_RULE));
            }
            name.to_owned()
        }
        None => RESULT.to_owned(),
    }
}

/// What a part of an asset key, a group and an I/O manager look like, so that a selection can name them on any command line.
pub(super) const NAME_RULE: &str = "has other characters than letters, digits, `_`, `-` and `.`";

pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-' | '.'))
}

/// Segments of a key; one less than a path may have, so that what lies below an output has room.
const KEY_PARTS: usize = limits::PATH_DEPTH - 1;

fn asset_key(name: &str, position: &Position, problems: &Problems) -> AssetKey {
    let key: AssetKey = name.split('/').map(str::to_owned).collect();
    if key.iter().any(String::is_empty) {
        problems.at(position, format!("the asset name {name:?} has an empty part: its parts are separated by one `/`"));
    } else if !key.iter().all(|part| is_name(part)) {
        problems.at(position, format!("the asset name {name:?} {NAME_RULE}"));
    } else if key.len() > KEY_PARTS {
        problems.at(position, format!("the asset name {name:?} has more than {KEY_PARTS} parts"));
    }
    key
}

/// That a value of the asset `key` would lie too deep below its mount, with a directory for each dimension of its
/// `partitions`, is a problem.
fn check_depth(key: &AssetKey, partitions: &str, position: &Position, known: &Known<'_>, problems: &Problems) {
    let Ok(Some(definition)) = known.partitions(Some(partitions)) else { return };
    let (depth, dimensions) = (limits::PATH_DEPTH, definition.dimensions().len());
    if dimensions > 0 && key.len() + dimensions > depth {
        let parts = key.len();
        let message = format!("{parts} parts of a name and {dimensions} dimensions are more than {depth} together");
        problems.at(position, message);
    }
}
