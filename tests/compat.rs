//! The guests that were built for a frozen version of the contract, and kept: each is told by this host what it was told
//! when it was built, and what it tells arrives. What is expected of them is never changed, but for the words of errors.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use airlock_sandbox::context::{
    AssetEvent, AssetEventKind, InputContext, MetadataEntry, MetadataValue, OpContext, OpOutput, OutputContext,
    StoredOutput,
};
use airlock_sandbox::grant::{Access, DirectoryPath, Grant, GuestPath, MountGrant, MountSource, Scope};
use airlock_sandbox::layout::Location;
use airlock_sandbox::limits::Limits;
use airlock_sandbox::partition::{PartitionKey, Partitions, TimeWindow};
use airlock_sandbox::report::{Failure, GuestError, Level, Log, Report};
use airlock_sandbox::value::{Budget, Content, Part, Value};
use airlock_sandbox::{Call, Component, Interrupt, Sandbox, Settings};
use serde_json::json;

/// A guest of a frozen version and a directory that it is lent.
struct Lab {
    sandbox: Sandbox,
    guest: Component,
    directory: tempfile::TempDir,
    budget: Budget,
}

impl Lab {
    fn new(version: &str) -> Self {
        let file = format!("{}/../../tests/compat/{version}/guest.wasm", env!("CARGO_MANIFEST_DIR"));
        let sandbox = Sandbox::new(&Settings::default()).unwrap();
        let guest = sandbox.load(Path::new(&file)).unwrap();
        Self {
            sandbox,
            guest,
            directory: tempfile::tempdir().unwrap(),
            budget: Budget::new(8 << 20, std::env::temp_dir()),
        }
    }

