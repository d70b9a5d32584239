//! Reads the sections of the definitions and checks what holds between them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use airlock_sandbox::grant::{DirectoryPath, Grant, GrantError, MountGrant, MountSource};
use airlock_sandbox::limits::Limits;

use super::deciding::Deciding;
use super::fields::{Fields, Problems};
use super::files::Files;
use super::known::{Known, NamedPartitions};
use super::sections::Sections;
use super::tree::Entry;
use super::{
    Asset, Builtins, ComponentUse, Diagnostic, IoManager, Job, JobStep, MountPath, Op, Setting, asset, component,
    graphs, job, keys, overlap, partitions, retry, steps, template, toml_key, variables,
};
use crate::home::Home;
use crate::partition::PartitionsDefinition;

/// What the definitions define.
#[derive(Default)]
pub(super) struct Contents {
    /// The names of all profiles.
    pub profiles: Vec<String>,
    pub assets: Vec<Asset>,
    pub jobs: Vec<Job>,
    pub io_managers: Vec<IoManager>,
    pub partitions: Vec<(String, PartitionsDefinition)>,
    /// What decides what components may do.
    pub deciding: Deciding,
    /// What is not wrong, and probably not meant.
    pub warnings: Vec<Diagnostic>,
}

impl Contents {
    /// What computes the assets, and the steps of jobs.
    fn ops(&self) -> impl Iterator<Item = &Op> {
        self.assets.iter().map(|asset| &asset.op).chain(self.steps().map(|step| &step.op))
    }

    /// The components that are used.
    fn components(&self) -> impl Iterator<Item = &ComponentUse> {
        let ops = self.ops().filter_map(|op| match op {
            Op::Component(component) => Some(&**component),
            Op::Command(_) | Op::External => None,
        });
        self.io_managers.iter().map(|manager| &manager.component).chain(ops)
    }

    /// The steps of jobs, and of the graphs that assets are made from.
    fn steps(&self) -> impl Iterator<Item = &JobStep> {
        let graphs = self.assets.iter().filter_map(|asset| asset.graph.as_deref());
        self.jobs.iter().chain(graphs).flat_map(|job| &job.steps)
    }
}

/// The contents with `profile` merged over them, and every mistake: of them, and of what other profiles say.
pub(super) fn read(
    files: &Files,
    profile: Option<&str>,
    home: &Home,
    builtins: Builtins,
) -> (Contents, Vec<Diagnostic>) {
    let sections = &files.sections;
    let problems = Problems::default();
    let partitions = partitions::read(&sections.partitions, &problems);
    let reader = Reader { files, partitions: &partitions, home, builtins };
    let own = reader.read(profile);
    let others = files.profiles().map(Some).chain([None]).filter(|other| *other != profile);
    let others: Vec<_> = others.map(|other| (other, reader.read(other))).collect();
    let mut used = Used::default();
    // A component must not be changed under one profile for another either.
    let mut components = Vec::new();
    for read in others.iter().map(|(_, read)| read).chain([&own]) {
        used.note(&read.contents);
        components.extend(read.contents.components());
    }
    let deciding = Deciding::new(files.paths(), &files.included, components.into_iter());
    let (mut contents, mut list) = reader.check(own, &deciding);
    list.extend(problems.into_list());
    for (other, read) in others {
        let (_, problems) = reader.check(read, &deciding);
        list.extend(
            problems.into_iter().filter(|problem| other.is_some_and(|name| files.is_of_profile(name, problem))),
        );
    }
    contents.deciding = deciding;
    contents.profiles = files.profiles().map(str::to_owned).collect();
    contents.warnings = template::unused(&sections.templates, &sections.assets);
    contents.warnings.extend(steps::unused(&sections.ops, &sections.jobs, &sections.graphs));
    contents.warnings.extend(graphs::unused(&sections.graphs, &sections.used_graphs));
    contents.warnings.extend(used.unused(&contents.io_managers, &partitions));
    let defined = partitions.into_iter().filter_map(|partitions| Some((partitions.name, partitions.definition?)));
    contents.partitions = defined.collect();
    (contents, list)
}

