//! Values from their texts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, ListArray, MapArray, StructArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::error::ArrowError;

use crate::schema::type_name;

/// The text of `row` is no value of the type.
pub struct Unparsable {
    pub row: usize,
    pub reason: String,
}

/// The values of plain type `data_type` that `texts` say, a null for a null.
///
/// # Errors
/// The first text that says none, or one that the type would cut.
pub fn parse(texts: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, Unparsable> {
    let values = match data_type {
        DataType::Utf8 => return Ok(texts.clone()),
        DataType::Binary => bytes(texts),
        DataType::Null => new_null_array(data_type, texts.len()),
        _ => {
            let options = CastOptions { safe: true, ..CastOptions::default() };
            cast_with_options(texts, data_type, &options)
                .map_err(|error| Unparsable { row: 0, reason: error.to_string() })?
        }
    };
    let digits = fraction_digits(data_type);
    for (row, text) in texts.as_string::<i32>().iter().enumerate() {
        let Some(text) = text else { continue };
        if values.data_type() == &DataType::Null
            || values.is_null(row)
            || digits.is_some_and(|digits| !has_at_most(text, digits))
        {
            return Err(Unparsable { row, reason: format!("{} is no {}", shown(text), type_name(data_type)) });
        }
    }
    Ok(values)
}

/// [`parse`] of arrays that nest texts, as [`texts_of`] describes them.
///
/// # Errors
/// Those of [`parse`]; the row is only known where nothing is nested.
pub fn parse_nested(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, Unparsable> {
    let nested = |error: ArrowError| Unparsable { row: 0, reason: error.to_string() };
    match data_type {
        DataType::List(item) => {
            let (_, offsets, values, nulls) = array.as_list::<i32>().clone().into_parts();
            let values = parse_nested(&values, item.data_type())?;
            Ok(Arc::new(ListArray::try_new(item.clone(), offsets, values, nulls).map_err(nested)?))
        }
        DataType::Struct(fields) => {
            let (_, columns, nulls) = array.as_struct().clone().into_parts();
            let parse = |(column, field): (&ArrayRef, &Arc<_>)| parse_field(column, field);
            let columns = columns.iter().zip(fields).map(parse).collect::<Result<Vec<_>, _>>()?;
            let values = StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len());
            Ok(Arc::new(values.map_err(nested)?))
        }
        DataType::Map(entries, sorted) => {
            let (_, offsets, texts, nulls, _) = array.as_map().clone().into_parts();
            let values = parse_nested(&(Arc::new(texts) as ArrayRef), entries.data_type())?;
            let values = MapArray::try_new(entries.clone(), offsets, values.as_struct().clone(), nulls, *sorted);
            Ok(Arc::new(values.map_err(nested)?))
        }
        _ if array.data_type() == data_type => Ok(array.clone()),
        _ => parse(array, data_type),
    }
}

fn parse_field(array: &ArrayRef, field: &Field) -> Result<ArrayRef, Unparsable> {
    parse_nested(array, field.data_type())
        .map_err(|error| Unparsable { reason: format!("{:?}: {}", field.name(), error.reason), ..error })
}

/// A text in an error message: quoted, escaped and short.
pub fn shown(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// The digits after the point that the type keeps.
fn fraction_digits(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Timestamp(unit, _) | DataType::Time32(unit) | DataType::Time64(unit) => Some(match unit {
            TimeUnit::Second => 0,
            TimeUnit::Millisecond => 3,
            TimeUnit::Microsecond => 6,
            TimeUnit::Nanosecond => 9,
        }),
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => Some(usize::try_from(*scale).unwrap_or(0)),
        _ => None,
    }
}

fn has_at_most(text: &str, digits: usize) -> bool {
    let Some((_, fraction)) = text.split_once('.') else { return true };
    let fraction = fraction.split(|character: char| !character.is_ascii_digit()).next().unwrap_or_default();
    fraction.trim_end_matches('0').len() <= digits
}

/// Bytes from two hexadecimal digits each; null where there is something else.
fn bytes(texts: &ArrayRef) -> ArrayRef {
    let mut values = BinaryBuilder::new();
    for text in texts.as_string::<i32>() {
        match text.and_then(from_hexadecimal) {
            Some(bytes) => values.append_value(bytes),
            None => values.append_null(),
        }
    }
    Arc::new(values.finish())
}

fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some(digit(*high)? << 4 | digit(*low)?) } else { None }).collect()
}
