//! CSV: lines of cells with commas between them, the first of which names the columns.
//!
//! A cell without anything in it is null, a quoted cell with nothing in it (`""`) is the empty text, or no bytes. No CSV library tells
//! these apart, so cells are found here. Blank lines are skipped, unless the table has one column: there they are null.

mod infer;
mod records;

use std::io::{BufWriter, Write};
use std::sync::Arc;

use airlock_sdk::Error;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use self::records::{Cell, Records};
use crate::error::{corrupt, unwritable};
use crate::plain::{check_years, plain_schema, with_types};
use crate::table::{BATCH_BYTES, BATCH_ROWS, Batches, Text, Writer, names, projection, require_columns};
use crate::text::{Unparsable, parse};

/// Bytes that are written at a time.
const WRITE: usize = 1 << 20;
const FORM: &str = "CSV";

struct CsvFile<W: Write> {
    file: BufWriter<W>,
    plain: SchemaRef,
}

/// Writes a table into `file`.
///
/// # Errors
/// [`Error::UnsupportedType`] with the name of a column that CSV cannot hold.
pub fn write<'a>(file: Box<dyn Write + 'a>, schema: &Schema) -> Result<Box<dyn Writer + 'a>, Error> {
    let plain = plain_schema(schema, FORM, false)?;
    let mut file = BufWriter::with_capacity(WRITE, file);
    let mut line = Vec::new();
    for (index, field) in plain.fields().iter().enumerate() {
        separate(&mut line, index);
        write_text(&mut line, field.name());
    }
    if !line.is_empty() {
        line.push(b'\n');
        file.write_all(&line)?;
    }
    Ok(Box::new(CsvFile { file, plain }))
}

impl<W: Write> Writer for CsvFile<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        require_columns(batch, FORM)?;
        let batch = with_types(batch, &self.plain).map_err(unwritable)?;
        check_years(&batch, FORM)?;
        let options = FormatOptions::new();
        let formatters = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
        let formatters = formatters.collect::<Result<Vec<_>, _>>().map_err(unwritable)?;
        let (mut lines, mut cell) = (Vec::new(), String::new());
        for row in 0..batch.num_rows() {
            for (index, (column, formatter)) in batch.columns().iter().zip(&formatters).enumerate() {
                separate(&mut lines, index);
                if column.is_null(row) || column.data_type() == &DataType::Null {
                    continue;
                }
                if let Some(texts) = column.as_string_opt::<i32>() {
                    write_text(&mut lines, texts.value(row));
                } else {
                    cell.clear();
                    formatter.value(row).write(&mut cell).map_err(unwritable)?;
                    write_text(&mut lines, &cell);
                }
            }
            lines.push(b'\n');
            if lines.len() >= WRITE {
                self.file.write_all(&lines)?;
                lines.clear();
            }
        }
        Ok(self.file.write_all(&lines)?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        Ok(self.file.flush()?)
    }
}

fn separate(line: &mut Vec<u8>, index: usize) {
    if index > 0 {
        line.push(b',');
    }
}

fn write_text(line: &mut Vec<u8>, text: &str) {
    // At the start of a file the mark would be taken for that of the file.
    let marked = text.starts_with('\u{feff}');
    if !text.is_empty() && !marked && !text.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        line.extend_from_slice(text.as_bytes());
        return;
    }
    line.push(b'"');
    line.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    line.push(b'"');
}

/// The table in `text`, which is called `place`: with the columns of `schema`, or those that are found.
///
/// # Errors
/// [`Error::Corrupt`] where the text is no CSV or does not fit the schema; that of a column that it does not have.
pub fn read<'a>(
    mut text: Box<dyn Text + 'a>,
    schema: Option<&SchemaRef>,
    columns: &[String],
    place: String,
) -> Result<Batches<'a>, Error> {
    let schema = if let Some(schema) = schema {
        schema.clone()
    } else {
        let found = infer::schema(&mut Records::new(&mut *text)).map_err(|error| error.at(&place))?;
        text.restart()?;
        found
    };
    let mut records = Records::new(text);
    let header = records.header().map_err(|error| error.at(&place))?;
    if !header.iter().eq(schema.fields().iter().map(|field| field.name())) {
        let header = Schema::new(header.iter().map(|name| infer::text_column(name)).collect::<Vec<_>>());
        return Err(corrupt(&place, format!("it has {}, not {}", names(&header), names(&schema))));
    }
    let indexes = projection(&schema, columns)?.unwrap_or_else(|| (0..schema.fields().len()).collect());
    let project = |schema: &Schema| schema.project(&indexes).map(Arc::new).map_err(|error| corrupt(&place, error));
    let plain = plain_schema(&schema, FORM, false)?;
    let mut rows = Rows {
        plain: project(&plain)?,
        schema: project(&schema)?,
        width: schema.fields().len(),
        indexes,
        records,
        place,
        ended: false,
    };
    let schema = rows.schema.clone();
    let iterator = std::iter::from_fn(move || {
        let batch = if rows.ended { None } else { rows.next().transpose() };
        rows.ended = !matches!(batch, Some(Ok(_)));
        batch
    });
    Ok(Batches { schema, iterator: Box::new(iterator) })
}

struct Rows<'a> {
    records: Records<Box<dyn Text + 'a>>,
    /// The columns that are asked for, as the text has them and as they are wanted.
    plain: SchemaRef,
    schema: SchemaRef,
    /// Their positions among all.
    indexes: Vec<usize>,
    width: usize,
    place: String,
    ended: bool,
}

impl Rows<'_> {
    fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        let mut columns: Vec<StringBuilder> = self.indexes.iter().map(|_| StringBuilder::new()).collect();
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while lines.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            let Some(record) = self.records.next(self.width).map_err(|error| error.at(&self.place))? else { break };
            for ((column, index), field) in columns.iter_mut().zip(&self.indexes).zip(self.plain.fields()) {
                match record.cell(*index) {
                    Cell::Text("") if !matches!(field.data_type(), DataType::Utf8 | DataType::Binary) => {
                        column.append_null();
                    }
                    Cell::Text(text) => column.append_value(text),
                    Cell::Nothing => column.append_null(),
                }
            }
            bytes += record.size();
            lines.push(record.line());
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let parse_column = |(mut column, field): (StringBuilder, &Arc<_>)| self.parse(column.finish(), field, &lines);
        let arrays = columns.into_iter().zip(self.plain.fields()).map(parse_column).collect::<Result<Vec<_>, _>>()?;
        let wrong =
            |error| corrupt(&self.place, format!("in the rows from line {}: {error}", lines.first().unwrap_or(&0)));
        let options = RecordBatchOptions::new().with_row_count(Some(lines.len()));
        let batch = RecordBatch::try_new_with_options(self.plain.clone(), arrays, &options).map_err(wrong)?;
        with_types(&batch, &self.schema).map(Some).map_err(wrong)
    }

    fn parse(&self, texts: StringArray, field: &Field, lines: &[u64]) -> Result<ArrayRef, Error> {
        parse(&(Arc::new(texts) as ArrayRef), field.data_type()).map_err(|Unparsable { row, reason }| {
            let line = lines.get(row).copied().unwrap_or_default();
            corrupt(&self.place, format!("line {line}, column {:?}: {reason}", field.name()))
        })
    }
}
