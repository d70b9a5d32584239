//! Reads what a component is, how it is configured and what it is lent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use airlock_sandbox::component::PublicKey;
use airlock_sandbox::grant::{Access, Grant, GuestPath, MountGrant, MountSource, Scope};
use airlock_sandbox::limits::Limits;
use airlock_sandbox::mount::MemoryDirectory;

use super::fields::{Fields, Problems, setting, text_setting};
use super::tree::{Entry, Node, Tree};
use super::{
    Builtins, ComponentSource, ComponentUse, Configuration, LimitSettings, Mount, MountPath, Position, Setting,
    SignatureUse, keys, quantity,
};

/// What the component of an I/O manager and of an op differ in.
pub(super) struct Role {
    /// The key that names the component.
    pub source_key: &'static str,
    mount_keys: &'static [&'static str],
    scope: Scope,
}

/// The component of an I/O manager: a mount is lent for the output that a call stores or loads.
pub(super) const IO_MANAGER: Role = Role { source_key: "component", mount_keys: keys::MOUNT, scope: Scope::Output };
/// The component of an op: it has no output of its own in a mount, so a mount is lent whole.
pub(super) const OP: Role = Role { source_key: "path", mount_keys: keys::OP_MOUNT, scope: Scope::Mount };

/// Reads the component in the table `fields`. Where its source is a mistake, another stands in its place, so that what
/// it is lent can be checked still.
pub(super) fn read(fields: &Fields<'_>, role: &Role, builtins: Builtins, problems: &Problems) -> ComponentUse {
    let mounts = mounts(fields, role, problems);
    let environment = environment(fields, problems);
    let limits = limits(fields, problems);
    let config = fields.configuration("config").unwrap_or_else(|| Configuration::empty(fields.position));
    if let (Some(entry), false) = (fields.get("config"), matches!(config.setting, Setting::Table(_))) {
        problems.wrong_kind(&entry.node, "`config`", "a table");
    }
    let entry = fields.get(role.source_key);
    if entry.is_none() {
        fields.missing(role.source_key, "name a component file, or `builtin:files`");
    }
    let component = entry.and_then(|entry| source(&entry.node, builtins, problems));
    let signature = signature(fields, component.as_ref(), problems);
    let component = component.unwrap_or(ComponentSource::Builtin(String::new()));
    ComponentUse { component, signature, config, mounts, environment, limits }
}

/// The signature that the component in the table `fields`, which comes from `source` where that is known, must have.
fn signature(fields: &Fields<'_>, source: Option<&ComponentSource>, problems: &Problems) -> Option<SignatureUse> {
    let first = fields.get("signature").or(fields.get("public_key"))?;
    if let Some(ComponentSource::Builtin(name)) = source {
        let message = format!("`builtin:{name}` comes with the program, so it takes no `{}`", first.key);
        problems.at(&first.position, message);
        return None;
    }
    for (key, help) in [
        ("signature", "name the file that `minisign -S` wrote: `signature = \"….wasm.minisig\"`"),
        ("public_key", "say who must have signed it: `public_key = \"RW…\"`, the second line of `minisign.pub`"),
    ] {
        if fields.get(key).is_none() {
            fields.missing(key, help);
        }
    }
    let file = fields.text("signature").map(|(text, position)| {
        let path = beside(position, Path::new(text));
        if let Err(error) = std::fs::metadata(&path) {
            problems.at(position, format!("the signature {text} cannot be read: {error}"));
        }
        path
    });
    let key = fields.text("public_key").map(|(text, position)| {
        if let Err(error) = text.parse::<PublicKey>() {
            problems.at(position, format!("`public_key` is wrong: {error}"));
        }
        text.to_owned()
    });
    Some(SignatureUse { file: file?, public_key: key? })
}

/// A component that is nothing but its source, which stands at `position`.
pub(super) fn plain(component: ComponentSource, position: &Position) -> ComponentUse {
    let config = Configuration::empty(position);
    ComponentUse {
        component,
        signature: None,
        config,
        mounts: Vec::new(),
        environment: Vec::new(),
        limits: LimitSettings::default(),
    }
}

/// The source that the text `node` names.
pub(super) fn source(node: &Node, builtins: Builtins, problems: &Problems) -> Option<ComponentSource> {
    let (text, position) = super::fields::text(node, "a component", problems)?;
    if let Some(name) = text.strip_prefix("builtin:") {
        if !builtins.iter().any(|(known, _)| *known == name) {
            let names: Vec<String> = builtins.iter().map(|(known, _)| format!("builtin:{known}")).collect();
            let names = names.iter().map(String::as_str);
            problems.unknown(position, format!("there is no component `{text}`"), text, names);
            return None;
        }
        return Some(ComponentSource::Builtin(name.to_owned()));
    }
    let path = beside(position, Path::new(text));
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => problems.at(position, format!("the component {text} is not a file")),
        Err(error) => problems.at(position, format!("the component {text} cannot be read: {error}")),
    }
    Some(ComponentSource::File(path))
}

/// `path`, relative to the file that `position` lies in.
pub(crate) fn beside(position: &Position, path: &Path) -> PathBuf {
    let joined = position.file().parent().unwrap_or(Path::new("")).join(path);
    std::path::absolute(&joined).unwrap_or(joined)
}

