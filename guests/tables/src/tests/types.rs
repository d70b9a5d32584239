//! Every Arrow type, through every format.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::sync::Arc;

use airlock_sdk::Error;
use arrow::array::*;
use arrow::buffer::Buffer;
use arrow::compute::cast;
use arrow::datatypes::*;
use serde_json::json;

use super::*;

fn texts() -> ArrayRef {
    Arc::new(StringArray::from(vec![Some("a"), None, Some(""), Some("b\r\n\"c\", ä")]))
}

fn integers() -> ArrayRef {
    Arc::new(Int32Array::from(vec![Some(1), None, Some(0), Some(77)]))
}

fn to(array: &ArrayRef, data_type: impl Borrow<DataType>) -> ArrayRef {
    cast(array, data_type.borrow()).unwrap()
}

fn item(data_type: DataType) -> FieldRef {
    Arc::new(Field::new_list_field(data_type, true))
}

/// Arrays of four values, a null among them, of types that every format holds.
fn flat() -> Vec<ArrayRef> {
    use DataType::*;

    let numbers = [Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Float16, Float32, Float64];
    let mut arrays: Vec<ArrayRef> = numbers.into_iter().map(|number| to(&integers(), number)).collect();
    for decimal in [Decimal32(7, 2), Decimal64(12, 0), Decimal128(20, 5), Decimal256(50, 10)] {
        arrays.push(to(&integers(), decimal));
    }
    arrays.push(Arc::new(Int64Array::from(vec![Some(i64::MAX), None, Some(i64::MIN), Some(1 << 60)])));
    arrays.push(Arc::new(UInt64Array::from(vec![Some(u64::MAX), None, Some(0), Some(1)])));
    arrays.push(Arc::new(Float64Array::from(vec![Some(0.1), None, Some(f64::MIN_POSITIVE), Some(-1e300)])));
    arrays.push(Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true)])));
    arrays.push(Arc::new(NullArray::new(4)));
    for text in [Utf8, LargeUtf8, Utf8View] {
        arrays.push(to(&texts(), text));
    }
    let bytes: ArrayRef =
        Arc::new(BinaryArray::from(vec![Some(b"\0\xff".as_slice()), None, Some(b"a,"), Some(b"\"\n")]));
    for binary in [Binary, LargeBinary, BinaryView, FixedSizeBinary(2)] {
        arrays.push(to(&bytes, binary));
    }
    arrays.push(to(&integers(), Date32));
    arrays.push(Arc::new(Date64Array::from(vec![Some(86_400_000), None, Some(-86_400_000), Some(0)])));
    arrays.push(Arc::new(Time32SecondArray::from(vec![Some(86_399), None, Some(0), Some(1)])));
    arrays.push(Arc::new(Time32MillisecondArray::from(vec![Some(86_399_999), None, Some(0), Some(1)])));
    arrays.push(Arc::new(Time64MicrosecondArray::from(vec![Some(86_399_999_999), None, Some(0), Some(1)])));
    arrays.push(Arc::new(Time64NanosecondArray::from(vec![Some(86_399_999_999_999), None, Some(0), Some(1)])));
    let times: ArrayRef = Arc::new(Int64Array::from(vec![Some(1_700_000_001), None, Some(-1), Some(0)]));
    for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
        arrays.push(to(&times, Timestamp(unit, None)));
        arrays.push(to(&times, Duration(unit)));
        for zone in ["UTC", "+05:30"] {
            arrays.push(to(&times, Timestamp(unit, Some(zone.into()))));
        }
    }
    let berlin = to(&times, Int64);
    let berlin = berlin.as_primitive::<Int64Type>().reinterpret_cast::<TimestampMicrosecondType>();
    arrays.push(Arc::new(berlin.with_timezone("Europe/Berlin")));
    let dictionary: DictionaryArray<Int8Type> = vec![Some("x"), None, Some("y"), Some("x")].into_iter().collect();
    arrays.push(Arc::new(dictionary));
    arrays.push(to(&to(&integers(), Int64), Dictionary(Box::new(Int32), Box::new(Int64))));
    arrays
}