/// What the assets and jobs of any profile name.
#[derive(Default)]
struct Used {
    io_managers: HashSet<String>,
    partitions: HashSet<String>,
}

impl Used {
    fn note(&mut self, contents: &Contents) {
        self.io_managers.extend(contents.io_managers.iter().filter_map(|manager| manager.parent.clone()));
        for asset in &contents.assets {
            for name in asset.inputs.iter().filter_map(|input| input.io.as_ref()) {
                self.io_managers.insert(name.clone());
            }
            for (name, all) in [(&asset.output.io, &mut self.io_managers), (&asset.partitions, &mut self.partitions)] {
                if let Some(name) = name.as_ref().filter(|name| !all.contains(*name)) {
                    all.insert(name.clone());
                }
            }
        }
        for step in contents.steps() {
            let loading = step.inputs.iter().filter_map(|input| input.io.as_ref());
            let storing = step.outputs.iter().filter_map(|output| output.io.as_ref());
            self.io_managers.extend(loading.chain(storing).cloned());
        }
    }

    /// A warning for each that is not named.
    fn unused(&self, io_managers: &[IoManager], partitions: &[NamedPartitions]) -> Vec<Diagnostic> {
        let managers = io_managers.iter().filter(|manager| !self.io_managers.contains(&manager.name)).map(|manager| {
            Diagnostic::at(
                &manager.position,
                format!("nothing is stored or loaded by the I/O manager `{}`", manager.name),
            )
        });
        let of_dimensions: HashSet<&String> = partitions.iter().flat_map(|partitions| &partitions.of).collect();
        let is_used = |name: &String| self.partitions.contains(name) || of_dimensions.contains(name);
        let partitions = partitions.iter().filter(|partitions| !is_used(&partitions.name));
        let partitions = partitions.map(|partitions| {
            Diagnostic::at(&partitions.position, format!("no asset has the partitions `{}`", partitions.name))
        });
        managers.chain(partitions).collect()
    }
}

/// Reads the files with one profile or another merged over them.
struct Reader<'a> {
    files: &'a Files,
    partitions: &'a [NamedPartitions],
    home: &'a Home,
    builtins: Builtins,
}

/// What was read with one profile.
struct Read<'a> {
    sections: Cow<'a, Sections>,
    contents: Contents,
    /// What is wrong with the files as such.
    list: Vec<Diagnostic>,
    problems: Problems,
}

impl<'a> Reader<'a> {
    fn read(&self, profile: Option<&str>) -> Read<'a> {
        let (sections, list) = self.files.sections(profile);
        let problems = Problems::default();
        let contents = self.contents(&sections, &problems);
        Read { sections, contents, list, problems }
    }

    /// What holds between the contents and what decides what components may do.
    fn check(&self, read: Read<'_>, deciding: &Deciding) -> (Contents, Vec<Diagnostic>) {
        let Read { sections, contents, mut list, problems } = read;
        for component in contents.components() {
            check_roots(component, self.home, deciding, &problems);
        }
        overlap::check(&contents.assets, &contents.io_managers, self.home, &problems);
        let of_templates = template::once(problems.into_list(), &sections.templates);
        let of_graphs = template::once(of_templates, &sections.graphs);
        let of_ops = template::once(of_graphs, &sections.ops);
        list.extend(template::once(of_ops, &sections.multi_assets));
        (contents, list)
    }

    fn contents(&self, sections: &Sections, problems: &Problems) -> Contents {
        let mut known = Known::new(&sections.assets, &sections.io_managers, self.partitions, self.builtins);
        if let Some(entry) = &sections.defaults {
            let fields = Fields::new(&entry.node, &entry.position, "`defaults`", keys::DEFAULTS, problems);
            if let Some((name, position)) = fields.text("io") {
                known.check_io_manager(name, position, problems);
                known.default_io = Some(name);
            }
        }
        known.shared = shared(sections);
        let io_managers: Vec<IoManager> =
            sections.io_managers.iter().map(|entry| io_manager(entry, &known, problems)).collect();
        check_parents(&io_managers, problems);
        template::check(&sections.templates, &known, problems);
        let assets = sections.assets.iter().map(|entry| {
            let multi_asset = sections.members.get(&entry.key);
            let known_keys = if multi_asset.is_some() { keys::WHOLE_MEMBER } else { keys::ASSET };
            let what = format!("the asset `{}`", entry.key);
            let graph = sections.graph_steps.get(&entry.key).map(Vec::as_slice);
            let asset = asset::read(entry, &what, known_keys, graph, &known, problems);
            Asset { multi_asset: multi_asset.cloned(), ..asset }
        });
        let assets: Vec<Asset> = assets.collect();
        check_members(&assets, problems);
        check_steps(&assets, problems);
        check_keys(&assets, problems);
        job::check_ops(&sections.ops, &known, problems);
        let jobs = sections.jobs.iter().map(|entry| job::read(entry, &known, problems)).collect();
        Contents { assets, jobs, io_managers, ..Contents::default() }
    }
}

