//! What a component is, learned from its bytes without running or compiling it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, ComponentTypeRef, Encoding,
    Parser, Payload,
};

use super::{ComponentError, ConfigSchema};
use crate::limits::{
    COMPONENT_BYTES, COMPONENT_NAMES, FUNCTION_BYTES, FUNCTIONS, INSTANCES, MANIFEST_BYTES, MEMORIES, MODULES, NESTING,
    TABLE_ELEMENTS, TABLES,
};
use crate::text::{safe_line, sha256_text};

/// The version of the contract that this host speaks.
pub const CONTRACT_VERSION: &str = "0.1.0";
const CONTRACT: &str = "airlock:io/";
const CONTRACT_TRACK: &str = "0.1.";
const WASI_TRACK: &str = "0.2.";
const MANIFEST_SECTION: &str = "airlock:manifest";
/// Names that an error lists, at most, and bytes of each.
const LISTED: usize = 12;
const NAME_BYTES: usize = 200;
/// Bytes of what is wrong with a manifest: it may list the words that a schema takes.
const MANIFEST_ERROR_BYTES: usize = 1024;

/// What the host provides. Everything of WASI is linked, since language runtimes import all of it, but empty until a
/// grant fills it.
const PROVIDED: [&str; 30] = [
    "airlock:io/context",
    "airlock:io/op-run",
    "airlock:io/types",
    "airlock:io/value",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
];
const ALSO_PROVIDED: &str = "wasi:sockets/udp-create-socket";

/// What a component is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// `sha256:` and the digest of the bytes.
    pub digest: String,
    /// How many bytes.
    pub size: u64,
    /// The version of airlock:io that it speaks.
    pub contract: String,
    /// What Airlock may call.
    pub exports: Exports,
    /// The names of its imports, in order, versions included; safe to show.
    pub imports: Vec<String>,
    /// What its author says of it. A request, never a grant.
    pub manifest: Option<Manifest>,
}

/// Which of the interfaces that Airlock calls a component exports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exports {
    /// `airlock:io/output`: it stores outputs.
    pub output: bool,
    /// `airlock:io/input`: it loads inputs.
    pub input: bool,
    /// `airlock:io/op`: it computes.
    pub op: bool,
}

/// What a component's author says of it, in the section `airlock:manifest`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// What it is called.
    pub name: String,
    /// Its own version.
    #[serde(default)]
    pub version: String,
    /// In a sentence.
    #[serde(default)]
    pub description: String,
    /// The media types that it stores and loads; `*/*` for any.
    #[serde(default)]
    pub values: Vec<String>,
    /// Whether it stores several partitions of an output in one call; otherwise it is called once for each.
    #[serde(default)]
    pub many_partitions: bool,
    /// Whether it stores the same value as the same bytes each time.
    #[serde(default)]
    pub repeatable: bool,
    /// The labels of the metadata that it records of every value of one part that it stores.
    #[serde(default)]
    pub metadata: Vec<String>,
    /// What its configuration may be; it takes none where this is absent.
    #[serde(default)]
    pub config: Option<ConfigSchema>,
    /// What the configuration of an output that it stores may be, likewise.
    #[serde(default)]
    pub output_config: Option<ConfigSchema>,
    /// What the configuration of an input that it loads may be, likewise.
    #[serde(default)]
    pub input_config: Option<ConfigSchema>,
    /// The mounts that it would like.
    #[serde(default)]
    pub mounts: Vec<ManifestMount>,
    /// The environment that it would like.
    #[serde(default)]
    pub environment: Vec<ManifestEnvironment>,
}

/// A mount that a component would like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestMount {
    /// Where it looks for it.
    pub path: String,
    /// Whether it reads or writes there.
    pub access: crate::grant::Access,
    /// How much of it one call touches.
    #[serde(default)]
    pub scope: crate::grant::Scope,
    /// What for.
    #[serde(default)]
    pub reason: String,
}

/// An environment entry that a component would like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestEnvironment {
    /// Its name.
    pub name: String,
    /// What for.
    #[serde(default)]
    pub reason: String,
}

