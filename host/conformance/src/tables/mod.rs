//! Tables: Arrow IPC streams that the kit makes and compares.

mod bounds;
mod columns;

use std::io::Cursor;
use std::sync::Arc;

use airlock_sandbox::text::safe_line;
use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

pub(crate) use columns::{Column, flat, nested, nothing, with_nulls};

use crate::kinds::letters;

/// Rows of a batch of a large table.
const BATCH_ROWS: usize = 1 << 12;
/// Bytes of each of its values.
const WORD: usize = 256;
/// Bytes of a name that is told.
const NAME: usize = 100;

/// Whether metadata of the schema and of its columns has to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metadata {
    /// It may differ.
    May,
    /// What was given is there.
    Must,
}

/// The stream of `batches`, all of which have `schema`.
pub(crate) fn stream(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.into_inner()
}

/// A table of `columns` by name, in one batch.
pub(crate) fn of_columns(columns: Vec<(String, ArrayRef)>) -> Result<RecordBatch, ArrowError> {
    let field = |(name, array): &(String, ArrayRef)| Field::new(name, array.data_type().clone(), true);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, array)| array).collect())
}

/// A small table; another for each `seed`, and longer the larger `padding` is.
pub(crate) fn small(seed: u16, padding: usize) -> Vec<u8> {
    let columns: Vec<(String, ArrayRef)> = vec![
        ("number".to_owned(), Arc::new(Int64Array::from(vec![i64::from(seed), -1, i64::MAX]))),
        ("measure".to_owned(), Arc::new(Float64Array::from(vec![f64::from(seed) / 3.0, -0.5, 1e300]))),
        ("text".to_owned(), Arc::new(StringArray::from(vec!["x".repeat(padding), "ü\"\n,".into(), String::new()]))),
    ];
    one_batch(columns)
}

/// A table of about so many bytes that cannot be stored in much fewer.
pub(crate) fn of_size(size: usize) -> Vec<u8> {
    let text = letters(size);
    let words: Vec<&str> = text.chunks(WORD).filter_map(|word| std::str::from_utf8(word).ok()).collect();
    let batch =
        |words: &[&str]| of_columns(vec![("word".to_owned(), Arc::new(StringArray::from(words.to_vec())) as ArrayRef)]);
    let batches: Result<Vec<_>, _> = words.chunks(BATCH_ROWS).map(batch).collect();
    let made = batches.and_then(|batches| match batches.first() {
        Some(first) => stream(&first.schema(), &batches),
        None => Ok(Vec::new()),
    });
    made.unwrap_or_default()
}

/// The stream of `columns`; empty where Arrow cannot make one, which the tests of this module rule out.
fn one_batch(columns: Vec<(String, ArrayRef)>) -> Vec<u8> {
    of_columns(columns).and_then(|batch| stream(&batch.schema(), &[batch])).unwrap_or_default()
}

