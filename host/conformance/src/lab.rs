//! Directories of one case, and calls of a component that is lent them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use airlock_sandbox::context::{InputContext, OpContext, OpOutput, OutputContext, StoredOutput};
use airlock_sandbox::grant::{Access, DirectoryPath, Grant, GrantError, GuestPath, MountGrant, MountSource, Scope};
use airlock_sandbox::layout::segment;
use airlock_sandbox::limits::Limits;
use airlock_sandbox::mount::MemoryDirectory;
use airlock_sandbox::partition::Partitions;
use airlock_sandbox::report::{Computed, Denial, Failure, Loaded, Report, Rule, Stored};
use airlock_sandbox::value::{Input, Value};
use airlock_sandbox::{Component, Deterministic};
use serde_json::json;
use tempfile::TempDir;

use crate::Stopped;
use crate::bench::Bench;
use crate::check::{Checked, found, told};
use crate::kinds::{Kind, essence};
use crate::looking::{bytes_of, only_part};
use crate::subject::Subject;

/// What every environment entry is that a manifest asks for.
const ENVIRONMENT: &str = "airlock-test";
/// Where a component without a manifest looks for its files, by convention.
const DATA: &str = "/data";

/// Bytes that a call may write: the largest value that the kit stores, a few times over, and not this machine's storage.
const DISK: u64 = 256 << 20;
/// How long a call may take, so that who only waits in each of hundreds ends the test some day.
const TIME: Duration = Duration::from_mins(1);

/// Directories of one case, and what a component is lent of them.
#[derive(Clone)]
pub(crate) struct Lab<'b> {
    bench: &'b Bench<'b>,
    component: &'b Component,
    folder: Arc<TempDir>,
    grant: Grant,
    config: serde_json::Value,
    output_config: serde_json::Value,
    provoked: Provoked,
    deterministic: Option<Deterministic>,
    attempt: u32,
}

/// What the case itself brings about in its calls, which tells nothing of the component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provoked {
    Nothing,
    /// That the storage fails.
    Failures,
    /// That it is denied to write.
    WriteDenials,
    /// That it is denied anything, as who was told of a place that there is not.
    Denials,
}

impl Provoked {
    /// Whether `denial` tells something of the component.
    fn is_told_by(self, denial: &Denial) -> bool {
        match self {
            Self::Nothing | Self::Failures => true,
            Self::WriteDenials => !matches!(denial.rule, Rule::ReadOnly { .. }),
            Self::Denials => false,
        }
    }
}

impl<'b> Lab<'b> {
    /// Empty directories, lent as the manifest of the component asks for.
    pub fn new(bench: &'b Bench<'b>) -> Checked<Self> {
        let folder = Arc::new(tempfile::tempdir()?);
        let grant = grant(bench.kit.component, folder.path())?;
        let (component, config) = (bench.kit.component, bench.kit.config.clone());
        let (provoked, deterministic, attempt) = (Provoked::Nothing, None, 1);
        Ok(Self {
            bench,
            component,
            folder,
            grant,
            config,
            output_config: json!(null),
            provoked,
            deterministic,
            attempt,
        })
    }

    /// As [`new`](Self::new), of directories in memory, which can be full.
    pub fn in_memory(bench: &'b Bench<'b>) -> Checked<Self> {
        let lab = Self::new(bench)?;
        lab.lent_as(|mount| mount.source = MountSource::Memory(MemoryDirectory::default()), |_| ())
    }

    /// The same directories with what is lent of them changed: each mount, and the limits.
    fn lent_as(&self, change: impl Fn(&mut MountGrant), limit: impl FnOnce(&mut Limits)) -> Checked<Self> {
        let (mut mounts, mut limits) = (self.grant.mounts().to_vec(), self.grant.limits().clone());
        mounts.iter_mut().for_each(change);
        limit(&mut limits);
        let grant = Grant::new(mounts, self.grant.environment().clone(), limits).map_err(Stopped::from)?;
        Ok(Self { grant, ..self.clone() })
    }

    /// The same directories, lent to another component.
    pub fn lent_to(&self, component: &'b Component) -> Checked<Self> {
        let lab = Self { component, grant: grant(component, self.folder.path())?, ..self.clone() };
        let ([own], [_]) = (self.grant.mounts(), lab.grant.mounts()) else { return Ok(lab) };
        // Another version may call its only directory otherwise.
        lab.lent_as(|mount| mount.source = own.source.clone(), |_| ())
    }

    /// The same directories, lent to be read only.
    pub fn read_only(&self) -> Checked<Self> {
        let lab = self.lent_as(|mount| mount.access = Access::Read, |_| ())?;
        Ok(Self { provoked: Provoked::WriteDenials, ..lab })
    }

