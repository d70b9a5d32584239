//! The types of columns, from all their cells.

use std::io::BufRead;
use std::sync::Arc;

use arrow::compute::kernels::cast_utils::Parser;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::datatypes::{Date32Type, TimestampMicrosecondType};

use super::records::{Cell, Records, Wrong};
use crate::text::{has_leap_second, has_no_zone};

/// What every cell of a column could be; the first that holds is its type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Boolean,
    Integer,
    Float,
    Date,
    Timestamp,
    TimestampWithZone,
}

const KINDS: [Kind; 6] =
    [Kind::Boolean, Kind::Integer, Kind::Float, Kind::Date, Kind::Timestamp, Kind::TimestampWithZone];

/// The columns of a text. A column is text where its cells have nothing else in common, or nothing at all.
pub fn schema<R: BufRead>(records: &mut Records<R>) -> Result<SchemaRef, Wrong> {
    let names = records.header()?;
    let mut columns: Vec<Option<Vec<Kind>>> = vec![None; names.len()];
    while let Some(record) = records.next(names.len())? {
        for (index, column) in columns.iter_mut().enumerate() {
            match record.cell(index) {
                Cell::Nothing => {}
                // What is quoted and empty would otherwise turn into a null.
                Cell::Text("") => *column = Some(Vec::new()),
                Cell::Text(text) => column.get_or_insert_with(|| KINDS.to_vec()).retain(|kind| kind.has(text)),
            }
        }
    }
    let field = |(name, kinds): (&String, Option<Vec<Kind>>)| match kinds.unwrap_or_default().first() {
        Some(kind) => Field::new(name, kind.data_type(), true),
        None => text_column(name),
    };
    Ok(Arc::new(Schema::new(names.iter().zip(columns).map(field).collect::<Vec<_>>())))
}

/// A column of texts.
pub fn text_column(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

/// Integers up to this one are floats as well.
const EXACT: u64 = 1 << 53;

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampWithZone => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        }
    }

    fn has(self, text: &str) -> bool {
        match self {
            Self::Boolean => ["true", "false"].iter().any(|known| text.eq_ignore_ascii_case(known)),
            Self::Integer => is_number(text, false) && text.parse::<i64>().is_ok(),
            Self::Float => {
                ["NaN", "inf", "-inf"].contains(&text)
                    || is_number(text, true)
                    // Digits that only a text keeps.
                    || (is_number(text, false) && text.parse::<i64>().is_ok_and(|number| number.unsigned_abs() <= EXACT))
            }
            Self::Date => text.len() == 10 && Date32Type::parse(text).is_some(),
            Self::Timestamp => is_timestamp(text) && has_no_zone(text),
            Self::TimestampWithZone => is_timestamp(text) && !has_no_zone(text),
        }
    }
}

/// Whether `text` is a number as JSON writes it, so without leading zeros, with or without a fraction.
fn is_number(text: &str, fraction: bool) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = digits.len() - digits.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (whole, rest) = digits.split_at_checked(whole).unwrap_or_default();
    if whole.is_empty() || (whole.len() > 1 && whole.starts_with('0')) {
        return false;
    }
    if fraction { !rest.is_empty() && text.parse::<f64>().is_ok_and(f64::is_finite) } else { rest.is_empty() }
}

fn is_timestamp(text: &str) -> bool {
    // Microseconds have six digits after the point.
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    text.len() > 10 && digits <= 6 && !has_leap_second(text) && TimestampMicrosecondType::parse(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inferred(cells: &[&str]) -> DataType {
        let text = format!("column,other\n{},1\n", cells.join(",1\n"));
        let schema = schema(&mut Records::new(text.as_bytes())).map_err(|error| error.at("text")).unwrap();
        schema.field(0).data_type().clone()
    }

    #[test]
    fn the_narrowest_type_that_all_cells_have_is_taken() {
        let timestamp = |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
        for (cells, expected) in [
            (&["true", "False", ""][..], DataType::Boolean),
            (&["1", "-20", "0", ""], DataType::Int64),
            (&["1", "2.5", "1e3", "NaN", "-inf"], DataType::Float64),
            (&["2026-01-31", ""], DataType::Date32),
            (&["2026-01-31T10:00:00", "2026-01-31 10:00:00.123456"], timestamp(None)),
            (&["2026-01-31T10:00:00Z", "2026-01-31T10:00:00+01:00"], timestamp(Some("+00:00"))),
            (&["1", "x"], DataType::Utf8),
            (&["", ""], DataType::Utf8),
        ] {
            assert_eq!(inferred(cells), expected, "{cells:?}");
        }
    }

    #[test]
    fn what_another_type_would_change_stays_text() {
        for cells in [
            &["01234"][..],
            &["+49"],
            &["12345678901234567890"],
            &["1", "\"\""],
            &["2026-01-31T10:00:00.1234567"],
            &["2026-01-31T10:00:00", "2026-01-31T10:00:00Z"],
            &["2026-13-01"],
            &["1e999"],
            &["9007199254740993", "1.5"],
            &["2026-01-31T23:59:60"],
        ] {
            assert_eq!(inferred(cells), DataType::Utf8, "{cells:?}");
        }
    }
}
