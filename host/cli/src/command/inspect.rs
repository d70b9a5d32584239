//! `airlock inspect`: what a component is and asks for.

use std::collections::BTreeMap;

use airlock_pipeline::lock::{Change, Lock, compare};
use airlock_sandbox::component::{ConfigSchema, Exports, Inspection, Manifest, ManifestEnvironment, ManifestMount};
use airlock_sandbox::grant::Scope;
use clap::Args;
use serde::Serialize;

use crate::arguments::FormatArgument;
use crate::builtin::ComponentName;
use crate::error::{Error, ExitStatus, Report};
use crate::locking;
use crate::output::{Format, Output, tell};
use crate::render::{Fields, size, word};

const HELP: &str = "\
It reads the file and runs none of it.

With --against it tells what is otherwise than in another version, as
`airlock lock` does. What it does or asks for more begins with `+`, and the exit
code is 3 then.

Examples:
  airlock inspect builtin:files
  airlock inspect files.wasm --format json
  airlock inspect files.wasm --against files-1.0.wasm

What a component imports and asks for is what it could use. What it may use is
what `airlock.toml` or the options of `airlock call` lend it; `airlock test`
tells whether it tries more than it asks for.";

/// Changes that are told again where they are an error, at most.
const MORE_SHOWN: usize = 5;

/// Show what a component is and asks for
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Inspect {
    /// A component: a file, or `builtin:files`
    component: ComponentName,
    /// Another version: tell what this one is otherwise, and does or asks for more
    #[arg(long, value_name = "COMPONENT")]
    against: Option<ComponentName>,
    #[command(flatten)]
    format: FormatArgument,
}

/// A component in a document.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    inspection: &'a Inspection,
    /// In what it differs from the other version; absent where none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<Difference<'a>>>,
}

/// A change in a document, of a component that nobody locked and nobody is to accept.
#[derive(Serialize)]
struct Difference<'a> {
    text: &'a str,
    widens: bool,
}

impl Inspect {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let name = self.component.to_string();
        let inspection = inspected(&self.component)?;
        let compared = match &self.against {
            Some(other) => {
                let old = Lock::of_component(&name, &inspected(other)?);
                Some((other, compare(&old, &Lock::of_component(&name, &inspection))))
            }
            None => None,
        };
        Error::unless_closed(self.print(&name, &inspection, compared.as_ref()))?;
        if let Err(error) = inspection.check_imports() {
            tell(format!("warning: it cannot be run: {error}"));
        }
        match compared {
            Some((other, changes)) if changes.iter().any(|change| change.widens) => Err(refuse(&name, other, &changes)),
            _ => Ok(ExitStatus::Done),
        }
    }

    /// Prints what the component is, or in what it differs from another one.
    fn print(
        &self,
        name: &str,
        inspection: &Inspection,
        compared: Option<&(&ComponentName, Vec<Change>)>,
    ) -> Result<(), Error> {
        let told = Told::of(inspection, compared.map(|(_, changes)| changes.as_slice()));
        let mut output = Output::new();
        match (self.format.format, compared) {
            (Format::Human, Some((other, changes))) => print_changes(&mut output, name, other, changes)?,
            (Format::Human, None) => fields(&self.component, inspection).print(&mut output)?,
            (Format::Json, _) => output.json("component", &told)?,
            (Format::Jsonl, _) => output.json_line(&told)?,
        }
        output.finish()
    }
}

fn inspected(name: &ComponentName) -> Result<Inspection, Error> {
    airlock_sandbox::component::inspect(&name.read()?).map_err(|error| Error::component(&name.to_string(), &error))
}

impl<'a> Told<'a> {
    fn of(inspection: &'a Inspection, changes: Option<&'a [Change]>) -> Self {
        let difference = |change: &'a Change| Difference { text: &change.text, widens: change.widens };
        Self { inspection, changes: changes.map(|changes| changes.iter().map(difference).collect()) }
    }
}

