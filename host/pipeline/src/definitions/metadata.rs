//! Reads the facts about an asset or an input, which are recorded.

use airlock_sandbox::context::{MetadataEntry, MetadataValue};
use airlock_sandbox::limits;

use super::fields::{Fields, Problems};
use super::tree::{Entry, Node, Tree};

/// The entries of `metadata` in `fields`.
pub(super) fn read(fields: &Fields<'_>, problems: &Problems) -> Vec<MetadataEntry> {
    let entries = fields.named("metadata");
    if let Some(entry) = entries.get(limits::METADATA_ENTRIES) {
        problems.at(&entry.position, format!("`metadata` has more than {} entries", limits::METADATA_ENTRIES));
    }
    entries.iter().filter_map(|entry| read_entry(entry, problems)).collect()
}

fn read_entry(entry: &Entry, problems: &Problems) -> Option<MetadataEntry> {
    if entry.key.is_empty() || entry.key.len() > limits::METADATA_LABEL_BYTES {
        let message = format!("the label of a metadata entry has 1 to {} bytes", limits::METADATA_LABEL_BYTES);
        problems.at(&entry.position, message);
    }
    let value = match &entry.node.tree {
        Tree::Boolean(value) => MetadataValue::Boolean(*value),
        Tree::Integer(value) => MetadataValue::Int(*value),
        Tree::Float(value) => match json(&entry.node, problems)? {
            serde_json::Value::Number(_) => MetadataValue::Float(*value),
            other => MetadataValue::Json(other),
        },
        Tree::Text(value) => MetadataValue::Text(value.clone()),
        Tree::Datetime(value) => MetadataValue::Tagged("timestamp".to_owned(), value.clone()),
        Tree::List(_) | Tree::Table(_) => MetadataValue::Json(json(&entry.node, problems)?),
    };
    Some(MetadataEntry { label: entry.key.clone(), value })
}

/// The JSON document that `node` is; it is recorded, so the environment cannot be named in it.
fn json(node: &Node, problems: &Problems) -> Option<serde_json::Value> {
    match &node.tree {
        Tree::Table(_) if node.get("$env").is_some() => {
            problems.wrong_kind(node, "metadata", "recorded");
            None
        }
        Tree::Table(entries) => {
            let entry = |entry: &Entry| Some((entry.key.clone(), json(&entry.node, problems)?));
            entries.iter().map(entry).collect::<Option<serde_json::Map<_, _>>>().map(Into::into)
        }
        Tree::List(nodes) => nodes.iter().map(|node| json(node, problems)).collect::<Option<Vec<_>>>().map(Into::into),
        Tree::Boolean(value) => Some((*value).into()),
        Tree::Integer(value) => Some((*value).into()),
        Tree::Float(value) if !value.is_finite() => {
            problems.at(&node.position, "a number in a metadata document is finite, since it is kept as JSON");
            None
        }
        Tree::Float(value) => Some((*value).into()),
        Tree::Text(value) | Tree::Datetime(value) => Some(value.as_str().into()),
    }
}
