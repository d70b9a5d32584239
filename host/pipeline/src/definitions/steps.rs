//! Brings the steps of jobs into one form, and merges each over the op that it names.

use std::collections::{HashMap, HashSet};

use super::fields::{Problems, text};
use super::tree::{Entry, Node, Tree};
use super::{Diagnostic, keys};

/// Brings the steps of `jobs` and `graphs` and the `ops` into one form, and merges each step over the op that it names.
pub(super) fn apply(jobs: &mut [Entry], graphs: &mut [Entry], ops: &mut [Entry], problems: &Problems) {
    for op in &mut *ops {
        normalize(&mut op.node, problems);
    }
    let ops: HashMap<&str, &Node> = ops.iter().map(|op| (op.key.as_str(), &op.node)).collect();
    let jobs = jobs.iter_mut().chain(graphs);
    let steps = jobs.filter_map(|job| job.node.get_mut("steps")).filter_map(Node::entries_mut).flatten();
    for step in steps {
        // `steps.clean = "clean"`: nothing is said but the op.
        if let Tree::Text(_) = step.node.tree {
            wrap(&mut step.node, "op");
        }
        normalize(&mut step.node, problems);
        // What is made from a graph is made from no op.
        let Some(named) = step.node.get("op").filter(|_| step.node.get("graph").is_none()) else { continue };
        let Some((name, position)) = text(&named.node, "`op`", problems) else { continue };
        match ops.get(name) {
            Some(op) => {
                let own = std::mem::replace(&mut step.node.tree, op.tree.clone());
                merge(&mut step.node, own);
            }
            None => problems.unknown(position, format!("there is no op `{name}`"), name, ops.keys().copied()),
        }
    }
}

/// Makes a table of each input and output that is written in short.
fn normalize(node: &mut Node, problems: &Problems) {
    if let Some(inputs) = node.get_mut("inputs") {
        if let Tree::List(nodes) = &mut inputs.tree {
            let named = std::mem::take(nodes).into_iter().map(|node| {
                let name = match &node.tree {
                    Tree::Text(reference) => reference.rsplit('.').next().unwrap_or_default().to_owned(),
                    _ => String::new(),
                };
                Entry { key: name, position: node.position.clone(), node }
            });
            let named: Vec<Entry> = named.collect();
            for (place, entry) in named.iter().enumerate() {
                if named.iter().take(place).any(|other| other.key == entry.key) {
                    let message = format!("two inputs are named `{}`", entry.key);
                    let help = "name them: `inputs = { NAME = \"STEP\", … }`";
                    problems.push(Diagnostic::at(&entry.position, message).help(help));
                }
            }
            inputs.tree = Tree::Table(named);
        }
        for input in inputs.entries_mut().into_iter().flatten() {
            if let Tree::Text(_) | Tree::List(_) = input.node.tree {
                wrap(&mut input.node, "from");
            }
        }
    }
    for output in node.get_mut("outputs").and_then(Node::entries_mut).into_iter().flatten() {
        if let Tree::Text(_) = output.node.tree {
            wrap(&mut output.node, "type");
        }
    }
}

/// Makes of `node` a table with it under `key`.
fn wrap(node: &mut Node, key: &str) {
    let position = node.position.clone();
    let inner = Node { tree: std::mem::replace(&mut node.tree, Tree::Table(Vec::new())), position: position.clone() };
    node.tree = Tree::Table(vec![Entry { key: key.to_owned(), position, node: inner }]);
}

/// A warning for each of `ops` that no step of `jobs` and `graphs` names.
pub(super) fn unused(ops: &[Entry], jobs: &[Entry], graphs: &[Entry]) -> Vec<Diagnostic> {
    let steps = jobs.iter().chain(graphs).filter_map(|job| job.node.get("steps")?.node.entries()).flatten();
    let named: HashSet<&str> = steps
        .filter_map(|step| match &step.node.get("op")?.node.tree {
            Tree::Text(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let unused = ops.iter().filter(|op| !named.contains(op.key.as_str()));
    unused.map(|op| Diagnostic::at(&op.position, format!("no step is made from the op `{}`", op.key))).collect()
}

/// What of a step is merged entry by entry, and these key by key.
const MERGED: [&str; 2] = ["inputs", "outputs"];

/// Merges the keys `own` of a step over those of its op.
fn merge(base: &mut Node, own: Tree) {
    let Tree::Table(own) = own else { return };
    for entry in own {
        // One of them computes it.
        if let ("command" | "component", Some(all)) = (entry.key.as_str(), base.entries_mut()) {
            all.retain(|other| !matches!(other.key.as_str(), "command" | "component"));
        }
        match base.get_mut(&entry.key) {
            Some(present) if MERGED.contains(&entry.key.as_str()) => merge_named(present, entry),
            _ => replace(base, entry),
        }
    }
}

/// Merges the inputs or outputs `own` over those of an op.
fn merge_named(base: &mut Node, own: Entry) {
    let Tree::Table(named) = own.node.tree else { return *base = own.node };
    for entry in named {
        match (base.get_mut(&entry.key), entry) {
            (Some(present), Entry { node: Node { tree: Tree::Table(own), .. }, .. }) => {
                if own.iter().any(|entry| keys::SOURCES.contains(&entry.key.as_str())) {
                    forget_source(present);
                }
                for entry in own {
                    replace(present, entry);
                }
            }
            (_, entry) => replace(base, entry),
        }
    }
}

/// Takes out of `input` what says where it comes from, and what is said only of an input from there.
fn forget_source(input: &mut Node) {
    let Some(entries) = input.entries_mut() else { return };
    let is_source = |entry: &Entry| keys::SOURCES.contains(&entry.key.as_str());
    // A manager that finds it by itself is its source.
    let is_found = !entries.iter().any(is_source);
    entries.retain(|entry| {
        let goes_with_it = ["type", "partition_mapping", "allow_missing"].contains(&entry.key.as_str());
        !(is_source(entry) || goes_with_it || (is_found && entry.key == "io"))
    });
}

fn replace(base: &mut Node, entry: Entry) {
    let Some(all) = base.entries_mut() else { return };
    match all.iter_mut().find(|other| other.key == entry.key) {
        Some(present) => *present = entry,
        None => all.push(entry),
    }
}