fn print_changes(output: &mut Output, name: &str, against: &ComponentName, changes: &[Change]) -> Result<(), Error> {
    for line in locking::lines(changes) {
        output.line(line)?;
    }
    if changes.is_empty() {
        output.line(format!("{name} is the same as {against}"))
    } else if changes.iter().all(|change| !change.widens) {
        output.line(format!("{name} does and asks for no more than {against}"))
    } else {
        Ok(())
    }
}

/// That the component called `name` does or asks for more than `against`.
fn refuse(name: &str, against: &ComponentName, changes: &[Change]) -> Error {
    let more: Vec<&str> = changes.iter().filter(|change| change.widens).map(|change| change.text.as_str()).collect();
    let shown = match more.len().saturating_sub(MORE_SHOWN) {
        0 => more.join("; "),
        others => {
            format!("{}; and {others} more", more.iter().take(MORE_SHOWN).copied().collect::<Vec<_>>().join("; "))
        }
    };
    Report::new(ExitStatus::Failed(3), format!("{name} does or asks for more than {against}: it {shown}"))
        .hint("whoever locked the other version has to accept that: `airlock lock`")
        .into()
}

/// What it does, in words.
fn abilities(inspection: &Inspection) -> String {
    let exports = inspection.exports;
    let abilities = [(exports.output, "stores outputs"), (exports.input, "loads inputs"), (exports.op, "computes")];
    let abilities: Vec<&str> = abilities.iter().filter(|(has, _)| *has).map(|(_, ability)| *ability).collect();
    abilities.join(", ")
}

fn fields(name: &ComponentName, inspection: &Inspection) -> Fields {
    let mut fields = Fields::default();
    fields.add("file", name.to_string());
    fields.add("digest", &inspection.digest);
    fields.add("size", size(inspection.size));
    fields.add("contract", format!("airlock:io@{}", inspection.contract));
    fields.add("does", abilities(inspection));
    match &inspection.manifest {
        Some(manifest) => add_manifest(&mut fields, manifest, inspection.exports),
        None => fields.add("asks for", "it has no manifest, so it does not say"),
    }
    fields.add_all("could touch", touched(&inspection.imports));
    fields.add_all("lend it", lines_to_lend(inspection.manifest.as_ref()));
    fields.add_all("imports", imports(&inspection.imports));
    fields
}

/// What a component could touch by what it imports, in words. It touches what it is lent of that.
fn touched(imports: &[String]) -> Vec<String> {
    let has = |prefixes: &[&str]| imports.iter().any(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)));
    let all = [
        (&["airlock:io/value"][..], "the values that it stores, loads or computes with"),
        (&["wasi:filesystem/"], "files of the directories that it is lent, and of these the files of its one value"),
        (&["wasi:cli/environment"], "the environment entries that it is lent; there are no arguments"),
        (&["wasi:cli/stdout", "wasi:cli/stderr"], "its log, which is bounded"),
        (&["wasi:clocks/"], "the time, to the millisecond"),
        (&["wasi:random/"], "random numbers"),
        (&["wasi:sockets/"], "nothing of the network: it is never lent, and what is tried is denied and told"),
    ];
    let touched: Vec<String> =
        all.iter().filter(|(prefixes, _)| has(prefixes)).map(|(_, words)| (*words).to_owned()).collect();
    if touched.is_empty() { vec!["nothing: it imports nothing".to_owned()] } else { touched }
}

/// The lines of `airlock.toml` that lend what a manifest asks for.
fn lines_to_lend(manifest: Option<&Manifest>) -> Vec<String> {
    let Some(manifest) = manifest else { return Vec::new() };
    let mount = |mount: &ManifestMount| {
        let scope = if mount.scope == Scope::Mount { ", scope = \"mount\"" } else { "" };
        format!("mounts.{:?} = {{ path = \"…\", access = \"{}\"{scope} }}", mount.path, word(&mount.access))
    };
    let entry = |entry: &ManifestEnvironment| format!("environment.{:?} = \"…\"", entry.name);
    manifest.mounts.iter().map(mount).chain(manifest.environment.iter().map(entry)).collect()
}

