//! Takes typed values out of the tree and collects what is wrong, so that nothing stops at the first mistake.

use std::cell::RefCell;

use super::tree::{Entry, Node, Tree};
use super::{Configuration, Diagnostic, Position, Setting, SettingType, keys};
use crate::definitions::EnvironmentReference;
use crate::suggest;

/// Mistakes after which it is no longer searched what was probably meant: a search looks at every name.
const SEARCHES: usize = 100;

/// Collects what is wrong.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Diagnostic>>);

impl Problems {
    pub fn push(&self, diagnostic: Diagnostic) {
        self.0.borrow_mut().push(diagnostic);
    }

    pub fn at(&self, position: &Position, message: impl Into<String>) {
        self.push(Diagnostic::at(position, message));
    }

    pub fn into_list(self) -> Vec<Diagnostic> {
        self.0.into_inner()
    }

    /// That `node` is not `wanted`.
    pub fn wrong_kind(&self, node: &Node, what: &str, wanted: &str) {
        let mut diagnostic =
            Diagnostic::at(&node.position, format!("{what} is {wanted}, and this is {}", node.tree.kind()));
        if node.get("$env").is_some() {
            diagnostic.message = format!("{what} is {wanted}; the environment cannot be named here");
        }
        self.push(diagnostic);
    }

    /// That `name` is none of `candidates`, with the one that was probably meant.
    pub fn unknown<'a>(
        &self,
        position: &Position,
        message: String,
        name: &str,
        candidates: impl IntoIterator<Item = &'a str> + Clone,
    ) {
        let is_searched = self.0.borrow().len() < SEARCHES;
        let help = is_searched.then(|| suggest::help(name, candidates)).flatten();
        self.push(Diagnostic { help, ..Diagnostic::at(position, message) });
    }
}

/// A table of which the keys are known.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    entries: &'a [Entry],
    pub position: &'a Position,
    /// What the table is, as a message names it: `asset "a/b"`.
    pub what: &'a str,
    problems: &'a Problems,
}

impl<'a> Fields<'a> {
    /// The table `node`, which `position` names; other keys than `known` are problems, and so is another kind of value.
    pub fn new(
        node: &'a Node,
        position: &'a Position,
        what: &'a str,
        known: &[&'static str],
        problems: &'a Problems,
    ) -> Self {
        let entries = node.entries().unwrap_or_else(|| {
            problems.wrong_kind(node, what, "a table");
            &[]
        });
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                let message = format!("{what} has no key `{}`", entry.key);
                problems.unknown(&entry.position, message, &entry.key, known.iter().copied());
            }
        }
        Self { entries, position, what, problems }
    }

    pub fn get(&self, key: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// That `key` is missing.
    pub fn missing(&self, key: &str, help: impl Into<String>) {
        self.problems.push(Diagnostic::at(self.position, format!("{} lacks `{key}`", self.what)).help(help));
    }

    pub fn text(&self, key: &str) -> Option<(&'a str, &'a Position)> {
        let entry = self.get(key)?;
        text(&entry.node, &format!("`{key}`"), self.problems)
    }

    pub fn boolean(&self, key: &str) -> Option<(bool, &'a Position)> {
        let node = &self.get(key)?.node;
        if let Tree::Boolean(value) = node.tree {
            return Some((value, &node.position));
        }
        self.problems.wrong_kind(node, &format!("`{key}`"), "true or false");
        None
    }

    /// One of `choices`.
    pub fn choice<T: Copy>(&self, key: &str, choices: &[(&'static str, T)]) -> Option<T> {
        let (name, position) = self.text(key)?;
        let found = choices.iter().find(|(choice, _)| *choice == name);
        if found.is_none() {
            let message = format!("`{name}` is not one of the values of `{key}`");
            self.problems.unknown(position, message, name, choices.iter().map(|(choice, _)| *choice));
        }
        found.map(|(_, value)| *value)
    }

    /// The entries of a table whose keys are names.
    pub fn named(&self, key: &str) -> &'a [Entry] {
        let Some(entry) = self.get(key) else { return &[] };
        entry.node.entries().unwrap_or_else(|| {
            self.problems.wrong_kind(&entry.node, &format!("`{key}`"), "a table");
            &[]
        })
    }

    /// The values of an array.
    pub fn list(&self, key: &str) -> &'a [Node] {
        let Some(entry) = self.get(key) else { return &[] };
        if let Tree::List(nodes) = &entry.node.tree {
            return nodes;
        }
        self.problems.wrong_kind(&entry.node, &format!("`{key}`"), "an array");
        &[]
    }

    /// The texts of an array.
    pub fn texts(&self, key: &str) -> Vec<(&'a str, &'a Position)> {
        let what = format!("an entry of `{key}`");
        self.list(key).iter().filter_map(|node| text(node, &what, self.problems)).collect()
    }

    /// A value of any shape, in which the environment may be named.
    pub fn configuration(&self, key: &str) -> Option<Configuration> {
        Some(Configuration::read(self.get(key)?, self.problems))
    }
}

