//! Reads what computes an asset.

use super::fields::{Fields, Problems, text_setting};
use super::table::By;
use super::tree::Tree;
use super::{Builtins, Op, Setting, component, keys};

/// What kind of op the asset `fields` has.
pub(super) fn kind(fields: &Fields<'_>) -> By {
    let is_command = fields.get("command").is_some();
    let is_other = fields.get("component").is_some() || is_external(fields);
    if is_other && !is_command { By::Component } else { By::Command }
}

/// Whether something else makes the asset `fields`.
pub(super) fn is_external(fields: &Fields<'_>) -> bool {
    fields.get("external").is_some_and(|entry| matches!(entry.node.tree, Tree::Boolean(true)))
}

/// What an asset that is made elsewhere takes nothing of.
const OF_AN_OP: [&str; 4] = ["command", "component", "inputs", "deps"];

/// The op that computes the asset `fields`; none where that is a mistake.
pub(super) fn of_asset(fields: &Fields<'_>, builtins: Builtins, problems: &Problems) -> Option<Op> {
    // What is neither true nor false is a mistake.
    fields.boolean("external");
    if is_external(fields) {
        for entry in OF_AN_OP.iter().filter_map(|key| fields.get(key)) {
            let message =
                format!("{} is external, so nothing computes it here, and it takes no `{}`", fields.what, entry.key);
            problems.at(&entry.position, message);
        }
        return Some(Op::External);
    }
    // What is wrong with its graph is told before.
    if fields.get("graph").is_some() {
        return None;
    }
    read(fields, "; or that it is made elsewhere: `external = true`", builtins, problems)
}

/// The op of the step `fields`; none where that is a mistake.
pub(super) fn of_step(fields: &Fields<'_>, builtins: Builtins, problems: &Problems) -> Option<Op> {
    read(fields, ", here or in an op", builtins, problems)
}

/// The op that `fields` have; `otherwise` ends what is to be said where they have none.
fn read(fields: &Fields<'_>, otherwise: &str, builtins: Builtins, problems: &Problems) -> Option<Op> {
    match (fields.get("command"), fields.get("component")) {
        (Some(command), Some(_)) => {
            let message = format!("{} has both `command` and `component`: one of them computes it", fields.what);
            problems.at(&command.position, message);
            None
        }
        (None, None) => {
            let help = "say what computes it: `command = [\"python3\", \"…\"]` or `component = \"….wasm\"`";
            fields.missing("command", format!("{help}{otherwise}"));
            None
        }
        (Some(_), None) => {
            let nodes = fields.list("command");
            let arguments: Vec<Setting> =
                nodes.iter().filter_map(|node| text_setting(node, "an argument of `command`", problems)).collect();
            let entry = fields.get("command")?;
            let empty = Setting::Text(String::new());
            if matches!(&entry.node.tree, Tree::List(nodes) if nodes.is_empty()) || arguments.first() == Some(&empty) {
                problems.at(&entry.node.position, "`command` begins with the program to run");
                return None;
            }
            (arguments.len() == nodes.len() && !nodes.is_empty()).then_some(Op::Command(arguments))
        }
        (None, Some(entry)) => {
            if let Tree::Text(_) = entry.node.tree {
                return component::source(&entry.node, builtins, problems)
                    .map(|source| Op::Component(Box::new(component::plain(source, &entry.node.position))));
            }
            let what = format!("`component` of {}", fields.what);
            let fields = Fields::new(&entry.node, &entry.position, &what, keys::OP_COMPONENT, problems);
            entry.node.entries()?;
            Some(Op::Component(Box::new(component::read(&fields, &component::OP, builtins, problems))))
        }
    }
}
