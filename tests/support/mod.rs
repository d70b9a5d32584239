//! What the tests through real guests have in common: a component, a folder to lend it, and a call.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use airlock_sandbox::context::{InputContext, MetadataEntry, OpContext, OpOutput, OutputContext};
use airlock_sandbox::grant::{Access, DirectoryPath, Grant, GuestPath, MountGrant, MountSource, Scope};
use airlock_sandbox::layout::Location;
use airlock_sandbox::limits::{Limit, Limits};
use airlock_sandbox::partition::{PartitionKey, Partitions};
use airlock_sandbox::report::{Computed, Failure, Loaded, Report, Stored};
use airlock_sandbox::value::{Budget, Content, Input, Part, Value};
use airlock_sandbox::{Call, Component, Deterministic, Interrupt, Sandbox, Settings};
use serde_json::json;

/// The asset that a call stores or loads.
pub const ASSET: [&str; 2] = ["sales", "orders"];

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::new(&Settings::default()).unwrap());

/// Components that were compiled, by name.
static COMPONENTS: Mutex<BTreeMap<String, Component>> = Mutex::new(BTreeMap::new());

/// The folder of the built guests.
pub fn guests() -> PathBuf {
    std::env::var_os("AIRLOCK_GUESTS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests"), PathBuf::from)
}

/// A built component: `files`, or `test-programs`, which holds those under `tests/programs`.
pub fn component(name: &str) -> Component {
    let path = guests().join(name).with_extension("wasm");
    assert!(path.exists(), "{} is not built; run `make guests`", path.display());
    let mut components = COMPONENTS.lock().unwrap();
    components.entry(name.to_owned()).or_insert_with(|| SANDBOX.load(&path).unwrap()).clone()
}

/// A component in a folder of its own, and what it is lent of it.
pub struct Lab {
    component: Component,
    folder: tempfile::TempDir,
    mounts: Vec<MountGrant>,
    pub environment: BTreeMap<String, String>,
    pub limits: Limits,
    pub config: serde_json::Value,
    /// The metadata of the definition of the asset.
    pub metadata: Vec<MetadataEntry>,
    pub partitions: Partitions,
    pub strict: bool,
    pub deterministic: Option<Deterministic>,
    pub interrupt: Interrupt,
}

impl Lab {
    /// A guest that is lent its own output under `/data`, to write.
    pub fn new(component_name: &str) -> Self {
        let lab = Self::without_mounts(component_name);
        lab.mount("/data", "data", Access::Write, Scope::Output)
    }

    /// One of the programs under `tests/programs`, which is lent its own output under `/data`, to write.
    pub fn program(name: &str) -> Self {
        Self::new("test-programs").config(json!({ "program": name }))
    }

    /// A guest that is lent nothing.
    pub fn without_mounts(component_name: &str) -> Self {
        Self {
            component: component(component_name),
            folder: tempfile::tempdir().unwrap(),
            mounts: Vec::new(),
            environment: BTreeMap::new(),
            limits: Limits::default(),
            config: json!({}),
            metadata: Vec::new(),
            partitions: Partitions::default(),
            strict: false,
            deterministic: None,
            interrupt: Interrupt::new(),
        }
    }

    /// Lends a folder of the lab too.
    pub fn mount(mut self, guest_path: &str, folder: &str, access: Access, scope: Scope) -> Self {
        let directory = self.path(folder);
        std::fs::create_dir_all(&directory).unwrap();
        let source = MountSource::Directory(DirectoryPath::new(&directory, &[]).unwrap());
        self.mounts.push(MountGrant { guest_path: GuestPath::new(guest_path).unwrap(), source, access, scope });
        self
    }

    /// With these entries in the configuration of the guest.
    pub fn config(mut self, entries: serde_json::Value) -> Self {
        if let (Some(config), serde_json::Value::Object(entries)) = (self.config.as_object_mut(), entries) {
            config.extend(entries);
        }
        self
    }

    /// With these limits.
    pub fn limits(mut self, set: impl FnOnce(&mut Limits)) -> Self {
        set(&mut self.limits);
        self
    }

    /// Whose guest is told this time, in seconds since 1970, and chance.
    pub fn deterministic(mut self, seconds: u64, seed: u64) -> Self {
        self.deterministic = Some(Deterministic { time: Duration::from_secs(seconds), seed });
        self
    }