    /// The same directories, to which a call may write so many bytes before it is ended.
    pub fn with_limit(&self, disk: u64) -> Checked<Self> {
        self.lent_as(|_| (), |limits| limits.disk = disk)
    }

    /// The same directories, which are [in memory](Self::in_memory), on storage that is full after so many bytes.
    pub fn with_room(&self, room: u64) -> Checked<Self> {
        let narrow = |mount: &mut MountGrant| {
            if let MountSource::Memory(directory) = &mount.source {
                mount.source = MountSource::Memory(directory.with_room(room));
            }
        };
        let lab = self.lent_as(narrow, |_| ())?;
        Ok(Self { provoked: Provoked::Failures, ..lab })
    }

    /// The same directories, used under another configuration.
    pub fn configured(&self, config: serde_json::Value, output_config: serde_json::Value) -> Self {
        Self { config, output_config, ..self.clone() }
    }

    /// The same directories, in a case that brings this about.
    pub fn provoking(&self, provoked: Provoked) -> Self {
        Self { provoked, ..self.clone() }
    }

    /// The same directories, whose component is told this time and chance.
    pub fn told(&self, deterministic: Deterministic) -> Self {
        Self { deterministic: Some(deterministic), ..self.clone() }
    }

    /// The same directories, in a second attempt.
    pub fn again(&self) -> Self {
        Self { attempt: 2, ..self.clone() }
    }

