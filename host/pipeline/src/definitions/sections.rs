//! The sections of all files together, with assets merged over their templates and a profile over all of it.

use std::collections::{HashMap, HashSet};

use super::fields::{Fields, Problems};
use super::graphs::Graphs;
use super::multi_asset::{self, Members};
use super::tree::{Entry, Node, Tree};
use super::{Diagnostic, Position, keys, steps};

/// The sections of all files together.
#[derive(Clone, Default)]
pub(super) struct Sections {
    pub defaults: Option<Entry>,
    pub io_managers: Vec<Entry>,
    pub templates: Vec<Entry>,
    pub partitions: Vec<Entry>,
    /// Merged over their templates.
    pub assets: Vec<Entry>,
    pub multi_assets: Vec<Entry>,
    /// Which of the assets multi-assets compute.
    pub members: Members,
    pub ops: Vec<Entry>,
    /// Their steps are merged over their ops.
    pub graphs: Vec<Entry>,
    /// Those that something is made from.
    pub used_graphs: HashSet<String>,
    /// By the name of an asset that is made from a graph, its steps but for the last, whose op the asset has.
    pub graph_steps: HashMap<String, Vec<Entry>>,
    /// Their steps are merged over their ops, and those of graphs in their place.
    pub jobs: Vec<Entry>,
}

impl Sections {
    /// The sections of the file `main` and of the files that it includes.
    pub fn read(main: &Node, included: Vec<Node>, problems: &Problems) -> Self {
        let mut files = vec![main.clone()];
        files.extend(included);
        let mut sections = Self {
            defaults: main.get("defaults").cloned(),
            io_managers: collect(&mut files, "io", "I/O manager", problems),
            templates: collect(&mut files, "templates", "template", problems),
            partitions: collect(&mut files, "partitions", "partitions", problems),
            assets: collect(&mut files, "assets", "asset", problems),
            multi_assets: collect(&mut files, "multi_assets", "multi-asset", problems),
            members: Members::new(),
            ops: collect(&mut files, "ops", "op", problems),
            graphs: collect(&mut files, "graphs", "graph", problems),
            used_graphs: HashSet::new(),
            graph_steps: HashMap::new(),
            jobs: collect(&mut files, "jobs", "job", problems),
        };
        sections.apply_templates(problems);
        sections.members = multi_asset::expand(&sections.multi_assets, &mut sections.assets, problems);
        steps::apply(&mut sections.jobs, &mut sections.graphs, &mut sections.ops, problems);
        sections.apply_graphs(problems);
        sections
    }

    /// Puts the steps of graphs into the place of the steps and assets that are made from them.
    fn apply_graphs(&mut self, problems: &Problems) {
        let graphs = Graphs::new(&self.graphs, problems);
        for job in &mut self.jobs {
            graphs.expand_job(job);
        }
        for asset in &mut self.assets {
            if let Some(steps) = graphs.expand_asset(asset) {
                self.graph_steps.insert(asset.key.clone(), steps);
            }
        }
        self.used_graphs = graphs.used();
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
            let own = std::mem::replace(&mut asset.node.tree, tree);
            if let Tree::Table(entries) = own {
                merge(&mut asset.node, entries);
            }
        }
    }

    /// Merges `profile` over them: the keys of an I/O manager or asset are replaced one by one, and those of
    /// [`keys::MERGED`] entry by entry.
    pub fn merge_profile(&mut self, profile: &Entry, problems: &Problems) {
        let what = format!("the profile `{}`", profile.key);
        let fields = Fields::new(&profile.node, &profile.position, &what, keys::PROFILE, problems);
        if let Some(defaults) = fields.get("defaults") {
            match (&mut self.defaults, defaults.node.entries()) {
                (Some(base), Some(entries)) => replace(&mut base.node, entries.to_vec()),
                _ => self.defaults = Some(defaults.clone()),
            }
        }
        merge_section(&fields, "io", "I/O manager", &mut self.io_managers, problems);
        merge_section(&fields, "assets", "asset", &mut self.assets, problems);
        multi_asset::check_profile(&self.members, fields.named("assets"), problems);
        for asset in fields.named("assets") {
            let of_its_op =
                ["command", "component", "inputs"].iter().filter(|_| self.graph_steps.contains_key(&asset.key));
            for named in of_its_op.chain(&["graph"]).filter_map(|key| asset.node.get(key)) {
                let message = "a profile cannot change the graph of an asset, which is put into its place before it";
                problems.at(&named.position, message);
            }
        }
        for named in fields.named("assets").iter().filter_map(|asset| asset.node.get("template")) {
            let message = "a profile cannot change the template of an asset, which is merged before it";
            problems.push(Diagnostic::at(&named.position, message).help("say here what is to be different"));
        }
    }
}

/// Takes the entries of the section `key` out of `files`; a name that is there already is a problem.
fn collect(files: &mut [Node], key: &str, what: &str, problems: &Problems) -> Vec<Entry> {
    let mut all = Vec::new();
    let mut places: HashMap<String, Position> = HashMap::new();
    for section in files.iter_mut().filter_map(|file| file.take(key)) {
        let Tree::Table(entries) = section.node.tree else {
            problems.wrong_kind(&section.node, &format!("`{key}`"), "a table");
            continue;
        };
        for entry in entries {
            if let Some(first) = places.get(&entry.key) {
                let message = format!("the {what} `{}` is defined twice", entry.key);
                problems.push(Diagnostic::at(&entry.position, message).help(format!("it is defined first at {first}")));
                continue;
            }
            places.insert(entry.key.clone(), entry.position.clone());
            all.push(entry);
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
            Some(entries) => merge(&mut base.node, entries.to_vec()),
            None => problems.wrong_kind(&entry.node, &format!("`{}`", entry.key), "a table"),
        }
    }
}

fn merge(base: &mut Node, entries: Vec<Entry>) {
    for entry in entries {
        let is_merged = keys::MERGED.contains(&entry.key.as_str()) && entry.node.get("$env").is_none();
        let present = match &mut base.tree {
            Tree::Table(all) if is_merged => all.iter_mut().find(|other| other.key == entry.key),
            _ => None,
        };
        match (present, entry) {
            (Some(present), Entry { node: Node { tree: Tree::Table(inner), .. }, .. })
                if present.node.entries().is_some() =>
            {
                replace(&mut present.node, inner);
            }
            (_, entry) => replace(base, vec![entry]),
        }
    }
}

fn replace(base: &mut Node, entries: Vec<Entry>) {
    let Tree::Table(all) = &mut base.tree else { return };
    for entry in entries {
        match all.iter_mut().find(|other| other.key == entry.key) {
            Some(present) => *present = entry,
            None => all.push(entry),
        }
    }
}