/// A table that was read.
struct Table {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

fn read(bytes: &[u8]) -> Result<Table, String> {
    bounds::check(bytes)?;
    let wrong = |error: ArrowError| format!("no Arrow IPC stream: {error}");
    let reader = StreamReader::try_new(Cursor::new(bytes), None).map_err(wrong)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    Ok(Table { schema, batches })
}

/// How the table in `found` differs from that in `expected`, by its values and not by how they lie.
pub(crate) fn difference(expected: &[u8], found: &[u8], metadata: Metadata) -> Option<String> {
    unless_it_panics(|| table_difference(expected, found, metadata))
}

/// What `compare` gives. What a component makes up is read here as nowhere else, and a fault of the reader is no reason to
/// give up the test.
fn unless_it_panics(compare: impl FnOnce() -> Option<String>) -> Option<String> {
    let compared = std::panic::catch_unwind(std::panic::AssertUnwindSafe(compare));
    compared.unwrap_or_else(|_| Some("a table on which Arrow's reader fails".to_owned()))
}

fn table_difference(expected: &[u8], found: &[u8], metadata: Metadata) -> Option<String> {
    let expected = match read(expected) {
        Ok(expected) => expected,
        Err(error) => return Some(format!("the kit made {error}")),
    };
    let found = match read(found) {
        Ok(found) => found,
        Err(error) => return Some(format!("{} bytes that are {error}", found.len())),
    };
    schema_difference(&expected.schema, &found.schema, metadata)
        .or_else(|| rows_difference(&expected.batches, &found.batches))
}

/// How the column `name` of the table in `found` differs from that in `expected`.
pub(crate) fn column_difference(expected: &[u8], found: &[u8], name: &str) -> Option<String> {
    let project = |bytes: &[u8]| -> Result<Vec<u8>, String> {
        let Table { schema, batches } = read(bytes)?;
        let index = schema.index_of(name).map_err(|_| format!("a table without the column {name:?}"))?;
        let project = |batch: &RecordBatch| batch.project(&[index]);
        let columns = batches.iter().map(project).collect::<Result<Vec<_>, _>>();
        let schema = schema.project(&[index]).map(Arc::new);
        columns.and_then(|columns| stream(&schema?, &columns)).map_err(|error| error.to_string())
    };
    unless_it_panics(|| match (project(expected), project(found)) {
        (Ok(expected), Ok(found)) => table_difference(&expected, &found, Metadata::May),
        (Err(error), _) | (_, Err(error)) => Some(error),
    })
}

fn schema_difference(expected: &Schema, found: &Schema, metadata: Metadata) -> Option<String> {
    let names = |schema: &Schema| {
        let names = schema.fields().iter().take(8).map(|field| format!("{:?}", safe_line(field.name(), NAME)));
        let more = schema.fields().len().saturating_sub(8);
        let names = names.collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{names} and {more} more") } else { names }
    };
    if !expected.fields().iter().map(|field| field.name()).eq(found.fields().iter().map(|field| field.name())) {
        return Some(format!("the columns {} in the place of {}", names(found), names(expected)));
    }
    for (expected, found) in expected.fields().iter().zip(found.fields()) {
        let name = safe_line(expected.name(), NAME);
        if expected.data_type() != found.data_type() {
            let (was, is) = (expected.data_type(), found.data_type());
            return Some(format!("the column {name:?} with the type {is} in the place of {was}"));
        }
        for (key, value) in expected.metadata().iter().filter(|_| metadata == Metadata::Must) {
            if found.metadata().get(key) != Some(value) {
                return Some(format!("the column {name:?} without its metadata {key:?}"));
            }
        }
    }
    let mut metadata = expected.metadata().iter().filter(|_| metadata == Metadata::Must);
    let lost = metadata.find(|(key, value)| found.metadata().get(*key) != Some(*value));
    lost.map(|(key, _)| format!("a schema without its metadata {key:?}"))
}

fn rows_difference(expected: &[RecordBatch], found: &[RecordBatch]) -> Option<String> {
    let rows = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    if rows(expected) != rows(found) {
        return Some(format!("{} rows in the place of {}", rows(found), rows(expected)));
    }
    // The batches may be cut elsewhere.
    let (mut expected, mut found) = (Rows::new(expected), Rows::new(found));
    let mut row = 0;
    loop {
        let count = expected.left().min(found.left());
        if count == 0 {
            return None;
        }
        let (one, other) = (expected.take(count)?, found.take(count)?);
        let schema = one.schema();
        for (index, (one, other)) in one.columns().iter().zip(other.columns()).enumerate() {
            if one.as_ref() != other.as_ref() {
                let name = safe_line(schema.fields().get(index)?.name(), NAME);
                let differs = |at: &usize| one.slice(*at, 1).as_ref() != other.slice(*at, 1).as_ref();
                let at = (0..count).find(differs).unwrap_or_default();
                let shown = |array: &ArrayRef| {
                    let text = arrow::util::display::array_value_to_string(array, at);
                    let text = text.unwrap_or_else(|_| "a value".to_owned());
                    if array.is_null(at) { "null".to_owned() } else { format!("{:?}", safe_line(&text, NAME)) }
                };
                let (was, is) = (shown(one), shown(other));
                return Some(format!("in row {} of the column {name:?} {is} in the place of {was}", row + at));
            }
        }
        row += count;
    }
}

/// Rows of batches, taken piece by piece.
struct Rows<'a> {
    batches: &'a [RecordBatch],
    offset: usize,
}

impl<'a> Rows<'a> {
    fn new(batches: &'a [RecordBatch]) -> Self {
        let mut rows = Self { batches, offset: 0 };
        rows.skip_empty();
        rows
    }

    /// Rows that are left of the current batch; none at the end.
    fn left(&self) -> usize {
        self.batches.first().map_or(0, |batch| batch.num_rows() - self.offset)
    }

