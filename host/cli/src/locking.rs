//! What commands have to do with the lock that lies beside the definitions.

use std::collections::HashMap;

use airlock_pipeline::definitions::{ComponentSource, ComponentUse, Definitions, SignatureUse};
use airlock_pipeline::lock::{Change, Lock, LockError, compare};
use airlock_pipeline::{Pins, Runner, component_name, read_component};
use airlock_sandbox::component::{ComponentError, Inspection, inspect};
use airlock_sandbox::text::safe;
use clap::Args;

use crate::arguments::IsolateArgument;
use crate::builtin::{BUILTINS, ComponentName};
use crate::error::{Error, ExitStatus, Report};
use crate::output::tell;
use crate::project::{self, Project};

/// Changes of one component or place that are shown, unless more of them widen.
const CHANGES_SHOWN: usize = 100;

/// Whether the lock must be kept to.
#[derive(Debug, Args)]
pub struct LockedArgument {
    /// Refuse, before anything runs, what differs from the lock beside the definitions
    #[arg(long)]
    pub locked: bool,
}

/// What components are, each read once.
#[derive(Default)]
pub struct Inspections(HashMap<(ComponentSource, Option<SignatureUse>), Inspection>);

impl Inspections {
    /// What the component of `used` is, which definitions use in `place`; and that it is signed as it must be.
    pub fn of(&mut self, definitions: &Definitions, place: &str, used: &ComponentUse) -> Result<&Inspection, Error> {
        let key = (used.component.clone(), used.signature.clone());
        if !self.0.contains_key(&key) {
            let name = ComponentName::of(&used.component, definitions.directory());
            let unusable = |error| Error::component(&format!("{place}: {name}"), &error);
            let bytes = read_component(used, BUILTINS).map_err(unusable)?;
            let inspection = inspect(&bytes).map_err(unusable)?;
            inspection.check_imports().map_err(unusable)?;
            // One file is one component, whoever must have signed it in one place or another.
            if let Some(known) = self.known(&used.component).filter(|known| known.digest != inspection.digest) {
                let (expected, found) = (known.digest.clone(), inspection.digest);
                return Err(unusable(ComponentError::Changed { expected, found }));
            }
            self.0.insert(key.clone(), inspection);
        }
        self.0.get(&key).ok_or_else(|| Report::new(ExitStatus::Internal, "a component was lost").into())
    }

    /// What the component from `source` is, where it was read.
    pub fn known(&self, source: &ComponentSource) -> Option<&Inspection> {
        self.0.iter().find(|((known, _), _)| known == source).map(|(_, inspection)| inspection)
    }

    /// The digests that they had.
    fn pins(&self) -> Pins {
        let mut pins = Pins::default();
        for ((source, _), inspection) in &self.0 {
            pins.add(source.clone(), inspection.digest.clone());
        }
        pins
    }
}

/// The definitions of `project` as they are now, with each of their profiles.
pub fn record(project: &Project, inspections: &mut Inspections) -> Result<Lock, Error> {
    let own = &*project.definitions;
    let profiles = own.profiles().iter().map(|profile| Some(profile.as_str()));
    let mut others = Vec::new();
    for profile in std::iter::once(None).chain(profiles).filter(|profile| *profile != own.profile()) {
        let other = Project::read_file(own.path(), profile);
        others.push(other.map_err(|mistakes| project::tell_mistakes(own.path(), &mistakes))?);
    }
    let mut all: Vec<&Definitions> = others.iter().map(|other| &*other.definitions).collect();
    all.push(own);
    Lock::record(&all, |definitions, place, used| inspections.of(definitions, place, used).cloned())
}

/// The lock of `project`; none where there is none.
pub fn read(project: &Project) -> Result<Option<Lock>, Error> {
    Lock::read(&Lock::path(project.definitions.path())).map_err(|error| failed(&error))
}

/// A lock that cannot be used or written.
pub fn failed(error: &LockError) -> Error {
    let message = safe(&error.to_string(), usize::MAX);
    let report = match error {
        LockError::Damaged { .. } => Error::usage(message)
            .hint("take it back from version control; or remove it, and `airlock lock` records anew what there is"),
        LockError::Read { .. } => Error::usage(message),
        LockError::Write { .. } => Report::new(ExitStatus::Storage, message),
    };
    report.into()
}

/// In what `project` differs from its lock; none where there is no lock, and none has to be kept to.
pub fn changes(
    project: &Project,
    argument: &LockedArgument,
    inspections: &mut Inspections,
) -> Result<Option<Vec<Change>>, Error> {
    match read(project)? {
        Some(lock) => Ok(Some(compare(&lock, &record(project, inspections)?))),
        None if argument.locked => {
            let path = Lock::path(project.definitions.path());
            let message = format!("there is no lock {}, and `--locked` needs one", path.display());
            Err(Error::usage(message).hint("`airlock lock` records what there is").into())
        }
        None => Ok(None),
    }
}

/// Those of `changes` that are of the component `used`, wherever it is, or of its `place` in `definitions`.
pub fn of_use(changes: &[Change], definitions: &Definitions, place: &str, used: &ComponentUse) -> Vec<Change> {
    let file = component_name(&used.component, definitions.directory());
    let with_profile = definitions.profile().map(|profile| format!("profile.{profile}.{place}"));
    let names = [Some(place), Some(&*file), with_profile.as_deref()];
    let is_of = |change: &&Change| names.iter().flatten().any(|name| change.is_of(name));
    changes.iter().filter(is_of).cloned().collect()
}

