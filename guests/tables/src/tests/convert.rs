//! The op, from every form to every other.

use std::collections::HashMap;

use airlock_sdk::build_op_context;
use airlock_sdk::table::ARROW_STREAM;
use arrow::array::{
    Array, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Int32Array,
    TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type};

use super::*;

const FORMS: [(&str, &str); 5] = [
    ("csv", "text/csv"),
    ("json", "application/json"),
    ("jsonl", "application/x-ndjson"),
    ("parquet", "application/vnd.apache.parquet"),
    ("arrow", ARROW_STREAM),
];

fn convert_parts(config: Value, parts: Vec<Part>) -> Result<Vec<Part>, Error> {
    let op = build_op_context().config(config).input("value", parts).build();
    op.run::<Tables>()?;
    Ok(op.output("result"))
}

fn convert(config: Value, part: Part) -> Result<Part, Error> {
    convert_parts(config, vec![part]).map(|mut parts| parts.remove(0))
}

/// The table that `text` is in the form `from`, with more configuration.
fn read(from: &str, text: &str, mut config: Value) -> Result<RecordBatch, Error> {
    config["from"] = from.into();
    config["to"] = "arrow".into();
    convert(config, Part::new("text/plain", text)).map(|part| whole(&part))
}

/// The text of `batch` in the form `to`.
fn written(to: &str, batch: &RecordBatch) -> Result<String, Error> {
    let part = convert(json!({ "from": "arrow", "to": to }), part(std::slice::from_ref(batch)))?;
    Ok(String::from_utf8(part.bytes).unwrap())
}

fn schema(columns: &[(&str, &str)]) -> Value {
    columns.iter().map(|(name, data_type)| json!({ "name": name, "type": data_type })).collect()
}

#[track_caller]
fn is_wrong(result: Result<impl std::fmt::Debug, Error>, expected: &[&str]) {
    let error = message(&result.unwrap_err()).replace("\\\"", "\"");
    assert!(expected.iter().all(|expected| error.contains(expected)), "{error}");
}

#[test]
fn every_form_converts_to_every_other_and_back() {
    for (from, from_type) in FORMS {
        let start = convert(json!({ "from": "arrow", "to": from }), part(&[people()])).unwrap();
        assert_eq!(start.media_type, from_type);
        for (to, to_type) in FORMS {
            let there = convert(json!({ "from": from, "to": to }), start.clone()).unwrap();
            assert_eq!(there.media_type, to_type);
            let back = convert(json!({ "from": to, "to": "arrow" }), there).unwrap();
            assert_eq!(whole(&back), people(), "{from} to {to}");
        }
    }
}

#[test]
fn texts_are_as_one_expects() {
    assert_eq!(
        written("csv", &people()).unwrap(),
        "name,age,score\nAda,36,1.5\n,-1,0.0\n\"Grace, \"\"Amazing\"\"\",,-2.25\n"
    );
    let rows = [
        r#"{"name":"Ada","age":36,"score":1.5}"#,
        r#"{"name":null,"age":-1,"score":0.0}"#,
        r#"{"name":"Grace, \"Amazing\"","age":null,"score":-2.25}"#,
    ];
    assert_eq!(written("json", &people()).unwrap(), format!("[{}]", rows.join(",")));
    assert_eq!(written("jsonl", &people()).unwrap(), format!("{}\n", rows.join("\n")));
}

#[test]
fn parts_keep_their_keys() {
    let parts = ["a", "b"].map(|key| Part::new("text/csv", "n\n1\n").with_key(key)).to_vec();
    let op = build_op_context().config(json!({ "from": "csv", "to": "jsonl" })).input("value", parts);
    let op = op.dynamic_outputs(["result"]).build();
    op.run::<Tables>().unwrap();
    let expected = ["a", "b"].map(|key| Part::new("application/x-ndjson", "{\"n\":1}\n").with_key(key));
    assert_eq!(op.output("result"), expected);
}

#[test]
fn no_part_is_no_result() {
    assert_eq!(convert_parts(json!({ "from": "csv", "to": "json" }), vec![]).unwrap(), []);
}

