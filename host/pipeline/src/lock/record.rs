//! Records definitions as they are now.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use airlock_sandbox::component::{ConfigSchema, Inspection, Manifest};
use airlock_sandbox::grant::{Access, Scope};
use airlock_sandbox::text::safe_line;

use super::place::{components, place_of_asset, place_of_manager, place_of_step};
use super::{
    EntrySource, InDefinitions, Lock, LockedComponent, LockedGrant, LockedManifest, LockedMount, Reference, Written,
};
use crate::code::component_name;
use crate::definitions::{
    ComponentUse, Configuration, Definitions, EnvironmentReference, Input, InputSource, LimitSettings, Mount,
    MountPath, Output, Position, Setting, beside,
};

/// Bytes that are kept of the key of a configuration.
const KEY_BYTES: usize = 200;

impl Lock {
    /// What `definitions` come to: those without a profile, and those with each. `inspect` gives what the component is
    /// that is called so and used in the place.
    ///
    /// # Errors
    /// Those of `inspect`.
    pub fn record<E>(
        definitions: &[&Definitions],
        mut inspect: impl FnMut(&Definitions, &str, &ComponentUse) -> Result<Inspection, E>,
    ) -> Result<Self, E> {
        let mut lock = Self { version: 1, ..Self::default() };
        let mut with_profiles = Vec::new();
        for definitions in definitions {
            let mut lent = BTreeMap::new();
            let told = Told::of(definitions);
            for (place, used) in components(definitions) {
                let name = component_name(&used.component, definitions.directory());
                let inspection = inspect(definitions, &place, used)?;
                lock.components.insert(name.clone(), LockedComponent::of(&inspection));
                let told = told.0.get(&place).cloned().unwrap_or_default();
                lent.insert(place, LockedGrant::of(used, name, told, definitions.directory()));
            }
            match definitions.profile() {
                None => lock.lent = lent,
                Some(profile) => with_profiles.push((profile.to_owned(), lent)),
            }
        }
        for (profile, mut lent) in with_profiles {
            lent.retain(|place, grant| lock.lent.get(place) != Some(grant));
            lock.profile.insert(profile, lent);
        }
        Ok(lock)
    }

    /// What a component called `name` is, which is lent nothing: by two of these, two versions of it are compared.
    pub fn of_component(name: &str, inspection: &Inspection) -> Self {
        let components = [(name.to_owned(), LockedComponent::of(inspection))].into();
        Self { version: 1, components, ..Self::default() }
    }
}

impl LockedComponent {
    fn of(inspection: &Inspection) -> Self {
        let exports = inspection.exports;
        let exports = [(exports.input, "input"), (exports.op, "op"), (exports.output, "output")];
        Self {
            digest: inspection.digest.clone(),
            contract: inspection.contract.clone(),
            exports: exports.iter().filter(|(has, _)| *has).map(|(_, name)| (*name).to_owned()).collect(),
            imports: inspection.imports.iter().cloned().collect(),
            manifest: inspection.manifest.as_ref().map(LockedManifest::of),
        }
    }
}

impl LockedManifest {
    fn of(manifest: &Manifest) -> Self {
        let keys = |schema: &Option<ConfigSchema>| {
            let keys = schema.iter().flat_map(ConfigSchema::keys);
            keys.map(|(key, _)| safe_line(key, KEY_BYTES)).collect()
        };
        let mut mounts = BTreeMap::new();
        let whole = manifest.mounts.iter().filter(|mount| mount.scope == Scope::Mount);
        for mount in &manifest.mounts {
            // What is asked for twice is asked for as the more of both.
            let access = mounts.entry(mount.path.clone()).or_insert(mount.access);
            if mount.access == Access::Write {
                *access = Access::Write;
            }
        }
        Self {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            values: manifest.values.iter().cloned().collect(),
            many_partitions: manifest.many_partitions,
            config: keys(&manifest.config),
            output_config: keys(&manifest.output_config),
            input_config: keys(&manifest.input_config),
            environment: manifest.environment.iter().map(|entry| entry.name.clone()).collect(),
            mounts,
            whole_mounts: whole.map(|mount| mount.path.clone()).collect(),
        }
    }
}

impl LockedGrant {
    /// What `used`, the component called `component`, is lent by definitions in `directory`.
    fn of(used: &ComponentUse, component: String, told: BTreeSet<String>, directory: &Path) -> Self {
        let mounts = used.mounts.iter().map(|mount| (mount.guest_path.to_string(), locked_mount(mount, directory)));
        let environment = used.environment.iter().map(|(name, value)| {
            let source = match value {
                // What it is where it is not set may be a secret as any other value.
                Setting::Environment(reference) => {
                    EntrySource::Reference(Reference { name: reference.name.clone(), default: None, relative_to: None })
                }
                _ => EntrySource::Definitions(InDefinitions::Text),
            };
            (name.clone(), source)
        });
        Self {
            component,
            public_key: used.signature.as_ref().map(|signature| signature.public_key.clone()),
            told,
            environment: environment.collect(),
            limits: limits(&used.limits),
            mounts: mounts.collect(),
        }
    }
}