/// What does runs of `project`, with the components that its lock says where that must be kept to.
pub fn runner(project: &Project, argument: &LockedArgument, isolate: IsolateArgument) -> Result<Runner, Error> {
    if !argument.locked {
        return project.runner(isolate);
    }
    let mut inspections = Inspections::default();
    match changes(project, argument, &mut inspections)? {
        Some(changes) if !changes.is_empty() => Err(refuse(project, &changes)),
        // What was compared is what may run, whatever becomes of the files until then.
        _ => Ok(project.runner(isolate)?.with_pins(inspections.pins())),
    }
}

/// That `changes` keep what is locked from running.
pub fn refuse(project: &Project, changes: &[Change]) -> Error {
    tell_changes(changes);
    let path = Lock::path(project.definitions.path());
    let names = names(changes.iter());
    let message = format!("the definitions or their components differ from {}: {}", path.display(), names.join(", "));
    Report::new(ExitStatus::Component, message)
        .hint("`airlock check` shows what each component may touch; `airlock lock` accepts what is changed")
        .into()
}

/// The names of what is changed, each once.
pub fn names<'a>(changes: impl Iterator<Item = &'a Change>) -> Vec<&'a str> {
    let mut names: Vec<&str> = changes.map(|change| change.name.as_str()).collect();
    names.dedup();
    names
}

/// `changes` as people read them, a line each: those that widen what a component may touch or asks for begin with `+`.
pub fn lines(changes: &[Change]) -> Vec<String> {
    let mut lines = Vec::new();
    for changes in changes.chunk_by(|a, b| a.name == b.name) {
        // What widens is told first, and all of it, since a yes is to all of it.
        let (widening, others): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(|change| change.widens);
        let shown = others.len().min(CHANGES_SHOWN.saturating_sub(widening.len()));
        let line = |sign: char| move |change: &&Change| format!("{sign} {} {}", change.name, change.text);
        lines.extend(widening.iter().map(line('+')));
        lines.extend(others.iter().take(shown).map(line(' ')));
        if shown < others.len() {
            let name = changes.first().map_or("", |change| &change.name);
            lines.push(format!("  {name} is otherwise in {} more ways", others.len() - shown));
        }
    }
    lines
}

/// Tells what changed since the lock was written, and what to do.
pub fn tell_since(changes: &[Change]) {
    tell("\nsince the lock was written:");
    tell_changes(changes);
    tell(if changes.iter().any(|change| change.widens) {
        "`airlock lock` accepts it; what begins with `+`, only with an explicit yes"
    } else {
        "`airlock lock` accepts it"
    });
}

fn tell_changes(changes: &[Change]) {
    for line in lines(changes) {
        tell(line);
    }
}

#[cfg(test)]
mod tests {
    use airlock_pipeline::plan::PlanRequest;
    use airlock_pipeline::run::RunError;
    use airlock_pipeline::{RunOptions, RunResult};

    use super::*;

    #[test]
    fn one_file_that_is_read_twice_has_to_be_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (_, bytes) = BUILTINS.first().unwrap();
        let changed = [bytes, &[0, 2, 1, b'n'][..]].concat();
        let keys = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
        let signature = minisign::sign(Some(&keys.pk), &keys.sk, changed.as_slice(), None, None).unwrap();
        std::fs::write(folder.path().join("it.sig"), signature.into_string()).unwrap();
        std::fs::write(folder.path().join("it.wasm"), bytes).unwrap();
        let signed = format!("signature = \"it.sig\"\npublic_key = \"{}\"\n", keys.pk.to_base64());
        let definitions = format!("[io.free]\ncomponent = \"it.wasm\"\n[io.signed]\ncomponent = \"it.wasm\"\n{signed}");
        let file = folder.path().join("airlock.toml");
        std::fs::write(&file, definitions).unwrap();
        let definitions = Project::read_file(&file, None).unwrap().definitions;
        let [free, signed] = definitions.io_managers() else { panic!() };

        let mut inspections = Inspections::default();
        inspections.of(&definitions, "io.free", &free.component).unwrap();
        std::fs::write(folder.path().join("it.wasm"), changed).unwrap();
        let Err(Error::Told(report)) = inspections.of(&definitions, "io.signed", &signed.component) else { panic!() };
        assert!(report.message().starts_with("io.signed: it.wasm: it changed while it was looked at"), "{report:?}");
    }

    #[test]
    fn a_component_that_is_changed_after_it_was_compared_does_not_run_and_neither_does_anything_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("airlock.toml");
        let definitions = "[assets.first]\ntype = \"none\"\ncommand = [\"touch\", \"begun\"]\n\
                           [assets.last]\ntype = \"text\"\nio = \"lake\"\ncommand = [\"true\"]\n\
                           [io.lake]\ncomponent = \"it.wasm\"\n";
        std::fs::write(&file, definitions).unwrap();
        let (_, bytes) = BUILTINS.first().unwrap();
        std::fs::write(folder.path().join("it.wasm"), bytes).unwrap();
        let project = Project::read_file(&file, None).unwrap();
        record(&project, &mut Inspections::default()).unwrap().write(&folder.path().join("airlock.lock")).unwrap();

        let runner = runner(&project, &LockedArgument { locked: true }, IsolateArgument::default()).unwrap();
        let changed = [bytes, &[0, 2, 1, b'n'][..]].concat();
        std::fs::write(folder.path().join("it.wasm"), changed).unwrap();
        let plan = runner.plan(&PlanRequest::of(&[])).unwrap();
        let refused: Result<RunResult, RunError> = runner.run(&plan, &RunOptions::default(), &|_| {});
        let is_changed = matches!(refused, Err(RunError::Component { error: ComponentError::Changed { .. }, .. }));
        assert!(is_changed, "{:?}", refused.map(|result| result.status));
        assert!(!folder.path().join("begun").exists());
    }
}
