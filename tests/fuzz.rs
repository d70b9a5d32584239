//! What Airlock reads that others wrote, changed at random: each input is taken or refused, none makes it panic, and its
//! memory stays bounded. `make fuzz` gives each 100,000.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "fuzz/inputs.rs"]
mod inputs;
#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;
#[expect(dead_code, reason = "each test file uses its part of it")]
mod support;

use std::path::Path;

use airlock_pipeline::definitions::Builtins;
use airlock_pipeline::event::RunFilter;
use airlock_pipeline::lock::Lock;
use airlock_pipeline::partition::{DynamicKeys, PartitionSet};
use airlock_pipeline::plan::PartitionSets;
use airlock_pipeline::{Definitions, EventReader, Home};
use airlock_sandbox::component::inspect;
use airlock_sandbox::report::{Failure, Report};
use inputs::Inputs;
use nix::sys::resource::{UsageWho, getrusage};
use project::{LAKE, Project, repository};
use serde_json::json;
use support::{Lab, guests};

const BUILTINS: Builtins = &[("files", &[]), ("tables", &[])];
/// Kibibytes of memory that the process may have taken at any time, compiled code of the guests included.
const MEMORY: i64 = 1 << 20;

/// That the process never took more than it may.
fn assert_bounded() {
    let taken = getrusage(UsageWho::RUSAGE_SELF).unwrap().max_rss();
    assert!(taken < MEMORY, "{taken} KiB");
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(repository().join(name)).unwrap()
}

fn definitions(path: &Path) -> Result<Definitions, airlock_pipeline::Diagnostics> {
    Definitions::read(path, None, &Home::at(path.with_file_name("home")), BUILTINS)
}

#[test]
fn definitions_are_read_or_their_mistakes_told() {
    let examples = ["examples/weather/airlock.toml", "examples/jobs/airlock.toml", "examples/io-managers/parquet.toml"];
    let graphs = r#"
        [graphs.g]
        steps.a = { command = ["x"], type = "json", inputs.i = { input = "i" } }
        outputs.result = "a"
        [jobs.j.steps]
        list = { command = ["x"], type = "text", dynamic = true }
        g = { graph = "g", inputs.i = { each = "list" } }
        [partitions.p]
        dimensions = { a = { static = ["x"] }, b = { daily = { start = "2024-01-01" } } }
    "#;
    let mut seeds: Vec<Vec<u8>> = examples.iter().map(|name| read(name)).collect();
    seeds.push(format!("{LAKE}{graphs}").into_bytes());
    let words = [
        "[assets.x]",
        "[graphs.g]",
        "graph = \"g\"",
        "inputs = { a = { input = \"a\" } }",
        "partitions_per_step = \"all\"",
        "{ \"$env\" = \"X\", default = 1 }",
        "static = []",
        "cron = { schedule = \"* * * * *\", start = \"2024-01-01\" }",
        "start = \"-9999-01-01\"",
        "9223372036854775807",
        "\"\"\"",
        "parent = \"lake\"",
        "each = \"list\"",
        "\u{feff}",
        "[[",
        "..",
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("airlock.toml");
    Inputs { name: "definitions", seeds, words: &words }.give(|input| {
        std::fs::write(&path, input).unwrap();
        definitions(&path).map_err(|mistakes| mistakes.to_string()).is_ok()
    });
    assert_bounded();
}

#[test]
fn a_lock_is_read_or_refused() {
    let lock = format!(
        "version = 1\n[accept]\n\"io.lake\" = \"sha256:{0}\"\n[components.\"builtin:files\"]\ndigest = \"sha256:{0}\"\n\
         contract = \"0.1.0\"\nexports = [\"input\"]\nimports = []\n[lent.\"io.lake\"]\ncomponent = \"builtin:files\"\n\
         [lent.\"io.lake\".mounts.\"/data\"]\naccess = \"write\"\nscope = \"output\"\npath = \"data\"\n",
        "0".repeat(64)
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("airlock.lock");
    let words = ["[profile.p.\"io.lake\"]", "limits = { memory = \"1GiB\" }", "told = [\"X\"]", "version = 2"];
    Inputs { name: "lock", seeds: vec![lock.into_bytes()], words: &words }.give(|input| {
        std::fs::write(&path, input).unwrap();
        Lock::read(&path).map_err(|error| error.to_string()).is_ok()
    });
}

/// A component that stores, in text.
const STORES: &str = r#"(component
    (core module $m (memory 1) (func (export "f") (result i32) i32.const 1))
    (core instance $c (instantiate $m))
    (type $t (func (result u32)))
    (func $f (type $t) (canon lift (core func $c "f")))
    (instance $i (export "handle-output" (func $f)))
    (export "airlock:io/output@0.1.0" (instance $i)))"#;

#[test]
fn a_component_is_inspected_or_refused() {
    let files = std::fs::read(guests().join("files.wasm")).unwrap();
    let small = wat::parse_str(STORES).unwrap();
    // The large one is changed less often.
    let seeds = std::iter::repeat_n(small, 7).chain([files]).collect();
    Inputs {
        name: "components",
        seeds,
        words: &["\u{0}asm", "airlock:io/input@0.1.0", "airlock:manifest", "\u{7f}\u{7f}\u{7f}"],
    }
    .give(|input| inspect(input).map_err(|error| error.to_string()).is_ok());
    assert_bounded();
}

/// `number` as WebAssembly writes it.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        bytes.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return bytes;
        }
    }
}