    /// The path of something in the lab.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file into the lab.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// A file of the lab.
    pub fn read(&self, name: &str) -> String {
        String::from_utf8(std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// All files in a folder of the lab by path, without Airlock's own, sorted.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let root = self.path(folder);
        let mut files = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_name() == ".airlock" {
                    continue;
                }
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    files.push(entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        files.sort();
        files
    }

    /// What is left of calls in a mount: nothing, after any call.
    pub fn leftovers(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder).join(".airlock")) else { return Vec::new() };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "locks" && name != ".gitignore").collect()
    }

    fn with_call<T>(&self, work: impl FnOnce(&Call<'_>, &Budget) -> T) -> T {
        let grant = Grant::new(self.mounts.clone(), self.environment.clone(), self.limits.clone()).unwrap();
        let budget = Budget::new(8 << 20, self.folder.path());
        let (component, interrupt) = (&self.component, &self.interrupt);
        let (strict, deterministic) = (self.strict, self.deterministic);
        let call = Call { component, grant: &grant, budget: &budget, interrupt, strict, deterministic };
        work(&call, &budget)
    }

    /// Stores `bytes` as the asset.
    pub fn store(&self, bytes: impl AsRef<[u8]>) -> Report<Stored> {
        self.store_as("application/octet-stream", bytes)
    }

    /// Stores `bytes` of a media type as the asset.
    pub fn store_as(&self, media_type: &str, bytes: impl AsRef<[u8]>) -> Report<Stored> {
        self.with_call(|call, budget| {
            let value = Value::single(media_type, Content::from_bytes(bytes.as_ref(), budget).unwrap());
            SANDBOX.handle_output(call, self.output_context(), &value)
        })
    }

    /// Stores parts as the asset.
    pub fn store_parts(&self, parts: Vec<Part>) -> Report<Stored> {
        self.with_call(|call, _| SANDBOX.handle_output(call, self.output_context(), &Value { parts }))
    }

    fn output_context(&self) -> OutputContext {
        OutputContext {
            run_id: "run".into(),
            step_key: "orders".into(),
            attempt: 1,
            output_name: "result".into(),
            asset_key: Some(ASSET.map(str::to_owned).to_vec()),
            location: Location::asset(&ASSET),
            partitions: self.partitions.clone(),
            config: self.config.clone(),
            output_config: json!(null),
            definition_metadata: self.metadata.clone(),
            runtime_metadata: Vec::new(),
        }
    }

    /// Loads the asset.
    pub fn load(&self) -> Report<Loaded> {
        let context = InputContext {
            run_id: None,
            step_key: None,
            input_name: None,
            asset_key: Some(ASSET.map(str::to_owned).to_vec()),
            location: Location::asset(&ASSET),
            partitions: self.partitions.clone(),
            upstream: Vec::new(),
            requested_type: None,
            columns: Vec::new(),
            allow_missing: false,
            config: self.config.clone(),
            input_config: json!(null),
            definition_metadata: Vec::new(),
        };
        self.with_call(|call, _| SANDBOX.load_input(call, context))
    }

    /// Loads the asset, which is there, as text.
    pub fn load_text(&self) -> String {
        let value = self.load().outcome.unwrap().value;
        String::from_utf8(value.parts[0].content.to_vec().unwrap()).unwrap()
    }

    /// Runs an op whose outputs have these names; one that ends in `*` is dynamic.
    pub fn run(&self, inputs: Vec<(&str, Input)>, outputs: &[&str]) -> Report<Computed> {
        self.with_call(|call, _| {
            let context = OpContext {
                run_id: "run".into(),
                step_key: "orders".into(),
                attempt: 1,
                config: self.config.clone(),
                partitions: self.partitions.clone(),
                inputs: inputs.into_iter().map(|(name, input)| (name.to_owned(), input)).collect(),
                outputs: outputs
                    .iter()
                    .map(|name| OpOutput {
                        name: name.trim_end_matches('*').to_owned(),
                        is_dynamic: name.ends_with('*'),
                    })
                    .collect(),
            };
            SANDBOX.run_op(call, context)
        })
    }
}

/// Partitions of one dimension, `days`.
pub fn days(keys: &[&str]) -> Partitions {
    Partitions::new(keys.iter().map(|key| PartitionKey::single("days", key)).collect(), None, None)
}

/// A part that is a text.
pub fn part(key: Option<&str>, text: &str) -> Part {
    let budget = Budget::new(u64::MAX, std::env::temp_dir());
    let content = Content::from_bytes(text.as_bytes(), &budget).unwrap();
    Part { key: key.map(str::to_owned), media_type: "text/plain".to_owned(), content }
}

/// The text of the only part of a value.
pub fn text(value: &Value) -> String {
    let [part] = value.parts.as_slice() else { panic!("it has {} parts", value.parts.len()) };
    String::from_utf8(part.content.to_vec().unwrap()).unwrap()
}

/// The limit that a call reached.
pub fn limit<T>(report: Report<T>) -> Limit {
    match report.outcome {
        Err(Failure::Limit { exceeded }) => exceeded.limit,
        Err(other) => panic!("no limit was reached, but: {other}; the log: {:?}", report.log),
        Ok(_) => panic!("no limit was reached; the log: {:?}", report.log),
    }
}

/// The denials of a call as text, in order.
pub fn denials<T>(report: &Report<T>) -> Vec<String> {
    report.receipt.denials.list.iter().map(ToString::to_string).collect()
}

/// What the guest logged, a line each.
pub fn log<T>(report: &Report<T>) -> Vec<&str> {
    report.log.lines.iter().map(|line| line.text.as_str()).collect()
}
