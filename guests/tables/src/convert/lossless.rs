//! A table in other types, where that loses nothing.

use std::sync::Arc;

use airlock_sdk::Error;
use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::error::{corrupt, unsupported_column};
use crate::schema::type_name;
use crate::table::{Batches, names};
use crate::text::parse;

use super::PLACE;

/// The table with the columns of `schema`; as it is where there is none.
///
/// # Errors
/// [`Error::Corrupt`] where it has other columns, or a value that its new type cannot hold.
pub fn with_schema<'a>(table: Batches<'a>, schema: Option<&SchemaRef>) -> Result<Batches<'a>, Error> {
    let Some(schema) = schema.cloned() else { return Ok(table) };
    let columns = |schema: &SchemaRef| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    if columns(&table.schema) != columns(&schema) {
        return Err(corrupt(PLACE, format!("it has {}, not {}", names(&table.schema), names(&schema))));
    }
    let schema = with_metadata(&schema, &table.schema);
    let (known, mut rows) = (schema.clone(), 0);
    let iterator = table.iterator.map(move |batch| {
        let batch = batch?;
        let cast = |(column, field): (&ArrayRef, &Arc<Field>)| cast(column, field, rows);
        let columns = batch.columns().iter().zip(known.fields()).map(cast).collect::<Result<Vec<_>, _>>()?;
        rows += batch.num_rows();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(known.clone(), columns, &options).map_err(|error| corrupt(PLACE, error))
    });
    Ok(Batches { schema, iterator: Box::new(iterator) })
}

/// `schema` with what `table` says beside its types.
fn with_metadata(schema: &SchemaRef, table: &SchemaRef) -> SchemaRef {
    let field = |(field, old): (&FieldRef, &FieldRef)| {
        let mut metadata = old.metadata().clone();
        if field.data_type() != old.data_type() {
            // An extension tells how to read the old type.
            metadata.retain(|key, _| !key.starts_with("ARROW:extension:"));
        }
        field.as_ref().clone().with_metadata(metadata)
    };
    let fields: Vec<Field> = schema.fields().iter().zip(table.fields()).map(field).collect();
    Arc::new(Schema::new_with_metadata(fields, table.metadata().clone()))
}

/// The values of `column` in the type of `field`; the column begins after `rows` rows of the table.
fn cast(column: &ArrayRef, field: &Field, rows: usize) -> Result<ArrayRef, Error> {
    let (from, to) = (column.data_type(), field.data_type());
    if from == to {
        return Ok(column.clone());
    }
    if from == &DataType::Null {
        return Ok(new_null_array(to, column.len()));
    }
    if let DataType::Timestamp(_, Some(zone)) = from
        && (matches!(to, DataType::Timestamp(..) | DataType::Date32) || zone.parse::<Tz>().is_err())
    {
        let reason = format!(
            "is a timestamp with the time zone {zone:?}, which {} does not keep; leave `schema` out, which keeps it, or \
             turn the column into one without a zone before",
            type_name(to)
        );
        return Err(unsupported_column(field.name(), reason));
    }
    let impossible = |error: ArrowError| {
        unsupported_column(
            field.name(),
            format!("cannot be turned from {} into {}: {error}", type_name(from), type_name(to)),
        )
    };
    let strictly = |array: &ArrayRef, to: &DataType| {
        cast_with_options(array, to, &CastOptions { safe: false, ..CastOptions::default() })
    };
    // A text may be written in more than one way, so it is read as a cell of CSV is, and need not come back.
    if let DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View = from {
        let texts = strictly(column, &DataType::Utf8).map_err(impossible)?;
        return parse(&texts, to).map_err(|error| {
            corrupt(PLACE, format!("row {}, column {:?}: {}", rows + error.row + 1, field.name(), error.reason))
        });
    }
    let leniently = |array: &ArrayRef, to: &DataType| cast_with_options(array, to, &CastOptions::default());
    let values = leniently(column, to).map_err(impossible)?;
    let back = leniently(&values, from).map_err(impossible)?;
    if column.as_ref() == back.as_ref() {
        return Ok(values);
    }
    let differs = |row: &usize| column.slice(*row, 1).as_ref() != back.slice(*row, 1).as_ref();
    match (0..column.len()).find(differs) {
        None => Ok(values),
        Some(row) => Err(corrupt(
            PLACE,
            format!(
                "row {}, column {:?}: the value, of type {}, does not fit {}",
                rows + row + 1,
                field.name(),
                type_name(from),
                type_name(to)
            ),
        )),
    }
}