    fn call<T>(
        &self,
        doing: &'static str,
        call: impl FnOnce(&airlock_sandbox::Call<'_>) -> Report<T>,
    ) -> Checked<Report<T>> {
        let (component, grant, budget, interrupt) =
            (self.component, &self.grant, &self.bench.budget, self.bench.kit.interrupt);
        let deterministic = self.deterministic;
        let report = call(&airlock_sandbox::Call { component, grant, budget, interrupt, strict: false, deterministic });
        match &report.outcome {
            Err(Failure::Interrupted) => Err(Stopped::Interrupted.into()),
            Err(Failure::Host { reason }) => Err(Stopped::Host(reason.clone()).into()),
            Err(Failure::Storage { failure }) if self.provoked != Provoked::Failures => {
                Err(Stopped::Storage(failure.to_string()).into())
            }
            _ => {
                // What another component does, tells nothing of this one.
                if component.digest() == self.bench.kit.component.digest() {
                    self.bench.note(doing, &report, |denial| self.provoked.is_told_by(denial));
                }
                Ok(report)
            }
        }
    }

    pub fn store(&self, subject: &Subject, value: &Value) -> Checked<Report<Stored>> {
        let context = OutputContext {
            run_id: subject.run_id.clone(),
            step_key: subject.step_key.clone(),
            attempt: self.attempt,
            output_name: subject.output_name.clone(),
            asset_key: subject.asset_key.clone(),
            location: subject.location.clone(),
            partitions: Partitions::new(subject.partitions.clone(), None, None),
            config: self.config.clone(),
            output_config: self.output_config.clone(),
            definition_metadata: Vec::new(),
            runtime_metadata: Vec::new(),
        };
        self.call("stored a value", |call| self.bench.kit.sandbox.handle_output(call, context, value))
    }

    pub fn load(
        &self,
        subject: &Subject,
        upstream: &[StoredOutput],
        (allow_missing, columns): (bool, &[&str]),
    ) -> Checked<Report<Loaded>> {
        let context = InputContext {
            run_id: Some("run-2".to_owned()),
            step_key: Some("reader".to_owned()),
            input_name: Some("value".to_owned()),
            asset_key: subject.asset_key.clone(),
            location: subject.location.clone(),
            partitions: Partitions::new(subject.partitions.clone(), None, None),
            upstream: upstream.to_vec(),
            requested_type: None,
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            allow_missing,
            config: self.config.clone(),
            input_config: json!(null),
            definition_metadata: Vec::new(),
        };
        self.call("loaded a value", |call| self.bench.kit.sandbox.load_input(call, context))
    }

    pub fn run(&self, inputs: &[(String, Input)], outputs: &[String]) -> Checked<Report<Computed>> {
        let context = OpContext {
            run_id: format!("run-{}", self.attempt),
            step_key: "op".to_owned(),
            attempt: self.attempt,
            config: self.config.clone(),
            partitions: Partitions::default(),
            inputs: inputs.to_vec(),
            outputs: outputs.iter().map(|name| OpOutput { name: name.clone(), is_dynamic: false }).collect(),
        };
        // To an op a mount is lent whole.
        let whole = self.lent_as(|mount| mount.scope = Scope::Mount, |_| ())?;
        whole.call("computed a step", |call| self.bench.kit.sandbox.run_op(call, context))
    }

    /// Stores `value`, which has to go well, and gives what a pipeline would record of it. `done` says what that is.
    pub fn put(&self, subject: &Subject, value: &Value, done: &str) -> Checked<StoredOutput> {
        match self.store(subject, value)?.outcome {
            Ok(stored) => Ok(subject.record(&stored)),
            Err(failure) => found(done, "it is stored", told(&failure)),
        }
    }

    /// Loads what is there, which has to go well. `done` says what was done until then.
    pub fn get(&self, subject: &Subject, upstream: &[StoredOutput], done: &str) -> Checked<Value> {
        match self.load(subject, upstream, (false, &[]))?.outcome {
            Ok(loaded) => Ok(loaded.value),
            Err(failure) => found(done, "it is loaded", told(&failure)),
        }
    }

    /// Loads a value of one part, which has to be `bytes`.
    pub fn check(
        &self,
        subject: &Subject,
        upstream: &[StoredOutput],
        kind: Kind,
        bytes: &[u8],
        done: &str,
    ) -> Checked<()> {
        let value = self.get(subject, upstream, done)?;
        let part = only_part(&value, done)?;
        // Without a record nobody knows what the bytes were.
        if essence(&part.media_type) != kind.media_type && !upstream.is_empty() {
            return found(done, format!("a value of {}", kind.media_type), format!("one of {}", part.media_type));
        }
        match kind.difference(bytes, &bytes_of(part, done)?) {
            Some(difference) => found(done, "the value that was stored", difference),
            None => Ok(()),
        }
    }

    /// All files in the lent directories, by their paths as the component sees them.
    pub fn files(&self) -> Checked<BTreeMap<String, PathBuf>> {
        let mut files = BTreeMap::new();
        for mount in self.grant.mounts() {
            let MountSource::Directory(directory) = &mount.source else { continue };
            let mut folders: Vec<PathBuf> = vec![directory.as_path().to_owned()];
            while let Some(folder) = folders.pop() {
                for entry in std::fs::read_dir(&folder)? {
                    let entry = entry?;
                    if entry.file_name() == ".airlock" {
                        continue;
                    }
                    let path = entry.path();
                    if entry.file_type()?.is_dir() {
                        folders.push(path);
                        continue;
                    }
                    let below = path.strip_prefix(directory.as_path()).unwrap_or(&path).to_string_lossy().into_owned();
                    files.insert(format!("{}/{below}", mount.guest_path), path);
                }
            }
        }
        Ok(files)
    }

    /// Whether the path `path`, as the component sees it, lies in a directory that it is lent.
    pub fn is_below_mount(&self, path: &str) -> bool {
        let is_below =
            |mount: &MountGrant| path.strip_prefix(mount.guest_path.as_str()).is_some_and(|rest| rest.starts_with('/'));
        self.grant.mounts().iter().any(is_below)
    }

    /// Whether it is lent a directory to write.
    pub fn is_written(&self) -> bool {
        self.grant.mounts().iter().any(|mount| mount.access == Access::Write)
    }
}

impl From<GrantError> for Stopped {
    fn from(error: GrantError) -> Self {
        Self::Grant(error.to_string())
    }
}

/// What `component` asks for, below `folder`.
fn grant(component: &Component, folder: &Path) -> Result<Grant, Stopped> {
    let limits = Limits { disk: DISK, time: TIME, ..Limits::default() };
    let mount = |path: &str, access: Access, scope: Scope| {
        let directory = folder.join(segment(path));
        std::fs::create_dir_all(&directory).map_err(|error| Stopped::Storage(error.to_string()))?;
        // Where the kit has its directories is not what the manifest asks for.
        let source = DirectoryPath::new(&directory, &[]).map_err(|error| Stopped::Storage(error.to_string()))?;
        Ok(MountGrant { guest_path: GuestPath::new(path)?, source: MountSource::Directory(source), access, scope })
    };
    let Some(manifest) = &component.inspection().manifest else {
        let mounts = vec![mount(DATA, Access::Write, Scope::Output)?];
        return Ok(Grant::new(mounts, BTreeMap::new(), limits)?);
    };
    let mounts = manifest.mounts.iter().map(|asked| mount(&asked.path, asked.access, asked.scope));
    let mounts = mounts.collect::<Result<Vec<_>, Stopped>>()?;
    let environment = manifest.environment.iter().map(|entry| (entry.name.clone(), ENVIRONMENT.to_owned())).collect();
    Ok(Grant::new(mounts, environment, limits)?)
}