/// The text that `node` is.
pub(super) fn text<'a>(node: &'a Node, what: &str, problems: &Problems) -> Option<(&'a str, &'a Position)> {
    match &node.tree {
        Tree::Text(text) if text.contains('\0') => {
            problems.at(&node.position, format!("{what} holds a NUL character"));
            None
        }
        Tree::Text(text) => Some((text, &node.position)),
        _ => {
            problems.wrong_kind(node, what, "a text");
            None
        }
    }
}

/// The text, or the entry of the environment that has it.
pub(super) fn text_setting(node: &Node, what: &str, problems: &Problems) -> Option<Setting> {
    if node.get("$env").is_none() {
        return text(node, what, problems).map(|(text, _)| Setting::Text(text.to_owned()));
    }
    let reference = environment(node, problems)?;
    if reference.setting_type != SettingType::Text {
        problems.at(&node.position, format!("{what} is a text: leave `as` out"));
        return None;
    }
    Some(Setting::Environment(reference))
}

/// The value that `node` is, in which the environment may be named.
pub(super) fn setting(node: &Node, problems: &Problems) -> Setting {
    match &node.tree {
        Tree::Boolean(value) => Setting::Boolean(*value),
        Tree::Integer(value) => Setting::Integer(*value),
        Tree::Float(value) => {
            if !value.is_finite() {
                problems.at(&node.position, "a number here is finite, since it is passed on as JSON");
            }
            Setting::Float(*value)
        }
        Tree::Text(value) | Tree::Datetime(value) => Setting::Text(value.clone()),
        Tree::List(nodes) => Setting::List(nodes.iter().map(|node| setting(node, problems)).collect()),
        Tree::Table(_) if node.get("$env").is_some() => match environment(node, problems) {
            Some(reference) => Setting::Environment(reference),
            None => Setting::Boolean(false),
        },
        Tree::Table(entries) => {
            Setting::Table(entries.iter().map(|entry| (entry.key.clone(), setting(&entry.node, problems))).collect())
        }
    }
}

const SETTING_TYPES: &[(&str, SettingType)] = &[
    ("text", SettingType::Text),
    ("int", SettingType::Int),
    ("float", SettingType::Float),
    ("bool", SettingType::Bool),
];

/// The reference to the environment that the table `node` is.
pub(super) fn environment(node: &Node, problems: &Problems) -> Option<EnvironmentReference> {
    let fields = Fields::new(node, &node.position, "a reference to the environment", keys::ENVIRONMENT, problems);
    let setting_type = match fields.get("as") {
        None => SettingType::Text,
        Some(_) => fields.choice("as", SETTING_TYPES)?,
    };
    let default = fields.get("default").and_then(|entry| {
        let value = setting(&entry.node, problems);
        let fits = matches!(
            (&value, setting_type),
            (Setting::Text(_), SettingType::Text)
                | (Setting::Integer(_), SettingType::Int | SettingType::Float)
                | (Setting::Float(_), SettingType::Float)
                | (Setting::Boolean(_), SettingType::Bool)
        );
        if !fits {
            let (name, _) = SETTING_TYPES.iter().find(|(_, value)| *value == setting_type)?;
            problems
                .at(&entry.node.position, format!("`default` is {}, and `as` says `{name}`", entry.node.tree.kind()));
        }
        Some(Box::new(value))
    });
    let (name, position) = fields.text("$env")?;
    if name.is_empty() || name.contains('=') {
        problems.at(position, "the name of an environment variable is not empty and has no `=`");
        return None;
    }
    Some(EnvironmentReference { name: name.to_owned(), default, setting_type, position: position.clone() })
}