/// Arrays of types that nest others.
fn nested() -> Vec<ArrayRef> {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
        Some(vec![Some(3)]),
    ]);
    let list: ArrayRef = Arc::new(list);
    let words = to(&list, DataType::List(item(DataType::Utf8)));
    let structure = StructArray::new(
        vec![
            Field::new("number", DataType::Int32, true),
            Field::new("text", DataType::Utf8, true),
            Field::new("list", list.data_type().clone(), true),
        ]
        .into(),
        vec![integers(), texts(), list.clone()],
        Some(vec![true, true, false, true].into()),
    );
    let structure: ArrayRef = Arc::new(structure);
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for row in 0..4 {
        for key in 0..row {
            map.keys().append_value(format!("key {key}"));
            map.values().append_option((key > 0).then_some(key));
        }
        map.append(row != 2).unwrap();
    }
    let fixed = FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
        [Some([Some(1), None]), None, Some([Some(3), Some(4)]), Some([None, None])],
        2,
    );
    vec![
        to(&list, DataType::LargeList(item(DataType::Int64))),
        to(&words, DataType::List(item(DataType::Utf8View))),
        to(&list, DataType::ListView(item(DataType::Int32))),
        list,
        structure,
        Arc::new(map.finish()),
        Arc::new(fixed),
    ]
}

/// What texts and Arrow files hold, but Parquet does not give back.
fn runs() -> ArrayRef {
    let values = StringArray::from(vec![Some("x"), None, Some("y")]);
    Arc::new(RunArray::<Int32Type>::try_new(&vec![1, 3, 4].into(), &values).unwrap())
}

/// Arrays of types that only Arrow's own formats hold.
fn odd() -> Vec<ArrayRef> {
    let intervals =
        vec![Some(IntervalMonthDayNano::new(1, 2, 3)), None, None, Some(IntervalMonthDayNano::new(0, 0, 0))];
    let union = UnionArray::try_new(
        UnionFields::try_new([0, 1], [Field::new("a", DataType::Int32, true), Field::new("b", DataType::Utf8, true)])
            .unwrap(),
        vec![0, 1, 0, 1].into(),
        None,
        vec![integers(), texts()],
    );
    vec![Arc::new(IntervalMonthDayNanoArray::from(intervals)), Arc::new(union.unwrap())]
}

/// A table of `array` and a column beside it, with metadata everywhere.
fn table(array: &ArrayRef) -> RecordBatch {
    let metadata = |value: &str| HashMap::from([("note".to_owned(), value.to_owned())]);
    let field = Field::new("the column", array.data_type().clone(), true).with_metadata(metadata("of the column"));
    let row = Field::new("row", DataType::Int32, false);
    let schema = Schema::new_with_metadata(vec![field, row], metadata("of the table"));
    let rows = Int32Array::from_iter_values(0..4);
    RecordBatch::try_new(schema.into(), vec![array.clone(), Arc::new(rows)]).unwrap()
}

#[track_caller]
fn comes_back(config: &Value, batch: &RecordBatch) {
    let output = stored(config, &[batch.slice(0, 1), batch.slice(1, 3)]);
    let loaded = loaded(&input(&output, config)).unwrap();
    assert_eq!(loaded.schema(), batch.schema(), "{config}");
    assert_eq!(&loaded, batch, "{config}");
}

#[test]
fn every_flat_type_comes_back_from_every_format() {
    for array in flat() {
        for config in formats() {
            comes_back(&config, &table(&array));
        }
    }
}

#[test]
fn every_compression_comes_back() {
    for (format, compression) in
        [("parquet", "none"), ("parquet", "snappy"), ("parquet", "lz4"), ("arrow", "none"), ("arrow", "lz4")]
    {
        comes_back(&json!({ "format": format, "compression": compression }), &table(&texts()));
    }
}

#[test]
fn nested_types_come_back_from_every_format_that_nests() {
    for array in nested() {
        for format in ["parquet", "jsonl", "arrow"] {
            comes_back(&json!({ "format": format }), &table(&array));
        }
    }
}