#[test]
fn columns_are_chosen_in_the_order_of_the_table() {
    for (from, _) in FORMS {
        let start = convert(json!({ "from": "arrow", "to": from }), part(&[people()])).unwrap();
        let config = |columns: Value| json!({ "from": from, "to": "arrow", "columns": columns });
        let chosen = convert(config(json!(["score", "name"])), start.clone()).unwrap();
        assert_eq!(whole(&chosen), people().project(&[0, 2]).unwrap(), "{from}");
        is_wrong(convert(config(json!(["height"])), start), &["no column \"height\"", "\"name\", \"age\", \"score\""]);
    }
}

#[test]
fn a_schema_gives_the_columns_their_types() {
    let columns = schema(&[
        ("b", "bool"),
        ("i", "int32"),
        ("s", "string"),
        ("d", "date"),
        ("t", "timestamp"),
        ("x", "binary"),
        ("m", "decimal(6, 2)"),
    ]);
    let csv = "b,i,s,d,t,x,m\ntrue,7,007,2026-01-31,2026-01-31T10:00:00.5,00ff,1234.50\n,,,,,,\n";
    let jsonl = concat!(
        r#"{"b":true,"i":7,"s":"007","d":"2026-01-31","t":"2026-01-31T10:00:00.5","x":"00ff","m":1234.50}"#,
        "\n{\"b\":null}\n"
    );
    let json = format!("[{}]", jsonl.trim_end().replace('\n', ","));
    let expected: [ArrayRef; 7] = [
        Arc::new(BooleanArray::from(vec![Some(true), None])),
        Arc::new(Int32Array::from(vec![Some(7), None])),
        Arc::new(StringArray::from(vec![Some("007"), None])),
        Arc::new(Date32Array::from(vec![Some(20_484), None])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(1_769_853_600_500_000), None])),
        Arc::new(BinaryArray::from(vec![Some(b"\0\xff".as_slice()), None])),
        Arc::new(Decimal128Array::from(vec![Some(123_450), None]).with_precision_and_scale(6, 2).unwrap()),
    ];
    for (from, text) in [("csv", csv), ("jsonl", jsonl), ("json", &json)] {
        let batch = read(from, text, json!({ "schema": columns })).unwrap();
        assert_eq!(batch.columns(), expected, "{from}");
        let chosen = read(from, text, json!({ "schema": columns, "columns": ["m", "i"] })).unwrap();
        assert_eq!(chosen.columns(), [expected[1].clone(), expected[6].clone()], "{from}");
    }
}

#[test]
fn values_that_do_not_parse_are_told_by_line_and_column() {
    for (data_type, cell) in [
        ("bool", "maybe"),
        ("int8", "128"),
        ("uint64", "-1"),
        ("int64", "1.0"),
        ("float64", "1,5"),
        ("date", "31.01.2026"),
        ("timestamp", "yesterday"),
        ("timestamp", "2026-01-31T10:00:00.1234567"),
        ("binary", "0"),
        ("binary", "zz"),
        ("decimal(4, 2)", "1.234"),
        ("decimal(4, 2)", "123.4"),
    ] {
        let config = json!({ "schema": schema(&[("a", "string"), ("b", data_type)]) });
        let expected = format!("{cell:?} is no {data_type}");
        let csv = format!("a,b\nx,\ny,\"{cell}\"\n");
        is_wrong(read("csv", &csv, config.clone()), &["Corrupt", "the value: line 3, column \"b\"", &expected]);
        let jsonl = format!("{{\"a\":\"x\"}}\n{{\"a\":\"y\",\"b\":{cell:?}}}\n");
        is_wrong(read("jsonl", &jsonl, config), &["Corrupt", "the value: row 2", "b", cell]);
    }
}

