//! The contract of `wit/` against the versions of it that are frozen: a component that was built for one of them runs in
//! every later host.
//!
//! A version is frozen as a folder of `wit/frozen/` and a guest of it in `tests/compat/`, and neither is changed again. Of a
//! later version the imports have to be a compatible upgrade, as `wit-component` sees it: methods, functions and interfaces
//! may be added. What guests export has to be equal: a new export is a new interface and a new world.
#![expect(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wit_component::{DecodedWasm, decode, semver_check};
use wit_parser::{InterfaceId, PackageId, Resolve, SourceMap, WorldId, WorldItem};

/// The files of a contract, by name.
type Files = BTreeMap<String, String>;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(folder: &Path) -> Files {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = entries.filter(|path| path.extension().is_some_and(|extension| extension == "wit"));
    texts
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

fn current() -> Files {
    files(&repository().join("wit"))
}

/// Every frozen version with its files.
fn frozen() -> BTreeMap<String, Files> {
    let folders = std::fs::read_dir(repository().join("wit/frozen")).unwrap().map(|entry| entry.unwrap());
    folders.map(|folder| (folder.file_name().into_string().unwrap(), files(&folder.path()))).collect()
}

/// The version that a contract says of itself.
fn version(files: &Files) -> &str {
    let package = files["types.wit"].lines().find_map(|line| line.strip_prefix("package airlock:io@")).unwrap();
    package.strip_suffix(';').unwrap()
}

/// Reads a contract as the package `airlock:io` of another version, so that one `Resolve` can hold two of them.
fn add(resolve: &mut Resolve, files: &Files, version: &str) -> Result<PackageId, String> {
    let mut sources = SourceMap::default();
    for (name, text) in files {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("@since("));
        let package = format!("package airlock:io@{version};");
        let lines = lines.map(|line| if line.starts_with("package ") { package.as_str() } else { line });
        sources.push_str(name, lines.collect::<Vec<_>>().join("\n"));
    }
    let group = sources.parse().map_err(|(_, error)| error.to_string())?;
    resolve.push_group(group).map_err(|error| error.to_string())
}

/// The interfaces that a world exports with the names of their functions.
fn exports(resolve: &Resolve, world: WorldId) -> BTreeMap<String, BTreeSet<String>> {
    let items = resolve.worlds[world].exports.values();
    items
        .map(|item| match item {
            WorldItem::Interface { id, .. } => (interface(resolve, *id), functions(resolve, *id)),
            other => panic!("a world exports {other:?}, which is no interface"),
        })
        .collect()
}

fn interface(resolve: &Resolve, id: InterfaceId) -> String {
    resolve.interfaces[id].name.clone().unwrap()
}

fn functions(resolve: &Resolve, id: InterfaceId) -> BTreeSet<String> {
    resolve.interfaces[id].functions.keys().cloned().collect()
}

/// Whether components that were built for `frozen` run where `later` is linked, or why not.
fn compatible(frozen: &Files, later: &Files) -> Result<(), String> {
    let mut resolve = Resolve::default();
    let frozen = add(&mut resolve, frozen, "0.0.1")?;
    let later = add(&mut resolve, later, "0.0.2")?;
    for (name, &world) in &resolve.packages[frozen].worlds {
        let Some(&upgraded) = resolve.packages[later].worlds.get(name) else {
            return Err(format!("the world `{name}` is gone"));
        };
        if exports(&resolve, world) != exports(&resolve, upgraded) {
            return Err(format!("the world `{name}` has other exports"));
        }
        semver_check(resolve.clone(), world, upgraded).map_err(|error| format!("the world `{name}`: {error:#}"))?;
    }
    Ok(())
}

/// The frozen contract with a piece of one of its files replaced.
fn edited(file: &str, old: &str, new: &str) -> (Files, Files) {
    let (_, original) = frozen().pop_first().unwrap();
    let mut changed = original.clone();
    let text = changed.get_mut(file).unwrap();
    assert_eq!(text.matches(old).count(), 1, "{old} is in {file} once");
    *text = text.replace(old, new);
    (original, changed)
}

