//! Calls of the sandbox library, without a pipeline around them.

use std::collections::BTreeMap;
use std::path::Path;

use airlock_sandbox::component::CacheSettings;
use airlock_sandbox::context::{InputContext, OutputContext, StoredOutput};
use airlock_sandbox::grant::{Access, DirectoryPath, Grant, GuestPath, MountGrant, MountSource, Scope};
use airlock_sandbox::layout::Location;
use airlock_sandbox::limits::Limits;
use airlock_sandbox::mount::MemoryDirectory;
use airlock_sandbox::partition::Partitions;
use airlock_sandbox::value::{Budget, Value};
use airlock_sandbox::{Call, Component, Durability, Interrupt, Processes, Sandbox, Settings};
use anyhow::{Result, anyhow};

/// A sandbox, an I/O manager, and what it is lent.
pub struct Lab {
    sandbox: Sandbox,
    manager: Component,
    grant: Grant,
    pub budget: Budget,
    interrupt: Interrupt,
}

/// What a call gave.
pub struct Done<T> {
    pub value: T,
    /// Bytes of the guest's memory at most.
    pub guest_memory: u64,
}

/// A sandbox that keeps compiled code in `folder`.
pub fn sandbox(folder: &Path, processes: Processes) -> Result<Sandbox> {
    let cache = CacheSettings { directory: folder.join("compiled"), key_file: folder.join("key") };
    Ok(Sandbox::new(&Settings { cache: Some(cache), durability: Durability::None, processes })?)
}

impl Lab {
    /// One of the built component `manager` whose values lie in `folder`, below its name.
    pub fn new(manager: &str, folder: &Path, budget: Budget) -> Result<Self> {
        let source = MountSource::Directory(DirectoryPath::new(&folder.join(manager), &[])?);
        Self::with(manager, folder, source, budget, Processes::None)
    }

    /// The same, whose calls are made as `processes` says.
    pub fn isolated(manager: &str, folder: &Path, budget: Budget, processes: Processes) -> Result<Self> {
        let source = MountSource::Directory(DirectoryPath::new(&folder.join(manager), &[])?);
        Self::with(manager, folder, source, budget, processes)
    }

    /// One of the built component `manager` whose values lie in memory.
    pub fn in_memory(manager: &str, folder: &Path, budget: Budget) -> Result<Self> {
        Self::with(manager, folder, MountSource::Memory(MemoryDirectory::default()), budget, Processes::None)
    }

    fn with(manager: &str, folder: &Path, source: MountSource, budget: Budget, processes: Processes) -> Result<Self> {
        let sandbox = sandbox(folder, processes)?;
        let manager = sandbox.load_bytes(manager, &crate::component(&format!("{manager}.wasm"))?)?;
        let guest_path = GuestPath::new("/data")?;
        let mount = MountGrant { guest_path, source, access: Access::Write, scope: Scope::Output };
        let grant = Grant::new(vec![mount], BTreeMap::new(), Limits::default())?;
        Ok(Self { sandbox, manager, grant, budget, interrupt: Interrupt::new() })
    }

    fn call(&self) -> Call<'_> {
        let Self { manager: component, grant, budget, interrupt, .. } = self;
        Call { component, grant, budget, interrupt, strict: false, deterministic: None }
    }

    /// Stores `value`, and gives what a pipeline would record of it.
    pub fn store(&self, value: &Value) -> Result<Done<StoredOutput>> {
        let context = OutputContext {
            run_id: "bench".into(),
            step_key: "bench".into(),
            attempt: 1,
            output_name: "result".into(),
            asset_key: Some(vec!["bench".into(), "value".into()]),
            location: Location::asset(&["bench", "value"]),
            partitions: Partitions::default(),
            config: serde_json::json!({}),
            output_config: serde_json::Value::Null,
            definition_metadata: Vec::new(),
            runtime_metadata: Vec::new(),
        };
        let report = self.sandbox.handle_output(&self.call(), context, value);
        let stored = report.outcome.map_err(|failure| anyhow!("{failure}"))?;
        let value = StoredOutput { stored_metadata: stored.metadata, ..StoredOutput::default() };
        Ok(Done { value, guest_memory: report.receipt.peak_memory })
    }

    /// Loads the value that was stored last, of which `upstream` is recorded.
    pub fn load(&self, upstream: &StoredOutput) -> Result<Done<Value>> {
        let context = InputContext {
            run_id: None,
            step_key: None,
            input_name: None,
            asset_key: Some(vec!["bench".into(), "value".into()]),
            location: Location::asset(&["bench", "value"]),
            partitions: Partitions::default(),
            upstream: vec![upstream.clone()],
            requested_type: None,
            columns: Vec::new(),
            allow_missing: false,
            config: serde_json::json!({}),
            input_config: serde_json::Value::Null,
            definition_metadata: Vec::new(),
        };
        let report = self.sandbox.load_input(&self.call(), context);
        let loaded = report.outcome.map_err(|failure| anyhow!("{failure}"))?;
        Ok(Done { value: loaded.value, guest_memory: report.receipt.peak_memory })
    }
}