/// Reads what the component in `bytes` is, without compiling or running it.
///
/// # Errors
/// A [`ComponentError`] where the bytes are no component, are shaped in a way that is not allowed, export nothing
/// that Airlock calls, speak another version of the contract or carry a broken manifest.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, ComponentError> {
    check_preamble(bytes)?;
    let outline = Outline::read(bytes)?;
    let mut exports = Exports::default();
    let mut contract = None;
    for name in &outline.exports {
        let Some((interface, version)) = name.strip_prefix(CONTRACT).and_then(|rest| rest.split_once('@')) else {
            continue;
        };
        match interface {
            "output" => exports.output = true,
            "input" => exports.input = true,
            "op" => exports.op = true,
            _ => continue,
        }
        if !version.starts_with(CONTRACT_TRACK) {
            return Err(ComponentError::Version { found: safe_line(version, NAME_BYTES), offered: CONTRACT_VERSION });
        }
        contract = Some(safe_line(version, NAME_BYTES));
    }
    let Some(contract) = contract else {
        return Err(ComponentError::NoExports(shown(&outline.exports)));
    };
    Ok(Inspection {
        digest: sha256_text(&Sha256::digest(bytes)),
        size: bytes.len() as u64,
        contract,
        exports,
        imports: outline.imports.iter().map(|name| safe_line(name, NAME_BYTES)).collect(),
        manifest: outline.manifest.map(parse_manifest).transpose()?,
    })
}

impl Inspection {
    /// Whether the host has all that the component imports.
    ///
    /// # Errors
    /// [`ComponentError::Imports`] names what it lacks.
    pub fn check_imports(&self) -> Result<(), ComponentError> {
        let missing: Vec<String> = self.imports.iter().filter(|name| !is_provided(name)).cloned().collect();
        if missing.is_empty() { Ok(()) } else { Err(ComponentError::Imports(shown(&missing))) }
    }
}

fn is_provided(import: &str) -> bool {
    let Some((interface, version)) = import.split_once('@') else { return false };
    let track = if interface.starts_with(CONTRACT) { CONTRACT_TRACK } else { WASI_TRACK };
    (PROVIDED.contains(&interface) || interface == ALSO_PROVIDED) && version.starts_with(track)
}

fn shown(names: &[String]) -> Vec<String> {
    let mut shown: Vec<String> = names.iter().take(LISTED).map(|name| safe_line(name, NAME_BYTES)).collect();
    if names.len() > LISTED {
        shown.push(format!("{} more", names.len() - LISTED));
    }
    shown
}

fn check_preamble(bytes: &[u8]) -> Result<(), ComponentError> {
    if bytes.len() as u64 > COMPONENT_BYTES {
        return Err(ComponentError::TooLarge);
    }
    if bytes.is_empty() {
        return Err(ComponentError::NotWasm("the file is empty"));
    }
    let text_start = bytes.trim_ascii_start();
    if text_start.starts_with(b"(component") || text_start.starts_with(b"(module") || text_start.starts_with(b";;") {
        return Err(ComponentError::NotWasm("it is WebAssembly text; translate it with `wasm-tools parse`"));
    }
    if bytes.starts_with(b"\x7fELF") {
        return Err(ComponentError::NotWasm(
            "it is a native program or compiled code; only components are taken, and compiled here",
        ));
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(ComponentError::NotWasm("it does not begin as WebAssembly does"));
    }
    if Parser::is_core_wasm(bytes) {
        return Err(ComponentError::CoreModule);
    }
    Ok(())
}

/// What a walk over a component's sections finds.
#[derive(Default)]
struct Outline<'a> {
    imports: Vec<String>,
    exports: Vec<String>,
    manifest: Option<&'a [u8]>,
    functions: u64,
    modules: u64,
    /// The components and modules that the walk is in, outermost first.
    scopes: Vec<Scope>,
}

/// A component that the walk is in.
#[derive(Default)]
struct Scope {
    /// What each component that can be instantiated here costs, by its index.
    components: Vec<u64>,
    /// Instances that one instance of this component makes, its own and those of components in it. A few bytes that
    /// instantiate one another can stand for any number.
    instances: u64,
}

