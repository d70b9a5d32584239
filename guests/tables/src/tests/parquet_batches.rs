//! How large the batches of Parquet are, and that none is lost between them.

use arrow::array::{ListArray, StringArray};
use arrow::datatypes::Int32Type;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::*;

/// The batches of a table that was stored as Parquet.
fn batches(stored_batches: &[RecordBatch]) -> Vec<RecordBatch> {
    let config = json!({});
    input(&stored(&config, stored_batches), &config).load::<Tables>().unwrap()[0].to_batches().unwrap()
}

#[test]
fn a_batch_holds_few_rows_where_each_is_large_once_decoded() {
    let row: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1 << 20)]));
    let row = RecordBatch::try_from_iter([("text", row)]).unwrap();
    let rows: Vec<usize> = batches(&vec![row; 60]).iter().map(RecordBatch::num_rows).collect();
    assert_eq!(rows.iter().sum::<usize>(), 60);
    assert!(rows[0] <= 16 && rows[1..].iter().all(|rows| *rows <= 4), "{rows:?}");
}

#[test]
fn a_batch_holds_many_rows_where_each_is_small() {
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..300_000));
    let rows = batches(&[RecordBatch::try_from_iter([("value", values)]).unwrap()]);
    assert!(rows.len() < 12 && rows.iter().any(|batch| batch.num_rows() == 1 << 16), "{}", rows.len());
}

#[test]
fn rows_of_many_groups_come_in_order_with_every_column() {
    let lists = (0..1000).map(|row| (row % 7 != 0).then(|| vec![Some(row); usize::try_from(row % 4).unwrap()]));
    let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..1000).map(|row| format!("row {row}"))));
    let batch = RecordBatch::try_from_iter_with_nullable([("list", lists, true), ("text", texts, true)]).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(70)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let file = writer.into_inner().unwrap();
    for (columns, expected) in [(json!([]), batch.clone()), (json!(["text"]), batch.project(&[1]).unwrap())] {
        let op = airlock_sdk::build_op_context()
            .config(json!({ "from": "parquet", "to": "arrow", "columns": columns }))
            .input("value", [Part::new("application/vnd.apache.parquet", file.clone())])
            .build();
        op.run::<Tables>().unwrap();
        assert_eq!(whole(&op.output("result")[0]), expected);
    }
}
