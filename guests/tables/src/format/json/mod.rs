//! JSON: an array of objects, or lines of one object each. The names of their entries are the columns.

mod check;
mod infer;
mod objects;

use std::collections::HashSet;
use std::io::{BufWriter, Write};
use std::sync::Arc;

use airlock_sdk::Error;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float32Type, Float64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::reader::ReaderBuilder;
use arrow::json::writer::{JsonArray, JsonFormat, LineDelimited, WriterBuilder};

use self::check::distinct_names;
use self::objects::{DEPTH, Objects};
use crate::error::{corrupt, unsupported_column, unwritable};
use crate::plain::{check_years, children, plain_schema, with_types};
use crate::table::{BATCH_BYTES, BATCH_ROWS, Batches, Text, Writer, projection};
use crate::text::parse_nested;

/// Bytes that are written at a time.
const WRITE: usize = 1 << 20;
const FORM: &str = "JSON";

/// How the objects follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    Array,
    Lines,
}

type Json<'a, F> = arrow::json::writer::Writer<BufWriter<Box<dyn Write + 'a>>, F>;

struct JsonFile<'a, F: JsonFormat> {
    json: Json<'a, F>,
    plain: SchemaRef,
}

/// Writes a table into `file`.
///
/// # Errors
/// [`Error::UnsupportedType`] with the name of a column that JSON cannot hold.
pub fn write<'a>(file: Box<dyn Write + 'a>, schema: &Schema, layout: Layout) -> Result<Box<dyn Writer + 'a>, Error> {
    let plain = plain_schema(schema, FORM, true)?;
    check_fields(plain.fields(), 1, None)?;
    let file = BufWriter::with_capacity(WRITE, file);
    let builder = WriterBuilder::new().with_explicit_nulls(true);
    Ok(match layout {
        Layout::Array => Box::new(JsonFile { json: builder.build::<_, JsonArray>(file), plain }),
        Layout::Lines => Box::new(JsonFile { json: builder.build::<_, LineDelimited>(file), plain }),
    })
}

/// Refuses structures, the table the first of them, that have two fields of one name, and those that are not read back.
fn check_fields(fields: &Fields, depth: u32, column: Option<&str>) -> Result<(), Error> {
    let mut names = HashSet::new();
    for field in fields {
        let column = column.unwrap_or(field.name());
        if !names.insert(field.name()) {
            let reason = if depth == 1 {
                "is there twice, which JSON cannot hold; rename one".to_owned()
            } else {
                format!("has a struct with two fields {:?}, which JSON cannot hold; rename one", field.name())
            };
            return Err(unsupported_column(column, reason));
        }
        check_type(field.data_type(), depth, column)?;
    }
    Ok(())
}

fn check_type(data_type: &DataType, depth: u32, column: &str) -> Result<(), Error> {
    if depth > DEPTH {
        let reason = format!("nests values deeper than {DEPTH}, which is not read back from JSON; keep it as Parquet");
        return Err(unsupported_column(column, reason));
    }
    match data_type {
        DataType::List(item) => check_type(item.data_type(), depth + 1, column),
        DataType::Struct(fields) => check_fields(fields, depth + 1, Some(column)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => {
                fields.iter().try_for_each(|field| check_type(field.data_type(), depth + 1, column))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

impl<F: JsonFormat> Writer for JsonFile<'_, F> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let batch = with_types(batch, &self.plain).map_err(unwritable)?;
        check_years(&batch, FORM)?;
        for (column, field) in batch.columns().iter().zip(batch.schema_ref().fields()) {
            if !is_finite(column) {
                return Err(unsupported_column(
                    field.name(),
                    "has a number that is not finite (NaN or infinite), which JSON cannot hold; replace it by a null, or \
                     keep the table in another form",
                ));
            }
            if !keys_are_distinct(column) {
                return Err(unsupported_column(
                    field.name(),
                    "has a map with a key that is there twice, which JSON cannot hold; keep the table in another form",
                ));
            }
        }
        self.json.write(&batch).map_err(unwritable)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.json.finish().map_err(unwritable)?;
        Ok(self.json.into_inner().flush()?)
    }
}

fn is_finite(array: &ArrayRef) -> bool {
    match array.data_type() {
        DataType::Float32 => array.as_primitive::<Float32Type>().iter().flatten().all(f32::is_finite),
        DataType::Float64 => array.as_primitive::<Float64Type>().iter().flatten().all(f64::is_finite),
        _ => children(array).iter().all(is_finite),
    }
}

fn keys_are_distinct(array: &ArrayRef) -> bool {
    let own = array.as_map_opt().is_none_or(|maps| {
        let distinct = |entries: StructArray| {
            let mut seen = HashSet::new();
            let keys = entries.columns().first().and_then(|keys| keys.as_string_opt::<i32>());
            keys.is_none_or(|keys| keys.iter().all(|key| seen.insert(key)))
        };
        maps.iter().flatten().all(distinct)
    });
    own && children(array).iter().all(keys_are_distinct)
}

/// The table in `text`, which is called `place`: with the columns of `schema`, or those that are found.
///
/// # Errors
/// [`Error::Corrupt`] where the text is no such JSON or does not fit the schema; that of a column that it does not have.
pub fn read<'a>(
    mut text: Box<dyn Text + 'a>,
    layout: Layout,
    schema: Option<&SchemaRef>,
    columns: &[String],
    place: String,
) -> Result<Batches<'a>, Error> {
    let whole = if let Some(schema) = schema {
        schema.clone()
    } else {
        let found = infer::schema(&mut Objects::new(&mut *text, layout, &place), &place)?;
        text.restart()?;
        found
    };
    let indexes = projection(&whole, columns)?;
    // Where only some columns are asked for, the others are passed over.
    let exact = indexes.is_none();
    let indexes = indexes.unwrap_or_else(|| (0..whole.fields().len()).collect());
    let schema = Arc::new(whole.project(&indexes).map_err(|error| corrupt(&place, error))?);
    let plain = plain_schema(&schema, FORM, true)?;
    let texts = Arc::new(Schema::new(plain.fields().iter().map(texts_of).collect::<Vec<_>>()));
    let columns = Columns { texts, plain, schema: schema.clone(), exact };
    let mut missing: HashSet<String> = whole.fields().iter().map(|field| field.name().clone()).collect();
    let mut objects = Objects::new(text, layout, &place);
    let mut ended = false;
    let iterator = std::iter::from_fn(move || {
        let batch = if ended { None } else { next_batch(&mut objects, &columns, &mut missing, &place).transpose() };
        ended = !matches!(batch, Some(Ok(_)));
        batch
    });
    Ok(Batches { schema, iterator: Box::new(iterator) })
}