#[test]
fn odd_types_come_back_from_arrow_files() {
    for array in odd() {
        comes_back(&json!({ "format": "arrow" }), &table(&array));
    }
}

#[test]
fn runs_come_back_from_texts_and_arrow_files() {
    for format in ["csv", "jsonl", "arrow"] {
        comes_back(&json!({ "format": format }), &table(&runs()));
    }
}

#[test]
fn intervals_of_one_unit_come_back_from_parquet_and_arrow() {
    let months: ArrayRef = Arc::new(IntervalYearMonthArray::from(vec![Some(1), None, Some(-1), Some(0)]));
    let days = vec![Some(IntervalDayTime::new(1, 2)), None, Some(IntervalDayTime::new(-1, 0)), None];
    for array in [months, Arc::new(IntervalDayTimeArray::from(days)) as ArrayRef] {
        for format in ["parquet", "arrow"] {
            comes_back(&json!({ "format": format }), &table(&array));
        }
    }
}

#[test]
fn a_type_that_a_format_cannot_hold_is_named_with_its_column() {
    let refused = |format: &str, array: &ArrayRef| {
        let error = output(&json!({ "format": format })).store::<Tables>([part(&[table(array)])]).unwrap_err();
        let Error::UnsupportedType(message) = error else { panic!("{format}: {error:?}") };
        assert!(message.contains("\"the column\""), "{message}");
        assert!(message.contains(&crate::schema::type_name(array.data_type())), "{message}");
        assert!(message.contains("convert it to another type, or keep the table as Arrow"), "{message}");
    };
    for array in odd() {
        for format in ["parquet", "csv", "jsonl"] {
            refused(format, &array);
        }
    }
    for array in nested() {
        refused("csv", &array);
    }
    refused("parquet", &runs());
}

#[test]
fn a_table_without_rows_keeps_its_columns() {
    for config in formats() {
        let schema = people().schema();
        let output = output(&config);
        output.store::<Tables>([Part::from_batches(&schema, &[]).unwrap()]).unwrap();
        let parts = input(&output, &config).load::<Tables>().unwrap();
        let reader = arrow::ipc::reader::StreamReader::try_new(parts[0].bytes.as_slice(), None).unwrap();
        assert_eq!(reader.schema(), schema, "{config}");
        assert_eq!(parts[0].to_batches().unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 0, "{config}");
    }
}

#[test]
fn a_table_without_columns_keeps_its_rows_where_it_can() {
    let options = RecordBatchOptions::new().with_row_count(Some(3));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
    for format in ["jsonl", "arrow"] {
        let config = json!({ "format": format });
        let output = stored(&config, std::slice::from_ref(&batch));
        let batches = input(&output, &config).load::<Tables>().unwrap()[0].to_batches().unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 3, "{format}");
    }
    for format in ["parquet", "csv"] {
        let error =
            output(&json!({ "format": format })).store::<Tables>([part(std::slice::from_ref(&batch))]).unwrap_err();
        assert!(matches!(error, Error::UnsupportedType(message) if message.contains("no columns")), "{format}");
    }
}

#[test]
fn dictionaries_that_change_between_batches_come_back() {
    let batch = |words: [&str; 2]| {
        let words: DictionaryArray<Int32Type> = words.into_iter().collect();
        RecordBatch::try_from_iter([("word", Arc::new(words) as ArrayRef)]).unwrap()
    };
    for format in ["parquet", "csv", "jsonl"] {
        let config = json!({ "format": format });
        let output = stored(&config, &[batch(["a", "b"]), batch(["c", "a"])]);
        let loaded = loaded(&input(&output, &config)).unwrap();
        assert_eq!(loaded.schema(), batch(["a", "b"]).schema());
        let words = cast(loaded.column(0), &DataType::Utf8).unwrap();
        assert_eq!(words.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["a", "b", "c", "a"], "{format}");
    }
}

