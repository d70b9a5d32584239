//! Reads the sections of the definitions and checks what holds between them.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use airlock_sandbox::grant::{Access, DirectoryPath, Grant, GrantError, MountGrant, MountSource};
use airlock_sandbox::limits::Limits;

use super::asset::Known;
use super::fields::{Fields, Problems};
use super::files::{Files, Sections};
use super::{
    Asset, Builtins, ComponentSource, ComponentUse, Diagnostic, IoManager, MountPath, Op, Setting, ValueType, asset,
    component, keys,
};
use crate::home::Home;

/// What the definitions define.
pub(super) struct Contents {
    pub assets: Vec<Asset>,
    pub io_managers: Vec<IoManager>,
    /// The files that decide what components may do.
    pub deciding: Vec<PathBuf>,
}

/// The contents with `profile` merged over them, and every mistake: of them, and of what other profiles say.
pub(super) fn read(
    files: &Files,
    profile: Option<&str>,
    home: &Home,
    builtins: Builtins,
) -> (Contents, Vec<Diagnostic>) {
    let (contents, mut list) = read_profile(files, profile, home, builtins);
    for other in files.profiles().filter(|other| Some(*other) != profile) {
        let (_, problems) = read_profile(files, Some(other), home, builtins);
        list.extend(problems.into_iter().filter(|problem| files.is_of_profile(other, problem)));
    }
    (contents, list)
}

fn read_profile(files: &Files, profile: Option<&str>, home: &Home, builtins: Builtins) -> (Contents, Vec<Diagnostic>) {
    let (sections, mut list) = files.sections(profile);
    let problems = Problems::default();
    let mut contents = contents(&sections, builtins, &problems);
    contents.deciding = deciding(files, &contents);
    for manager in &contents.io_managers {
        check_roots(&manager.component, home, &contents.deciding, &problems);
    }
    let is_empty = |asset: &&Asset| asset.value_type == ValueType::None;
    let empty: HashSet<&str> = contents.assets.iter().filter(is_empty).map(|asset| asset.name.as_str()).collect();
    for asset in &contents.assets {
        if let Op::Component(component) = &asset.op {
            check_roots(component, home, &contents.deciding, &problems);
        }
        check_loads(asset, &empty, &problems);
    }
    list.extend(problems.into_list());
    (contents, list)
}

fn contents(sections: &Sections, builtins: Builtins, problems: &Problems) -> Contents {
    let mut known = Known {
        assets: sections.assets.iter().map(|entry| entry.key.as_str()).collect(),
        io_managers: sections.io_managers.iter().map(|entry| entry.key.as_str()).collect(),
        default_io: None,
        builtins,
    };
    if let Some(entry) = &sections.defaults {
        let fields = Fields::new(&entry.node, &entry.position, "`defaults`", keys::DEFAULTS, problems);
        if let Some((name, position)) = fields.text("io") {
            known.check_io_manager(name, position, problems);
            known.default_io = Some(name);
        }
    }
    let mut io_managers = Vec::new();
    for entry in &sections.io_managers {
        if !asset::is_name(&entry.key) {
            let message = format!("the name of the I/O manager {:?} {}", entry.key, asset::NAME_RULE);
            problems.at(&entry.position, message);
        }
        let what = format!("the I/O manager `{}`", entry.key);
        let fields = Fields::new(&entry.node, &entry.position, &what, keys::IO_MANAGER, problems);
        let component = component::read(&fields, &component::IO_MANAGER, builtins, problems);
        io_managers.push(IoManager { name: entry.key.clone(), position: entry.position.clone(), component });
    }
    let assets = sections.assets.iter().map(|entry| asset::read(entry, &known, problems)).collect();
    Contents { assets, io_managers, deciding: Vec::new() }
}

/// The files that decide what components may do: the definitions, and the components.
fn deciding(files: &Files, contents: &Contents) -> Vec<PathBuf> {
    let managers = contents.io_managers.iter().map(|manager| &manager.component);
    let ops = contents.assets.iter().filter_map(|asset| match &asset.op {
        Op::Component(component) => Some(&**component),
        Op::Command(_) => None,
    });
    let components = managers.chain(ops).filter_map(|component| match &component.component {
        ComponentSource::File(path) => Some(path.as_path()),
        ComponentSource::Builtin(_) => None,
    });
    let mut deciding: Vec<PathBuf> =
        files.paths().chain(components).filter_map(|path| path.canonicalize().ok()).collect();
    deciding.sort();
    deciding.dedup();
    deciding
}

/// Why `directory` must not be lent with `access`, where it holds one of the files `deciding`: a component that
/// writes there could decide itself what it may do the next time.
pub(crate) fn refuse_deciding(access: Access, directory: &DirectoryPath, deciding: &[PathBuf]) -> Option<String> {
    let holds = |file: &&PathBuf| file.ancestors().skip(1).any(|ancestor| ancestor == directory.as_path());
    let held = deciding.iter().find(holds).filter(|_| access == Access::Write)?;
    let name = held.file_name().unwrap_or_default().display();
    Some(format!(
        "a directory that holds {name} cannot be lent to write: it decides what components may do; lend a directory of its own below it"
    ))
}

/// Whether what `directory` names is there, and is something else.
pub(crate) fn is_no_directory(directory: &DirectoryPath) -> bool {
    directory.as_path().metadata().is_ok_and(|metadata| !metadata.is_dir())
}

/// A directory that must not be lent is a mistake of the definitions where they name it themselves; one that the
/// environment names is checked when a run starts.
fn check_roots(component: &ComponentUse, home: &Home, deciding: &[PathBuf], problems: &Problems) {
    let mut lent: Vec<MountGrant> = Vec::new();
    for mount in &component.mounts {
        if let MountPath::Directory(Setting::Text(path)) = &mount.source {
            let beside = component::beside(&mount.position, Path::new(path));
            match DirectoryPath::new(&beside, home.own_state()) {
                Ok(directory) if is_no_directory(&directory) => {
                    problems.at(&mount.position, format!("{path} is not a directory"));
                }
                Ok(directory) => {
                    if let Some(refusal) = refuse_deciding(mount.access, &directory, deciding) {
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

/// An asset without a value cannot be loaded; it can be waited for.
fn check_loads(asset: &Asset, empty: &HashSet<&str>, problems: &Problems) {
    for input in &asset.inputs {
        if empty.contains(input.asset.as_str()) {
            let message = format!("`{}` has no value to load: it is defined with `type = \"none\"`", input.asset);
            let help = "to run after it without loading it, name it in `deps` instead of `inputs`";
            problems.push(Diagnostic::at(&input.position, message).help(help));
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
        Some(Diagnostic::at(&first.position, message))
    };
    cycles.into_iter().filter_map(diagnostic).collect()
}
