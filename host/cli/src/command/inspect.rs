//! `airlock inspect`: what a component is and asks for.

use std::collections::BTreeMap;

use airlock_sandbox::component::{ConfigSchema, Inspection, Manifest};
use clap::Args;

use crate::arguments::FormatArgument;
use crate::builtin::ComponentName;
use crate::error::{Error, ExitStatus};
use crate::output::{Format, Output, tell};
use crate::render::{Fields, size, word};

const HELP: &str = "\
It reads the file and runs none of it.

Examples:
  airlock inspect builtin:files
  airlock inspect files.wasm --format json

What a component imports and asks for is what it could use. What it may use is
what `airlock.toml` or the options of `airlock call` lend it.";

/// Show what a component is and asks for
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Inspect {
    /// A component: a file, or `builtin:files`
    component: ComponentName,
    #[command(flatten)]
    format: FormatArgument,
}

impl Inspect {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let inspection = airlock_sandbox::component::inspect(&self.component.read()?)
            .map_err(|error| Error::component(&self.component.to_string(), &error))?;
        let mut output = Output::new();
        match self.format.format {
            Format::Human => fields(&self.component, &inspection).print(&mut output)?,
            Format::Json => output.json("component", &inspection)?,
            Format::Jsonl => output.json_line(&inspection)?,
        }
        output.finish()?;
        if let Err(error) = inspection.check_imports() {
            tell(format!("warning: it cannot be run: {error}"));
        }
        Ok(ExitStatus::Done)
    }
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
    if let Some(manifest) = &inspection.manifest {
        add_manifest(&mut fields, manifest);
    }
    fields.add_all("imports", imports(&inspection.imports));
    fields
}

fn add_manifest(fields: &mut Fields, manifest: &Manifest) {
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
    let because = |reason: &str| if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let mounts = manifest.mounts.iter();
    let mounts = mounts.map(|mount| format!("{} to {}{}", mount.path, word(&mount.access), because(&mount.reason)));
    let environment = manifest.environment.iter().map(|entry| format!("${}{}", entry.name, because(&entry.reason)));
    fields.add_all("asks for", mounts.chain(environment));
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
    fn imports_are_grouped_by_package() {
        let names = ["wasi:io/streams@0.2.6", "airlock:io/value@0.1.0", "wasi:io/poll@0.2.6", "odd"];
        let shown = imports(&names.map(str::to_owned));
        assert_eq!(shown, ["airlock:io@0.1.0 value", "odd ", "wasi:io@0.2.6 streams, poll"]);
    }
}
