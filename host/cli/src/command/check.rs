//! `airlock check`: checks the definitions and shows what each component may touch.

use std::collections::HashSet;
use std::path::Path;

use airlock_pipeline::definitions::{ComponentUse, Definitions, Input, Job, LimitSettings, MountPath, Op};
use airlock_pipeline::lock::{Change, place_of_asset, place_of_manager, place_of_step};
use airlock_pipeline::{Diagnostics, check_configs};
use airlock_sandbox::component::Inspection;
use airlock_sandbox::grant::{Access, Scope};
use airlock_sandbox::text::safe;
use clap::Args;
use serde::Serialize;

use crate::arguments::{FormatArgument, ProjectArguments};
use crate::builtin::ComponentName;
use crate::error::{Error, ExitStatus, Report};
use crate::locking::{self, Inspections, LockedArgument};
use crate::output::{Format, Output, tell};
use crate::project::{self, Project};
use crate::render::{Fields, count, safe_name, setting, word};

const HELP: &str = "\
It reads the definitions with all that they include, and every component that
they name, and runs none of it. Every mistake is shown at once.

Beside an airlock.lock it says as well what differs from that. What a component
may touch, or asks for, that it did not before begins with `+`.

Examples:
  airlock check
  airlock check --locked
  airlock check --profile prod --format json";

/// Check the definitions, and show what each component may touch
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Check {
    #[command(flatten)]
    locked: LockedArgument,
    #[command(flatten)]
    project: ProjectArguments,
    #[command(flatten)]
    format: FormatArgument,
}

/// A component in its place in the definitions.
#[derive(Serialize)]
struct Checked<'a> {
    #[serde(rename = "in")]
    place: String,
    /// What the lock calls its place.
    #[serde(skip)]
    locked_as: String,
    /// Absent where it cannot be used.
    digest: Option<String>,
    #[serde(flatten)]
    used: &'a ComponentUse,
    warnings: Vec<String>,
    /// In what it differs from the lock; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<Change>>,
    /// Why it cannot be used.
    failure: Option<String>,
}

/// What a component does in its place.
#[derive(Clone, Copy)]
enum Role {
    /// It stores, loads, or both, as the assets have it.
    IoManager { stores: bool, loads: bool },
    /// It computes.
    Op,
}

impl Check {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let path = project::find(self.project.file.as_deref())?;
        let project = match Project::read_file(&path, self.project.profile.as_deref()) {
            Ok(project) => project,
            Err(mistakes) => return self.refuse(&path, &mistakes),
        };
        let definitions = &project.definitions;
        let mut inspections = Inspections::default();
        let (mut checked, failed) = check_all(definitions, &mut inspections)?;
        let list = check_configs(definitions, |source| inspections.known(source)?.manifest.as_ref());
        if !list.is_empty() {
            return self.refuse(&path, &Diagnostics { list });
        }
        // What cannot be used was told of, and cannot be compared.
        let changes = if failed.is_none() { locking::changes(&project, &self.locked, &mut inspections)? } else { None };
        for component in &mut checked {
            let of =
                |changes: &Vec<Change>| locking::of_use(changes, definitions, &component.locked_as, component.used);
            component.changes = changes.as_ref().map(of);
        }
        Error::unless_closed(match self.format.format {
            Format::Human if failed.is_some() => Ok(()),
            Format::Human => print(definitions, &checked),
            format => print_items(format, "components", &checked),
        })?;
        for warning in definitions.warnings() {
            tell(safe(warning.render_warning().trim_end(), usize::MAX));
        }
        for component in &checked {
            for warning in &component.warnings {
                tell(format!("warning: {}: {warning}", component.place));
            }
        }
        match changes.filter(|changes| !changes.is_empty()) {
            Some(changes) if self.locked.locked => return Err(locking::refuse(&project, &changes)),
            Some(changes) => locking::tell_since(&changes),
            None => {}
        }
        Ok(failed.unwrap_or(ExitStatus::Done))
    }

    /// Tells the mistakes in the definitions at `path`.
    fn refuse(&self, path: &Path, mistakes: &Diagnostics) -> Result<ExitStatus, Error> {
        if self.format.format == Format::Human {
            return Err(project::tell_mistakes(path, mistakes));
        }
        Error::unless_closed(print_items(self.format.format, "mistakes", &mistakes.list))?;
        Ok(ExitStatus::Usage)
    }
}

