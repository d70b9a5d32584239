//! What the definitions lend a component, with what the environment has: resolved when a run starts.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use airlock_sandbox::component::{ComponentError, Manifest};
use airlock_sandbox::grant::{DirectoryPath, Grant, GrantError, MountGrant, MountSource};
use airlock_sandbox::mount::MemoryDirectory;
use airlock_sandbox::text::sha256;
use airlock_sandbox::{Component, Sandbox};
use serde_json::Value;

use super::RunError;
use crate::audit::AuditLog;
use crate::code::{Pins, read_component};
use crate::config_check::{ConfigCheck, Owner};
use crate::definitions::{
    Builtins, ComponentSource, ComponentUse, Deciding, Definitions, Diagnostic, Environment, Mount, MountPath,
    RetryPolicy, Setting, SignatureUse, UnresolvedSetting, beside, is_no_directory, toml_key,
};
use crate::event::ManagerUse;
use crate::home::Home;
use crate::lock::components;

/// The directories in memory, which live as long as the process: by whom they are lent to, and the guest path.
pub(super) type MemoryDirectories = Arc<Mutex<HashMap<(String, String), MemoryDirectory>>>;

/// A component, or why there is none; found out when it is first needed.
type Code = Arc<OnceLock<Result<Component, ComponentError>>>;

/// Where a component comes from, and who must have signed it.
type Origin = (ComponentSource, Option<SignatureUse>);

/// The components that were loaded, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Components {
    codes: Arc<Mutex<HashMap<Origin, Code>>>,
    /// What they must be; anything where it is absent.
    pins: Option<Arc<Pins>>,
}

impl Components {
    /// None that is loaded yet, of components that must be what `pins` say.
    pub fn pinned(pins: Pins) -> Self {
        Self { codes: Arc::default(), pins: Some(pins.into()) }
    }

    /// The code of the component of `used`.
    fn get(&self, used: &ComponentUse) -> Code {
        let mut components = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(components.entry((used.component.clone(), used.signature.clone())).or_default())
    }

    /// Has those that could not be loaded tried again.
    pub fn forget_failed(&self) {
        let mut components = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        components.retain(|_, code| !code.get().is_some_and(Result::is_err));
    }
}

/// A component, ready to be called but for its code, which is compiled when it is first needed.
#[derive(Debug)]
pub(super) struct Lent {
    /// Its name in the definitions.
    pub name: String,
    /// Whether it is an op; otherwise it is an I/O manager.
    pub is_op: bool,
    /// The table of the definitions that says what it is lent: `[io.lake]`.
    pub table: String,
    /// What the definitions say of it.
    pub definition: ComponentUse,
    /// What it is lent.
    pub grant: Grant,
    /// Its configuration.
    pub config: Value,
    /// What loads what it did not store.
    pub parent: Option<Arc<Lent>>,
    /// How often a call of it that failed is tried again; not at all where it is absent.
    pub retry: Option<RetryPolicy>,
    code: Code,
    pins: Option<Arc<Pins>>,
}

/// What is needed to lend.
pub(super) struct Lender<'a> {
    pub home: &'a Home,
    /// What no component is lent to write.
    pub deciding: &'a Deciding,
    /// What no component is lent to write either.
    pub audit: Option<&'a AuditLog>,
    pub environment: &'a Environment,
    pub memory: &'a MemoryDirectories,
    pub components: &'a Components,
    pub sandbox: &'a Sandbox,
    pub builtins: Builtins,
    /// Whether what is lent is going to be called.
    pub is_called: bool,
    /// Why a component that is going to be called is none that may be, and the table that says what it is lent.
    pub refused: Option<(String, ComponentError)>,
    /// What is wrong with configurations.
    pub configs: ConfigCheck<'a>,
    /// What else is wrong.
    pub problems: Vec<Diagnostic>,
}

