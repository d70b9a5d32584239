//! The tree of a TOML file in which every key and value knows its place, also after files were merged.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::{Diagnostic, Position, SourceFile};

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub tree: Tree,
    pub position: Position,
}

/// A TOML value.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Datetime(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key with its value; tables keep the order of the file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub position: Position,
    pub node: Node,
}

impl Tree {
    /// What it is, as a person says it.
    pub fn kind(&self) -> &'static str {
        match self {
            Tree::Boolean(_) => "a boolean",
            Tree::Integer(_) => "an integer",
            Tree::Float(_) => "a number",
            Tree::Text(_) => "a text",
            Tree::Datetime(_) => "a date or time",
            Tree::List(_) => "an array",
            Tree::Table(_) => "a table",
        }
    }
}

impl Node {
    /// The entries, where it is a table.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.tree {
            Tree::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// As [`entries`](Self::entries), to be changed.
    pub fn entries_mut(&mut self) -> Option<&mut Vec<Entry>> {
        match &mut self.tree {
            Tree::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value under `key`, to be changed, where it is a table that has it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        let entry = self.entries_mut()?.iter_mut().find(|entry| entry.key == key)?;
        Some(&mut entry.node)
    }

    /// Whether it, or a key or value in it, is at `place`.
    pub fn holds(&self, place: &Position) -> bool {
        self.position.is_at(place)
            || match &self.tree {
                Tree::Table(entries) => {
                    entries.iter().any(|entry| entry.position.is_at(place) || entry.node.holds(place))
                }
                Tree::List(nodes) => nodes.iter().any(|node| node.holds(place)),
                _ => false,
            }
    }

    /// Takes the value under `key` out, where it is a table that has it.
    pub fn take(&mut self, key: &str) -> Option<Entry> {
        let Tree::Table(entries) = &mut self.tree else { return None };
        let place = entries.iter().position(|entry| entry.key == key)?;
        Some(entries.remove(place))
    }

    /// The value under `key`, where it is a table that has it.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }
}

/// `text` as a TOML string; a JSON string is one.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `name` as a TOML key: bare where it can be.
pub(crate) fn toml_key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(is_bare) { name.to_owned() } else { quoted(name) }
}

/// The table of a whole file.
///
/// # Errors
/// Everything that is no TOML, at its place.
pub(super) fn parse(source: &Arc<SourceFile>) -> Result<Node, Vec<Diagnostic>> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let mut problems: Vec<Diagnostic> = errors
        .iter()
        .map(|error| {
            let span = error.span().unwrap_or(0..0);
            Diagnostic::at(&position(source, span), format!("this is not TOML: {}", error.message()))
        })
        .collect();
    let node = Node { tree: convert_table(source, table.get_ref(), &mut problems), position: position(source, 0..0) };
    if problems.is_empty() { Ok(node) } else { Err(problems) }
}

fn position(source: &Arc<SourceFile>, span: Range<usize>) -> Position {
    Position { source: Arc::clone(source), start: span.start, end: span.end }
}

fn convert_table(source: &Arc<SourceFile>, table: &DeTable<'_>, problems: &mut Vec<Diagnostic>) -> Tree {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| {
            let key_position = position(source, key.span());
            let value_position = match value.get_ref() {
                // The span of a table made of dotted keys and headers says little.
                DeValue::Table(_) => key_position.clone(),
                _ => position(source, value.span()),
            };
            let tree = convert(source, value.get_ref(), &value_position, problems);
            let node = Node { tree, position: value_position };
            Entry { key: key.get_ref().clone().into_owned(), position: key_position, node }
        })
        .collect();
    entries.sort_by_key(|entry| entry.position.start);
    Tree::Table(entries)
}

fn convert(source: &Arc<SourceFile>, value: &DeValue<'_>, at: &Position, problems: &mut Vec<Diagnostic>) -> Tree {
    match value {
        DeValue::String(text) => Tree::Text(text.clone().into_owned()),
        DeValue::Boolean(value) => Tree::Boolean(*value),
        DeValue::Datetime(value) => Tree::Datetime(value.to_string()),
        DeValue::Integer(integer) => {
            let parsed = i64::from_str_radix(integer.as_str(), integer.radix());
            Tree::Integer(parsed.unwrap_or_else(|_| {
                problems.push(Diagnostic::at(at, format!("the integer {integer} does not fit into 64 bits")));
                0
            }))
        }
        DeValue::Float(float) => Tree::Float(float.as_str().parse().unwrap_or_else(|_| {
            problems.push(Diagnostic::at(at, format!("{float} is no number")));
            0.0
        })),
        DeValue::Array(values) => Tree::List(
            values
                .iter()
                .map(|value| {
                    let at = position(source, value.span());
                    Node { tree: convert(source, value.get_ref(), &at, problems), position: at }
                })
                .collect(),
        ),
        DeValue::Table(table) => convert_table(source, table, problems),
    }
}
