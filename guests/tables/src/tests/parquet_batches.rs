//! How large the batches of Parquet are, and that none is lost between them.

use arrow::array::{ListArray, StringArray};
use arrow::datatypes::Int32Type;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};

use super::*;

/// A Parquet file of `batches`.
fn file(batches: &[RecordBatch], properties: WriterPropertiesBuilder) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batches[0].schema(), Some(properties.build())).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.into_inner().unwrap()
}

/// The batches in which `columns` of a Parquet file are read, all where there are none.
fn read(file: Vec<u8>, columns: &[&str]) -> Vec<RecordBatch> {
    let op = airlock_sdk::build_op_context()
        .config(json!({ "from": "parquet", "to": "arrow", "columns": columns }))
        .input("value", [Part::new("application/vnd.apache.parquet", file)])
        .build();
    op.run::<Tables>().unwrap();
    op.output("result")[0].to_batches().unwrap()
}

/// How many rows each batch of a file of `batches` has, with statistics in the file and without.
fn rows(batches: &[RecordBatch], columns: &[&str]) -> [Vec<usize>; 2] {
    [EnabledStatistics::Page, EnabledStatistics::None].map(|statistics| {
        let properties = WriterProperties::builder().set_statistics_enabled(statistics);
        read(file(batches, properties), columns).iter().map(RecordBatch::num_rows).collect()
    })
}

#[test]
fn a_batch_holds_few_rows_where_each_is_large_once_decoded() {
    let row: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1 << 20)]));
    let row = RecordBatch::try_from_iter([("text", row)]).unwrap();
    let [told, untold] = rows(&vec![row; 60], &[]);
    assert_eq!([told.iter().sum::<usize>(), untold.iter().sum()], [60, 60]);
    assert!(told.iter().all(|rows| *rows <= 4), "{told:?}");
    assert!(untold[0] <= 16 && untold[1..].iter().all(|rows| *rows <= 4), "{untold:?}");
}

#[test]
fn a_batch_holds_few_rows_where_only_the_first_are_large() {
    let long = std::iter::repeat_n("x".repeat(1 << 20), 70);
    let short = std::iter::repeat_n("short".to_owned(), 100_000);
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(long.chain(short)));
    let [told, untold] = rows(&[RecordBatch::try_from_iter([("text", texts)]).unwrap()], &[]);
    assert_eq!(told, untold);
    assert!(told[0] <= 16 && told.iter().sum::<usize>() == 100_070, "{told:?}");
}

#[test]
fn a_batch_holds_many_rows_where_each_is_small() {
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..300_000));
    let [told, untold] = rows(&[RecordBatch::try_from_iter([("value", values)]).unwrap()], &[]);
    assert_eq!(told, [65_536, 65_536, 65_536, 65_536, 37_856]);
    assert!(untold.len() < 12 && untold.contains(&(1 << 16)), "{untold:?}");
}

#[test]
fn a_batch_is_as_large_as_the_columns_that_are_read_allow() {
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1 << 16); 1000]));
    let [told, _] = rows(&[RecordBatch::try_from_iter([("value", values), ("text", texts)]).unwrap()], &["value"]);
    assert_eq!(told, [1000]);
}

#[test]
fn rows_of_many_groups_come_in_order_with_every_column() {
    let lists = (0..1000).map(|row| (row % 7 != 0).then(|| vec![Some(row); usize::try_from(row % 4).unwrap()]));
    let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..1000).map(|row| format!("row {row}"))));
    let batch = RecordBatch::try_from_iter_with_nullable([("list", lists, true), ("text", texts, true)]).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(70));
    let file = file(std::slice::from_ref(&batch), properties);
    for (columns, expected) in [(&[][..], batch.clone()), (&["text"], batch.project(&[1]).unwrap())] {
        assert_eq!(concat_batches(&expected.schema(), &read(file.clone(), columns)).unwrap(), expected);
    }
}