/// Checks every component and tells of those that cannot be used; the first of them says how the command ends.
fn check_all<'a>(
    definitions: &'a Definitions,
    inspections: &mut Inspections,
) -> Result<(Vec<Checked<'a>>, Option<ExitStatus>), Error> {
    let mut checked = Vec::new();
    let mut failed = None;
    for Placed { place, locked_as, role, used } in components(definitions) {
        let mut component =
            Checked { place, locked_as, digest: None, used, warnings: Vec::new(), changes: None, failure: None };
        match check(&component.place, role, used, definitions, inspections) {
            Ok(inspection) => {
                component.warnings = gaps(inspection, used);
                component.digest = Some(inspection.digest.clone());
            }
            Err(Error::Told(report)) => {
                report.show();
                component.failure = Some(report.message().to_owned());
                failed.get_or_insert(report.status());
            }
            Err(closed @ Error::OutputClosed) => return Err(closed),
        }
        checked.push(component);
    }
    Ok((checked, failed))
}

/// A component in its place in the definitions, and what it does there.
struct Placed<'a> {
    place: String,
    locked_as: String,
    role: Role,
    used: &'a ComponentUse,
}

fn components(definitions: &Definitions) -> impl Iterator<Item = Placed<'_>> {
    let assets = definitions.assets();
    let steps = || definitions.graphs().flat_map(|job| job.steps.iter().map(move |step| (job, step)));
    let computed = assets.iter().filter(|asset| !matches!(asset.op, Op::External)).map(|asset| &asset.output);
    let outputs = computed.chain(steps().flat_map(|(_, step)| &step.outputs));
    let stored: HashSet<&str> = outputs.filter_map(|output| output.io.as_deref()).collect();
    let of_assets =
        assets.iter().flat_map(|asset| asset.inputs.iter().map(move |input| (asset.graph.as_deref(), input)));
    let of_steps = steps().flat_map(|(job, step)| step.inputs.iter().map(move |input| (job, input)));
    let of_assets = of_assets.flat_map(|(graph, input)| loaders(definitions, graph, input));
    let of_steps = of_steps.flat_map(|(job, input)| loaders(definitions, Some(job), input));
    let loaded: HashSet<&str> = of_assets.chain(of_steps).collect();
    let managers = definitions.io_managers().iter().map(move |manager| {
        let name = manager.name.as_str();
        let role = Role::IoManager { stores: stored.contains(name), loads: loaded.contains(name) };
        let place = format!("io.{}", safe_name(name));
        Placed { place, locked_as: place_of_manager(name), role, used: &manager.component }
    });
    let of_assets =
        assets.iter().map(|asset| (format!("assets.{}", safe_name(&asset.name)), place_of_asset(asset), &asset.op));
    let of_steps = steps().map(|(job, step)| {
        let own = || format!("jobs.{}.steps.{}", safe_name(&job.name), safe_name(&step.name));
        (step.shared_table.as_deref().map_or_else(own, safe_name), place_of_step(job, step), &step.op)
    });
    let mut seen = HashSet::new();
    let ops = of_assets.chain(of_steps).filter_map(move |(place, locked_as, op)| match op {
        // What several steps are made from is one.
        Op::Component(used) => seen.insert(place.clone()).then_some(Placed { place, locked_as, role: Role::Op, used }),
        Op::Command(_) | Op::External => None,
    });
    managers.chain(ops)
}

/// The I/O managers that load `input`, of an asset or of a step of `job`.
fn loaders<'a>(definitions: &'a Definitions, job: Option<&'a Job>, input: &'a Input) -> impl Iterator<Item = &'a str> {
    let of_asset = input.asset().and_then(|name| definitions.asset(name)).map(|asset| &asset.output);
    let of_steps =
        job.into_iter().flat_map(|job| input.source.outputs().iter().filter_map(|output| job.output(output)));
    let storing = of_asset.into_iter().chain(of_steps).filter_map(|output| output.io.as_deref());
    let given = input.io.as_deref();
    given.into_iter().chain(storing.filter(move |_| given.is_none()))
}

/// Checks that the component can be what its place makes it.
fn check<'a>(
    place: &str,
    role: Role,
    used: &ComponentUse,
    definitions: &Definitions,
    inspections: &'a mut Inspections,
) -> Result<&'a Inspection, Error> {
    let name = ComponentName::of(&used.component, definitions.directory());
    let called = format!("{place}: {name}");
    let inspection = inspections.of(definitions, place, used)?;
    let lacks = match role {
        Role::IoManager { stores: true, .. } if !inspection.exports.output => {
            Some("airlock:io/output, so it cannot store")
        }
        Role::IoManager { loads: true, .. } if !inspection.exports.input => Some("airlock:io/input, so it cannot load"),
        Role::Op if !inspection.exports.op => Some("airlock:io/op, so it is no op"),
        _ => None,
    };
    if let Some(lacks) = lacks {
        return Err(Report::new(ExitStatus::Component, format!("{called} does not export {lacks}")).into());
    }
    Ok(inspection)
}

