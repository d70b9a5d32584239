mod convert;
mod files;
mod parquet_batches;
mod projection;
mod text_files;
mod types;

use std::sync::Arc;

use airlock_sdk::{BuiltInput, BuiltOutput, Error, Part, build_input_context, build_output_context};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use serde_json::{Value, json};

use crate::Tables;

/// Every format with its configuration.
fn formats() -> [Value; 4] {
    ["parquet", "csv", "jsonl", "arrow"].map(|format| json!({ "format": format }))
}

/// A table of three columns and three rows.
fn people() -> RecordBatch {
    let columns: [(&str, ArrayRef); 3] = [
        ("name", Arc::new(StringArray::from(vec![Some("Ada"), None, Some("Grace, \"Amazing\"")]))),
        ("age", Arc::new(Int64Array::from(vec![Some(36), Some(-1), None]))),
        ("score", Arc::new(Float64Array::from(vec![1.5, 0.0, -2.25]))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, values)| (name, values, true))).unwrap()
}

fn part(batches: &[RecordBatch]) -> Part {
    Part::from_batches(&batches[0].schema(), batches).unwrap()
}

/// An output of the asset `people`.
fn output(config: &Value) -> BuiltOutput {
    build_output_context().asset_key(["people"]).config(config.clone()).build()
}

/// The output in which `batches` were stored.
fn stored(config: &Value, batches: &[RecordBatch]) -> BuiltOutput {
    let output = output(config);
    output.store::<Tables>([part(batches)]).unwrap();
    output
}

/// The input that loads what is in the directories of `output`, without any record of it.
fn input(output: &BuiltOutput, config: &Value) -> BuiltInput {
    build_input_context().asset_key(["people"]).root(root(output)).config(config.clone()).build()
}

fn root(output: &BuiltOutput) -> std::path::PathBuf {
    output.directory("/")
}

/// The only part that `input` loads, as one batch.
fn loaded(input: &BuiltInput) -> Result<RecordBatch, Error> {
    let parts = input.load::<Tables>()?;
    assert_eq!(parts.len(), 1);
    Ok(whole(&parts[0]))
}

/// All rows of a part.
fn whole(part: &Part) -> RecordBatch {
    let batches = part.to_batches().unwrap();
    let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    concat_batches(&schema, &batches).unwrap()
}

fn message(error: &Error) -> String {
    format!("{error:?}")
}

#[test]
fn the_manifest_is_that_of_this_package() {
    let manifest: Value = serde_json::from_str(include_str!("../../manifest.json")).unwrap();
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(format!("airlock-{}", manifest["name"].as_str().unwrap()), env!("CARGO_PKG_NAME"));
}

#[test]
fn the_formats_and_compressions_of_the_manifest_are_those_that_there_are() {
    let manifest: Value = serde_json::from_str(include_str!("../../manifest.json")).unwrap();
    let properties = &manifest["config"]["properties"];
    for format in properties["format"]["enum"].as_array().unwrap() {
        assert!(serde_json::from_value::<crate::config::Format>(format.clone()).is_ok());
    }
    for compression in properties["compression"]["enum"].as_array().unwrap() {
        assert!(serde_json::from_value::<crate::config::Compression>(compression.clone()).is_ok());
    }
    assert!(serde_json::from_value::<crate::config::Compression>(json!("zstd")).is_err());
}
