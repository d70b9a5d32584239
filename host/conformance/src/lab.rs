//! Directories of one case, and calls of a component that is lent them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use airlock_sandbox::Component;
use airlock_sandbox::context::{AssetKey, InputContext, OpContext, OpOutput, OutputContext, StoredOutput};
use airlock_sandbox::grant::{Access, DirectoryPath, Grant, GuestPath, MountGrant, MountSource, Scope};
use airlock_sandbox::layout::{Location, segment};
use airlock_sandbox::limits::Limits;
use airlock_sandbox::partition::{PartitionKey, Partitions};
use airlock_sandbox::report::{Computed, Failure, Loaded, Report, Stored};
use airlock_sandbox::value::{Input, Value};
use serde_json::json;
use tempfile::TempDir;

use crate::Stopped;
use crate::bench::Bench;
use crate::check::{Checked, found, told};
use crate::kinds::{Kind, essence, media_types};

/// What every environment entry is that a manifest asks for.
const ENVIRONMENT: &str = "airlock-test";
/// Where a component without a manifest looks for its files, by convention.
const DATA: &str = "/data";

/// What is stored and loaded.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    asset_key: Option<AssetKey>,
    run_id: String,
    step_key: String,
    output_name: String,
    mapping_key: Option<String>,
    location: Location,
    partitions: Vec<PartitionKey>,
}

impl Subject {
    pub fn asset<S: AsRef<str>>(key: &[S]) -> Self {
        let asset_key: AssetKey = key.iter().map(|part| part.as_ref().to_owned()).collect();
        Self {
            run_id: "run-1".to_owned(),
            step_key: asset_key.join("/"),
            output_name: "result".to_owned(),
            mapping_key: None,
            location: Location::asset(key),
            asset_key: Some(asset_key),
            partitions: Vec::new(),
        }
    }

    /// The output of a step of a job, as the run `run_id` stores it.
    pub fn output(run_id: &str, step_key: &str, output_name: &str) -> Self {
        Self {
            asset_key: None,
            run_id: run_id.to_owned(),
            step_key: step_key.to_owned(),
            output_name: output_name.to_owned(),
            mapping_key: None,
            location: Location::output(run_id, step_key, output_name),
            partitions: Vec::new(),
        }
    }

    /// An element of it, where it is dynamic.
    pub fn element(self, key: &str) -> Self {
        Self { mapping_key: Some(key.to_owned()), partitions: vec![PartitionKey::of_mapping_key(key)], ..self }
    }

    /// These partitions of it.
    pub fn partitions(&self, keys: &[PartitionKey]) -> Self {
        Self { partitions: keys.to_vec(), ..self.clone() }
    }
}

/// Directories of one case, and what a component is lent of them.
#[derive(Clone)]
pub(crate) struct Lab<'b> {
    bench: &'b Bench<'b>,
    component: &'b Component,
    folder: Arc<TempDir>,
    grant: Grant,
    config: serde_json::Value,
    output_config: serde_json::Value,
    /// Whether what it is denied tells nothing of it.
    is_provoked: bool,
}

impl<'b> Lab<'b> {
    /// Empty directories, lent as the manifest of the component asks for.
    pub fn new(bench: &'b Bench<'b>) -> Checked<Self> {
        let folder = Arc::new(tempfile::tempdir()?);
        let (component, config) = (bench.kit.component, bench.kit.config.clone());
        let grant = grant(component, folder.path(), None, Limits::default())?;
        Ok(Self { bench, component, folder, grant, config, output_config: json!(null), is_provoked: false })
    }

    /// The same directories, lent to another component.
    pub fn lent_to(&self, component: &'b Component) -> Checked<Self> {
        let grant = grant(component, self.folder.path(), None, Limits::default())?;
        Ok(Self { component, grant, ..self.clone() })
    }

    /// The same directories, lent to be read only.
    pub fn read_only(&self) -> Checked<Self> {
        let grant = grant(self.component, self.folder.path(), Some(Access::Read), Limits::default())?;
        Ok(Self { grant, is_provoked: true, ..self.clone() })
    }

    /// The same directories, to which so many bytes may be written.
    pub fn with_disk(&self, disk: u64) -> Checked<Self> {
        let limits = Limits { disk, ..Limits::default() };
        let grant = grant(self.component, self.folder.path(), None, limits)?;
        Ok(Self { grant, is_provoked: true, ..self.clone() })
    }

    /// The same directories, used under another configuration.
    pub fn configured(&self, config: serde_json::Value, output_config: serde_json::Value) -> Self {
        Self { config, output_config, ..self.clone() }
    }