#[test]
fn a_manifest_is_read_or_refused() {
    let component = wat::parse_str(STORES).unwrap();
    let seeds = ["guests/files/manifest.json", "guests/tables/manifest.json", "tests/programs/manifest.json"];
    let words = [
        "\"many_partitions\": true",
        "{\"type\":\"object\",\"properties\":{}}",
        "\"anyOf\": []",
        "\"$ref\": \"#\"",
        "1e999",
        "\\u0000",
        "\"enum\": [null]",
        "\"minimum\": -1",
        "[[[[",
        "{\"const\":",
    ];
    Inputs { name: "manifests", seeds: seeds.map(read).into(), words: &words }.give(|input| {
        let name = b"airlock:manifest";
        let content = [&leb(name.len())[..], name, input].concat();
        let with_manifest = [&component[..], &[0], &leb(content.len()), &content].concat();
        let inspected = inspect(&with_manifest).map_err(|error| error.to_string());
        inspected.is_ok_and(|inspection| inspection.manifest.is_some())
    });
    assert_bounded();
}

#[test]
fn partitions_are_selected_or_refused_and_what_is_selected_is_named_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("airlock.toml");
    let partitions = r#"
        [partitions]
        days.daily = { start = "2024-01-01", end = "2024-03-01" }
        odd.static = ["a", "a..b", "b", "..", "-", "*x", " ", "ü"]
        both.dimensions = { day = "days", region = { static = ["eu", "us"] } }
    "#;
    std::fs::write(&path, format!("{LAKE}{partitions}")).unwrap();
    let definitions = definitions(&path).unwrap();
    let sets = PartitionSets::new(&definitions, jiff::Timestamp::UNIX_EPOCH, &DynamicKeys::new()).unwrap();
    let sets: Vec<&PartitionSet> = ["days", "odd", "both"].iter().map(|name| &**sets.named(name).unwrap()).collect();
    let seeds = ["2024-01-01..2024-01-31", "all", "a..b", "2024-01-01|eu", "*|eu..us", "2024-01-01..2024-02-01|*"];
    let seeds = seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    Inputs { name: "partitions", seeds, words: &["..", "|", "*", "all", "2024-01-02", "eu", "a", "ü"] }.give(|input| {
        let text = String::from_utf8_lossy(input);
        let mut taken = false;
        for set in &sets {
            let Ok(selected) = set.select(&text) else { continue };
            taken = true;
            assert!(selected.iter().all(|place| place < set.len()), "{text:?}");
            let named = set.named(&selected).into_iter().filter_map(|name| set.select(&name).ok());
            // A name that means more than one range is refused and not guessed.
            let again = named.fold(airlock_pipeline::partition::Selected::default(), |all, some| all.union(&some));
            assert_eq!(again.without(&selected).len(), 0, "{text:?} of {}", set.name());
        }
        taken
    });
}