/// What several steps may be made from, with the names of the tables: ops before the steps of graphs that name them.
fn shared(sections: &Sections) -> Vec<(String, &Entry)> {
    let ops = sections.ops.iter().map(|op| (format!("ops.{}", toml_key(&op.key)), op));
    let graphs = sections.graphs.iter().flat_map(|graph| {
        let name = move |step: &Entry| format!("graphs.{}.steps.{}", toml_key(&graph.key), toml_key(&step.key));
        graph
            .node
            .get("steps")
            .and_then(|steps| steps.node.entries())
            .unwrap_or_default()
            .iter()
            .map(move |step| (name(step), step))
    });
    ops.chain(graphs).collect()
}

/// That a step of the graph of one of `assets` is called as another asset is a problem.
fn check_keys(assets: &[Asset], problems: &Problems) {
    let graphs: Vec<(&Asset, &Job)> =
        assets.iter().filter_map(|asset| Some((asset, asset.graph.as_deref()?))).collect();
    let names: HashMap<&str, &Asset> =
        graphs.iter().flat_map(|(asset, graph)| graph.steps.iter().map(|step| (step.name.as_str(), *asset))).collect();
    for (asset, of) in assets.iter().filter_map(|asset| Some((asset, names.get(asset.name.as_str())?))) {
        let message = format!("`{}` is also what a step of the graph of `{}` is called", asset.name, of.name);
        problems.at(&asset.position, message);
    }
}

/// That one of `assets` loads of itself what its step computes as well is a problem.
fn check_steps(assets: &[Asset], problems: &Problems) {
    for asset in assets.iter().filter(|asset| asset.partitions_per_step.is_some()) {
        if let Some(input) = asset.inputs.iter().find(|input| input.asset() == Some(&asset.name)) {
            let message = format!("`{}` loads partitions of itself that one step may compute together", asset.name);
            let help = "leave `partitions_per_step` out, so that each has a step of its own";
            problems.push(Diagnostic::at(&input.position, message).help(help));
        }
    }
}

/// That two of `assets` that one op computes are one output of it is a problem, and that the op loads what it computes.
fn check_members(assets: &[Asset], problems: &Problems) {
    let mut outputs: HashMap<(&str, String), &Asset> = HashMap::new();
    for asset in assets {
        let Some(multi) = asset.multi_asset.as_deref() else { continue };
        let variable = variables::upper(&asset.output.name);
        if let Some(other) = outputs.insert((multi, variable), asset) {
            let (ours, theirs) = (&asset.output.name, &other.output.name);
            let message =
                format!("`{}` and `{}` are one output of `{multi}`: `{theirs}` and `{ours}`", other.name, asset.name);
            problems.push(Diagnostic::at(&asset.position, message).help("name another: `output = \"NAME\"`"));
        }
        for input in asset.inputs.iter().filter(|input| input.asset() != Some(&asset.name)) {
            let loaded = input.asset().and_then(|name| assets.iter().find(|other| other.name == name));
            if loaded.is_some_and(|loaded| loaded.multi_asset.as_deref() == Some(multi)) {
                problems.at(&input.position, format!("`{multi}` cannot load what it computes"));
            }
        }
    }
}