impl Lender<'_> {
    /// What the component of the I/O manager `name` is lent. Whatever is wrong with it becomes a problem.
    pub fn lend_manager(&mut self, name: &str, definition: &ComponentUse) -> Option<Lent> {
        let lent = self.lend(name, false, format!("[io.{}]", toml_key(name)), definition)?;
        if let Some(manifest) = self.manifest(&lent) {
            self.configs.io_manager(name, definition, manifest);
        }
        Some(lent)
    }

    /// As [`lend_manager`](Self::lend_manager), of the op of `owner`, which is called `name` and which the table `table`
    /// defines.
    pub fn lend_op(&mut self, owner: Owner<'_>, name: &str, table: &str, definition: &ComponentUse) -> Option<Lent> {
        let lent = self.lend(name, true, table.to_owned(), definition)?;
        if let Some(manifest) = self.manifest(&lent) {
            self.configs.op(owner, definition, manifest);
        }
        Some(lent)
    }

    fn lend(&mut self, name: &str, is_op: bool, table: String, definition: &ComponentUse) -> Option<Lent> {
        let mounts: Vec<Option<MountGrant>> = definition.mounts.iter().map(|mount| self.mount(&table, mount)).collect();
        let mut environment = BTreeMap::new();
        for (name, value) in &definition.environment {
            if let Some(value) = self.resolve(value.resolve_text(self.environment)) {
                environment.insert(name.clone(), value);
            }
        }
        let config = self.resolve(definition.config.resolve(self.environment));
        let limits = self.resolve(definition.limits.resolve(self.environment));
        let mounts = mounts.into_iter().collect::<Option<Vec<_>>>()?;
        let grant = Grant::new(mounts, environment, limits?)
            .map_err(|error| self.problems.push(Diagnostic::new(format!("{table}: {error}"))))
            .ok()?;
        let (code, pins) = (self.components.get(definition), self.components.pins.clone());
        let (name, definition) = (name.to_owned(), definition.clone());
        let lent =
            Lent { name, is_op, table, definition, grant, config: config?, parent: None, retry: None, code, pins };
        // What is wrong with a component is told of the step that needs it; but next to one that somebody changed, nothing
        // is done at all.
        if let (true, Err(error @ (ComponentError::Signature { .. } | ComponentError::Changed { .. }))) =
            (self.is_called, lent.component(self.sandbox, self.builtins))
        {
            self.refused.get_or_insert_with(|| (lent.table.clone(), error.clone()));
        }
        Some(lent)
    }

    /// That nothing is called where a component must not be.
    ///
    /// # Errors
    /// [`RunError::Component`]
    pub fn check_refused(&mut self) -> Result<(), RunError> {
        match self.refused.take() {
            Some((table, error)) => Err(RunError::Component { table, error }),
            None => Ok(()),
        }
    }

    /// That no component of `definitions` that is not lent anything now is lent what decides: what it wrote there in
    /// another run would decide what is done in this one. What the environment does not have now is nothing.
    pub fn check_others(&mut self, definitions: &Definitions) {
        let written = components(definitions).flat_map(|(_, used)| &used.mounts);
        for mount in written {
            let MountPath::Directory(setting @ Setting::Environment(_)) = &mount.source else { continue };
            let Ok(text) = setting.resolve_text(self.environment) else { continue };
            let path = beside(&mount.position, Path::new(&text));
            let Ok(directory) = DirectoryPath::new(&path, self.home.own_state()) else { continue };
            let refused = self.deciding.refuse(mount.access, &directory);
            let problem = refused.map(|message| Diagnostic::at(&mount.position, message));
            self.problems.extend(problem.filter(|problem| !self.problems.contains(problem)));
        }
    }

    /// What the component of `lent` says of itself. One that cannot be loaded is told of where it is needed.
    pub fn manifest<'b>(&self, lent: &'b Lent) -> Option<&'b Manifest> {
        lent.component(self.sandbox, self.builtins).ok()?.inspection().manifest.as_ref()
    }

    /// The value, where nothing is wrong with it.
    pub fn resolve<T>(&mut self, resolved: Result<T, UnresolvedSetting>) -> Option<T> {
        resolved.map_err(|unresolved| self.problems.push(unresolved.into())).ok()
    }

    fn mount(&mut self, table: &str, mount: &Mount) -> Option<MountGrant> {
        let source = match &mount.source {
            MountPath::Directory(setting) => MountSource::Directory(self.directory(mount, setting)?),
            MountPath::Memory => {
                let key = (table.to_owned(), mount.guest_path.to_string());
                let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
                MountSource::Memory(memory.entry(key).or_default().clone())
            }
        };
        let Mount { guest_path, access, scope, .. } = mount;
        Some(MountGrant { guest_path: guest_path.clone(), source, access: *access, scope: *scope })
    }

    fn directory(&mut self, mount: &Mount, setting: &Setting) -> Option<DirectoryPath> {
        let text = self.resolve(setting.resolve_text(self.environment))?;
        let refuse = |message: String| Diagnostic::at(&mount.position, message);
        let problem = match DirectoryPath::new(&beside(&mount.position, Path::new(&text)), self.home.own_state()) {
            Ok(directory) if is_no_directory(&directory) => match setting {
                Setting::Environment(reference) => refuse(format!("what {} names is not a directory", reference.name)),
                _ => refuse(format!("{text} is not a directory")),
            },
            Ok(directory) => match self
                .deciding
                .refuse(mount.access, &directory)
                .or_else(|| self.audit?.refuse(mount.access, &directory))
            {
                Some(message) => refuse(message),
                None => return Some(directory),
            },
            Err(error) => match (setting, error) {
                // What the environment has is not shown.
                (Setting::Environment(reference), GrantError::DangerousRoot { reason, .. }) => {
                    refuse(format!("what {} names cannot be lent: {reason}", reference.name))
                }
                (Setting::Environment(reference), _) => {
                    refuse(format!("what {} names is not a directory that can be lent", reference.name))
                }
                (_, error) => refuse(error.to_string()),
            },
        };
        self.problems.push(problem);
        None
    }
}