const ACCESS: &[(&str, Access)] = &[("read", Access::Read), ("write", Access::Write)];
const SCOPE: &[(&str, Scope)] = &[("output", Scope::Output), ("mount", Scope::Mount)];

fn mounts(fields: &Fields<'_>, role: &Role, problems: &Problems) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for entry in fields.named("mounts") {
        let Some(mount) = mount(entry, role, problems) else { continue };
        for other in &mounts {
            let pair = [lent(&mount.guest_path), lent(&other.guest_path)];
            if let Err(error) = Grant::new(pair.into(), BTreeMap::new(), Limits::default()) {
                problems.at(&mount.position, error.to_string());
            }
        }
        mounts.push(mount);
    }
    mounts
}

/// A mount at `guest_path`, to ask the grant whether it goes with another.
fn lent(guest_path: &GuestPath) -> MountGrant {
    let source = MountSource::Memory(MemoryDirectory::default());
    MountGrant { guest_path: guest_path.clone(), source, access: Access::Read, scope: Scope::Output }
}

fn mount(entry: &Entry, role: &Role, problems: &Problems) -> Option<Mount> {
    let what = format!("the mount \"{}\"", entry.key);
    let fields = Fields::new(&entry.node, &entry.position, &what, role.mount_keys, problems);
    let access = fields.choice("access", ACCESS).unwrap_or(Access::Read);
    let scope = if role.mount_keys.contains(&"scope") { fields.choice("scope", SCOPE) } else { None };
    let directory =
        fields.get("path").and_then(|path| Some((text_setting(&path.node, "`path`", problems)?, &path.node.position)));
    let memory = fields.boolean("memory");
    if let Some((false, position)) = memory {
        problems.at(position, "`memory` is true or left out");
    }
    let source = match (directory, fields.get("memory")) {
        (Some((_, position)), Some(_)) => {
            problems.at(position, "a mount has either `path` or `memory`, not both");
            None
        }
        (Some((path, _)), None) => Some(MountPath::Directory(path)),
        (None, Some(_)) => Some(MountPath::Memory),
        (None, None) => {
            if entry.node.entries().is_some() && fields.get("path").is_none() {
                fields.missing("path", "name a directory, or say `memory = true`");
            }
            None
        }
    };
    let guest_path =
        GuestPath::new(&entry.key).map_err(|error| problems.at(&entry.position, error.to_string())).ok()?;
    Some(Mount {
        guest_path,
        position: entry.position.clone(),
        source: source?,
        access,
        scope: scope.unwrap_or(role.scope),
    })
}

fn environment(fields: &Fields<'_>, problems: &Problems) -> Vec<(String, Setting)> {
    let read = |entry: &Entry| {
        let entries = BTreeMap::from([(entry.key.clone(), String::new())]);
        if let Err(error) = Grant::new(Vec::new(), entries, Limits::default()) {
            problems.at(&entry.position, error.to_string());
        }
        let value = text_setting(&entry.node, &format!("the environment entry `{}`", entry.key), problems)?;
        Some((entry.key.clone(), value))
    };
    fields.named("environment").iter().filter_map(read).collect()
}

fn limits(fields: &Fields<'_>, problems: &Problems) -> LimitSettings {
    let Some(entry) = fields.get("limits") else { return LimitSettings::default() };
    let fields = Fields::new(&entry.node, &entry.position, "`limits`", keys::LIMITS, problems);
    let given = |key: &str, example: &str, is_valid: &dyn Fn(&str) -> bool| {
        let node = &fields.get(key)?.node;
        match &node.tree {
            Tree::Text(text) if is_valid(text) => Some(Setting::Text(text.clone())),
            Tree::Table(_) if node.get("$env").is_some() => text_setting(node, &format!("`{key}`"), problems),
            Tree::Text(text) => {
                problems.at(&node.position, format!("`{key}` is not \"{text}\" but a quantity such as \"{example}\""));
                None
            }
            _ => {
                problems.wrong_kind(node, &format!("`{key}`"), &format!("a quantity such as \"{example}\""));
                None
            }
        }
    };
    let is_size = |text: &str| quantity::size(text).is_some();
    let is_time = |text: &str| quantity::time(text).is_some();
    LimitSettings {
        memory: given("memory", "256MiB", &is_size),
        time: given("time", "30s", &is_time),
        cpu_time: given("cpu_time", "10s", &is_time),
        disk: given("disk", "1GiB", &is_size),
        files: fields.get("files").and_then(|entry| files(&entry.node, problems)),
    }
}

fn files(node: &Node, problems: &Problems) -> Option<Setting> {
    match &node.tree {
        Tree::Integer(count) if u32::try_from(*count).is_ok_and(|count| count > 0) => Some(Setting::Integer(*count)),
        Tree::Table(_) if node.get("$env").is_some() => Some(setting(node, problems)),
        Tree::Integer(count) => {
            problems.at(&node.position, format!("`files` is a number from 1 to {}, not {count}", u32::MAX));
            None
        }
        _ => {
            problems.wrong_kind(node, "`files`", "a number of files");
            None
        }
    }
}
