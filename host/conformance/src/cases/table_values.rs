//! Tables that come back.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;

use crate::Stopped;
use crate::bench::Bench;
use crate::check::{Checked, Findings, Passed, Stop, found, told};
use crate::lab::Lab;
use crate::looking::{bytes_of, only_part};
use crate::subject::Subject;
use crate::tables::{self, Column, Metadata};

/// What of a table came of storing it.
enum Outcome {
    CameBack,
    /// It was refused with `unsupported-type`.
    Refused,
}

fn made<T>(result: Result<T, ArrowError>) -> Checked<T> {
    result.map_err(|error| Stop::Test(Stopped::Host(format!("the kit cannot make a table: {error}"))))
}

/// Stores a table and loads it. That a manager cannot hold it is told apart where `may_refuse`.
fn trip(
    bench: &Bench<'_>,
    batches: &[RecordBatch],
    what: &str,
    metadata: Metadata,
    may_refuse: bool,
) -> Checked<Outcome> {
    let kind = bench.tables()?;
    let Some(first) = batches.first() else { return Ok(Outcome::CameBack) };
    let bytes = made(tables::stream(&first.schema(), batches))?;
    let (lab, subject) = (Lab::new(bench)?, Subject::asset(&["round", "trip"]));
    let done = format!("stored {what}");
    let stored = match lab.store(&subject, &bench.value(kind, &bytes)?)?.outcome {
        Ok(stored) => stored,
        Err(airlock_sandbox::report::Failure::Guest { error }) if may_refuse && error.code == "unsupported-type" => {
            return Ok(Outcome::Refused);
        }
        Err(failure) => {
            let expected = if may_refuse { "it is stored, or refused with `unsupported-type`" } else { "it is stored" };
            return found(done, expected, told(&failure));
        }
    };
    let done = format!("{done} and loaded it");
    let value = lab.get(&subject, &[subject.record(&stored)], &done)?;
    match tables::difference(&bytes, &bytes_of(only_part(&value, &done)?, &done)?, metadata) {
        Some(difference) => found(done, "the table that was stored", difference),
        None => Ok(Outcome::CameBack),
    }
}

/// Round trips of `columns`: all in one table, and where that does not come back each by itself, which tells more.
fn columns_trip(bench: &Bench<'_>, columns: Vec<Column>, what: &str) -> Passed {
    let numbered = |(number, column): (usize, &Column)| (format!("column {number}"), column.array.clone());
    let all = made(tables::of_columns(columns.iter().enumerate().map(numbered).collect()))?;
    let of_all = format!("a table with columns of {} types{what}", columns.len());
    let together = match trip(bench, &[all], &of_all, Metadata::May, true) {
        Ok(Outcome::CameBack) => return Ok(None),
        Ok(Outcome::Refused) => Vec::new(),
        Err(Stop::Found(found)) => found,
        Err(stop) => return Err(stop),
    };
    let (mut findings, mut refused, count) = (Findings::default(), Vec::new(), columns.len());
    for Column { name, array } in columns {
        let rows: ArrayRef = Arc::new(Int64Array::from_iter_values(0..4));
        let table = made(tables::of_columns(vec![("column".to_owned(), array), ("row".to_owned(), rows)]))?;
        let what = format!("a table with a column of the type {name}{what}");
        if let Some(Outcome::Refused) = findings.take(trip(bench, &[table], &what, Metadata::May, true))? {
            refused.push(name);
        }
    }
    let note = format!("it refuses {} of {count} types: {}", refused.len(), refused.join("; "));
    let note = findings.end((!refused.is_empty()).then_some(note))?;
    if together.is_empty() { Ok(note) } else { Err(Stop::Found(together)) }
}

pub(super) fn types(bench: &Bench<'_>) -> Passed {
    bench.tables()?;
    columns_trip(bench, made(tables::flat())?, "")
}

pub(super) fn nested(bench: &Bench<'_>) -> Passed {
    bench.tables()?;
    columns_trip(bench, made(tables::nested())?, "")
}

pub(super) fn nulls(bench: &Bench<'_>) -> Passed {
    bench.tables()?;
    let mut columns = vec![tables::nothing()];
    for Column { name, array } in made(tables::flat())?.into_iter().chain(made(tables::nested())?) {
        if let Some(array) = made(tables::with_nulls(&array))? {
            columns.push(Column { name, array });
        }
    }
    columns_trip(bench, columns, ", of which the second value is null")
}

fn numbers(count: i64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(0..count))
}

fn words(count: i64) -> ArrayRef {
    Arc::new(StringArray::from_iter_values((0..count).map(|number| format!("word {}", number % 97))))
}

