//! What faults make of a table.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use airlock_sdk::table::TableReader;
use airlock_sdk::{Error, Reader};
use arrow::array::{Array, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use crate::Fault;

/// Columns that are kept of a wide table.
const COLUMNS: usize = 500;
/// Columns that are kept of a table that is not so wide.
const FEW_COLUMNS: usize = 12;

/// Whether `fault` is one of what tables come to.
pub fn is_changed_by(fault: Option<Fault>) -> bool {
    use Fault::{
        CutsWideTables, DropsNull, DropsTableMetadata, FailsOnDecimals, FailsOnLists, KeepsTheFirstBatch,
        KeepsTwelveColumns, LowercasesColumns, NeedsRows,
    };
    let faults = [
        CutsWideTables,
        DropsNull,
        DropsTableMetadata,
        FailsOnDecimals,
        FailsOnLists,
        KeepsTheFirstBatch,
        KeepsTwelveColumns,
        LowercasesColumns,
        NeedsRows,
    ];
    fault.is_some_and(|fault| faults.contains(&fault))
}

/// Stores the table in `part` as `fault` changes it.
pub fn store(fault: Option<Fault>, part: &mut Reader, file: &Path) -> Result<(), Error> {
    let table = TableReader::new(part)?;
    let empty = RecordBatch::new_empty(table.schema());
    let first = changed(fault, &empty)?;
    let mut writer = StreamWriter::try_new(File::create(file)?, &first.schema()).map_err(wrong)?;
    let mut rows = 0;
    for batch in table {
        let batch = batch?;
        rows += batch.num_rows();
        writer.write(&changed(fault, &batch)?).map_err(wrong)?;
        if fault == Some(Fault::KeepsTheFirstBatch) {
            break;
        }
    }
    if fault == Some(Fault::NeedsRows) && rows == 0 {
        return Err(Error::other("no-rows", "a table has rows"));
    }
    writer.finish().map_err(wrong)
}

fn wrong(error: ArrowError) -> Error {
    Error::other("arrow", error)
}

fn changed(fault: Option<Fault>, batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let schema = batch.schema();
    let has = |is: fn(&Field) -> bool| schema.fields().iter().any(|field| is(field));
    match fault {
        Some(Fault::DropsNull) => {
            let is_whole = |row| batch.columns().iter().all(|column| column.is_valid(row));
            let whole: BooleanArray = (0..batch.num_rows()).map(|row| Some(is_whole(row))).collect();
            filter_record_batch(batch, &whole).map_err(wrong)
        }
        Some(Fault::FailsOnLists) if has(|field| field.data_type().is_nested()) => {
            Err(Error::other("no-lists", "there is no place for what nests"))
        }
        Some(Fault::FailsOnDecimals) if has(|field| field.data_type().is_decimal()) => {
            Err(Error::other("no-decimals", "there is no place for them"))
        }
        Some(Fault::CutsWideTables) => cut(batch, COLUMNS),
        Some(Fault::KeepsTwelveColumns) => cut(batch, FEW_COLUMNS),
        Some(Fault::LowercasesColumns) => {
            let lower = |field: &Arc<Field>| field.as_ref().clone().with_name(field.name().to_lowercase());
            let fields: Vec<Field> = schema.fields().iter().map(lower).collect();
            with_schema(batch, Schema::new_with_metadata(fields, schema.metadata().clone()))
        }
        Some(Fault::DropsTableMetadata) => with_schema(batch, Schema::new(schema.fields().clone())),
        _ => Ok(batch.clone()),
    }
}

/// So many columns of `batch`, where it has more.
fn cut(batch: &RecordBatch, columns: usize) -> Result<RecordBatch, Error> {
    batch.project(&(0..columns.min(batch.num_columns())).collect::<Vec<_>>()).map_err(wrong)
}

/// The columns of `batch` as `schema` calls them.
fn with_schema(batch: &RecordBatch, schema: Schema) -> Result<RecordBatch, Error> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(schema), batch.columns().to_vec(), &options).map_err(wrong)
}

/// Gives the first column of the table in `file`, whichever were asked for.
pub fn load_first_column(file: &Path, target: &mut impl Write) -> Result<(), Error> {
    let table = StreamReader::try_new(File::open(file)?, None).map_err(wrong)?;
    let schema = table.schema().project(&[0]).map_err(wrong)?;
    let mut writer = StreamWriter::try_new(target, &schema).map_err(wrong)?;
    for batch in table {
        writer.write(&batch.and_then(|batch| batch.project(&[0])).map_err(wrong)?).map_err(wrong)?;
    }
    writer.finish().map_err(wrong)
}
