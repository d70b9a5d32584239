//! The sections of all files together, with assets merged over their templates and a profile over all of it.

use std::collections::HashMap;

use super::fields::{Fields, Problems};
use super::tree::{Entry, Node, Tree};
use super::{Diagnostic, Position, keys};

/// The sections of all files together.
#[derive(Clone, Default)]
pub(super) struct Sections {
    pub defaults: Option<Entry>,
    pub io_managers: Vec<Entry>,
    pub templates: Vec<Entry>,
    pub partitions: Vec<Entry>,
    /// Merged over their templates.
    pub assets: Vec<Entry>,
}

impl Sections {
    /// The sections of the file `main` and of the files that it includes.
    pub fn read<'a>(main: &'a Node, included: &'a [Node], problems: &Problems) -> Self {
        let files = || std::iter::once(main).chain(included);
        let mut sections = Self {
            defaults: main.get("defaults").cloned(),
            io_managers: collect(files(), "io", "I/O manager", problems),
            templates: collect(files(), "templates", "template", problems),
            partitions: collect(files(), "partitions", "partitions", problems),
            assets: collect(files(), "assets", "asset", problems),
        };
        sections.apply_templates(problems);
        sections
    }

    /// Merges each asset over the template that it names.
    fn apply_templates(&mut self, problems: &Problems) {
        let templates: HashMap<&str, &Entry> =
            self.templates.iter().map(|template| (template.key.as_str(), template)).collect();
        for asset in &mut self.assets {
            let Some(named) = asset.node.get("template") else { continue };
            let Some((name, position)) = super::fields::text(&named.node, "`template`", problems) else { continue };
            let Some(template) = templates.get(name) else {
                let candidates = self.templates.iter().map(|template| template.key.as_str());
                problems.unknown(position, format!("there is no template `{name}`"), name, candidates);
                continue;
            };
            let tree = Tree::Table(template.node.entries().unwrap_or_default().to_vec());
            let mut merged = Node { tree, position: asset.node.position.clone() };
            merge(&mut merged, asset.node.entries().unwrap_or_default());
            asset.node = merged;
        }
    }

    /// Merges `profile` over them: the keys of an I/O manager or asset are replaced one by one, and those of
    /// [`keys::MERGED`] entry by entry.
    pub fn merge_profile(&mut self, profile: &Entry, problems: &Problems) {
        let what = format!("the profile `{}`", profile.key);
        let fields = Fields::new(&profile.node, &profile.position, &what, keys::PROFILE, problems);
        if let Some(defaults) = fields.get("defaults") {
            match (&mut self.defaults, defaults.node.entries()) {
                (Some(base), Some(entries)) => replace(&mut base.node, entries),
                _ => self.defaults = Some(defaults.clone()),
            }
        }
        merge_section(&fields, "io", "I/O manager", &mut self.io_managers, problems);
        merge_section(&fields, "assets", "asset", &mut self.assets, problems);
        for named in fields.named("assets").iter().filter_map(|asset| asset.node.get("template")) {
            let message = "a profile cannot change the template of an asset, which is merged before it";
            problems.push(Diagnostic::at(&named.position, message).help("say here what is to be different"));
        }
    }
}

/// The entries of the section `key` of `files`; a name that is there already is a problem.
fn collect<'a>(files: impl Iterator<Item = &'a Node>, key: &str, what: &str, problems: &Problems) -> Vec<Entry> {
    let mut all = Vec::new();
    let mut places: HashMap<&str, &Position> = HashMap::new();
    for section in files.filter_map(|file| file.get(key)) {
        let Some(entries) = section.node.entries() else {
            problems.wrong_kind(&section.node, &format!("`{key}`"), "a table");
            continue;
        };
        for entry in entries {
            if let Some(first) = places.get(entry.key.as_str()) {
                let message = format!("the {what} `{}` is defined twice", entry.key);
                problems.push(Diagnostic::at(&entry.position, message).help(format!("it is defined first at {first}")));
                continue;
            }
            places.insert(&entry.key, &entry.position);
            all.push(entry.clone());
        }
    }
    all
}

/// Merges what the profile `fields` says under `key` over `all`.
fn merge_section(fields: &Fields<'_>, key: &str, what: &str, all: &mut [Entry], problems: &Problems) {
    let changes = fields.named(key);
    let places: HashMap<String, usize> = match changes {
        [] => return,
        _ => all.iter().enumerate().map(|(place, base)| (base.key.clone(), place)).collect(),
    };
    for entry in changes {
        let Some(base) = places.get(&entry.key).and_then(|place| all.get_mut(*place)) else {
            let message = format!("a profile changes what is there, and there is no {what} `{}`", entry.key);
            problems.unknown(&entry.position, message, &entry.key, all.iter().map(|base| base.key.as_str()));
            continue;
        };
        match entry.node.entries() {
            Some(entries) => merge(&mut base.node, entries),
            None => problems.wrong_kind(&entry.node, &format!("`{}`", entry.key), "a table"),
        }
    }
}

fn merge(base: &mut Node, entries: &[Entry]) {
    for entry in entries {
        let is_merged = keys::MERGED.contains(&entry.key.as_str()) && entry.node.get("$env").is_none();
        let present = match &mut base.tree {
            Tree::Table(all) => all.iter_mut().find(|other| other.key == entry.key),
            _ => None,
        };
        match (present, entry.node.entries()) {
            (Some(present), Some(inner)) if is_merged && present.node.entries().is_some() => {
                replace(&mut present.node, inner);
            }
            _ => replace(base, std::slice::from_ref(entry)),
        }
    }
}

fn replace(base: &mut Node, entries: &[Entry]) {
    let Tree::Table(all) = &mut base.tree else { return };
    for entry in entries {
        match all.iter_mut().find(|other| other.key == entry.key) {
            Some(present) => *present = entry.clone(),
            None => all.push(entry.clone()),
        }
    }
}