#[test]
fn a_dictionary_that_changes_between_batches_is_refused_by_arrow_files_with_its_column() {
    let batch = |words: [&str; 2]| {
        let words: DictionaryArray<Int32Type> = words.into_iter().collect();
        RecordBatch::try_from_iter([("word", Arc::new(words) as ArrayRef)]).unwrap()
    };
    let config = json!({ "format": "arrow" });
    let result = output(&config).store::<Tables>([part(&[batch(["a", "b"]), batch(["c", "a"])])]);
    let Err(Error::UnsupportedType(message)) = result else { panic!("{result:?}") };
    assert!(message.contains("\"word\"") && message.contains("keep the table as Parquet"), "{message}");
    let same = [batch(["a", "b"]), batch(["a", "b"])];
    assert_eq!(loaded(&input(&stored(&config, &same), &config)).unwrap().num_rows(), 4);
}

#[test]
fn a_dictionary_of_more_values_than_its_index_counts_is_refused_before_it_is_lost() {
    let batch = |numbers: std::ops::Range<i32>| {
        let words: DictionaryArray<Int8Type> =
            numbers.map(|number| number.to_string()).collect::<Vec<_>>().iter().map(String::as_str).collect();
        RecordBatch::try_from_iter([("word", Arc::new(words) as ArrayRef)]).unwrap()
    };
    for format in ["parquet", "csv", "jsonl"] {
        let config = json!({ "format": format });
        let most = [batch(0..100), batch(50..127), batch(0..3)];
        let loaded = loaded(&input(&stored(&config, &most), &config)).unwrap();
        assert_eq!(loaded.num_rows(), 180, "{format}");
        let result = output(&config).store::<Tables>([part(&[batch(0..100), batch(100..128)])]);
        let Err(Error::UnsupportedType(message)) = result else { panic!("{format}: {result:?}") };
        assert!(message.contains("\"word\"") && message.contains("127 different values"), "{message}");
    }
}

#[test]
fn types_that_parquet_would_change_or_trap_on_are_refused_with_their_column() {
    let empty: ArrayRef =
        Arc::new(FixedSizeBinaryArray::try_new_with_len(0, Buffer::from_vec(vec![0_u8; 0]), None, 4).unwrap());
    let hundreds = Decimal128Array::from(vec![1, 2, 3, 4]).with_precision_and_scale(5, -2).unwrap();
    for array in [empty, Arc::new(hundreds) as ArrayRef] {
        let result = output(&json!({ "format": "parquet" })).store::<Tables>([part(&[table(&array)])]);
        let Err(Error::UnsupportedType(message)) = result else { panic!("{result:?}") };
        assert!(message.contains("\"the column\"") && message.contains("Parquet cannot hold"), "{message}");
        comes_back(&json!({ "format": "arrow" }), &table(&array));
    }
}

#[test]
fn numbers_that_are_not_finite_come_back_unless_the_format_cannot_hold_them() {
    let array: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0]));
    for format in ["parquet", "csv", "arrow"] {
        comes_back(&json!({ "format": format }), &table(&array));
    }
    let nested: ArrayRef = Arc::new(StructArray::from(vec![(item(DataType::Float64), array.clone())]));
    for array in [array, nested] {
        let error = output(&json!({ "format": "jsonl" })).store::<Tables>([part(&[table(&array)])]).unwrap_err();
        assert!(message(&error).contains("not finite"));
    }
}

#[test]
fn years_that_a_text_cannot_hold_are_refused() {
    for days in [2_932_897, -719_529] {
        let array: ArrayRef = Arc::new(Date32Array::from(vec![0, days, 1, 2]));
        comes_back(&json!({ "format": "parquet" }), &table(&array));
        for format in ["csv", "jsonl"] {
            let error = output(&json!({ "format": format })).store::<Tables>([part(&[table(&array)])]).unwrap_err();
            assert!(message(&error).contains("outside the years 0 to 9999"));
        }
    }
    let array: ArrayRef = Arc::new(Date32Array::from(vec![2_932_896, -719_528, 1, 2]));
    for config in formats() {
        comes_back(&config, &table(&array));
    }
}
