//! Tables as a text can hold them: every column in a plain type, from which its own type comes back.

use std::sync::Arc;

use airlock_sdk::Error;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Field, FieldRef, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampSecondType,
};
use arrow::error::ArrowError;

use crate::error::unsupported_column;
use crate::schema::type_name;

/// The plain form of `schema`, for a text that is called `form` and nests values or does not.
///
/// # Errors
/// [`Error::UnsupportedType`] for a column that such a text cannot hold.
pub fn plain_schema(schema: &Schema, form: &str, nested: bool) -> Result<SchemaRef, Error> {
    let plain = |field: &FieldRef| {
        let data_type = plain_type(field.data_type(), nested).ok_or_else(|| {
            unsupported_column(
                field.name(),
                format!(
                    "has the type {}, which {form} cannot hold; convert it to another type, or keep the table as Arrow",
                    type_name(field.data_type())
                ),
            )
        })?;
        Ok(Field::new(field.name(), data_type, field.is_nullable()))
    };
    Ok(Arc::new(Schema::new(schema.fields().iter().map(plain).collect::<Result<Vec<_>, Error>>()?)))
}

/// The plain type of `data_type`; none where a text cannot hold it.
pub fn plain_type(data_type: &DataType, nested: bool) -> Option<DataType> {
    let child = |field: &FieldRef| {
        let data_type = plain_type(field.data_type(), nested)?;
        Some(Arc::new(Field::new(field.name(), data_type, field.is_nullable())))
    };
    Some(match data_type {
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("+00:00".into())),
        DataType::Float16 => DataType::Float32,
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Date64 => DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::Duration(_) => DataType::Int64,
        DataType::Dictionary(_, values) => plain_type(values, nested)?,
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type(), nested)?,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
            if nested =>
        {
            DataType::List(child(item)?)
        }
        DataType::Struct(fields) if nested => DataType::Struct(fields.iter().map(child).collect::<Option<_>>()?),
        DataType::Map(entries, sorted) if nested => {
            let entries = child(entries)?;
            let DataType::Struct(fields) = entries.data_type() else { return None };
            if fields.first()?.data_type() != &DataType::Utf8 {
                return None;
            }
            DataType::Map(entries, *sorted)
        }
        DataType::Interval(_) | DataType::Union(..) => return None,
        // A text has no digits to leave out.
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale)
            if *scale < 0 =>
        {
            return None;
        }
        other if other.is_nested() => return None,
        other => other.clone(),
    })
}

/// The same values in the types of `schema`; those that do not fit are an error.
///
/// # Errors
/// Arrow's, of the first column that cannot be cast.
pub fn with_types(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let cast = |(column, field): (&ArrayRef, &FieldRef)| {
        if column.data_type() == field.data_type() {
            Ok(column.clone())
        } else {
            cast_with_options(column, field.data_type(), &options)
        }
    };
    let columns = batch.columns().iter().zip(schema.fields()).map(cast).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
}

/// Refuses points in time that do not come back from a text: those of years that are not of four digits.
///
/// # Errors
/// [`Error::UnsupportedType`] with the name of the column.
pub fn check_years(batch: &RecordBatch, form: &str) -> Result<(), Error> {
    for (column, field) in batch.columns().iter().zip(batch.schema_ref().fields()) {
        if !years_fit(column) {
            return Err(unsupported_column(
                field.name(),
                format!(
                    "has a point in time outside the years 0 to 9999, which {form} cannot hold; keep the table as \
                     Parquet or Arrow"
                ),
            ));
        }
    }
    Ok(())
}

fn years_fit(array: &ArrayRef) -> bool {
    const FIRST: i64 = -62_167_219_200;
    const END: i64 = 253_402_300_800;
    const DAY: i64 = 86_400;
    let fits = |value: i64, per_second| (FIRST..END).contains(&value.div_euclid(per_second));
    match array.data_type() {
        DataType::Date32 => {
            array.as_primitive::<Date32Type>().iter().flatten().all(|day| fits(i64::from(day) * DAY, 1))
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            array.as_primitive::<TimestampSecondType>().iter().flatten().all(|value| fits(value, 1))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            array.as_primitive::<TimestampMillisecondType>().iter().flatten().all(|value| fits(value, 1000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            array.as_primitive::<TimestampMicrosecondType>().iter().flatten().all(|value| fits(value, 1_000_000))
        }
        _ => children(array).iter().all(years_fit),
    }
}

/// The arrays that `array` nests: lists, structures and maps of plain types.
pub fn children(array: &ArrayRef) -> Vec<ArrayRef> {
    match array.data_type() {
        DataType::List(_) => vec![array.as_list::<i32>().values().clone()],
        DataType::Struct(_) => array.as_struct().columns().to_vec(),
        DataType::Map(..) => array.as_map().entries().columns().to_vec(),
        _ => Vec::new(),
    }
}
