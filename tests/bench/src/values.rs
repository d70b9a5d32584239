//! Storing and loading bytes through `builtin:files`, beside writing and reading a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use airlock_sandbox::context::{InputContext, OutputContext, StoredOutput};
use airlock_sandbox::grant::{Access, DirectoryPath, Grant, GuestPath, MountGrant, MountSource, Scope};
use airlock_sandbox::layout::Location;
use airlock_sandbox::limits::Limits;
use airlock_sandbox::mount::MemoryDirectory;
use airlock_sandbox::partition::Partitions;
use airlock_sandbox::value::{Budget, Content, Value};
use airlock_sandbox::{Call, Component, Durability, Interrupt, Sandbox, Settings};
use anyhow::{Result, anyhow};

use crate::{Measured, Row, compare, timed};

/// A sandbox, the component that stores, and what it is lent.
pub struct Lab {
    sandbox: Sandbox,
    files: Component,
    grant: Grant,
    pub budget: Budget,
    interrupt: Interrupt,
}

impl Lab {
    /// One whose values lie in `folder`, or in memory.
    pub fn new(folder: Option<&Path>, budget: Budget) -> Result<Self> {
        let sandbox = Sandbox::new(&Settings { cache: None, durability: Durability::None })?;
        let files = sandbox.load_bytes("files", &crate::component("files.wasm")?)?;
        let source = match folder {
            Some(folder) => MountSource::Directory(DirectoryPath::new(folder, &[])?),
            None => MountSource::Memory(MemoryDirectory::default()),
        };
        let guest_path = GuestPath::new("/data")?;
        let mount = MountGrant { guest_path, source, access: Access::Write, scope: Scope::Output };
        let grant = Grant::new(vec![mount], BTreeMap::new(), Limits::default())?;
        Ok(Self { sandbox, files, grant, budget, interrupt: Interrupt::new() })
    }

    fn call(&self) -> Call<'_> {
        let Self { files: component, grant, budget, interrupt, .. } = self;
        Call { component, grant, budget, interrupt, strict: false }
    }

    /// Stores `value`, and gives what a pipeline would record of it.
    pub fn store(&self, value: &Value) -> Result<StoredOutput> {
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
        Ok(StoredOutput { stored_metadata: stored.metadata, ..StoredOutput::default() })
    }

    /// Loads the value that was stored last, of which `upstream` is recorded.
    pub fn load(&self, upstream: &StoredOutput) -> Result<Value> {
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
        Ok(report.outcome.map_err(|failure| anyhow!("{failure}"))?.value)
    }
}

pub fn rows(folder: &Path) -> Result<Vec<Row>> {
    let mut rows = vec![overhead()?];
    let goals = [
        ("1 KiB", 1 << 10, 300, "store and load ≤ 1/3 of Dagster's"),
        ("1 MiB", 1 << 20, 60, ""),
        ("256 MiB", 256 << 20, 5, "≤ 1.1× native"),
    ];
    for (name, size, rounds, goal) in goals {
        rows.extend(bytes(folder, name, size, rounds, goal)?);
    }
    Ok(rows)
}

/// A call that moves nothing: a fresh instance, its files, its end.
fn overhead() -> Result<Row> {
    let lab = Lab::new(None, Budget::new(0, std::env::temp_dir()))?;
    let value = Value::single("application/octet-stream", Content::default());
    let nothing = || Ok(Duration::ZERO);
    let (airlock, _) = compare(1000, || Ok(timed(|| lab.store(&value))?.0), nothing)?;
    Ok(Row {
        name: "store of nothing, in memory".into(),
        airlock: Measured::Time(airlock),
        native: None,
        dagster: None,
        goal: "",
    })
}

fn bytes(folder: &Path, name: &str, size: usize, rounds: usize, goal: &'static str) -> Result<[Row; 2]> {
    let lab = Lab::new(Some(&folder.join("airlock")), Budget::new(u64::MAX, folder))?;
    let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
    let value = Value::single("application/octet-stream", Content::from_bytes(&bytes, &lab.budget)?);
    let native = folder.join("native.bin");
    let store =
        compare(rounds, || Ok(timed(|| lab.store(&value))?.0), || Ok(timed(|| Ok(fs::write(&native, &bytes)?))?.0))?;
    let upstream = lab.store(&value)?;
    let load = compare(
        rounds,
        || {
            let (time, loaded) = timed(|| {
                let value = lab.load(&upstream)?;
                let part = value.parts.first().ok_or_else(|| anyhow!("nothing was loaded"))?;
                Ok(part.content.to_vec()?)
            })?;
            anyhow::ensure!(loaded == bytes, "what was loaded is not what was stored");
            Ok(time)
        },
        || Ok(timed(|| Ok(fs::read(&native)?))?.0),
    )?;
    fs::remove_file(&native)?;
    let row = |way: &str, (airlock, native): (Duration, Duration)| Row {
        name: format!("{way} {name} through `files`"),
        airlock: Measured::Time(airlock),
        native: Some(Measured::Time(native)),
        dagster: Some(format!("{way} {name}")),
        goal,
    };
    Ok([row("store", store), row("load", load)])
}
