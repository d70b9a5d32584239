//! Tables, which the guest `tables` reads in the sandbox.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use airlock_sandbox::context::{InputContext, OutputContext};
use airlock_sandbox::grant::{Access, DirectoryPath, Grant, GuestPath, MountGrant, MountSource, Scope};
use airlock_sandbox::layout::Location;
use airlock_sandbox::limits::Limits;
use airlock_sandbox::partition::Partitions;
use airlock_sandbox::report::{Failure, Report};
use airlock_sandbox::value::{Budget, Content, Value};
use airlock_sandbox::{Call, Component, Durability, Interrupt, Sandbox, Settings};
use serde_json::json;

use crate::Target;

/// What values may take of the memory, together.
const BUDGET: u64 = 8 << 20;

/// A Parquet file that is loaded.
pub fn parquet_files() -> Target {
    files("parquet")
}

/// An Arrow IPC file that is loaded.
pub fn arrow_files() -> Target {
    files("arrow")
}

fn files(format: &'static str) -> Target {
    let lender = Lender::new(format);
    let path = lender.folder.path().join("data/orders").with_extension(format);
    Box::new(move |input| {
        std::fs::write(&path, input).unwrap();
        went_well(lender.load())
    })
}

/// An Arrow IPC stream that is stored, which who computes it wrote.
pub fn arrow_streams() -> Target {
    let lender = Lender::new("parquet");
    Box::new(move |input| went_well(lender.store(input)))
}

/// The sandbox, and the guest `tables` in it, which takes a while to compile.
static TABLES: LazyLock<(Sandbox, Component)> = LazyLock::new(|| {
    let guests = std::env::var_os("AIRLOCK_GUESTS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/guests"), PathBuf::from);
    let tables = guests.join("tables.wasm");
    assert!(tables.exists(), "{} is not built; run `make guests`", tables.display());
    let sandbox = Sandbox::new(&Settings { cache: None, durability: Durability::None, ..Settings::default() }).unwrap();
    let component = sandbox.load(&tables).unwrap();
    (sandbox, component)
});

/// Whether a call went well. One that ended otherwise than by the guest itself is a fault of the host.
fn went_well<T>(report: Report<T>) -> bool {
    match report.outcome {
        Ok(_) => true,
        Err(Failure::Guest { .. } | Failure::Trap { .. } | Failure::Limit { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

/// A folder that the guest `tables` is lent to keep one table in.
struct Lender {
    grant: Grant,
    folder: tempfile::TempDir,
    budget: Budget,
    interrupt: Interrupt,
    format: &'static str,
}

impl Lender {
    fn new(format: &'static str) -> Self {
        LazyLock::force(&TABLES);
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let mount = MountGrant {
            guest_path: GuestPath::new("/data").unwrap(),
            source: MountSource::Directory(DirectoryPath::new(&data, &[]).unwrap()),
            access: Access::Write,
            scope: Scope::Output,
        };
        let grant = Grant::new(vec![mount], BTreeMap::new(), Limits::default()).unwrap();
        let budget = Budget::new(BUDGET, folder.path());
        Self { grant, folder, budget, interrupt: Interrupt::new(), format }
    }

    fn call(&self) -> Call<'_> {
        let Self { grant, budget, interrupt, .. } = self;
        Call { component: &TABLES.1, grant, budget, interrupt, strict: false, deterministic: None }
    }

    fn load(&self) -> Report<()> {
        let context = InputContext {
            run_id: None,
            step_key: None,
            input_name: None,
            asset_key: Some(vec!["orders".to_owned()]),
            location: Location::asset(&["orders"]),
            partitions: Partitions::default(),
            upstream: Vec::new(),
            requested_type: None,
            columns: Vec::new(),
            allow_missing: false,
            config: json!({ "format": self.format }),
            input_config: json!(null),
            definition_metadata: Vec::new(),
        };
        let Report { outcome, receipt, log } = TABLES.0.load_input(&self.call(), context);
        Report { outcome: outcome.map(drop), receipt, log }
    }

    fn store(&self, stream: &[u8]) -> Report<()> {
        let context = OutputContext {
            run_id: "run".into(),
            step_key: "orders".into(),
            attempt: 1,
            output_name: "result".into(),
            asset_key: Some(vec!["orders".to_owned()]),
            location: Location::asset(&["orders"]),
            partitions: Partitions::default(),
            config: json!({ "format": self.format }),
            output_config: json!(null),
            definition_metadata: Vec::new(),
            runtime_metadata: Vec::new(),
        };
        let table = Content::from_bytes(stream, &self.budget).unwrap();
        let value = Value::single("application/vnd.apache.arrow.stream", table);
        let Report { outcome, receipt, log } = TABLES.0.handle_output(&self.call(), context, &value);
        Report { outcome: outcome.map(drop), receipt, log }
    }
}