impl Lent {
    /// The component, compiled when it is first asked for.
    pub fn component(&self, sandbox: &Sandbox, builtins: Builtins) -> Result<&Component, &ComponentError> {
        let load = || {
            let source = &self.definition.component;
            let name = match source {
                ComponentSource::File(path) => path.display().to_string(),
                ComponentSource::Builtin(name) => format!("builtin:{name}"),
            };
            // What was checked is what is compiled: the file is read once.
            let bytes = read_component(&self.definition, builtins)?;
            if let Some(pins) = &self.pins {
                pins.check(source, &bytes)?;
            }
            sandbox.load_bytes(&name, &bytes)
        };
        self.code.get_or_init(load).as_ref()
    }

    /// What tells the values that it keeps from those of others: its name, and the directories that it is lent.
    pub fn store(&self) -> String {
        let mut told = self.name.clone();
        for mount in self.grant.mounts() {
            // No name and no path holds a NUL.
            told.push('\0');
            told.push_str(mount.guest_path.as_str());
            told.push('\0');
            match &mount.source {
                MountSource::Directory(directory) => told.push_str(&directory.as_path().to_string_lossy()),
                MountSource::Memory(_) => told.push_str("memory"),
            }
        }
        sha256(told.as_bytes())
    }

    /// What is recorded of it.
    pub fn manager_use(&self, component: &Component) -> ManagerUse {
        ManagerUse { name: self.name.clone(), digest: component.digest().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_that_cannot_be_loaded_is_tried_once_until_it_is_asked_for_anew() {
        let definitions = crate::definitions::tests::definitions("io.lake.component = \"builtin:files\"");
        let (components, used) = (Components::default(), &definitions.io_managers()[0].component);
        assert!(components.get(used).set(Err(ComponentError::TooLarge)).is_ok());
        assert!(components.get(used).get().is_some());
        components.forget_failed();
        assert!(components.get(used).get().is_none());
    }
}