    fn take(&mut self, count: usize) -> Option<RecordBatch> {
        let slice = self.batches.first()?.slice(self.offset, count);
        self.offset += count;
        if self.left() == 0 {
            self.offset = 0;
            self.batches = self.batches.get(1..).unwrap_or_default();
            self.skip_empty();
        }
        Some(slice)
    }

    fn skip_empty(&mut self) {
        while self.batches.first().is_some_and(|batch| batch.num_rows() == 0) {
            self.batches = self.batches.get(1..).unwrap_or_default();
        }
    }
}

/// The same rows in batches of `rows` each, with an empty one among them.
pub(crate) fn cut(batch: &RecordBatch, rows: usize) -> Vec<RecordBatch> {
    let piece = |start: usize| batch.slice(start, rows.min(batch.num_rows() - start));
    let mut pieces: Vec<RecordBatch> = (0..batch.num_rows()).step_by(rows.max(1)).map(piece).collect();
    pieces.insert(1.min(pieces.len()), batch.slice(0, 0));
    pieces
}

/// Rows without columns.
pub(crate) fn without_columns(rows: usize) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn numbers(values: Vec<Option<i64>>) -> RecordBatch {
        of_columns(vec![("n".to_owned(), Arc::new(Int64Array::from(values)) as ArrayRef)]).unwrap()
    }

    fn written(batches: &[RecordBatch]) -> Vec<u8> {
        stream(&batches[0].schema(), batches).unwrap()
    }

    #[test]
    fn tables_are_compared_by_their_values_and_not_by_their_batches() {
        let whole = numbers(vec![Some(1), None, Some(3), Some(4)]);
        let cut = cut(&whole, 3);
        assert_eq!(cut.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [3, 0, 1]);
        assert_eq!(difference(&written(std::slice::from_ref(&whole)), &written(&cut), Metadata::Must), None);
        let told =
            |other| difference(&written(std::slice::from_ref(&whole)), &written(&[other]), Metadata::May).unwrap();
        let other = numbers(vec![Some(1), Some(0), Some(3), Some(4)]);
        assert_eq!(told(other), "in row 1 of the column \"n\" \"0\" in the place of null");
        assert_eq!(told(numbers(vec![Some(1)])), "1 rows in the place of 4");
        let texts = of_columns(vec![("n".to_owned(), Arc::new(StringArray::from(vec!["1"])) as ArrayRef)]).unwrap();
        assert_eq!(told(texts), "the column \"n\" with the type Utf8 in the place of Int64");
    }

    #[test]
    fn metadata_is_compared_where_it_has_to_come_back() {
        let plain = numbers(vec![Some(1)]);
        let metadata = HashMap::from([("unit".to_owned(), "m".to_owned())]);
        let schema = plain.schema().as_ref().clone().with_metadata(metadata);
        let with = plain.clone().with_schema(Arc::new(schema)).unwrap();
        let (plain, with) = (written(&[plain]), written(&[with]));
        assert_eq!(difference(&with, &plain, Metadata::Must).unwrap(), "a schema without its metadata \"unit\"");
        assert_eq!(difference(&with, &plain, Metadata::May), None);
        assert_eq!(difference(&plain, &with, Metadata::Must), None);
    }

    #[test]
    fn what_is_no_table_is_told() {
        let told = difference(&small(1, 1), b"text", Metadata::May).unwrap();
        assert!(told.starts_with("4 bytes that are no Arrow IPC stream"), "{told}");
    }

    #[test]
    fn a_reader_that_fails_ends_no_test() {
        let told = unless_it_panics(|| panic!("as Arrow's reader may, on what a component made up"));
        assert_eq!(told.unwrap(), "a table on which Arrow's reader fails");
    }

    #[test]
    fn every_column_can_be_written_and_read_with_nulls_and_without() {
        for Column { name, array } in flat().unwrap().into_iter().chain(nested().unwrap()) {
            assert_eq!(array.null_count(), 0, "{name}");
            for array in [array.clone(), with_nulls(&array).unwrap().unwrap_or(array)] {
                let bytes = one_batch(vec![(name.clone(), array)]);
                assert_eq!(difference(&bytes, &bytes, Metadata::Must), None, "{name}");
            }
        }
    }

    #[test]
    fn one_column_is_compared_by_itself() {
        assert_eq!(
            column_difference(&small(1, 1), &small(2, 2), "measure").map(|told| told.contains("row 0")),
            Some(true)
        );
        let absent = column_difference(&small(1, 1), &small(2, 2), "none").unwrap();
        assert_eq!(absent, "a table without the column \"none\"");
    }
}