    /// The same directories, in whose calls it may be denied anything.
    pub fn provoked(&self) -> Self {
        Self { is_provoked: true, ..self.clone() }
    }

    fn call<T>(
        &self,
        doing: &'static str,
        call: impl FnOnce(&airlock_sandbox::Call<'_>) -> Report<T>,
    ) -> Checked<Report<T>> {
        let (component, grant, budget, interrupt) =
            (self.component, &self.grant, &self.bench.budget, self.bench.kit.interrupt);
        let report = call(&airlock_sandbox::Call { component, grant, budget, interrupt, strict: false, deterministic: None });
        match &report.outcome {
            Err(Failure::Interrupted) => Err(Stopped::Interrupted.into()),
            Err(Failure::Host { reason }) => Err(Stopped::Host(reason.clone()).into()),
            Err(Failure::Storage { failure }) if !self.is_provoked => Err(Stopped::Storage(failure.to_string()).into()),
            _ => {
                self.bench.note(doing, &report, !self.is_provoked);
                Ok(report)
            }
        }
    }

    pub fn store(&self, subject: &Subject, value: &Value) -> Checked<Report<Stored>> {
        let context = OutputContext {
            run_id: subject.run_id.clone(),
            step_key: subject.step_key.clone(),
            attempt: 1,
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
            run_id: "run-1".to_owned(),
            step_key: "op".to_owned(),
            attempt: 1,
            config: self.config.clone(),
            partitions: Partitions::default(),
            inputs: inputs.to_vec(),
            outputs: outputs.iter().map(|name| OpOutput { name: name.clone(), is_dynamic: false }).collect(),
        };
        self.call("computed a step", |call| self.bench.kit.sandbox.run_op(call, context))
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
        let [part] = value.parts.as_slice() else {
            return found(done, "a value of one part", format!("{} parts {}", value.parts.len(), media_types(&value)));
        };
        // Without a record nobody knows what the bytes were.
        if essence(&part.media_type) != kind.media_type && !upstream.is_empty() {
            return found(done, format!("a value of {}", kind.media_type), format!("one of {}", part.media_type));
        }
        match kind.difference(bytes, &part.content.to_vec()?) {
            Some(difference) => found(done, "the value that was stored", difference),
            None => Ok(()),
        }
    }

    /// All files in the lent directories with what they hold, by their paths as the component sees them.
    pub fn files(&self) -> Checked<BTreeMap<String, Vec<u8>>> {
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
                    files.insert(format!("{}/{below}", mount.guest_path), std::fs::read(&path)?);
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

impl Subject {
    /// What a pipeline records of it once it is stored.
    pub fn record(&self, stored: &Stored) -> StoredOutput {
        StoredOutput {
            run_id: Some(self.run_id.clone()),
            step_key: Some(self.step_key.clone()),
            output_name: self.output_name.clone(),
            mapping_key: self.mapping_key.clone(),
            output_config: json!(null),
            definition_metadata: Vec::new(),
            stored_metadata: stored.metadata.clone(),
            data_version: stored.data_version.clone(),
        }
    }
}

/// What `component` asks for, below `folder`, with `access` in the place of what it asks for where that is given.
fn grant(component: &Component, folder: &Path, access: Option<Access>, limits: Limits) -> Result<Grant, Stopped> {
    let refused = |error: airlock_sandbox::grant::GrantError| Stopped::Grant(error.to_string());
    let mount = |path: &str, asked: Access| {
        let directory = folder.join(segment(path));
        std::fs::create_dir_all(&directory).map_err(|error| Stopped::Storage(error.to_string()))?;
        Ok(MountGrant {
            guest_path: GuestPath::new(path).map_err(refused)?,
            source: MountSource::Directory(DirectoryPath::new(&directory, &[]).map_err(refused)?),
            access: access.unwrap_or(asked),
            scope: Scope::Output,
        })
    };
    let Some(manifest) = &component.inspection().manifest else {
        let mounts = vec![mount(DATA, Access::Write)?];
        return Grant::new(mounts, BTreeMap::new(), limits).map_err(refused);
    };
    let mounts = manifest.mounts.iter().map(|asked| mount(&asked.path, asked.access));
    let mounts = mounts.collect::<Result<Vec<_>, Stopped>>()?;
    let environment = manifest.environment.iter().map(|entry| (entry.name.clone(), ENVIRONMENT.to_owned())).collect();
    Grant::new(mounts, environment, limits).map_err(refused)
}