/// What the component asks for in its manifest and is not lent.
fn gaps(inspection: &Inspection, used: &ComponentUse) -> Vec<String> {
    let Some(manifest) = &inspection.manifest else { return Vec::new() };
    let mut gaps = Vec::new();
    for asked in &manifest.mounts {
        let Some(mount) = used.mounts.iter().find(|mount| mount.guest_path.as_str() == asked.path) else {
            gaps.push(format!("it asks for the mount {} to {}, and has none", asked.path, word(&asked.access)));
            continue;
        };
        if asked.access == Access::Write && mount.access == Access::Read {
            gaps.push(format!("it asks to write to {}, and may only read it", asked.path));
        }
        if asked.scope == Scope::Mount && mount.scope == Scope::Output {
            gaps.push(format!("it asks for all of {}, and may touch the files of one value only", asked.path));
        }
    }
    for asked in &manifest.environment {
        if !used.environment.iter().any(|(name, _)| *name == asked.name) {
            gaps.push(format!("it asks for the environment entry {}, and has none", asked.name));
        }
    }
    gaps
}

fn print(definitions: &Definitions, checked: &[Checked<'_>]) -> Result<(), Error> {
    let mut output = Output::new();
    output.line(format!(
        "{} is sound: {}, {}",
        definitions.path().display(),
        count(definitions.assets().len(), "asset"),
        count(definitions.io_managers().len(), "I/O manager")
    ))?;
    for component in checked {
        output.line("")?;
        let mut fields = Fields::default();
        let used = component.used;
        fields.add("in", component.place.as_str());
        fields.add("file", ComponentName::of(&used.component, definitions.directory()).to_string());
        fields.add_some("digest", component.digest.as_deref());
        fields.add("lent", lent(used).join("\n"));
        fields.add_all("limits", limits(&used.limits));
        fields.print(&mut output)?;
    }
    output.finish()
}

fn print_items(format: Format, name: &str, items: &[impl Serialize]) -> Result<(), Error> {
    let mut output = Output::new();
    output.json_items(format, name, items)?;
    output.finish()
}

/// What a component may touch.
fn lent(used: &ComponentUse) -> Vec<String> {
    let mounts = used.mounts.iter().map(|mount| {
        let source = match &mount.source {
            MountPath::Directory(path) => setting(path),
            MountPath::Memory => "memory".to_owned(),
        };
        let scope = match mount.scope {
            Scope::Output => "the files of one value",
            Scope::Mount => "all of it",
        };
        format!("{} = {source}, to {}, {scope}", mount.guest_path, word(&mount.access))
    });
    let environment = used.environment.iter().map(|(name, value)| format!("${} = {}", safe_name(name), setting(value)));
    let lent: Vec<String> = mounts.chain(environment).collect();
    if lent.is_empty() { vec!["nothing".to_owned()] } else { lent }
}

fn limits(limits: &LimitSettings) -> Vec<String> {
    let named = [
        ("memory", &limits.memory),
        ("time", &limits.time),
        ("cpu_time", &limits.cpu_time),
        ("disk", &limits.disk),
        ("files", &limits.files),
    ];
    named.iter().filter_map(|(name, limit)| Some(format!("{name} {}", setting(limit.as_ref()?)))).collect()
}

#[cfg(test)]
mod tests {
    use airlock_sandbox::component::{Exports, Manifest};

    use super::*;

    fn gaps_of(manifest: serde_json::Value, lent: &str) -> Vec<String> {
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        let inspection = Inspection {
            digest: String::new(),
            size: 0,
            contract: "0.1.0".to_owned(),
            exports: Exports::default(),
            imports: Vec::new(),
            manifest: Some(manifest),
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("airlock.toml");
        std::fs::write(&file, format!("[io.lake]\ncomponent = \"builtin:files\"\n{lent}")).unwrap();
        let project = Project::read_file(&file, None).unwrap();
        gaps(&inspection, &project.definitions.io_managers()[0].component)
    }

    /// Why `component` is refused as the first in `definitions`; none where it is taken.
    fn refusal_in(definitions: &str, component: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("airlock.toml");
        std::fs::write(folder.path().join("it.wasm"), wat::parse_str(component).unwrap()).unwrap();
        std::fs::write(&file, definitions).unwrap();
        let project = Project::read_file(&file, None).unwrap();
        let Placed { place, role, used, .. } = components(&project.definitions).next().unwrap();
        match check(&place, role, used, &project.definitions, &mut Inspections::default()) {
            Err(Error::Told(report)) => Some(format!("{report:?}")),
            Err(Error::OutputClosed) => panic!("the output was closed"),
            Ok(_) => None,
        }
    }

    const STORES: &str =
        "[io.lake]\ncomponent = \"it.wasm\"\n[assets.a]\nio = \"lake\"\ntype = \"text\"\ncommand = [\"x\"]";

    fn refusal(component: &str) -> String {
        refusal_in(STORES, component).unwrap()
    }

    #[test]
    fn a_component_that_lacks_what_its_place_needs_is_refused() {
        let loads_only = r#"(component (instance $i) (export "airlock:io/input@0.1.0" (instance $i)))"#;
        let shown = refusal(loads_only);
        assert!(shown.contains("io.lake: it.wasm does not export airlock:io/output, so it cannot store"), "{shown}");
        let stores_only = loads_only.replace("input", "output");
        let loads = format!("{STORES}\n[assets.b]\ninputs = [\"a\"]\ntype = \"none\"\ncommand = [\"x\"]");
        let shown = refusal_in(&loads, &stores_only).unwrap();
        assert!(shown.contains("io.lake: it.wasm does not export airlock:io/input, so it cannot load"), "{shown}");
        let shown = refusal_in("[assets.a]\ntype = \"none\"\ncomponent = \"it.wasm\"", loads_only).unwrap();
        assert!(shown.contains("assets.a: it.wasm does not export airlock:io/op, so it is no op"), "{shown}");
    }

    #[test]
    fn a_component_that_only_loads_or_only_stores_is_taken_where_it_does_no_more() {
        let loads_only = r#"(component (instance $i) (export "airlock:io/input@0.1.0" (instance $i)))"#;
        let loads = "[io.lake]\ncomponent = \"it.wasm\"\n[assets.a]\nexternal = true\nio = \"lake\"\ntype = \"text\"\n\
                     [assets.b]\ninputs = [\"a\"]\ntype = \"none\"\ncommand = [\"x\"]";
        assert_eq!(refusal_in(loads, loads_only), None);
        assert_eq!(refusal_in(STORES, &loads_only.replace("input", "output")), None);
    }

    #[test]
    fn a_component_that_needs_what_airlock_does_not_have_is_refused() {
        let asks_for_http = r#"(component
            (import "wasi:http/types@0.2.0" (instance)) (instance $i) (export "airlock:io/output@0.1.0" (instance $i)))"#;
        let shown = refusal(asks_for_http);
        assert!(shown.contains("imports what Airlock does not provide: wasi:http/types@0.2.0"), "{shown}");
    }

    #[test]
    fn a_component_that_cannot_be_used_is_in_the_document_and_the_first_decides_how_the_command_ends() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("airlock.toml");
        for name in ["text.wasm", "gone.wasm"] {
            std::fs::write(folder.path().join(name), "text").unwrap();
        }
        let definitions = "[io.a]\ncomponent = \"builtin:files\"\n[io.b]\ncomponent = \"text.wasm\"\n\
                           [io.c]\ncomponent = \"gone.wasm\"\n";
        std::fs::write(&file, definitions).unwrap();
        let project = Project::read_file(&file, None).unwrap();
        std::fs::remove_file(folder.path().join("gone.wasm")).unwrap();
        let (checked, failed) = check_all(&project.definitions, &mut Inspections::default()).unwrap();
        assert_eq!(failed, Some(ExitStatus::Component));
        let document = serde_json::to_value(&checked).unwrap();
        assert!(document[0]["digest"].is_string() && document[0]["failure"].is_null(), "{document}");
        let failure = |index: usize| document[index]["failure"].as_str().unwrap().to_owned();
        assert!(failure(1).starts_with("io.b: text.wasm: this is not a WebAssembly component"), "{document}");
        assert!(failure(2).starts_with("cannot read "), "{document}");
    }

    #[test]
    fn what_a_component_asks_for_and_does_not_have_is_a_gap() {
        let manifest = serde_json::json!({
            "name": "x",
            "mounts": [{ "path": "/data", "access": "write" }, { "path": "/more", "access": "read" }],
            "environment": [{ "name": "TOKEN" }],
        });
        let lent = "mounts.\"/data\" = { path = \"data\" }\n";
        let expected = [
            "it asks to write to /data, and may only read it",
            "it asks for the mount /more to read, and has none",
            "it asks for the environment entry TOKEN, and has none",
        ];
        assert_eq!(gaps_of(manifest.clone(), lent), expected);
        let all = "mounts.\"/data\" = { path = \"data\", access = \"write\" }\nmounts.\"/more\" = { path = \"more\" }\n\
                   environment = { TOKEN = \"x\" }\n";
        assert_eq!(gaps_of(manifest, all), [""; 0]);
    }
}
