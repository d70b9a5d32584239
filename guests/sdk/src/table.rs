//! Tables: parts of the media type [`ARROW_STREAM`], read and written batch by batch.
//!
//! One batch is in memory at a time, as large as whoever wrote the stream made it.
//!
//! ```
//! use std::sync::Arc;
//!
//! use airlock_sdk::arrow::array::{AsArray, Float64Array, RecordBatch};
//! use airlock_sdk::arrow::compute::sum;
//! use airlock_sdk::arrow::datatypes::{DataType, Field, Float64Type, Schema};
//! use airlock_sdk::table::{TableReader, TableWriter};
//! use airlock_sdk::{Error, Op, OpContext, Part, build_op_context};
//!
//! /// Adds up the first column of each batch.
//! struct Totals;
//!
//! impl Op for Totals {
//!     fn run(context: &OpContext) -> Result<(), Error> {
//!         let mut totals = Vec::new();
//!         for batch in TableReader::new(context.input("rows")?.single()?)? {
//!             totals.push(sum(batch?.column(0).as_primitive::<Float64Type>()));
//!         }
//!         let schema = Arc::new(Schema::new(vec![Field::new("total", DataType::Float64, true)]));
//!         let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(Float64Array::from(totals))]);
//!         let mut output = context.output("result")?;
//!         let mut table = TableWriter::begin(&mut output, None, &schema)?;
//!         table.write(&batch.map_err(|error| Error::other("arrow", error))?)?;
//!         table.finish()
//!     }
//! }
//!
//! let rows = RecordBatch::try_from_iter([("value", Arc::new(Float64Array::from(vec![1.5, 2.0])) as _)]).unwrap();
//! let op = build_op_context().input("rows", [Part::from_batches(&rows.schema(), &[rows])?]).build();
//! op.run::<Totals>()?;
//! let totals = op.output("result")[0].to_batches()?;
//! assert_eq!(totals[0].column(0).as_primitive::<Float64Type>().value(0), 3.5);
//! # Ok::<(), Error>(())
//! ```

use std::borrow::BorrowMut;
use std::fmt;
use std::io::{BufRead, Write};

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::root_as_message;
use arrow::ipc::writer::StreamWriter;

use crate::{Error, NewPart, PartWriter, Reader, Sink};

/// The media type of a table: an Arrow IPC stream.
pub const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

/// What an Arrow IPC file begins with.
const FILE_MAGIC: &[u8] = b"ARROW1";

/// What a message of an Arrow IPC stream begins with.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// The batches of a part that is a table, in order; the part is a [`Reader`], or lent as `&mut Reader`.
pub struct TableReader<Part = Reader> {
    part: Part,
    decoder: StreamDecoder,
    /// What was read and is not decoded yet.
    chunk: Buffer,
    schema: SchemaRef,
    /// The first batch, where it came along with the schema.
    first: Option<RecordBatch>,
    ended: bool,
}

impl<Part: BorrowMut<Reader>> TableReader<Part> {
    /// Reads the schema of `part`.
    ///
    /// # Errors
    /// [`Error::UnsupportedType`] where the media type is not [`ARROW_STREAM`], or the bytes are an Arrow file;
    /// [`Error::Corrupt`] where they are no Arrow stream.
    pub fn new(mut part: Part) -> Result<Self, Error> {
        let reader: &mut Reader = part.borrow_mut();
        let media_type = reader.media_type();
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case(ARROW_STREAM) {
            return Err(Error::unsupported_type(format!(
                "the value is {media_type:?}; a table is expected, an Arrow IPC stream ({ARROW_STREAM})"
            )));
        }
        let (mut decoder, mut chunk) = (StreamDecoder::new(), Buffer::from_vec(reader.next_chunk()?));
        if chunk.starts_with(FILE_MAGIC) {
            return Err(Error::unsupported_type(
                "the value is an Arrow IPC file; an Arrow IPC stream is expected: write it with the stream writer of Arrow",
            ));
        }
        loop {
            let first = decoder.decode(&mut chunk).map_err(undecodable)?;
            if let Some(schema) = decoder.schema() {
                return Ok(Self { part, decoder, chunk, schema, first, ended: false });
            }
            chunk = Buffer::from_vec(reader.next_chunk()?);
            if chunk.is_empty() {
                return Err(corrupt("it ends before its schema"));
            }
        }
    }

