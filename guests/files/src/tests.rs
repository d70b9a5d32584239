use std::fs;
use std::path::Path;

use airlock_sdk::{
    BuiltInput, BuiltOutput, Error, MetadataValue, Part, StoredOutputBuilder, build_input_context, build_output_context,
};
use serde_json::json;

use super::*;

fn output(root: &Path) -> BuiltOutput {
    build_output_context().asset_key(["weather", "days"]).root(root).build()
}

/// Loads without any record, as from a fresh checkout.
fn input(root: &Path) -> BuiltInput {
    build_input_context().asset_key(["weather", "days"]).root(root).build()
}

fn names(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("data/weather")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn values_come_back_under_an_extension_that_tells_their_media_type() {
    for (media_type, extension) in [
        ("application/json", "json"),
        ("text/plain", "txt"),
        ("text/csv", "csv"),
        ("image/svg+xml", "svg"),
        ("application/octet-stream", "bin"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let value = Part::new(media_type, "some bytes");
        output(root.path()).store::<Files>([value.clone()]).unwrap();
        assert_eq!(names(root.path()), [format!("days.{extension}")]);
        assert_eq!(input(root.path()).load::<Files>().unwrap(), [value]);
    }
}

#[test]
fn a_media_type_without_an_extension_comes_back_from_the_record() {
    let output = build_output_context().asset_key(["model"]).build();
    let value = Part::new("application/x-model; version=2", [0, 1, 2]);
    output.store::<Files>([value.clone()]).unwrap();
    assert!(output.directory("/data").join("model.bin").is_file());
    assert_eq!(build_input_context().upstream_output(&output).build().load::<Files>().unwrap(), [value]);
}

#[test]
fn a_record_of_another_file_does_not_change_the_media_type() {
    let root = tempfile::tempdir().unwrap();
    output(root.path()).store::<Files>([Part::new("text/csv", "a,b")]).unwrap();
    let record = StoredOutputBuilder::default()
        .stored_metadata("path", MetadataValue::path("/data/weather/days.json"))
        .stored_metadata("media_type", "application/json");
    let input = build_input_context().asset_key(["weather", "days"]).root(root.path()).upstream(None, record).build();
    assert_eq!(input.load::<Files>().unwrap(), [Part::new("text/csv", "a,b")]);
}

#[test]
fn an_empty_value_comes_back() {
    let root = tempfile::tempdir().unwrap();
    output(root.path()).store::<Files>([Part::new("text/plain", "")]).unwrap();
    assert_eq!(input(root.path()).load::<Files>().unwrap(), [Part::new("text/plain", "")]);
}

#[test]
fn path_size_media_type_and_digest_are_recorded() {
    let root = tempfile::tempdir().unwrap();
    let output = output(root.path());
    output.store::<Files>([Part::new("text/plain", "abc")]).unwrap();
    let text = |label| output.metadata_value(label);
    let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(text("digest"), Some(digest.into()));
    assert_eq!(text("media_type"), Some("text/plain".into()));
    assert_eq!(text("size"), Some(3.into()));
    let path = root.path().join("data/weather/days.txt");
    assert_eq!(text("path"), Some(MetadataValue::path(path.to_str().unwrap())));
}

#[test]
fn a_value_of_another_media_type_takes_the_place_of_the_old_one() {
    let root = tempfile::tempdir().unwrap();
    output(root.path()).store::<Files>([Part::new("text/csv", "old")]).unwrap();
    output(root.path()).store::<Files>([Part::new("application/json", "1")]).unwrap();
    assert_eq!(names(root.path()), ["days.json"]);
    assert_eq!(input(root.path()).load::<Files>().unwrap(), [Part::new("application/json", "1")]);
}

#[test]
fn two_files_without_a_record_are_a_conflict_that_names_both() {
    let root = tempfile::tempdir().unwrap();
    output(root.path()).store::<Files>([Part::new("text/csv", "1")]).unwrap();
    fs::write(root.path().join("data/weather/days.json"), "2").unwrap();
    let Err(Error::Conflict(message)) = input(root.path()).load::<Files>() else { panic!("no conflict") };
    assert!(message.contains("days.csv") && message.contains("days.json"), "{message}");
}

#[test]
fn of_two_files_the_recorded_one_is_the_value() {
    let root = tempfile::tempdir().unwrap();
    let output = output(root.path());
    output.store::<Files>([Part::new("text/csv", "1")]).unwrap();
    fs::write(root.path().join("data/weather/days.json"), "2").unwrap();
    let input = build_input_context().upstream_output(&output).build();
    assert_eq!(input.load::<Files>().unwrap(), [Part::new("text/csv", "1")]);
}

#[test]
fn a_configured_extension_is_used_for_storing_and_loading() {
    let root = tempfile::tempdir().unwrap();
    let config = json!({ "extension": "csv.gz" });
    let output = build_output_context().asset_key(["days"]).root(root.path()).config(config.clone()).build();
    output.store::<Files>([Part::new("application/gzip", "x")]).unwrap();
    assert!(root.path().join("data/days.csv.gz").is_file());

    let input = build_input_context().asset_key(["days"]).root(root.path()).config(config).build();
    assert_eq!(input.load::<Files>().unwrap(), [Part::new("application/octet-stream", "x")]);
    let input = build_input_context().upstream_output(&output).build();
    assert_eq!(input.load::<Files>().unwrap(), [Part::new("application/gzip", "x")]);
}

#[test]
fn an_unknown_configuration_key_is_named() {
    let output = build_output_context().config(json!({ "extnsion": "dat" })).build();
    let Err(Error::InvalidConfig(message)) = output.store::<Files>([Part::new("text/plain", "")]) else {
        panic!("no error")
    };
    assert_eq!(message, "unknown field `extnsion`, expected `extension`");
}

#[test]
fn parts_are_stored_and_loaded_by_their_keys() {
    let partitioned = || {
        build_output_context()
            .asset_key(["sales"])
            .partition("2026-01-01", [("days", "2026-01-01")])
            .partition("2026-01-02", [("days", "2026-01-02")])
    };
    let output = partitioned().build();
    let parts = ["2026-01-01", "2026-01-02"].map(|key| Part::new("text/csv", key).with_key(key));
    output.store::<Files>(parts.clone()).unwrap();
    assert!(output.directory("/data").join("sales/days=2026-01-02.csv").is_file());
    assert_eq!(build_input_context().upstream_output(&output).build().load::<Files>().unwrap(), parts);
}

#[test]
fn an_absent_value_is_not_found() {
    let root = tempfile::tempdir().unwrap();
    let error = input(root.path()).load::<Files>().unwrap_err();
    assert!(matches!(error, Error::NotFound(keys) if keys.is_empty()));
}

#[test]
fn the_manifest_is_that_of_this_package() {
    let manifest: serde_json::Value = serde_json::from_str(include_str!("../manifest.json")).unwrap();
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(format!("airlock-{}", manifest["name"].as_str().unwrap()), env!("CARGO_PKG_NAME"));
}