#[test]
fn values_that_a_type_would_change_are_told_with_the_reason() {
    for (data_type, cell, reason) in [
        ("date", "2026-01-31T10:00:00", "it has a time"),
        ("timestamp", "2026-01-31T10:00:00+01:00", "it has an offset from UTC"),
        ("timestamp", "2026-01-31T10:00:00Z", "it has an offset from UTC"),
        ("timestamp", "2026-01-31T23:59:60", "it is a leap second"),
        ("float64", "1e999", "it is too large"),
        ("float32", "-1e39", "it is too large"),
        ("float64", "9007199254740993", "more digits than that keeps"),
        ("float32", "16777217", "more digits than that keeps"),
    ] {
        let config = json!({ "schema": schema(&[("a", data_type)]) });
        let expected = [&format!("\"{cell}\" is no {data_type}; ") as &str, reason];
        is_wrong(read("csv", &format!("a\n{cell}\n"), config.clone()), &expected);
        is_wrong(read("jsonl", &format!("{{\"a\":\"{cell}\"}}\n"), config.clone()), &expected);
        if data_type.starts_with("float") {
            is_wrong(read("jsonl", &format!("{{\"a\":{cell}}}\n"), config), &["row 1"]);
        }
    }
}

#[test]
fn numbers_that_a_float_keeps_are_read() {
    let config = json!({ "schema": schema(&[("a", "float64")]) });
    for (cell, number) in
        [("9007199254740992", 9_007_199_254_740_992.0), ("-00000000005", -5.0), ("-0", -0.0), ("1e22", 1e22)]
    {
        let batch = read("csv", &format!("a\n{cell}\n"), config.clone()).unwrap();
        assert_eq!(batch.column(0).as_ref(), &Float64Array::from(vec![number]));
    }
    let infinite = read("csv", "a\ninf\n-inf\n", config).unwrap();
    assert_eq!(infinite.column(0).as_ref(), &Float64Array::from(vec![f64::INFINITY, f64::NEG_INFINITY]));
}

#[test]
fn integers_beyond_the_floats_beside_them_are_told_by_their_row() {
    for number in ["9007199254740993", "123456789012345678901234567890"] {
        let text = format!("{{\"a\":0.5}}\n{{\"a\":{number}}}\n");
        is_wrong(read("jsonl", &text, json!({})), &["row 2: column \"a\"", number, "more digits"]);
    }
}

#[test]
fn other_columns_than_those_of_the_schema_are_refused() {
    let config = |columns: &[(&str, &str)]| json!({ "schema": schema(columns) });
    let (ab, ba) = ([("a", "int64"), ("b", "int64")], [("b", "int64"), ("a", "int64")]);
    is_wrong(read("csv", "b,a\n1,2\n", config(&ab)), &["it has \"b\", \"a\", not \"a\", \"b\""]);
    is_wrong(read("csv", "a\n1\n", config(&ab)), &["it has \"a\", not \"a\", \"b\""]);
    is_wrong(read("jsonl", "{\"a\":1}\n{\"c\":2}\n", config(&ab)), &["row 2", "'c' missing from schema"]);
    let table = RecordBatch::try_from_iter(ab.map(|(name, _)| (name, Arc::new(Int64Array::from(vec![1])) as ArrayRef)));
    let config = json!({ "from": "arrow", "to": "csv", "schema": schema(&ba) });
    is_wrong(convert(config, part(&[table.unwrap()])), &["it has \"a\", \"b\", not \"b\", \"a\""]);
}

