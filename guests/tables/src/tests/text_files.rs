//! CSV and JSON lines, of our own and from elsewhere.

use std::fs;

use arrow::array::{Array, BinaryArray, Int64Builder, ListArray, MapBuilder, StringBuilder, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, TimeUnit};

use super::*;
use crate::format::json;

/// An input of a file from elsewhere.
fn foreign(extension: &str, text: &str) -> BuiltInput {
    let input = build_input_context().asset_key(["people"]).config(json!({ "format": extension })).build();
    fs::create_dir_all(input.directory("/data")).unwrap();
    fs::write(input.directory("/data").join(format!("people.{extension}")), text).unwrap();
    input
}

fn types(batch: &RecordBatch) -> Vec<DataType> {
    batch.schema().fields().iter().map(|field| field.data_type().clone()).collect()
}

#[test]
fn a_csv_file_from_elsewhere_has_its_types_inferred() {
    let text = "\u{feff}id,ok,day,at,zip\r\n1,true,2026-01-31,2026-01-31 10:00:00,01234\r\n\r\n,,,,\r\n";
    let batch = loaded(&foreign("csv", text)).unwrap();
    let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
    assert_eq!(types(&batch), [DataType::Int64, DataType::Boolean, DataType::Date32, timestamp, DataType::Utf8]);
    assert_eq!(batch.num_rows(), 2);
    assert!(batch.columns().iter().all(|column| column.is_null(1)));
}

#[test]
fn a_json_lines_file_from_elsewhere_has_its_types_inferred() {
    let text = "{\"z\": 1, \"a\": [1.5, null]}\n\n{\"z\": null, \"b\": {\"c\": \"x\"}}";
    let batch = loaded(&foreign("jsonl", text)).unwrap();
    assert_eq!(batch.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["z", "a", "b"]);
    assert_eq!(batch.num_rows(), 2);
    assert_eq!(types(&batch)[0], DataType::Int64);
}

#[test]
fn an_empty_file_has_no_columns() {
    for extension in ["csv", "jsonl"] {
        let parts = foreign(extension, "").load::<Tables>().unwrap();
        assert_eq!(parts[0].to_batches().unwrap(), []);
    }
}

#[test]
fn a_file_that_does_not_fit_the_schema_beside_it_is_told_what_to_do() {
    for (format, text, expected) in [
        ("csv", "name,age\nAda,1\n", "it has \"name\", \"age\", not \"name\", \"age\", \"score\""),
        ("csv", "name,age,score\nAda,1,1\nGrace,old,1\n", "line 3, column \"age\": \"old\" is no int64"),
        ("csv", "name,age,score\nAda,1,1\nGrace,1.5,1\n", "line 3, column \"age\": \"1.5\" is no int64"),
        ("jsonl", "{\"name\":\"Ada\"}\n{\"age\":\"old\"}\n", "row 2: column \"age\": \"old\" is no int64"),
        ("jsonl", "{\"name\":\"Ada\"}\n{\"age\":1.5}\n", "row 2: column \"age\": \"1.5\" is no int64"),
        ("jsonl", "{\"score\":\"high\"}\n", "row 1"),
        ("jsonl", "{\"height\":1}\n", "row 1: column 'height' missing from schema"),
    ] {
        let config = json!({ "format": format });
        let output = stored(&config, &[people()]);
        fs::write(output.directory("/data").join(format!("people.{format}")), text).unwrap();
        let error = message(&loaded(&input(&output, &config)).unwrap_err()).replace("\\\"", "\"");
        assert!(error.starts_with("Error::Corrupt") || error.starts_with("Corrupt"), "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("people.schema.arrows tells; remove that where the file is from elsewhere"), "{error}");
    }
}

#[test]
fn a_damaged_schema_file_is_corrupt_and_named() {
    let config = json!({ "format": "csv" });
    let output = stored(&config, &[people()]);
    fs::write(output.directory("/data").join("people.schema.arrows"), "x").unwrap();
    let error = loaded(&input(&output, &config)).unwrap_err();
    assert!(matches!(error, Error::Corrupt(message) if message.contains("people.schema.arrows")));
}

#[test]
fn a_column_of_null_and_empty_texts_comes_back_even_alone() {
    for config in formats() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![None, Some(""), None, Some("\n"), Some(" ")]));
        let batch = RecordBatch::try_from_iter_with_nullable([("", texts, true)]).unwrap();
        let output = stored(&config, std::slice::from_ref(&batch));
        assert_eq!(loaded(&input(&output, &config)).unwrap(), batch, "{config}");
    }
}

#[test]
fn many_rows_come_back_over_several_batches() {
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..150_000));
    let batch = RecordBatch::try_from_iter([("value", values)]).unwrap();
    for config in formats() {
        let output = stored(&config, std::slice::from_ref(&batch));
        assert_eq!(loaded(&input(&output, &config)).unwrap(), batch, "{config}");
    }
}

