//! A table while it is read or written, whatever its form.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek};

use airlock_sdk::{Error, Reader};
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

/// Rows of one batch, at most.
pub const BATCH_ROWS: usize = 1 << 16;
/// Bytes of text, or of columns in memory, after which a batch ends.
pub const BATCH_BYTES: usize = 4 << 20;

/// A table that is read.
pub struct Batches<'a> {
    pub schema: SchemaRef,
    pub iterator: Box<dyn Iterator<Item = Result<RecordBatch, Error>> + 'a>,
}

/// A table that is written.
pub trait Writer {
    /// Appends a batch, whose schema is that of the table.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error>;
    /// Writes what is left.
    fn finish(self: Box<Self>) -> Result<(), Error>;
}

/// A text that can be read twice.
pub trait Text: BufRead {
    /// Goes back to the start.
    fn restart(&mut self) -> Result<(), Error>;
}

impl Text for Reader {
    fn restart(&mut self) -> Result<(), Error> {
        self.rewind()
    }
}

impl Text for BufReader<File> {
    fn restart(&mut self) -> Result<(), Error> {
        Ok(Seek::rewind(self)?)
    }
}

/// Passes over the mark with which some programs begin a text in UTF-8.
///
/// # Errors
/// Those of the storage.
pub fn skip_byte_order_mark<R: BufRead>(text: &mut R) -> Result<(), Error> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    if text.fill_buf()?.starts_with(MARK) {
        text.consume(MARK.len());
    }
    Ok(())
}

/// The indexes of `columns` in `schema`, in the order of the table; none where all are asked for.
///
/// # Errors
/// Where there is no such column.
pub fn projection(schema: &Schema, columns: &[String]) -> Result<Option<Vec<usize>>, Error> {
    if columns.is_empty() {
        return Ok(None);
    }
    for column in columns {
        if schema.column_with_name(column).is_none() {
            return Err(Error::other(
                "unknown-column",
                format!("the table has no column {column:?}; it has {}", names(schema)),
            ));
        }
    }
    let wanted = schema.fields().iter().enumerate().filter(|(_, field)| columns.contains(field.name()));
    Ok(Some(wanted.map(|(index, _)| index).collect()))
}

/// The names of the columns, for a person.
pub fn names(schema: &Schema) -> String {
    const SHOWN: usize = 30;
    let names: Vec<String> = schema.fields().iter().take(SHOWN).map(|field| format!("{:?}", field.name())).collect();
    match schema.fields().len() {
        0 => "no columns".to_owned(),
        count if count > SHOWN => format!("{} and {} more", names.join(", "), count - SHOWN),
        _ => names.join(", "),
    }
}

/// Refuses rows without columns, for a form in which they would be lost.
///
/// # Errors
/// [`Error::UnsupportedType`].
pub fn require_columns(batch: &RecordBatch, form: &str) -> Result<(), Error> {
    if batch.num_columns() > 0 || batch.num_rows() == 0 {
        return Ok(());
    }
    Err(Error::unsupported_type(format!(
        "the table has rows but no columns, which {form} cannot hold; keep it as Arrow or JSON lines"
    )))
}