#[test]
fn a_table_is_cast_where_that_loses_nothing() {
    let words: DictionaryArray<Int32Type> = vec![Some("a"), None].into_iter().collect();
    let cast = |array: ArrayRef, data_type: &str| {
        let start = part(&[RecordBatch::try_from_iter_with_nullable([("c", array, true)]).unwrap()]);
        ["arrow", "parquet"].map(|from| {
            let start = convert(json!({ "from": "arrow", "to": from }), start.clone()).unwrap();
            let config = json!({ "from": from, "to": "arrow", "schema": schema(&[("c", data_type)]) });
            convert(config, start).map(|part| whole(&part).column(0).clone())
        })
    };
    let text = |cell: &str| Arc::new(StringArray::from(vec![Some(cell), None])) as ArrayRef;
    let number = |number| Arc::new(Int64Array::from(vec![None, Some(number)])) as ArrayRef;
    let float = |number| Arc::new(Float64Array::from(vec![None, Some(number)])) as ArrayRef;
    let time = |nanoseconds| Arc::new(TimestampNanosecondArray::from(vec![None, Some(nanoseconds)])) as ArrayRef;
    for (array, data_type) in [
        (number(127), "int8"),
        (number(1 << 53), "float64"),
        (number(5), "string"),
        (float(1.5), "float32"),
        (float(3.0), "int64"),
        (float(f64::NAN), "float32"),
        (time(1_000), "timestamp"),
        (text("2026-01-31 10:00:00"), "timestamp"),
        (text("7"), "int64"),
        (Arc::new(words), "string"),
    ] {
        for result in cast(array, data_type) {
            assert_eq!(crate::schema::type_name(result.unwrap().data_type()), data_type);
        }
    }
    for (array, data_type, row) in [
        (number(128), "int8", 2),
        (number((1 << 53) + 1), "float64", 2),
        (float(0.1), "float32", 2),
        (float(3.5), "int64", 2),
        (time(1_001), "timestamp", 2),
        (text("x"), "int64", 1),
    ] {
        for result in cast(array, data_type) {
            is_wrong(result, &["Corrupt", &format!("row {row}, column \"c\""), data_type]);
        }
    }
    for result in cast(number(1), "binary") {
        is_wrong(result, &["\"c\"", "binary"]);
    }
}

#[test]
fn a_preview_shows_the_first_rows_as_texts() {
    let preview = |config: Value| {
        let part = convert(config, part(&[people().slice(0, 1), people().slice(1, 2)])).unwrap();
        assert_eq!(part.media_type, "application/json");
        serde_json::from_slice::<Value>(&part.bytes).unwrap()
    };
    let columns = schema(&[("name", "string"), ("age", "int64"), ("score", "float64")]);
    let rows = json!([["Ada", "36", "1.5"], [null, "-1", "0.0"], ["Grace, \"Amazing\"", null, "-2.25"]]);
    assert_eq!(
        preview(json!({ "from": "arrow", "to": "preview" })),
        json!({ "columns": columns, "rows": rows, "more": false })
    );
    assert_eq!(
        preview(json!({ "from": "arrow", "to": "preview", "rows": 2, "columns": ["age"] })),
        json!({ "columns": [columns[1]], "rows": [["36"], ["-1"]], "more": true })
    );
    assert_eq!(preview(json!({ "from": "arrow", "to": "preview", "rows": 0 }))["more"], true);
}

#[test]
fn a_preview_shows_every_type() {
    let times = TimestampMicrosecondArray::from(vec![0]).with_timezone("Europe/Berlin");
    let list = arrow::array::ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None])]);
    let columns: [(&str, ArrayRef); 3] =
        [("t", Arc::new(times)), ("l", Arc::new(list)), ("n", Arc::new(arrow::array::NullArray::new(1)))];
    let text = written("preview", &RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    let preview: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(preview["rows"], json!([["1970-01-01T00:00:00Z", "[1, ]", null]]));
}

#[test]
fn what_a_form_cannot_hold_is_refused_with_the_name_of_the_column() {
    let table = |array: ArrayRef| RecordBatch::try_from_iter([("c", array)]).unwrap();
    let floats = table(Arc::new(Float64Array::from(vec![f64::NAN])));
    for form in ["json", "jsonl"] {
        is_wrong(written(form, &floats), &["UnsupportedType", "the column \"c\"", "not finite"]);
    }
    let list = arrow::array::ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)])]);
    is_wrong(written("csv", &table(Arc::new(list))), &["UnsupportedType", "the column \"c\"", "List", "CSV"]);
    assert_eq!(
        written("json", &table(Arc::new(BinaryArray::from(vec![b"\0\xff".as_slice()])))).unwrap(),
        "[{\"c\":\"00ff\"}]"
    );
}

#[test]
fn values_that_are_not_of_their_form_are_corrupt() {
    for (form, text) in [
        ("csv", "a,b\n1\n"),
        ("json", "{\"a\":1}"),
        ("json", "[{\"a\":1},"),
        ("jsonl", "[1]"),
        ("jsonl", "{\"a\":nope}"),
        ("jsonl", "{\"a\":1}\n{\"a\":\"x\"}"),
        ("parquet", "PAR1"),
    ] {
        is_wrong(read(form, text, json!({})), &["Corrupt", "the value"]);
    }
    is_wrong(read("arrow", "", json!({})), &["UnsupportedType", "text/plain", ARROW_STREAM]);
}

