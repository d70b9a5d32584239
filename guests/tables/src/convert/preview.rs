//! The first rows of a table as a person reads them.

use std::fmt;
use std::io::Write;

use airlock_sdk::Error;
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{FieldRef, Schema};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::Serialize;

use crate::error::unwritable;
use crate::plain::plain_type;
use crate::schema::type_name;
use crate::table::Writer;

/// Characters of a value that are shown; what is cut ends in an ellipsis.
const SHOWN: usize = 200;

pub struct Preview<'a> {
    part: Box<dyn Write + 'a>,
    document: Document,
    /// Rows that are still to be taken.
    left: usize,
}

#[derive(Serialize)]
struct Document {
    columns: Vec<Column>,
    /// A text or null for each column.
    rows: Vec<Vec<Option<String>>>,
    /// Whether the table has more rows.
    more: bool,
}

#[derive(Serialize)]
struct Column {
    name: String,
    r#type: String,
}

impl<'a> Preview<'a> {
    /// Of at most `rows` rows, into `part`.
    pub fn new(part: Box<dyn Write + 'a>, rows: usize, schema: &Schema) -> Self {
        let column = |field: &FieldRef| Column { name: field.name().clone(), r#type: type_name(field.data_type()) };
        let columns = schema.fields().iter().map(column).collect();
        Self { part, document: Document { columns, rows: Vec::new(), more: false }, left: rows }
    }
}

impl Writer for Preview<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let rows = self.left.min(batch.num_rows());
        self.document.more |= rows < batch.num_rows();
        self.left -= rows;
        let columns = batch.slice(0, rows).columns().iter().map(texts).collect::<Result<Vec<_>, _>>();
        let columns = columns.map_err(unwritable)?;
        let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
        let row = |_| columns.iter_mut().map(|column| column.next().flatten()).collect();
        self.document.rows.extend((0..rows).map(row));
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        serde_json::to_writer(&mut self.part, &self.document).map_err(std::io::Error::from)?;
        Ok(self.part.flush()?)
    }
}

fn texts(column: &ArrayRef) -> Result<Vec<Option<String>>, ArrowError> {
    let options = FormatOptions::new();
    if let (Err(_), Some(plain)) = (ArrayFormatter::try_new(column, &options), plain_type(column.data_type(), true)) {
        // The rules of a time zone are not known here, so such times are shown in UTC.
        return texts(&cast(column, &plain)?);
    }
    let formatter = ArrayFormatter::try_new(column, &options)?;
    let nulls = column.logical_nulls();
    let text = |row| match &nulls {
        Some(nulls) if nulls.is_null(row) => Ok(None),
        _ => {
            let mut short = Short { text: String::new(), left: SHOWN, cut: false };
            match formatter.value(row).write(&mut short) {
                Err(error) if !short.cut => Err(error),
                _ => Ok(Some(short.text)),
            }
        }
    };
    (0..column.len()).map(text).collect()
}

/// The beginning of a text, after which no more is taken, however long it is.
struct Short {
    text: String,
    left: usize,
    cut: bool,
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut characters = text.chars();
        while self.left > 0
            && let Some(character) = characters.next()
        {
            self.text.push(character);
            self.left -= 1;
        }
        if characters.next().is_some() {
            self.text.push('…');
            self.cut = true;
            return Err(fmt::Error);
        }
        Ok(())
    }
}