/// That `batches` come back, whatever manager keeps them.
fn plain(bench: &Bench<'_>, batches: &[RecordBatch], what: &str, metadata: Metadata) -> Passed {
    trip(bench, batches, what, metadata, false).map(|_| None)
}

pub(super) fn no_rows(bench: &Bench<'_>) -> Passed {
    bench.tables()?;
    let table = made(tables::of_columns(vec![("number".into(), numbers(0)), ("word".into(), words(0))]))?;
    let mut findings = Findings::default();
    findings.take(plain(bench, std::slice::from_ref(&table), "a table of one batch without rows", Metadata::May))?;
    // Of a stream without batches the schema is all there is.
    let kind = bench.tables()?;
    let bytes = made(tables::stream(&table.schema(), &[]))?;
    findings.take(super::values::round_trip(bench, kind, &bytes, "a table without batches"))?;
    // Rows without columns are rare, and may be refused.
    let bare = made(tables::without_columns(3))?;
    let refused = findings.take(trip(bench, &[bare], "a table of three rows without columns", Metadata::May, true))?;
    findings.end(matches!(refused, Some(Outcome::Refused)).then(|| "it refuses rows without columns".to_owned()))
}

pub(super) fn wide(bench: &Bench<'_>) -> Passed {
    bench.tables()?;
    let column =
        |number: usize| (format!("column_{number}"), if number.is_multiple_of(2) { numbers(2) } else { words(2) });
    let table = made(tables::of_columns((0..1000).map(column).collect()))?;
    plain(bench, &[table], "a table of 1,000 columns", Metadata::May)
}

pub(super) fn batches(bench: &Bench<'_>) -> Passed {
    bench.tables()?;
    let table = made(tables::of_columns(vec![("number".into(), numbers(10_000)), ("word".into(), words(10_000))]))?;
    let batches = tables::cut(&table, 97);
    plain(bench, &batches, &format!("a table of {} batches", batches.len()), Metadata::May)
}

pub(super) fn names(bench: &Bench<'_>) -> Passed {
    bench.tables()?;
    let long = "n".repeat(1000);
    let names =
        ["ü", "🦀 a b", "a,b;\"c\"", "a.b/c", "line\nbreak", " ", "select", "A", "a", "\u{202e}", "0", long.as_str()];
    let table = made(tables::of_columns(names.map(|name| (name.to_owned(), numbers(3))).into()))?;
    plain(bench, &[table], "a table whose columns have awkward names", Metadata::May)
}

/// A table with metadata of its own and of its column, of more entries than lie in one order by chance.
fn with_metadata() -> Checked<RecordBatch> {
    let metadata = |of: &str| {
        let mut metadata: HashMap<String, String> =
            (0..8).map(|number| (format!("entry {number}"), number.to_string())).collect();
        metadata.extend([("unit".to_owned(), of.to_owned()), ("ü".to_owned(), "\n\"".to_owned())]);
        metadata
    };
    let field = Field::new("number", numbers(0).data_type().clone(), true).with_metadata(metadata("of the column"));
    let schema = Schema::new_with_metadata(vec![field], metadata("of the table"));
    made(RecordBatch::try_new(Arc::new(schema), vec![numbers(3)]))
}

/// The stream of [`with_metadata`].
pub(super) fn described() -> Checked<Vec<u8>> {
    let table = with_metadata()?;
    made(tables::stream(&table.schema(), &[table]))
}

pub(super) fn metadata(bench: &Bench<'_>) -> Passed {
    bench.tables()?;
    plain(bench, &[with_metadata()?], "a table with metadata", Metadata::Must)
}

pub(super) fn columns(bench: &Bench<'_>) -> Passed {
    let (kind, lab, subject) = (bench.tables()?, Lab::new(bench)?, Subject::asset(&["some", "columns"]));
    let bytes = kind.sample(3);
    let record = lab.put(&subject, &bench.value(kind, &bytes)?, "stored a table of three columns")?;
    let done = "stored a table of three columns, and asked for its column `measure` when it was loaded";
    let report = lab.load(&subject, &[record], (false, &["measure"]))?;
    let value = match report.outcome {
        Ok(loaded) => loaded.value,
        Err(failure) => return found(done, "it is loaded", told(&failure)),
    };
    let loaded = bytes_of(only_part(&value, done)?, done)?;
    if let Some(difference) = tables::column_difference(&bytes, &loaded, "measure") {
        return found(done, "the column as it was stored", difference);
    }
    let all = tables::difference(&bytes, &loaded, Metadata::May).is_none();
    Ok(all.then(|| "it loads all columns, whichever are asked for".to_owned()))
}
