//! Values from their texts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, ListArray, MapArray, StructArray, new_null_array};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Field, Float64Type, TimeUnit};
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
    let exact: ArrayRef = match data_type {
        DataType::Float32 => {
            cast(&values, &DataType::Float64).map_err(|error| Unparsable { row: 0, reason: error.to_string() })?
        }
        _ => values.clone(),
    };
    let floats = exact.as_primitive_opt::<Float64Type>();
    for (row, text) in texts.as_string::<i32>().iter().enumerate() {
        let Some(text) = text else { continue };
        let why = if values.data_type() == &DataType::Null
            || values.is_null(row)
            || digits.is_some_and(|digits| !has_at_most(text, digits))
        {
            Some("")
        } else if let Some(floats) = floats {
            changed_number(text, floats.value(row))
        } else {
            changed_time(text, data_type)
        };
        if let Some(why) = why {
            return Err(Unparsable { row, reason: format!("{} is no {}{why}", shown(text), type_name(data_type)) });
        }
    }
    Ok(values)
}

/// Why `value` is not what `text` says, where it is another number.
fn changed_number(text: &str, value: f64) -> Option<&'static str> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if value.is_infinite() && digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return Some("; it is too large");
    }
    let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // Few digits always fit, and are not worth a look.
    if !whole || digits.len() <= 7 {
        return None;
    }
    let written = format!("{:.0}", value.abs());
    (written != digits.trim_start_matches('0') && written != digits)
        .then_some("; it is an integer of more digits than that keeps, so give the column another type")
}

/// Why the point in time that is made of `text` is not what it says.
fn changed_time(text: &str, data_type: &DataType) -> Option<&'static str> {
    match data_type {
        DataType::Date32 if !text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+')) => {
            Some("; it has a time, which a date does not keep")
        }
        DataType::Timestamp(_, None) if !has_no_zone(text) => Some(
            "; it has an offset from UTC, which that does not keep: give the column the type string, or leave `schema` out",
        ),
        DataType::Timestamp(..) | DataType::Time32(_) | DataType::Time64(_) if has_leap_second(text) => {
            Some("; it is a leap second, which that does not tell from the next one")
        }
        _ => None,
    }
}

/// Whether a point in time has no offset from UTC after it.
pub fn has_no_zone(text: &str) -> bool {
    let time = text.get(10..).unwrap_or_default();
    !time.contains(['+', '-', 'z', 'Z'])
}

/// Whether the seconds of a time, or of a point in time, are 60.
pub fn has_leap_second(text: &str) -> bool {
    let time = text.split_once(['T', 't', ' ']).map_or(text, |(_, time)| time);
    let digits = time.split(['.', '+', '-', 'z', 'Z']).next().unwrap_or_default().replace(':', "");
    digits.get(4..6) == Some("60")
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