fn locked_mount(mount: &Mount, directory: &Path) -> LockedMount {
    let beside = |path: &str| relative(&beside(&mount.position, Path::new(path)), directory);
    let path = match &mount.source {
        MountPath::Memory => None,
        MountPath::Directory(Setting::Environment(reference)) => Some(Written::Reference(Reference {
            relative_to: base(&mount.position, directory),
            ..referenced(reference, beside)
        })),
        MountPath::Directory(setting) => Some(Written::Text(beside(&setting.shown()))),
    };
    LockedMount { access: mount.access, scope: mount.scope, path }
}

fn referenced(reference: &EnvironmentReference, shown: impl Fn(&str) -> String) -> Reference {
    let default = reference.default.as_ref().map(|default| shown(&default.shown()));
    Reference { name: reference.name.clone(), default, relative_to: None }
}

/// `path` as definitions in `directory` would write it.
fn relative(path: &Path, directory: &Path) -> String {
    match path.strip_prefix(directory) {
        Ok(inner) if inner.as_os_str().is_empty() => ".".to_owned(),
        Ok(inner) => inner.display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

/// What paths at `position` are relative to, where that is another directory than `directory`.
fn base(position: &Position, directory: &Path) -> Option<String> {
    let base = relative(&beside(position, Path::new(".")), directory);
    (base != ".").then_some(base)
}

fn limits(limits: &LimitSettings) -> BTreeMap<String, Written> {
    let named = [
        ("memory", &limits.memory),
        ("time", &limits.time),
        ("cpu_time", &limits.cpu_time),
        ("disk", &limits.disk),
        ("files", &limits.files),
    ];
    let written = |setting: &Setting| match setting {
        Setting::Environment(reference) => Written::Reference(referenced(reference, str::to_owned)),
        Setting::Integer(number) => Written::Number(*number),
        other => Written::Text(other.shown()),
    };
    named.iter().filter_map(|(name, limit)| Some(((*name).to_owned(), written(limit.as_ref()?)))).collect()
}

/// The entries of the environment of the host that configurations and constants tell components, by their places.
#[derive(Default)]
struct Told(HashMap<String, BTreeSet<String>>);

impl Told {
    fn of(definitions: &Definitions) -> Self {
        let mut told = Self::default();
        for (place, used) in components(definitions) {
            told.add(place, &used.config.setting);
        }
        for asset in definitions.assets() {
            told.add_configuration(definitions, asset.output.io.as_deref(), asset.output.config.as_ref());
            for input in &asset.inputs {
                let outputs = input.source.outputs().iter();
                let outputs = outputs.filter_map(|output| asset.graph.as_deref()?.output(output));
                told.add_input(definitions, &place_of_asset(asset), input, outputs.collect());
            }
        }
        for (job, step) in definitions.graphs().flat_map(|job| job.steps.iter().map(move |step| (job, step))) {
            for output in &step.outputs {
                told.add_configuration(definitions, output.io.as_deref(), output.config.as_ref());
            }
            for input in &step.inputs {
                let outputs = input.source.outputs().iter().filter_map(|output| job.output(output));
                told.add_input(definitions, &place_of_step(job, step), input, outputs.collect());
            }
        }
        told
    }

    fn add(&mut self, place: String, setting: &Setting) {
        let mut names = Vec::new();
        setting.references(&mut names);
        if !names.is_empty() {
            self.0.entry(place).or_default().extend(names.into_iter().map(|reference| reference.name.clone()));
        }
    }

    /// Adds what `config` tells `manager`, and its parents, which load what others stored for it.
    fn add_configuration(&mut self, definitions: &Definitions, manager: Option<&str>, config: Option<&Configuration>) {
        let Some(config) = config else { return };
        let parent = |name: &&str| definitions.io_manager(name)?.parent.as_deref();
        for manager in std::iter::successors(manager, |name| parent(name)) {
            self.add(place_of_manager(manager), &config.setting);
        }
    }

    /// Adds what an `input` of the op in `place` tells: the op a constant, and who loads it the configuration of the input
    /// and of what is loaded. `outputs` are those of steps that it takes.
    fn add_input<'a>(
        &mut self,
        definitions: &'a Definitions,
        place: &str,
        input: &'a Input,
        mut outputs: Vec<&'a Output>,
    ) {
        if let InputSource::Value(value) = &input.source {
            self.add(place.to_owned(), value);
        }
        outputs.extend(input.asset().and_then(|asset| Some(&definitions.asset(asset)?.output)));
        self.add_configuration(definitions, input.io.as_deref(), input.config.as_ref());
        for output in outputs {
            let loading = input.io.as_deref().or(output.io.as_deref());
            for config in [&input.config, &output.config] {
                self.add_configuration(definitions, loading, config.as_ref());
            }
        }
    }
}