    /// The columns of every batch, and the metadata of the table.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Reads on until all of the message is there that the chunk begins with: the decoder takes that as it is, and would
    /// gather pieces in a buffer that it grows, and so copies, again and again.
    fn complete_message(&mut self) -> Result<(), Error> {
        let length = message_length(&self.chunk).unwrap_or(0);
        if length <= self.chunk.len() {
            return Ok(());
        }
        let part: &mut Reader = self.part.borrow_mut();
        let size = usize::try_from(part.size()).unwrap_or(usize::MAX);
        let mut message = Vec::with_capacity(length.min(size));
        message.extend_from_slice(&self.chunk);
        while message.len() < length {
            let next = part.fill_buf()?;
            if next.is_empty() {
                break;
            }
            let next = next.get(..length - message.len()).unwrap_or(next);
            message.extend_from_slice(next);
            let taken = next.len();
            part.consume(taken);
        }
        self.chunk = Buffer::from_vec(message);
        Ok(())
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, Error> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        loop {
            self.complete_message()?;
            if let Some(batch) = self.decoder.decode(&mut self.chunk).map_err(undecodable)? {
                return Ok(Some(batch));
            }
            self.chunk = Buffer::from_vec(self.part.borrow_mut().next_chunk()?);
            if self.chunk.is_empty() {
                self.decoder.finish().map_err(corrupt)?;
                return Ok(None);
            }
        }
    }
}

/// The length of the message that `bytes` begin with, where all of its head is there.
fn message_length(bytes: &[u8]) -> Option<usize> {
    let (length, rest) = bytes.strip_prefix(&CONTINUATION)?.split_first_chunk()?;
    let head = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let body = usize::try_from(root_as_message(head).ok()?.bodyLength()).ok()?;
    (bytes.len() - rest.len() + head.len()).checked_add(body)
}

/// Ends after the first error.
impl<Part: BorrowMut<Reader>> Iterator for TableReader<Part> {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_batch().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

impl<Part> fmt::Debug for TableReader<Part> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableReader").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// Writes a part that is a table. What is dropped before [`Self::finish`] lacks its end.
pub struct TableWriter<'sink> {
    writer: StreamWriter<PartWriter<'sink>>,
    schema: SchemaRef,
}

impl<'sink> TableWriter<'sink> {
    /// Begins the part `key` of `sink`, a table of the columns of `schema`.
    ///
    /// # Errors
    /// Those of [`Sink::begin`], and where Arrow cannot write the schema.
    pub fn begin(sink: &'sink mut Sink, key: Option<&str>, schema: &Schema) -> Result<Self, Error> {
        Self::of_part(sink.begin(key, ARROW_STREAM)?, schema)
    }

    /// Begins `part`, which a manager on paths loads, as a table of the columns of `schema`.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn begin_new(part: NewPart<'sink, '_>, schema: &Schema) -> Result<Self, Error> {
        Self::of_part(part.begin(ARROW_STREAM)?, schema)
    }

    fn of_part(part: PartWriter<'sink>, schema: &Schema) -> Result<Self, Error> {
        let writer = StreamWriter::try_new(part, schema).map_err(unwritable)?;
        Ok(Self { writer, schema: schema.clone().into() })
    }

    /// Appends a batch.
    ///
    /// # Errors
    /// [`Error::UnsupportedType`] where its columns are not those of the schema; what the host says to the bytes.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let columns = batch.schema_ref().fields();
        if columns != self.schema.fields() {
            return Err(Error::unsupported_type(format!(
                "the batch has the columns {columns:?}, but the table has {:?}",
                self.schema.fields()
            )));
        }
        self.writer.write(batch).map_err(unwritable)
    }

    /// Ends the table.
    ///
    /// # Errors
    /// What the host says to the last bytes.
    pub fn finish(self) -> Result<(), Error> {
        let mut part = self.writer.into_inner().map_err(unwritable)?;
        Ok(part.flush()?)
    }
}

impl fmt::Debug for TableWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableWriter").field("schema", &self.schema).finish_non_exhaustive()
    }
}

fn undecodable(error: ArrowError) -> Error {
    match error {
        ArrowError::InvalidArgumentError(reason) if reason.contains("zstd") => Error::unsupported_type(
            "the value is an Arrow IPC stream compressed with zstd, which cannot be read here; write it with lz4 or no \
             compression",
        ),
        error => corrupt(error),
    }
}

fn corrupt(reason: impl fmt::Display) -> Error {
    Error::corrupt(format!("the value is no Arrow IPC stream: {reason}"))
}

fn unwritable(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => error.into(),
        error => Error::unsupported_type(format!("the table cannot be written as an Arrow IPC stream: {error}")),
    }
}

#[cfg(not(target_family = "wasm"))]
impl crate::Part {
    /// A part without a key that is a table.
    ///
    /// # Errors
    /// [`Error::UnsupportedType`] where Arrow cannot write it.
    pub fn from_batches(schema: &Schema, batches: &[RecordBatch]) -> Result<Self, Error> {
        let mut writer = StreamWriter::try_new(Vec::new(), schema).map_err(unwritable)?;
        for batch in batches {
            writer.write(batch).map_err(unwritable)?;
        }
        Ok(Self::new(ARROW_STREAM, writer.into_inner().map_err(unwritable)?))
    }

    /// The batches of a part that is a table.
    ///
    /// # Errors
    /// Those of [`TableReader`].
    pub fn to_batches(&self) -> Result<Vec<RecordBatch>, Error> {
        use crate::built::host::Source;

        let source = Source::new(vec![self.clone()]);
        TableReader::new(crate::Source::borrowed(&source).single()?)?.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Int32Type};