#[test]
fn a_wrong_configuration_is_told() {
    for (config, expected) in [
        (json!({ "from": "csv" }), "missing field `to`"),
        (json!({ "from": "xml", "to": "csv" }), "unknown variant `xml`"),
        (json!({ "from": "preview", "to": "csv" }), "`from`: a preview is not read back"),
        (json!({ "from": "csv", "to": "json", "form": 1 }), "unknown field `form`"),
        (json!({ "from": "csv", "to": "json", "rows": 1 }), "`rows` is of a preview alone"),
        (json!({ "from": "csv", "to": "json", "schema": schema(&[("a", "money")]) }), "\"money\" of the column \"a\""),
        (json!({ "from": "csv", "to": "json", "schema": schema(&[("a", "bool"); 2]) }), "two columns \"a\""),
    ] {
        is_wrong(convert(config, Part::new("text/csv", "a\n1\n")), &["InvalidConfig", expected]);
    }
}

#[test]
fn a_schema_keeps_the_metadata_of_the_table_and_of_its_columns() {
    let note = |value: &str| HashMap::from([("note".to_owned(), value.to_owned())]);
    let mut of_column = note("of the column");
    of_column.insert("ARROW:extension:name".to_owned(), "an extension of int64".to_owned());
    let field = Field::new("c", DataType::Int64, true).with_metadata(of_column);
    let old = Arc::new(Schema::new_with_metadata(vec![field], note("of the table")));
    let batch = RecordBatch::try_new(old, vec![Arc::new(Int64Array::from(vec![1]))]).unwrap();
    for from in ["arrow", "parquet"] {
        let start = convert(json!({ "from": "arrow", "to": from }), part(std::slice::from_ref(&batch))).unwrap();
        let config = json!({ "from": from, "to": "arrow", "schema": schema(&[("c", "int8")]) });
        let new = whole(&convert(config, start).unwrap()).schema();
        assert_eq!(new.metadata(), &note("of the table"), "{from}");
        assert_eq!(new.field(0).metadata().get("note").unwrap(), "of the column");
        assert!(!new.field(0).metadata().contains_key("ARROW:extension:name"));
    }
}

#[test]
fn a_column_of_nothing_is_of_any_type() {
    let nothing: ArrayRef = Arc::new(arrow::array::NullArray::new(2));
    for data_type in ["bool", "int8", "string", "binary", "date", "timestamp", "decimal(4, 2)"] {
        let start = part(&[RecordBatch::try_from_iter_with_nullable([("c", nothing.clone(), true)]).unwrap()]);
        let config = json!({ "from": "arrow", "to": "arrow", "schema": schema(&[("c", data_type)]) });
        let result = whole(&convert(config, start).unwrap());
        assert_eq!(crate::schema::type_name(result.column(0).data_type()), data_type);
        assert_eq!(result.column(0).null_count(), 2);
    }
}

#[test]
fn a_zone_that_a_schema_would_lose_is_told_with_what_to_do() {
    for zone in ["UTC", "+02:00", "Europe/Berlin"] {
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0]).with_timezone(zone));
        for data_type in ["timestamp", "date"] {
            let start = part(&[RecordBatch::try_from_iter([("at", times.clone())]).unwrap()]);
            let config = json!({ "from": "arrow", "to": "arrow", "schema": schema(&[("at", data_type)]) });
            is_wrong(
                convert(config, start),
                &["UnsupportedType", "\"at\"", zone, "leave `schema` out, which keeps it"],
            );
        }
    }
}

#[test]
fn a_preview_cuts_long_values() {
    let words: ArrayRef = Arc::new(StringArray::from(vec!["ä".repeat(200), "ä".repeat(201)]));
    let text = written("preview", &RecordBatch::try_from_iter([("w", words)]).unwrap()).unwrap();
    let preview: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(preview["rows"], json!([["ä".repeat(200)], [format!("{}…", "ä".repeat(200))]]));
}
