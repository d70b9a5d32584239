//! Reads what computes an asset.

use super::fields::{Fields, Problems, text_setting};
use super::table::By;
use super::tree::Tree;
use super::{Builtins, Op, Setting, component, keys};

/// What kind of op the asset `fields` has.
pub(super) fn kind(fields: &Fields<'_>) -> By {
    if fields.get("component").is_some() && fields.get("command").is_none() { By::Component } else { By::Command }
}

/// The op that computes the asset `fields`; none where that is a mistake.
pub(super) fn read(fields: &Fields<'_>, builtins: Builtins, problems: &Problems) -> Option<Op> {
    match (fields.get("command"), fields.get("component")) {
        (Some(command), Some(_)) => {
            let message = format!("{} has both `command` and `component`: one of them computes it", fields.what);
            problems.at(&command.position, message);
            None
        }
        (None, None) => {
            fields.missing(
                "command",
                "say what computes it: `command = [\"python3\", \"…\"]` or `component = \"….wasm\"`",
            );
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
                    .map(|source| Op::Component(Box::new(component::plain(source))));
            }
            let what = format!("`component` of {}", fields.what);
            let fields = Fields::new(&entry.node, &entry.position, &what, keys::OP_COMPONENT, problems);
            entry.node.entries()?;
            Some(Op::Component(Box::new(component::read(&fields, &component::OP, builtins, problems))))
        }
    }
}