    use super::*;
    use crate::{Op, OpContext, Part, build_op_context};

    /// Copies its input.
    struct Copy;

    impl Op for Copy {
        fn run(context: &OpContext) -> Result<(), Error> {
            let table = TableReader::new(context.input("value")?.single()?)?;
            let mut output = context.output("result")?;
            let mut copy = TableWriter::begin(&mut output, None, &table.schema())?;
            for batch in table {
                copy.write(&batch?)?;
            }
            copy.finish()
        }
    }

    fn copy(part: Part) -> Result<Part, Error> {
        let op = build_op_context().input("value", [part]).build();
        op.run::<Copy>()?;
        Ok(op.output("result").remove(0))
    }

    fn numbers(count: i64) -> RecordBatch {
        let metadata = [("origin".to_owned(), "a test".to_owned())].into();
        let schema = Schema::new_with_metadata(vec![Field::new("number", DataType::Int64, true)], metadata);
        RecordBatch::try_new(schema.into(), vec![Arc::new(Int64Array::from_iter_values(0..count))]).unwrap()
    }

    #[test]
    fn batches_of_any_size_come_through_with_the_metadata_of_the_table() {
        let batches = [numbers(3), numbers(0), numbers(500_000), numbers(1)];
        let part = Part::from_batches(&numbers(0).schema(), &batches).unwrap();
        let copied = copy(part).unwrap();
        assert_eq!(copied.to_batches().unwrap(), batches);
    }

    #[test]
    fn dictionaries_that_change_between_batches_come_through() {
        let batch = |words: [&str; 2]| {
            let words: DictionaryArray<Int32Type> = words.into_iter().collect();
            RecordBatch::try_from_iter([("word", Arc::new(words) as _)]).unwrap()
        };
        let batches = [batch(["a", "b"]), batch(["c", "a"])];
        let copied = copy(Part::from_batches(&batches[0].schema(), &batches).unwrap()).unwrap();
        assert_eq!(copied.to_batches().unwrap(), batches);
    }

    #[test]
    fn a_table_without_batches_keeps_its_columns() {
        let part = Part::from_batches(&numbers(0).schema(), &[]).unwrap();
        assert_eq!(copy(part.clone()).unwrap(), part);
    }

    #[test]
    fn another_media_type_is_named() {
        let Err(Error::UnsupportedType(message)) = copy(Part::new("text/csv", "a\n1\n")) else { panic!("no error") };
        assert!(message.contains("text/csv") && message.contains(ARROW_STREAM), "{message}");
    }

    #[test]
    fn an_arrow_file_is_told_from_a_stream() {
        let Err(Error::UnsupportedType(message)) = copy(Part::new(ARROW_STREAM, b"ARROW1\0\0\xff\xff\xff\xff")) else {
            panic!("no error")
        };
        assert!(message.contains("Arrow IPC file") && message.contains("stream is expected"), "{message}");
    }

    #[test]
    fn a_compression_that_cannot_be_read_is_told() {
        // Written by pyarrow: four integers.
        let part = Part::new(ARROW_STREAM, include_bytes!("../testdata/zstd.arrows"));
        let Err(Error::UnsupportedType(message)) = copy(part) else { panic!("no error") };
        assert!(message.contains("compressed with zstd") && message.contains("lz4"), "{message}");
    }

    #[test]
    fn bytes_that_are_no_stream_are_corrupt() {
        let whole = Part::from_batches(&numbers(0).schema(), &[numbers(1000)]).unwrap();
        let cut = Part::new(ARROW_STREAM, &whole.bytes[..whole.bytes.len() / 2]);
        let trailing = Part::new(ARROW_STREAM, [whole.bytes.as_slice(), b"more"].concat());
        let claims_much = Part::new(ARROW_STREAM, [0xff, 0xff, 0xff, 0xff, 0xf0, 0xff, 0xff, 0x7f, 1]);
        for part in [Part::new(ARROW_STREAM, ""), Part::new(ARROW_STREAM, "a,b\n1,2\n"), cut, trailing, claims_much] {
            assert!(matches!(copy(part), Err(Error::Corrupt(message)) if message.contains("no Arrow IPC stream")));
        }
    }

    #[test]
    fn a_batch_of_other_columns_is_refused() {
        struct Mixed;
        impl Op for Mixed {
            fn run(context: &OpContext) -> Result<(), Error> {
                let mut output = context.output("result")?;
                let mut table = TableWriter::begin(&mut output, None, &numbers(0).schema())?;
                let words = Arc::new(StringArray::from(vec!["a"])) as _;
                table.write(&RecordBatch::try_from_iter([("word", words)]).unwrap())
            }
        }
        let error = build_op_context().build().run::<Mixed>().unwrap_err();
        assert!(matches!(error, Error::UnsupportedType(message) if message.contains("number")));
    }
}