/// The columns that are asked for, as they are read, as the text has them, and as they are wanted.
struct Columns {
    texts: SchemaRef,
    plain: SchemaRef,
    schema: SchemaRef,
    exact: bool,
}

/// The field in which everything but booleans is text at first: Arrow would cut numbers without a word.
fn texts_of(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        same @ (DataType::Boolean | DataType::Null) => same.clone(),
        DataType::List(item) => DataType::List(texts_of(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(texts_of).collect()),
        DataType::Map(entries, sorted) => DataType::Map(texts_of(entries), *sorted),
        _ => DataType::Utf8,
    };
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
}

fn next_batch<R: std::io::BufRead>(
    objects: &mut Objects<R>,
    columns: &Columns,
    missing: &mut HashSet<String>,
    place: &str,
) -> Result<Option<RecordBatch>, Error> {
    let first = objects.found() + 1;
    let (mut text, mut ends) = (Vec::new(), Vec::new());
    while ends.len() < BATCH_ROWS && text.len() < BATCH_BYTES && objects.next(&mut text)? {
        let object = text.get(ends.last().copied().unwrap_or(0)..).unwrap_or_default();
        let names =
            distinct_names(object).map_err(|reason| corrupt(place, format!("row {}: {reason}", objects.found())))?;
        missing.retain(|name| !names.contains(name));
        ends.push(text.len());
    }
    if ends.is_empty() {
        return match missing.iter().min() {
            Some(column) if objects.found() > 0 => {
                Err(corrupt(place, format!("no row has the column {column:?}, which the schema has")))
            }
            _ => Ok(None),
        };
    }
    columns.decode(&text, ends.len()).map(Some).map_err(|reason| {
        // Arrow does not tell the row, so they are tried one by one.
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let alone = starts.zip(&ends).map(|(start, end)| columns.decode(text.get(start..*end).unwrap_or_default(), 1));
        match alone.zip(first..).find_map(|(row, number)| row.err().map(|reason| (number, reason))) {
            Some((number, reason)) => corrupt(place, format!("row {number}: {reason}")),
            None => corrupt(place, format!("in the rows from {first}: {reason}")),
        }
    })
}

impl Columns {
    fn decode(&self, text: &[u8], rows: usize) -> Result<RecordBatch, String> {
        let decoder = ReaderBuilder::new(self.texts.clone())
            .with_batch_size(rows)
            .with_coerce_primitive(true)
            .with_strict_mode(self.exact)
            .build_decoder();
        let decode = || {
            let mut decoder = decoder?;
            decoder.decode(text)?;
            decoder.flush()
        };
        let batch = decode().map_err(|error| message(&error))?.ok_or("it is no object")?;
        let parse = |(column, field): (&ArrayRef, &FieldRef)| {
            parse_nested(column, field.data_type())
                .map_err(|error| format!("column {:?}: {}", field.name(), error.reason))
        };
        let values = batch.columns().iter().zip(self.plain.fields()).map(parse).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch =
            RecordBatch::try_new_with_options(self.plain.clone(), values, &options).map_err(|error| message(&error))?;
        with_types(&batch, &self.schema).map_err(|error| message(&error))
    }
}

fn message(error: &ArrowError) -> String {
    let message = error.to_string();
    message.strip_prefix("Json error: ").map_or(message.clone(), str::to_owned)
}
