//! Where tables lie, what is recorded, and what is refused.

use std::fs;
use std::path::Path;

use airlock_sdk::{MetadataValue, StoredOutputBuilder};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::*;

fn names(output: &BuiltOutput) -> Vec<String> {
    let entries = fs::read_dir(output.directory("/data")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn groups(file: &Path) -> Vec<i64> {
    let reader = SerializedFileReader::new(fs::File::open(file).unwrap()).unwrap();
    reader.metadata().row_groups().iter().map(RowGroupMetaData::num_rows).collect()
}

#[test]
fn a_table_is_parquet_unless_another_format_is_configured() {
    assert_eq!(names(&stored(&json!({}), &[people()])), ["people.parquet"]);
    assert_eq!(names(&stored(&json!({ "format": "arrow" }), &[people()])), ["people.arrow"]);
    assert_eq!(names(&stored(&json!({ "format": "csv" }), &[people()])), ["people.csv", "people.schema.arrows"]);
    assert_eq!(names(&stored(&json!({ "format": "jsonl" }), &[people()])), ["people.jsonl", "people.schema.arrows"]);
}

#[test]
fn a_table_in_another_format_takes_the_place_of_the_old_one() {
    for old in formats() {
        for new in formats() {
            let before = stored(&old, &[people().slice(0, 1)]);
            let after = build_output_context().asset_key(["people"]).root(root(&before)).config(new.clone()).build();
            after.store::<Tables>([part(&[people()])]).unwrap();
            assert_eq!(names(&before), names(&stored(&new, &[people()])), "{old} to {new}");
            assert_eq!(loaded(&input(&before, &old)).unwrap(), people());
        }
    }
}

#[test]
fn rows_columns_size_and_path_are_recorded_under_the_keys_of_dagster() {
    let output = stored(&json!({}), &[people(), people()]);
    let file = output.directory("/data").join("people.parquet");
    assert_eq!(output.metadata_value("path"), Some(MetadataValue::path(file.to_str().unwrap())));
    assert_eq!(output.metadata_value("size"), Some(file.metadata().unwrap().len().into()));
    assert_eq!(output.metadata_value("dagster/row_count"), Some(6.into()));
    assert_eq!(output.metadata_value("dagster/partition_row_count"), None);
    let Some(MetadataValue::Json(schema)) = output.metadata_value("dagster/column_schema") else { panic!("no schema") };
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema["constraints"], json!({ "other": [] }));
    assert_eq!(
        schema["columns"][1],
        json!({
            "name": "age",
            "type": "int64",
            "description": null,
            "constraints": { "nullable": true, "unique": false, "other": [] },
        })
    );
}

#[test]
fn partitions_are_stored_and_loaded_by_their_keys() {
    for config in formats() {
        let output = build_output_context()
            .asset_key(["people"])
            .config(config.clone())
            .partition("a", [("letter", "a")])
            .partition("b", [("letter", "b")])
            .build();
        output.store::<Tables>(["a", "b"].map(|key| part(&[people()]).with_key(key))).unwrap();
        assert_eq!(output.metadata_value("dagster/partition_row_count"), Some(6.into()));
        assert_eq!(output.metadata_value("dagster/row_count"), None);
        assert_eq!(output.metadata_value("path"), None);
        assert!(output.metadata_value("dagster/column_schema").is_some());

        let parts = build_input_context().upstream_output(&output).build().load::<Tables>().unwrap();
        assert_eq!(parts.iter().map(|part| part.key.as_deref()).collect::<Vec<_>>(), [Some("a"), Some("b")]);
        assert!(parts.iter().all(|part| whole(part) == people()), "{config}");
    }
}

#[test]
fn parts_of_several_schemas_have_none_recorded() {
    let other = people().project(&[0]).unwrap();
    let output = build_output_context().partition("a", [("x", "a")]).partition("b", [("x", "b")]).build();
    output.store::<Tables>([part(&[people()]).with_key("a"), part(&[other]).with_key("b")]).unwrap();
    assert_eq!(output.metadata_value("dagster/column_schema"), None);
}

#[test]
fn the_recorded_format_comes_before_the_configured_one() {
    let output = stored(&json!({}), &[people()]);
    fs::write(output.directory("/data").join("people.csv"), "other\n1\n").unwrap();
    let csv = json!({ "format": "csv" });
    assert_eq!(loaded(&input(&output, &csv)).unwrap().num_columns(), 1);

    let record = StoredOutputBuilder::default().stored_metadata("path", MetadataValue::path("/data/people.parquet"));
    let recorded = build_input_context().asset_key(["people"]).root(root(&output)).config(csv).upstream(None, record);
    assert_eq!(loaded(&recorded.build()).unwrap(), people());
}

#[test]
fn an_absent_table_is_not_found() {
    let output = output(&json!({}));
    let error = input(&output, &json!({})).load::<Tables>().unwrap_err();
    assert!(matches!(error, Error::NotFound(keys) if keys.is_empty()));
}

#[test]
fn a_damaged_file_is_corrupt_and_named() {
    for config in formats() {
        let output = stored(&config, &[people()]);
        let name = names(&output).remove(0);
        let file = output.directory("/data").join(&name);
        let whole = fs::read(&file).unwrap();
        // Without any line there are no rows, which is no damage.
        let nothing: &[u8] = if name.ends_with("jsonl") { b"{" } else { b"" };
        for damaged in [nothing, b"x", &whole[..whole.len() - 20], &[b'\x99'; 300], &[&whole[..20], &[7; 300]].concat()]
        {
            fs::write(&file, damaged).unwrap();
            let error = input(&output, &config).load::<Tables>().unwrap_err();
            assert!(matches!(&error, Error::Corrupt(message) if message.contains(&name)), "{damaged:?}: {error:?}");
        }
    }
}

#[test]
fn another_media_type_is_refused() {
    let error = output(&json!({})).store::<Tables>([Part::new("text/csv", "a\n1\n")]).unwrap_err();
    assert!(matches!(error, Error::UnsupportedType(message) if message.contains("text/csv")));
}

#[test]
fn a_wrong_configuration_is_told_for_storing_and_loading() {
    for (config, expected) in [
        (json!({ "format": "orc" }), "unknown variant `orc`"),
        (json!({ "formt": "csv" }), "unknown field `formt`"),
        (json!({ "compression": "zstd" }), "unknown variant `zstd`, expected one of `none`, `snappy`, `lz4`"),
        (json!({ "format": "arrow", "compression": "snappy" }), "the format `arrow` has only `none`, `lz4`"),
        (json!({ "format": "csv", "compression": "lz4" }), "the format `csv` has only `none`"),
    ] {
        let output = output(&config);
        for result in [output.store::<Tables>([part(&[people()])]), input(&output, &config).load::<Tables>().map(drop)]
        {
            let Err(Error::InvalidConfig(message)) = result else { panic!("{config}: {result:?}") };
            assert!(message.contains(expected), "{message}");
        }
    }
}

#[test]
fn row_groups_end_by_bytes() {
    // Texts that no dictionary and no compression makes small: some 40 MiB of them.
    let mut state = 1_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
    };
    let mut batch = || {
        let texts = (0..65_536).map(|_| (0..64).map(|_| letter()).collect::<String>());
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        RecordBatch::try_from_iter([("text", texts)]).unwrap()
    };
    let batches: Vec<_> = (0..10).map(|_| batch()).collect();
    let output = stored(&json!({ "compression": "none" }), &batches);
    let groups = groups(&output.directory("/data").join("people.parquet"));
    assert_eq!(groups.iter().sum::<i64>(), 655_360);
    assert!(groups.len() >= 2, "{groups:?}");
    assert_eq!(whole(&input(&output, &json!({})).load::<Tables>().unwrap()[0]).num_rows(), 655_360);
}

#[test]
fn the_metadata_of_pandas_is_where_its_readers_look() {
    let metadata = [("pandas".to_owned(), "{\"index_columns\": []}".to_owned())].into();
    let schema = people().schema().as_ref().clone().with_metadata(metadata);
    let output = stored(&json!({}), &[people().with_schema(Arc::new(schema)).unwrap()]);
    let file = fs::File::open(output.directory("/data").join("people.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let entries = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let pandas = entries.iter().find(|entry| entry.key == "pandas").unwrap();
    assert_eq!(pandas.value.as_deref(), Some("{\"index_columns\": []}"));
}

#[test]
fn a_compression_that_cannot_be_read_is_told() {
    let output = stored(&json!({ "format": "arrow" }), &[people()]);
    // Written by pyarrow: four integers.
    fs::write(output.directory("/data").join("people.arrow"), include_bytes!("../../testdata/zstd.arrow")).unwrap();
    let Err(Error::UnsupportedType(message)) = loaded(&input(&output, &json!({}))) else { panic!("no error") };
    assert!(message.contains("people.arrow: it is compressed with zstd") && message.contains("lz4"), "{message}");
}