#[test]
fn an_event_log_is_read_or_said_to_be_damaged() {
    let project =
        Project::new("[assets.a]\ntype = \"text\"\ncommand = [\"sh\", \"-c\", 'printf x > $AIRLOCK_OUTPUT']\n");
    for _ in 0..3 {
        project.run(&["run"]).ok();
    }
    let log = std::fs::read(Home::locate(&project.path("airlock.toml")).events()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    Inputs {
        name: "event log",
        seeds: vec![log],
        words: &["SQLite format 3", "RUN_START", "{\"kind\":", "\u{0}\u{0}\u{0}\u{7f}"],
    }
    .give(|input| {
        std::fs::write(home.events(), input).unwrap();
        for beside in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{beside}", home.events().display()));
        }
        let read = || {
            let Some(reader) = EventReader::open(&home)? else { return Ok(()) };
            for run in reader.runs(&RunFilter { limit: 10, ..RunFilter::default() })? {
                reader.events(&run.run_id, 0, 1000)?;
                reader.steps(&run.run_id)?;
            }
            reader.latest_materializations()?;
            reader.latest("a", None, "")?;
            reader.materializations("a", 10).map(drop)
        };
        let read: Result<(), airlock_pipeline::event::EventLogError> = read();
        read.map_err(|error| error.to_string()).is_ok()
    });
    assert_bounded();
}

/// Whether a call of a guest went well; one that ended otherwise than by the guest itself is a fault of the host.
fn went_well<T>(report: Report<T>) -> bool {
    match report.outcome {
        Ok(_) => true,
        Err(Failure::Guest { .. } | Failure::Trap { .. } | Failure::Limit { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

/// A table that `tables` stored as `format`, and the same as an Arrow stream.
fn table(format: &str) -> (Vec<u8>, Vec<u8>) {
    let table = "a,b,c\\n1,x,2024-01-01\\n2,,2024-01-02\\n,ü,\\n";
    let project = Project::of(&format!(
        r#"
        [io.tables]
        component = "builtin:tables"
        config = {{ format = "{format}" }}
        mounts."/data" = {{ path = "data", access = "write" }}
        [assets.t]
        type = "table"
        io = "tables"
        schema = {{ a = "int64", b = "string", c = "date" }}
        command = ["sh", "-c", 'printf "{table}" > $AIRLOCK_OUTPUT']
        "#
    ));
    project.run(&["run"]).ok();
    project.run(&["load", "t", "--as", "arrow", "--output", "t.arrows"]).ok();
    let stored = std::fs::read(project.path("data/t").with_extension(format)).unwrap();
    (stored, std::fs::read(project.path("t.arrows")).unwrap())
}

#[test]
fn a_stored_table_is_loaded_or_refused_within_the_sandbox() {
    for format in ["parquet", "arrow"] {
        let lab = Lab::new("tables").config(json!({ "format": format }));
        let (stored, _) = table(format);
        Inputs { name: format, seeds: vec![stored], words: &["PAR1", "ARROW1", "\u{7f}\u{7f}\u{7f}\u{7f}"] }.give(
            |input| {
                lab.write(&format!("data/sales/orders.{format}"), input);
                went_well(lab.load())
            },
        );
    }
    assert_bounded();
}

#[test]
fn an_arrow_stream_is_stored_or_refused_within_the_sandbox() {
    let lab = Lab::new("tables").config(json!({ "format": "parquet" }));
    let (_, stream) = table("parquet");
    Inputs { name: "arrow stream", seeds: vec![stream], words: &["\u{7f}\u{7f}\u{7f}\u{7f}", "ARROW1"] }
        .give(|input| went_well(lab.store_as("application/vnd.apache.arrow.stream", input)));
    assert_bounded();
}