#[test]
fn two_columns_of_one_name_are_refused_by_json_alone() {
    let columns = [("a", people().column(0).clone()), ("a", people().column(1).clone())];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, values)| (name, values, true))).unwrap();
    for format in ["csv", "arrow"] {
        let config = json!({ "format": format });
        let output = stored(&config, std::slice::from_ref(&batch));
        assert_eq!(loaded(&input(&output, &config)).unwrap(), batch, "{format}");
    }
    let error = output(&json!({ "format": "jsonl" })).store::<Tables>([part(&[batch])]).unwrap_err();
    assert!(message(&error).contains("there twice"));
}

#[test]
fn two_fields_of_one_name_within_a_column_are_refused_by_json_lines() {
    let field = |name: &str| Arc::new(Field::new(name, DataType::Int64, true));
    let number = || Arc::new(Int64Array::from(vec![1])) as ArrayRef;
    let structure: ArrayRef = Arc::new(StructArray::from(vec![(field("a"), number()), (field("a"), number())]));
    let item = Arc::new(Field::new_list_field(structure.data_type().clone(), true));
    let list: ArrayRef = Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([1]), structure.clone(), None));
    for column in [structure, list] {
        let batch = RecordBatch::try_from_iter([("deep", column)]).unwrap();
        let error = output(&json!({ "format": "jsonl" })).store::<Tables>([part(&[batch])]).unwrap_err();
        let Error::UnsupportedType(message) = error else { panic!("{error:?}") };
        assert!(message.contains("\"deep\" has a struct with two fields \"a\""), "{message}");
    }
}

#[test]
fn a_key_that_is_twice_in_a_map_is_refused_by_json_lines() {
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for _ in 0..2 {
        map.keys().append_value("k");
        map.values().append_value(1);
    }
    map.append(true).unwrap();
    let batch = RecordBatch::try_from_iter([("words", Arc::new(map.finish()) as ArrayRef)]).unwrap();
    let error = output(&json!({ "format": "jsonl" })).store::<Tables>([part(&[batch])]).unwrap_err();
    assert!(message(&error).contains("a key that is there twice"), "{error:?}");
}

#[test]
fn a_key_that_is_twice_in_a_row_of_json_lines_is_told_with_and_without_a_schema() {
    let error = loaded(&foreign("jsonl", "{\"name\":1}\n{\"name\":1,\"name\":\"x\"}")).unwrap_err();
    assert!(message(&error).contains("row 2: the key \\\"name\\\" is there twice"), "{error:?}");
    let config = json!({ "format": "jsonl" });
    let output = stored(&config, &[people()]);
    fs::write(output.directory("/data").join("people.jsonl"), "{\"name\":\"a\"}\n{\"name\":\"a\",\"name\":\"b\"}")
        .unwrap();
    let error = loaded(&input(&output, &config)).unwrap_err();
    assert!(message(&error).contains("row 2: the key \\\"name\\\" is there twice"), "{error:?}");
}

#[test]
fn a_column_that_no_row_of_json_lines_has_is_named() {
    let config = json!({ "format": "jsonl" });
    let output = stored(&config, &[people()]);
    let file = output.directory("/data").join("people.jsonl");
    fs::write(&file, "{\"name\":\"a\",\"age\":1}\n{\"age\":2}\n").unwrap();
    let error = loaded(&input(&output, &config)).unwrap_err();
    assert!(message(&error).contains("no row has the column \\\"score\\\""), "{error:?}");
    fs::write(&file, "").unwrap();
    assert_eq!(input(&output, &config).load::<Tables>().unwrap()[0].to_batches().unwrap(), []);
}

#[test]
fn no_bytes_and_null_are_two_things() {
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![Some(b"".as_slice()), None, Some(b"a")]));
    let batch = RecordBatch::try_from_iter_with_nullable([("bytes", bytes, true)]).unwrap();
    for config in formats() {
        assert_eq!(loaded(&input(&stored(&config, std::slice::from_ref(&batch)), &config)).unwrap(), batch, "{config}");
    }
}

#[test]
fn a_name_that_begins_as_a_file_may_comes_back() {
    let batch = RecordBatch::try_from_iter([("\u{feff}a", people().column(2).clone())]).unwrap();
    for config in formats() {
        assert_eq!(loaded(&input(&stored(&config, std::slice::from_ref(&batch)), &config)).unwrap(), batch, "{config}");
    }
}

#[test]
fn json_holds_no_more_nested_values_than_it_is_read_back_with() {
    let nested = |depth: usize| {
        let list = |item, _| DataType::List(Arc::new(Field::new_list_field(item, true)));
        Schema::new(vec![Field::new("value", (0..depth).fold(DataType::Int64, list), true)])
    };
    // The object of the row is the first of the 64.
    assert!(json::write(Box::new(Vec::new()), &nested(63), json::Layout::Lines).is_ok());
    let Err(error) = json::write(Box::new(Vec::new()), &nested(64), json::Layout::Lines) else { panic!("no error") };
    assert!(message(&error).contains("nests values deeper than 64"), "{error:?}");
}