#[test]
fn the_contract_is_a_frozen_version_or_a_later_one_compatible_with_all() {
    let current = current();
    let frozen = frozen();
    assert!(frozen.contains_key("0.1.0"));
    for (folder, files) in &frozen {
        assert_eq!(version(files), folder);
        compatible(files, &current)
            .unwrap_or_else(|reason| panic!("wit/ breaks components built for {folder}: {reason}"));
    }
    let version = version(&current);
    if let Some(same) = frozen.get(version) {
        assert!(current == *same, "wit/ differs from the frozen version {version}: give it a new version");
    }
}

#[test]
fn functions_interfaces_and_worlds_may_be_added() {
    let additions = [
        ("value.wit", "rewind: func()", "skip: func(bytes: u64) -> result<_, error>;\n        rewind: func()"),
        ("types.wit", "enum level {", "record further {\n        a: u8,\n    }\n\n    enum level {"),
        ("worlds.wit", "world op-component {\n", "world op-component {\n    import context;\n"),
        ("worlds.wit", "world imports {", "world further {\n    import types;\n    export op;\n}\n\nworld imports {"),
    ];
    for (file, old, new) in additions {
        let (frozen, changed) = edited(file, old, new);
        assert_eq!(compatible(&frozen, &changed), Ok(()), "{new}");
    }
}

#[test]
fn what_a_built_component_relies_on_may_not_change() {
    let breaks = [
        ("value.wit", "rewind: func() -> result<_, error>;", ""),
        ("value.wit", "size: func() -> u64;", "size: func() -> u32;"),
        ("types.wit", "        debug,\n", "        trace,\n        debug,\n"),
        ("types.wit", "        null,\n", "        null,\n        bytes(list<u8>),\n"),
        ("types.wit", "        retryable: bool,\n", ""),
        (
            "context.wit",
            "log-observation: func(event: asset-event) -> result<_, error>;\n        log: func(level: level, message: string);\n    }\n\n    /// The input",
            "log: func(level: level, message: string);\n    }\n\n    /// The input",
        ),
        ("managers.wit", "value: borrow<source>)", "value: borrow<source>, again: bool)"),
        ("managers.wit", "handle-output: func(", "flush: func();\n    handle-output: func("),
        (
            "managers.wit",
            "    handle-output: func(context: borrow<output-context>, value: borrow<source>) -> result<_, error>;\n",
            "",
        ),
        ("worlds.wit", "    export output;\n", ""),
        ("worlds.wit", "    export output;\n", "    export output;\n    export op;\n"),
        ("worlds.wit", "world output-manager {", "world storing-manager {"),
    ];
    for (file, old, new) in breaks {
        let (frozen, changed) = edited(file, old, new);
        // One that cannot be read any more is refused too, and earlier.
        assert!(compatible(&frozen, &changed).is_err(), "{old:?} became {new:?}, and nothing was wrong with it");
    }
}

/// What of the contract's interfaces a component imports, a function each.
fn imported(component: &[u8], version: &str) -> BTreeSet<String> {
    let DecodedWasm::Component(resolve, world) = decode(component).unwrap() else { panic!("it is a package") };
    let mut imported = BTreeSet::new();
    for item in resolve.worlds[world].imports.values() {
        let WorldItem::Interface { id, .. } = item else { continue };
        let name = resolve.id_of(*id).unwrap();
        if name.starts_with("airlock:io/") {
            assert!(name.ends_with(&format!("@{version}")), "{name} is not of {version}");
            imported.extend(
                functions(&resolve, *id)
                    .into_iter()
                    .map(|function| format!("{}: {function}", interface(&resolve, *id))),
            );
        }
    }
    imported
}

#[test]
fn the_guest_that_is_kept_of_a_frozen_version_uses_every_function_of_it() {
    for (version, files) in frozen() {
        let mut resolve = Resolve::default();
        let package = add(&mut resolve, &files, "0.0.1").unwrap();
        let exported: BTreeSet<String> =
            resolve.packages[package].worlds.values().flat_map(|&world| exports(&resolve, world).into_keys()).collect();
        let interfaces = resolve.packages[package].interfaces.iter().filter(|(name, _)| !exported.contains(*name));
        let all: BTreeSet<String> = interfaces
            .flat_map(|(name, &id)| {
                functions(&resolve, id).into_iter().map(move |function| format!("{name}: {function}"))
            })
            .collect();
        let guest = std::fs::read(repository().join(format!("tests/compat/{version}/guest.wasm"))).unwrap();
        assert_eq!(imported(&guest, &version), all);
    }
}
