//! A `Cargo.toml` of a member of the workspace, made to stand outside of it.

use std::io;
use std::path::Path;

use toml::{Table, Value};

/// Where a project keeps the SDK.
const SDK: (&str, &str) = ("airlock-sdk", "vendor/airlock-sdk");
/// The parts of a manifest, in the order in which they are written.
const PARTS: [&str; 6] = ["package", "lib", "features", "dependencies", "target", "dev-dependencies"];

/// Reads a manifest.
pub fn read(path: &Path) -> io::Result<Table> {
    let failed = |error: String| io::Error::other(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    text.parse().map_err(|error: toml::de::Error| failed(error.to_string()))
}

/// The manifest at `path` with what it takes from `workspace` written out. The SDK is the one that the project keeps, which
/// comes without its tests.
pub fn standing_alone(path: &Path, workspace: &Table) -> io::Result<String> {
    let mut manifest = read(path)?;
    if manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str) == Some(SDK.0) {
        manifest.remove("dev-dependencies");
    }
    let shared = workspace.get("workspace").and_then(Value::as_table).cloned().unwrap_or_default();
    let of = |part: &str| shared.get(part).and_then(Value::as_table).cloned().unwrap_or_default();
    if let Some(Value::Table(package)) = manifest.get_mut("package") {
        inherit(package, &of("package"));
    }
    resolve(&mut manifest, &of("dependencies"));
    if let Some(Value::Table(targets)) = manifest.get_mut("target") {
        targets.iter_mut().filter_map(|(_, of_target)| of_target.as_table_mut()).for_each(|of_target| {
            resolve(of_target, &of("dependencies"));
        });
    }
    // Lints of this repository are for whoever changes the SDK, not for whoever writes a component.
    manifest.remove("lints");
    let mut text = String::new();
    for part in PARTS {
        let Some(value) = manifest.remove(part) else { continue };
        let part = Table::from_iter([(part.to_owned(), value)]);
        text.push_str(&toml::to_string(&part).map_err(io::Error::other)?);
        text.push('\n');
    }
    match manifest.keys().next() {
        Some(key) => Err(io::Error::other(format!("{}: nothing is known of [{key}]", path.display()))),
        None => Ok(text),
    }
}

/// What components are built with, as a part of a manifest.
pub fn guest_profile(workspace: &Table) -> io::Result<String> {
    let profile = workspace.get("profile").and_then(|profiles| profiles.get("guest")).cloned();
    let profile = profile.ok_or_else(|| io::Error::other("the workspace has no profile `guest`"))?;
    let profiles = Table::from_iter([("guest".to_owned(), profile)]);
    toml::to_string(&Table::from_iter([("profile".to_owned(), Value::Table(profiles))])).map_err(io::Error::other)
}

/// Replaces what is `{ workspace = true }`.
fn inherit(package: &mut Table, shared: &Table) {
    for (key, value) in package.iter_mut() {
        if value.get("workspace") == Some(&Value::Boolean(true))
            && let Some(of_workspace) = shared.get(key)
        {
            *value = of_workspace.clone();
        }
    }
}

/// Writes out the dependencies in `manifest`, of the package or of a target.
fn resolve(manifest: &mut Table, shared: &Table) {
    for kind in ["dependencies", "dev-dependencies"] {
        let Some(Value::Table(dependencies)) = manifest.remove(kind) else { continue };
        let resolved: Table = dependencies
            .into_iter()
            .filter_map(|(name, own)| Some((name.clone(), dependency(&name, own, shared)?)))
            .collect();
        if !resolved.is_empty() {
            manifest.insert(kind.to_owned(), Value::Table(resolved));
        }
    }
}

/// The dependency `name` as it is written alone; nothing where it lies in the workspace, as what only tests use, and is not
/// the SDK.
fn dependency(name: &str, own: Value, shared: &Table) -> Option<Value> {
    let Value::Table(mut own) = own else { return Some(own) };
    own.remove("workspace")?;
    let mut whole = match shared.get(name)? {
        Value::Table(table) => table.clone(),
        version => Table::from_iter([("version".to_owned(), version.clone())]),
    };
    if name == SDK.0 {
        whole.insert("path".to_owned(), Value::String(SDK.1.to_owned()));
    } else if whole.contains_key("path") {
        return None;
    }
    if let (Some(Value::Array(features)), Some(Value::Array(more))) = (whole.get_mut("features"), own.get("features")) {
        features.extend(more.iter().filter(|feature| !features.contains(feature)).cloned().collect::<Vec<_>>());
        own.remove("features");
    }
    whole.extend(own);
    match (whole.len(), whole.get("version")) {
        (1, Some(version)) => Some(version.clone()),
        _ => Some(Value::Table(whole)),
    }
}