impl<'a> Outline<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, ComponentError> {
        let mut outline = Self::default();
        for payload in Parser::new(0).parse_all(bytes) {
            outline.take(payload.map_err(|error| ComponentError::malformed(&error))?)?;
        }
        Ok(outline)
    }

    fn take(&mut self, payload: Payload<'a>) -> Result<(), ComponentError> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.scopes.push(Scope { components: Vec::new(), instances: 1 });
                at_most("nested components", self.scopes.len() as u64, NESTING as u64)?;
                if encoding == Encoding::Module {
                    self.modules += 1;
                    at_most("core modules", self.modules, MODULES as u64)?;
                }
            }
            Payload::End(_) => self.leave_scope()?,
            Payload::CodeSectionStart { count, .. } => {
                self.functions += u64::from(count);
                at_most("functions", self.functions, FUNCTIONS)?;
            }
            Payload::CodeSectionEntry(body) => {
                at_most("bytes in one function", body.range().len() as u64, FUNCTION_BYTES as u64)?;
            }
            Payload::InstanceSection(section) => self.count_instances(u64::from(section.count()))?,
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    match instance.map_err(|error| ComponentError::malformed(&error))? {
                        ComponentInstance::Instantiate { component_index, .. } => {
                            let cost = self.component_cost(0, component_index)?;
                            self.count_instances(cost)?;
                        }
                        ComponentInstance::FromExports(_) => self.count_instances(1)?,
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    match alias.map_err(|error| ComponentError::malformed(&error))? {
                        ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                            let cost = self.component_cost(count, index)?;
                            self.add_component(cost)?;
                        }
                        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => {
                            return Err(ComponentError::Malformed(
                                "a component is taken out of an instance".to_owned(),
                            ));
                        }
                        _ => {}
                    }
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import.map_err(|error| ComponentError::malformed(&error))?;
                    if matches!(import.ty, ComponentTypeRef::Component(_)) {
                        self.add_component(1)?;
                    }
                    if self.scopes.len() == 1 {
                        at_most("imports", self.imports.len() as u64 + 1, COMPONENT_NAMES as u64)?;
                        self.imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export.map_err(|error| ComponentError::malformed(&error))?;
                    if export.kind == ComponentExternalKind::Component {
                        let cost = self.component_cost(0, export.index)?;
                        self.add_component(cost)?;
                    }
                    if export.kind == ComponentExternalKind::Instance && self.scopes.len() == 1 {
                        at_most("exports", self.exports.len() as u64 + 1, COMPONENT_NAMES as u64)?;
                        self.exports.push(export.name.name.to_owned());
                    }
                }
            }
            // The linkers of most languages leave a section of the core module where it was.
            Payload::CustomSection(section) if section.name() == MANIFEST_SECTION => {
                let data = section.data();
                at_most("bytes of manifest", data.len() as u64, MANIFEST_BYTES as u64)?;
                if self.manifest.is_some_and(|other| other != data) {
                    return Err(ComponentError::Manifest("there are two that differ".to_owned()));
                }
                self.manifest = Some(data);
            }
            _ => {}
        }
        Ok(())
    }

    /// The component that ends can be instantiated where it is defined.
    fn leave_scope(&mut self) -> Result<(), ComponentError> {
        let ended = self.scopes.pop().ok_or_else(|| ComponentError::Malformed("an end without a begin".to_owned()))?;
        self.add_component(ended.instances)
    }

    fn add_component(&mut self, cost: u64) -> Result<(), ComponentError> {
        let Some(scope) = self.scopes.last_mut() else { return Ok(()) };
        scope.components.push(cost);
        at_most("components", scope.components.len() as u64, COMPONENT_NAMES as u64)
    }

    /// What the component `index`, as it is known `outwards` scopes out, costs to instantiate.
    fn component_cost(&self, outwards: u32, index: u32) -> Result<u64, ComponentError> {
        let scope = self.scopes.iter().rev().nth(outwards as usize);
        let cost = scope.and_then(|scope| scope.components.get(index as usize));
        cost.copied().ok_or_else(|| ComponentError::Malformed("a component that is not there is named".to_owned()))
    }

    fn count_instances(&mut self, more: u64) -> Result<(), ComponentError> {
        let Some(scope) = self.scopes.last_mut() else { return Ok(()) };
        scope.instances = scope.instances.saturating_add(more);
        at_most("instances", scope.instances, INSTANCES as u64)
    }
}

fn at_most(what: &'static str, found: u64, allowed: u64) -> Result<(), ComponentError> {
    if found > allowed { Err(ComponentError::Shape { what: what.into(), found, allowed }) } else { Ok(()) }
}

fn parse_manifest(section: &[u8]) -> Result<Manifest, ComponentError> {
    let mut manifest: Manifest = serde_json::from_slice(section)
        .map_err(|error| ComponentError::Manifest(safe_line(&error.to_string(), MANIFEST_ERROR_BYTES)))?;
    let texts = [&mut manifest.name, &mut manifest.version, &mut manifest.description];
    let mounts = manifest.mounts.iter_mut().flat_map(|mount| [&mut mount.path, &mut mount.reason]);
    let environment = manifest.environment.iter_mut().flat_map(|entry| [&mut entry.name, &mut entry.reason]);
    let lists = manifest.values.iter_mut().chain(&mut manifest.metadata);
    for text in texts.into_iter().chain(lists).chain(mounts).chain(environment) {
        *text = safe_line(text, 4 * NAME_BYTES);
    }
    Ok(manifest)
}

/// Whether the memories and tables of a compiled component are within what a call may have.
pub(super) fn check_requirements(compiled: &wasmtime::component::Component) -> Result<(), ComponentError> {
    let Some(required) = compiled.resources_required() else { return Ok(()) };
    at_most("memories", u64::from(required.num_memories), MEMORIES as u64)?;
    at_most("tables", u64::from(required.num_tables), TABLES as u64)?;
    at_most("elements in one table", required.max_initial_table_size.unwrap_or(0), TABLE_ELEMENTS as u64)
}

#[cfg(test)]
mod tests;
