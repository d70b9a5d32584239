//! Arrow IPC files.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use airlock_sdk::Error;
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use arrow::ipc::{Block, CompressionType, root_as_footer};

use crate::config::Compression;
use crate::dictionary::dictionaries;
use crate::error::{unreadable, unsupported_column, unwritable};
use crate::table::{Batches, Writer, projection};

/// Bytes that are written at a time.
const WRITE: usize = 1 << 20;
/// Bytes at the end of a file: the length of the footer, and a magic number.
const TRAILER: usize = 10;

struct ArrowFile<W: Write> {
    writer: FileWriter<BufWriter<W>>,
    /// The values of the dictionaries of each column of the first batch.
    dictionaries: Option<Vec<Vec<ArrayRef>>>,
}

/// Writes a table into `file`.
///
/// # Errors
/// Those of the storage.
pub fn write<'a>(
    file: Box<dyn Write + 'a>,
    schema: &Schema,
    compression: Compression,
) -> Result<Box<dyn Writer + 'a>, Error> {
    let lz4 = (compression == Compression::Lz4).then_some(CompressionType::LZ4_FRAME);
    let options = IpcWriteOptions::default().try_with_compression(lz4).map_err(unwritable)?;
    let file = BufWriter::with_capacity(WRITE, file);
    let writer = FileWriter::try_new_with_options(file, schema, options).map_err(unwritable)?;
    Ok(Box::new(ArrowFile { writer, dictionaries: None }))
}

impl<W: Write> Writer for ArrowFile<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let values = |array: &ArrayRef| array.as_any_dictionary().values().clone();
        let values = |column| dictionaries(column).iter().map(values).collect();
        let columns: Vec<Vec<ArrayRef>> = batch.columns().iter().map(values).collect();
        let first = self.dictionaries.get_or_insert_with(|| columns.clone());
        for ((first, now), field) in first.iter().zip(&columns).zip(batch.schema_ref().fields()) {
            if !first.iter().zip(now).all(|(first, now)| Arc::ptr_eq(first, now) || first == now) {
                return Err(unsupported_column(
                    field.name(),
                    "has a dictionary that differs between batches, which an Arrow file cannot hold; keep the table as \
                     Parquet, or make it a column without a dictionary",
                ));
            }
        }
        self.writer.write(batch).map_err(unwritable)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.writer.finish().map_err(unwritable)?;
        self.writer.flush().map_err(unwritable)
    }
}

/// The table in `file`, which is called `place`.
///
/// # Errors
/// [`Error::Corrupt`] where it is no Arrow file; that of a column that it does not have.
pub fn read(mut file: File, columns: &[String], place: String) -> Result<Batches<'static>, Error> {
    let unreadable = move |error| unreadable(&place, error);
    let footer = read_footer(&mut file).map_err(&unreadable)?;
    let Footer { mut decoder, schema, dictionaries, batches } = Footer::parse(&footer, columns, &unreadable)?;
    for block in &dictionaries {
        let bytes = read_block(&mut file, block).map_err(&unreadable)?;
        decoder.read_dictionary(block, &bytes).map_err(&unreadable)?;
    }
    let iterator = batches.into_iter().filter_map(move |block| {
        let batch = read_block(&mut file, &block).and_then(|bytes| decoder.read_record_batch(&block, &bytes));
        batch.map_err(&unreadable).transpose()
    });
    Ok(Batches { schema: schema.into(), iterator: Box::new(iterator) })
}

struct Footer {
    decoder: FileDecoder,
    schema: Schema,
    dictionaries: Vec<Block>,
    batches: Vec<Block>,
}

impl Footer {
    fn parse(bytes: &[u8], columns: &[String], unreadable: &dyn Fn(ArrowError) -> Error) -> Result<Self, Error> {
        let wrong = |reason: &str| unreadable(ArrowError::ParseError(reason.to_owned()));
        let footer = root_as_footer(bytes).map_err(|error| wrong(&format!("its footer is damaged: {error}")))?;
        let whole = fb_to_schema(footer.schema().ok_or_else(|| wrong("its footer has no schema"))?);
        let mut decoder = FileDecoder::new(whole.clone().into(), footer.version());
        let mut schema = whole;
        if let Some(indexes) = projection(&schema, columns)? {
            schema = schema.project(&indexes).map_err(unreadable)?;
            decoder = decoder.with_projection(indexes);
        }
        let dictionaries = footer.dictionaries().map(|blocks| blocks.iter().copied().collect()).unwrap_or_default();
        let batches = footer.recordBatches().map(|blocks| blocks.iter().copied().collect()).unwrap_or_default();
        Ok(Self { decoder, schema, dictionaries, batches })
    }
}

fn read_footer(file: &mut File) -> Result<Vec<u8>, ArrowError> {
    let size = file.metadata()?.len();
    let too_short = || ArrowError::ParseError("it is no Arrow file, or cut short".to_owned());
    let end = size.checked_sub(TRAILER as u64).ok_or_else(too_short)?;
    let mut trailer = [0; TRAILER];
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut trailer)?;
    let length = read_footer_length(trailer)?;
    let start = end.checked_sub(length as u64).ok_or_else(too_short)?;
    let mut footer = vec![0; length];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut footer)?;
    Ok(footer)
}

/// The bytes of a block, once it is sure that the file has so many.
fn read_block(file: &mut File, block: &Block) -> Result<Buffer, ArrowError> {
    let outside = || ArrowError::ParseError("its footer tells of bytes that it does not have".to_owned());
    let start = u64::try_from(block.offset()).map_err(|_| outside())?;
    let (head, body) = (u64::try_from(block.metaDataLength()), u64::try_from(block.bodyLength()));
    let length = head.ok().zip(body.ok()).and_then(|(head, body)| head.checked_add(body)).ok_or_else(outside)?;
    let end = start.checked_add(length).ok_or_else(outside)?;
    if head.is_ok_and(|head| head < 8) || end > file.metadata()?.len() {
        return Err(outside());
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| outside())?];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut bytes)?;
    Ok(Buffer::from_vec(bytes))
}