fn io_manager(entry: &Entry, known: &Known<'_>, problems: &Problems) -> IoManager {
    if !asset::is_name(&entry.key) {
        let message = format!("the name of the I/O manager {:?} {}", entry.key, asset::NAME_RULE);
        problems.at(&entry.position, message);
    }
    let what = format!("the I/O manager `{}`", entry.key);
    let fields = Fields::new(&entry.node, &entry.position, &what, keys::IO_MANAGER, problems);
    let component = component::read(&fields, &component::IO_MANAGER, known.builtins, problems);
    let retry = retry::read(&fields, problems);
    let parent = fields.text("parent").map(|(name, position)| {
        known.check_io_manager(name, position, problems);
        name.to_owned()
    });
    IoManager { name: entry.key.clone(), position: entry.position.clone(), component, retry, parent }
}

/// That an I/O manager is its own parent, at whatever distance, is a problem.
fn check_parents(io_managers: &[IoManager], problems: &Problems) {
    let parent = |manager: &IoManager| io_managers.iter().find(|other| Some(&other.name) == manager.parent.as_ref());
    for manager in io_managers {
        let ancestors = std::iter::successors(parent(manager), |manager| parent(manager)).take(io_managers.len());
        if ancestors.into_iter().any(|ancestor| ancestor.name == manager.name) {
            problems.at(&manager.position, format!("the I/O manager `{}` is its own `parent`", manager.name));
        }
    }
}

/// Whether what `directory` names is there, and is something else.
pub(crate) fn is_no_directory(directory: &DirectoryPath) -> bool {
    directory.as_path().metadata().is_ok_and(|metadata| !metadata.is_dir())
}

/// A directory that must not be lent is a mistake of the definitions where they name it themselves; one that the
/// environment names is checked when a run starts.
fn check_roots(component: &ComponentUse, home: &Home, deciding: &Deciding, problems: &Problems) {
    let mut lent: Vec<MountGrant> = Vec::new();
    for mount in &component.mounts {
        if let MountPath::Directory(Setting::Text(path)) = &mount.source {
            let beside = component::beside(&mount.position, Path::new(path));
            match DirectoryPath::new(&beside, home.own_state()) {
                Ok(directory) if is_no_directory(&directory) => {
                    problems.at(&mount.position, format!("{path} is not a directory"));
                }
                Ok(directory) => {
                    if let Some(refusal) = deciding.refuse(mount.access, &directory) {
                        problems.at(&mount.position, refusal);
                    }
                    let (guest_path, source) = (mount.guest_path.clone(), MountSource::Directory(directory));
                    let grant = MountGrant { guest_path, source, access: mount.access, scope: mount.scope };
                    for other in &lent {
                        let pair = vec![grant.clone(), other.clone()];
                        // That guest paths overlap was found when they were read.
                        if let Err(error @ GrantError::WrittenTwice(..)) =
                            Grant::new(pair, BTreeMap::new(), Limits::default())
                        {
                            problems.at(&mount.position, error.to_string());
                        }
                    }
                    lent.push(grant);
                }
                Err(error) => problems.at(&mount.position, error.to_string()),
            }
        }
    }
}

/// That each set of assets in `cycles` depends on one another.
pub(super) fn cycles(cycles: Vec<Vec<&Asset>>) -> Vec<Diagnostic> {
    let diagnostic = |cycle: Vec<&Asset>| {
        let names: Vec<String> = cycle.iter().map(|asset| format!("`{}`", asset.name)).collect();
        let first = cycle.first()?;
        let message = match names.as_slice() {
            [name] => format!("the asset {name} depends on itself"),
            _ => format!("these assets depend on one another: {} → {}", names.join(" → "), names.first()?),
        };
        let diagnostic = Diagnostic::at(&first.position, message);
        let help = "it may load earlier partitions of itself, such as the one before: \
                    `partition_mapping = { time_window = { start_offset = -1, end_offset = -1 } }`";
        Some(if names.len() == 1 && first.partitions.is_some() { diagnostic.help(help) } else { diagnostic })
    };
    cycles.into_iter().filter_map(diagnostic).collect()
}