    fn call<T>(&self, work: impl FnOnce(&Call<'_>) -> T) -> T {
        let mount = MountGrant {
            guest_path: GuestPath::new("/data").unwrap(),
            source: MountSource::Directory(DirectoryPath::new(self.directory.path(), &[]).unwrap()),
            access: Access::Write,
            scope: Scope::Output,
        };
        let grant = Grant::new(vec![mount], [].into(), Limits::default()).unwrap();
        let interrupt = Interrupt::new();
        work(&Call {
            component: &self.guest,
            grant: &grant,
            budget: &self.budget,
            interrupt: &interrupt,
            strict: true,
            deterministic: None,
        })
    }

    fn part(&self, key: Option<&str>, text: &str) -> Part {
        let content = Content::from_bytes(text.as_bytes(), &self.budget).unwrap();
        Part { key: key.map(str::to_owned), media_type: "text/plain".to_owned(), content }
    }
}

fn facts(label: &str) -> Vec<MetadataEntry> {
    vec![MetadataEntry { label: label.to_owned(), value: MetadataValue::Int(7) }]
}

/// What the guest records of everything: an entry of each kind.
fn every_kind() -> Vec<MetadataEntry> {
    let values = [
        ("null", MetadataValue::Null),
        ("boolean", MetadataValue::Boolean(true)),
        ("int", MetadataValue::Int(i64::MIN)),
        ("float", MetadataValue::Float(0.1)),
        ("text", MetadataValue::Text("grüße".to_owned())),
        ("json", MetadataValue::Json(json!({ "a": [1] }))),
        ("tagged", MetadataValue::Tagged("url".to_owned(), "https://example.com".to_owned())),
    ];
    values.map(|(label, value)| MetadataEntry { label: label.to_owned(), value }).into()
}

fn event(kind: AssetEventKind, description: &str) -> AssetEvent {
    AssetEvent {
        kind,
        asset_key: vec!["other".to_owned(), "asset".to_owned()],
        partition: Some("2026-01-02".to_owned()),
        description: Some(description.to_owned()),
        metadata: every_kind(),
    }
}

fn two_days() -> Partitions {
    let window = TimeWindow { start_ms: 1_767_225_600_000, end_ms: 1_767_398_400_000 };
    let key = |day: &str| PartitionKey {
        key: format!("{day}|eu"),
        dimensions: vec![("days".to_owned(), day.to_owned()), ("region".to_owned(), "eu".to_owned())],
    };
    Partitions::new(vec![key("2026-01-01"), key("2026-01-02")], Some(window), Some("Europe/Berlin".to_owned()))
}

fn output_context(partitions: Partitions, config: serde_json::Value) -> OutputContext {
    OutputContext {
        run_id: "run 1".to_owned(),
        step_key: "step 1".to_owned(),
        attempt: 2,
        output_name: "result".to_owned(),
        asset_key: Some(vec!["sales".to_owned(), "orders".to_owned()]),
        location: Location::asset(&["sales", "orders"]),
        partitions,
        config,
        output_config: json!([1, null]),
        definition_metadata: facts("defined"),
        runtime_metadata: facts("at run time"),
    }
}

fn input_context(partitions: Partitions, upstream: Vec<StoredOutput>, config: serde_json::Value) -> InputContext {
    InputContext {
        run_id: Some("run 2".to_owned()),
        step_key: None,
        input_name: Some("days".to_owned()),
        asset_key: Some(vec!["sales".to_owned(), "orders".to_owned()]),
        location: Location::asset(&["sales", "orders"]),
        partitions,
        upstream,
        requested_type: Some("text/plain".to_owned()),
        columns: vec!["a".to_owned(), "b".to_owned()],
        allow_missing: true,
        config,
        input_config: json!({ "b": "c" }),
        definition_metadata: facts("of the input"),
    }
}

/// What the guest was told, as it logged it; and that each line was logged with the level in turn.
fn told(log: &Log) -> String {
    let levels = [Level::Debug, Level::Info, Level::Warn, Level::Error];
    for (line, level) in log.lines.iter().zip(levels.into_iter().cycle()) {
        assert_eq!(line.level, level, "{}", line.text);
    }
    let lines = log.lines.iter().flat_map(|line| [line.text.as_str(), "\n"]);
    lines.collect()
}

fn texts(value: &Value) -> Vec<(Option<&str>, String)> {
    let parts = value.parts.iter();
    parts.map(|part| (part.key.as_deref(), String::from_utf8(part.content.to_vec().unwrap()).unwrap())).collect()
}

#[test]
fn a_value_is_stored_by_a_guest_of_0_1_0() {
    let lab = Lab::new("0.1.0");
    let value = Value { parts: vec![lab.part(None, "hello")] };
    let report =
        lab.call(|call| lab.sandbox.handle_output(call, output_context(Partitions::default(), json!({})), &value));
    let stored = report.outcome.unwrap();
    assert_eq!(told(&report.log), include_str!("compat/0.1.0/told/stored.txt"));
    assert_eq!(stored.metadata, every_kind());
    assert_eq!(stored.data_version.as_deref(), Some("version 1"));
    let events = [event(AssetEventKind::Materialization, "made"), event(AssetEventKind::Observation, "seen")];
    assert_eq!(stored.events, events);
    assert_eq!(std::fs::read_to_string(lab.directory.path().join("sales/orders.bin")).unwrap(), "hello");
}

#[test]
fn partitions_are_stored_and_loaded_by_a_guest_of_0_1_0() {
    let lab = Lab::new("0.1.0");
    let parts = [("2026-01-01|eu", "first"), ("2026-01-02|eu", "second")];
    let value = Value { parts: parts.map(|(key, text)| lab.part(Some(key), text)).into() };
    let report =
        lab.call(|call| lab.sandbox.handle_output(call, output_context(two_days(), json!({ "a": 1 })), &value));
    report.outcome.unwrap();
    assert_eq!(told(&report.log), include_str!("compat/0.1.0/told/stored-parts.txt"));

    let upstream = |version: &str| StoredOutput {
        run_id: Some("run 1".to_owned()),
        step_key: Some("step 1".to_owned()),
        output_name: "result".to_owned(),
        mapping_key: Some("element".to_owned()),
        output_config: json!([1, null]),
        definition_metadata: facts("defined"),
        stored_metadata: every_kind(),
        data_version: Some(version.to_owned()),
    };
    let context = input_context(two_days(), vec![upstream("1"), upstream("2")], json!({ "a": 1 }));
    let report = lab.call(|call| lab.sandbox.load_input(call, context));
    let loaded = report.outcome.unwrap();
    assert_eq!(told(&report.log), include_str!("compat/0.1.0/told/loaded-parts.txt"));
    let expected = parts.map(|(key, text)| (Some(key), format!("loaded: {text}")));
    assert_eq!(texts(&loaded.value), expected);
    assert_eq!(loaded.metadata, every_kind());
    assert_eq!(loaded.events, [event(AssetEventKind::Observation, "seen")]);
}

#[test]
fn a_value_of_which_nothing_is_recorded_is_loaded_by_a_guest_of_0_1_0() {
    let lab = Lab::new("0.1.0");
    std::fs::create_dir(lab.directory.path().join("sales")).unwrap();
    std::fs::write(lab.directory.path().join("sales/orders.bin"), "put there").unwrap();
    let context = input_context(Partitions::default(), Vec::new(), json!({}));
    let report = lab.call(|call| lab.sandbox.load_input(call, context));
    assert_eq!(texts(&report.outcome.unwrap().value), [(None, "loaded: put there".to_owned())]);
    assert_eq!(told(&report.log), include_str!("compat/0.1.0/told/loaded.txt"));
}

#[test]
fn a_step_is_computed_by_a_guest_of_0_1_0() {
    let lab = Lab::new("0.1.0");
    let output = |name: &str, is_dynamic| OpOutput { name: name.to_owned(), is_dynamic };
    let value = |parts| Value { parts }.into();
    let context = OpContext {
        run_id: "run 1".to_owned(),
        step_key: "step 1".to_owned(),
        attempt: 3,
        config: json!({ "a": 1 }),
        partitions: two_days(),
        inputs: vec![
            ("whole".to_owned(), value(vec![lab.part(None, "hello")])),
            ("parts".to_owned(), value(vec![lab.part(Some("a"), "1"), lab.part(Some("b"), "")])),
        ],
        outputs: vec![output("result", false), output("elements", true)],
    };
    let report = lab.call(|call| lab.sandbox.run_op(call, context));
    let computed = report.outcome.unwrap();
    assert_eq!(told(&report.log), include_str!("compat/0.1.0/told/computed.txt"));
    let given: Vec<_> = computed.outputs.iter().map(|output| (output.name.as_str(), texts(&output.value))).collect();
    let elements = vec![(Some("one"), "elements".to_owned()), (Some("two"), "elements".to_owned())];
    let days = ["2026-01-01|eu", "2026-01-02|eu"].map(|key| (Some(key), "result".to_owned())).into();
    assert_eq!(given, [("result", days), ("elements", elements)]);
    for output in &computed.outputs {
        assert_eq!(output.metadata, every_kind(), "{}", output.name);
        for metadata in output.part_metadata.values() {
            assert_eq!(*metadata, every_kind(), "{}", output.name);
        }
    }
    assert_eq!(computed.outputs.iter().map(|output| output.part_metadata.len()).collect::<Vec<_>>(), [2, 2]);
}

fn error<T>(report: Report<T>) -> GuestError {
    match report.outcome {
        Err(Failure::Guest { error }) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it succeeded"),
    }
}

#[test]
fn every_error_of_a_guest_of_0_1_0_arrives() {
    let lab = Lab::new("0.1.0");
    let said = |code: &str, retryable| GuestError {
        code: code.to_owned(),
        message: "said by the guest".to_owned(),
        retryable,
        partitions: Vec::new(),
    };
    let absent = ["a", "b"].map(str::to_owned).into();
    let errors = [
        GuestError { message: String::new(), partitions: absent, ..said("not-found", false) },
        said("invalid-config", false),
        said("unsupported-type", false),
        said("corrupt", false),
        said("access-denied", false),
        said("conflict", false),
        said("limit-exceeded", false),
        said("unavailable", true),
        said("of-its-own", true),
    ];
    for expected in errors {
        let config = json!({ "error": expected.code });
        let stored = output_context(Partitions::default(), config.clone());
        let stored = lab.call(|call| lab.sandbox.handle_output(call, stored, &Value { parts: Vec::new() }));
        assert_eq!(error(stored), expected);
        let loaded = input_context(Partitions::default(), Vec::new(), config.clone());
        assert_eq!(error(lab.call(|call| lab.sandbox.load_input(call, loaded))), expected);
        let computed = OpContext {
            run_id: "run 1".to_owned(),
            step_key: "step 1".to_owned(),
            attempt: 1,
            config,
            partitions: Partitions::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        assert_eq!(error(lab.call(|call| lab.sandbox.run_op(call, computed))), expected);
    }
}
