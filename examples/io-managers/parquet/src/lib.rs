//! An I/O manager that keeps tables as Parquet files: how a table is written to a path and read from it is all that it
//! says. The paths, partitions, and what happens where a file is missing are those of [`PathIoManager`].

use std::fmt::Display;
use std::fs::File;
use std::path::Path;

use airlock_sdk::arrow::datatypes::DataType;
use airlock_sdk::table::{TableReader, TableWriter};
use airlock_sdk::{Error, InputContext, NewPart, OutputContext, PathIoManager, Reader};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Keeps tables as Parquet files.
pub struct Parquet;

impl PathIoManager for Parquet {
    fn extension() -> &'static str {
        "parquet"
    }

    fn dump_to_path(context: &OutputContext, part: &mut Reader, path: &Path) -> Result<(), Error> {
        let table = TableReader::new(part)?;
        let schema = table.schema();
        if let Some(field) = schema.fields().iter().find(|field| !holds(field.data_type())) {
            let (name, data_type) = (field.name(), field.data_type());
            return Err(unwritable(format!("the column {name:?} has the type {data_type}")));
        }
        let mut file = ArrowWriter::try_new(File::create(path)?, table.schema(), None).map_err(unwritable)?;
        let mut rows = 0_u64;
        for batch in table {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            if batch.num_columns() == 0 && rows > 0 {
                return Err(unwritable("it has rows but no columns"));
            }
            file.write(&batch).map_err(unwritable)?;
        }
        file.close().map_err(unwritable)?;
        // Of several partitions in one call there is no telling whose an entry is.
        if context.partition_count() > 1 { Ok(()) } else { context.add_metadata("rows", rows) }
    }

    fn load_from_path(_context: &InputContext, path: &Path, part: NewPart) -> Result<(), Error> {
        let unreadable = |error| Error::corrupt(format!("{} is no Parquet file: {error}", path.display()));
        // The library reads a file by copies of its handle, which WASI does not have.
        let bytes = Bytes::from(std::fs::read(path)?);
        let file = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(unreadable)?;
        let mut table = TableWriter::begin_new(part, file.schema())?;
        for batch in file.build().map_err(unreadable)? {
            table.write(&batch.map_err(|error| unreadable(error.into()))?)?;
        }
        table.finish()
    }
}

/// Whether a type comes back as it was. Others the library refuses itself.
fn holds(data_type: &DataType) -> bool {
    match data_type {
        DataType::Union(..) | DataType::RunEndEncoded(..) => false,
        DataType::Struct(fields) => fields.iter().all(|field| holds(field.data_type())),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => holds(item.data_type()),
        _ => true,
    }
}

fn unwritable(error: impl Display) -> Error {
    Error::unsupported_type(format!("the table cannot be written as Parquet: {error}"))
}

airlock_sdk::export!(Parquet);
airlock_sdk::manifest!("../manifest.json");

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use airlock_sdk::arrow::array::{Float64Array, RecordBatch, StringArray};
    use airlock_sdk::{Part, build_input_context, build_output_context};

    use super::*;

    fn prices() -> RecordBatch {
        let items = StringArray::from(vec![Some("hat"), None]);
        let columns = [("item", Arc::new(items) as _), ("price", Arc::new(Float64Array::from(vec![20.0, 0.5])) as _)];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn a_table_comes_back_from_a_parquet_file() {
        let output = build_output_context().asset_key(["shop", "prices"]).build();
        output.store::<Parquet>([Part::from_batches(&prices().schema(), &[prices()]).unwrap()]).unwrap();
        assert_eq!(&std::fs::read(output.context().file(None, "parquet").unwrap()).unwrap()[..4], b"PAR1");
        let input = build_input_context().upstream_output(&output).build();
        assert_eq!(input.load::<Parquet>().unwrap()[0].to_batches().unwrap(), [prices()]);
    }

    #[test]
    fn a_file_that_is_damaged_is_named() {
        let output = build_output_context().asset_key(["shop", "prices"]).build();
        output.store::<Parquet>([Part::from_batches(&prices().schema(), &[prices()]).unwrap()]).unwrap();
        std::fs::write(output.context().file(None, "parquet").unwrap(), "no longer").unwrap();
        let input = build_input_context().upstream_output(&output).build();
        let error = input.load::<Parquet>().unwrap_err().to_string();
        assert!(error.contains("prices.parquet is no Parquet file"), "{error}");
    }
}