fn add_manifest(fields: &mut Fields, manifest: &Manifest, exports: Exports) {
    fields.add("name", format!("{} {}", manifest.name, manifest.version).trim_end());
    if !manifest.description.is_empty() {
        fields.add("about", &manifest.description);
    }
    if !manifest.values.is_empty() {
        fields.add("values", manifest.values.join(", "));
    }
    if manifest.many_partitions {
        fields.add("partitions", "stores those of a step in one call");
    }
    if manifest.repeatable {
        let claims = [
            (exports.output || !exports.op, "stores the same value as the same bytes"),
            (exports.op, "computes the same of the same inputs"),
        ];
        let claims: Vec<&str> = claims.iter().filter(|(has, _)| *has).map(|(_, claim)| *claim).collect();
        fields.add("repeatable", claims.join(", "));
    }
    if !manifest.metadata.is_empty() {
        fields.add("records", manifest.metadata.join(", "));
    }
    let because = |reason: &str| if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let mounts = manifest.mounts.iter();
    let mounts = mounts.map(|mount| {
        let all = if mount.scope == Scope::Mount { ", all of it" } else { "" };
        format!("{} to {}{all}{}", mount.path, word(&mount.access), because(&mount.reason))
    });
    let environment = manifest.environment.iter().map(|entry| format!("${}{}", entry.name, because(&entry.reason)));
    let asked: Vec<String> = mounts.chain(environment).collect();
    fields.add("asks for", if asked.is_empty() { "nothing".to_owned() } else { asked.join("\n") });
    let keys = |schema: &Option<ConfigSchema>| {
        let keys = schema.iter().flat_map(ConfigSchema::keys);
        let line = |(key, description): (&str, Option<&str>)| {
            crate::render::safe_name(&format!("{key}{}", because(description.unwrap_or_default())))
        };
        keys.map(line).collect::<Vec<_>>()
    };
    fields.add_all("config", keys(&manifest.config));
    fields.add_all("output config", keys(&manifest.output_config));
    fields.add_all("input config", keys(&manifest.input_config));
}

/// The imports, a line for each package and version: `wasi:io@0.2.6 error, poll, streams`.
fn imports(names: &[String]) -> Vec<String> {
    let mut packages: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in names {
        let (interface, version) = name.split_once('@').unwrap_or((name, ""));
        let (package, interface) = interface.split_once('/').unwrap_or((interface, ""));
        let package = if version.is_empty() { package.to_owned() } else { format!("{package}@{version}") };
        packages.entry(package).or_default().push(interface);
    }
    packages.iter().map(|(package, interfaces)| format!("{package} {}", interfaces.join(", "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_imported_is_told_in_words() {
        let names = ["wasi:filesystem/types@0.2.6", "wasi:sockets/tcp@0.2.6", "airlock:io/value@0.1.0"];
        let shown = touched(&names.map(str::to_owned));
        assert_eq!(shown.len(), 3, "{shown:?}");
        assert!(shown[1].starts_with("files of the directories that it is lent"), "{shown:?}");
        assert!(shown[2].starts_with("nothing of the network"), "{shown:?}");
        assert_eq!(touched(&[]), ["nothing: it imports nothing"]);
    }

    #[test]
    fn what_is_asked_for_is_shown_as_the_lines_that_lend_it() {
        let manifest: Manifest = serde_json::from_value(serde_json::json!({
            "name": "a",
            "mounts": [
                { "path": "/data", "access": "write", "scope": "mount" },
                { "path": "/a\"b", "access": "read" },
            ],
            "environment": [{ "name": "TOKEN" }],
        }))
        .unwrap();
        let expected = [
            "mounts.\"/data\" = { path = \"…\", access = \"write\", scope = \"mount\" }",
            "mounts.\"/a\\\"b\" = { path = \"…\", access = \"read\" }",
            "environment.\"TOKEN\" = \"…\"",
        ];
        assert_eq!(lines_to_lend(Some(&manifest)), expected);
    }

    #[test]
    fn imports_are_grouped_by_package() {
        let names = ["wasi:io/streams@0.2.6", "airlock:io/value@0.1.0", "wasi:io/poll@0.2.6", "odd"];
        let shown = imports(&names.map(str::to_owned));
        assert_eq!(shown, ["airlock:io@0.1.0 value", "odd ", "wasi:io@0.2.6 streams, poll"]);
    }
}
