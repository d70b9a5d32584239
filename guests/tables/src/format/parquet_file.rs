//! Parquet files.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use airlock_sdk::Error;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, IntervalUnit, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Compression as Codec;
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData, RowGroupMetaData};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{ChunkReader, Length};

use super::parquet_batches::ParquetBatches;
use crate::config::Compression;
use crate::dictionary::SmallIndexes;
use crate::error::{unreadable, unreadable_parquet, unsupported_column, unwritable_parquet};
use crate::schema::type_name;
use crate::table::{BATCH_ROWS, Batches, Writer, projection, require_columns};

/// Encoded bytes in memory after which a row group is written.
const ROW_GROUP_BYTES: usize = 32 << 20;
/// Bytes that are read to find how long the head of a page is.
const HEAD: usize = 512;

struct ParquetFile<'a> {
    writer: ArrowWriter<Box<dyn Write + Send + 'a>>,
    indexes: SmallIndexes,
}

/// Writes a table into `file`.
///
/// # Errors
/// [`Error::UnsupportedType`] with the name of a column that Parquet cannot hold.
pub fn write<'a>(
    file: Box<dyn Write + Send + 'a>,
    schema: &Schema,
    compression: Compression,
) -> Result<Box<dyn Writer + 'a>, Error> {
    for field in schema.fields() {
        if !holds(field.data_type()) {
            return Err(unsupported_column(
                field.name(),
                format!(
                    "has the type {}, which Parquet cannot hold; convert it to another type, or keep the table as Arrow",
                    type_name(field.data_type())
                ),
            ));
        }
    }
    let codec = match compression {
        Compression::None => Codec::UNCOMPRESSED,
        Compression::Snappy => Codec::SNAPPY,
        Compression::Lz4 => Codec::LZ4_RAW,
    };
    // Readers that do not know Arrow's schema, pandas' among them, look for the metadata here.
    let mut metadata: Vec<_> =
        schema.metadata().iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
    metadata.sort_by(|a, b| a.key.cmp(&b.key));
    let properties = WriterProperties::builder()
        .set_compression(codec)
        .set_key_value_metadata((!metadata.is_empty()).then_some(metadata))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .build();
    let writer = ArrowWriter::try_new(file, schema.clone().into(), Some(properties));
    Ok(Box::new(ParquetFile { writer: writer.map_err(unwritable_parquet)?, indexes: SmallIndexes::default() }))
}

/// Whether a type comes back from Parquet as it was.
fn holds(data_type: &DataType) -> bool {
    match data_type {
        DataType::Union(..)
        | DataType::RunEndEncoded(..)
        | DataType::Interval(IntervalUnit::MonthDayNano)
        | DataType::FixedSizeBinary(0) => false,
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => *scale >= 0,
        DataType::Struct(fields) => !fields.is_empty() && fields.iter().all(|field| holds(field.data_type())),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => holds(item.data_type()),
        DataType::Dictionary(_, values) => holds(values),
        _ => true,
    }
}

impl Writer for ParquetFile<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        require_columns(batch, "Parquet")?;
        self.indexes.check(batch)?;
        // The writer looks at its limits between batches, so a large one is handed over in slices.
        for start in (0..batch.num_rows()).step_by(BATCH_ROWS) {
            let slice = batch.slice(start, BATCH_ROWS.min(batch.num_rows() - start));
            self.writer.write(&slice).map_err(unwritable_parquet)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.writer.finish().map_err(unwritable_parquet)?;
        Ok(self.writer.inner_mut().flush()?)
    }
}

/// The table in `chunks`, which are called `place`.
///
/// # Errors
/// [`Error::Corrupt`] where it is no Parquet; [`Error::UnsupportedType`] where it is compressed in a way that cannot be
/// read here; that of a column that it does not have.
pub fn read(chunks: Chunks, columns: &[String], place: String) -> Result<Batches<'static>, Error> {
    let metadata = ArrowReaderMetadata::load(&chunks, ArrowReaderOptions::default());
    let metadata = metadata.map_err(|error| unreadable_parquet(&place, error))?;
    check_compression(metadata.metadata(), &place)?;
    let mut schema = metadata.schema().clone();
    let indexes = projection(&schema, columns)?;
    if let Some(indexes) = &indexes {
        schema = schema.project(indexes).map_err(|error| unreadable(&place, error))?.into();
    }
    let batches = ParquetBatches::new(chunks, metadata, indexes).map_err(|error| unreadable_parquet(&place, error))?;
    let known = schema.clone();
    let iterator = batches.map(move |batch| {
        let batch = batch.map_err(|error| unreadable(&place, error))?;
        batch.with_schema(known.clone()).map_err(|error| unreadable(&place, error))
    });
    Ok(Batches { schema, iterator: Box::new(iterator) })
}

fn check_compression(metadata: &ParquetMetaData, place: &str) -> Result<(), Error> {
    let columns = metadata.row_groups().iter().flat_map(RowGroupMetaData::columns);
    for column in columns {
        if !matches!(column.compression(), Codec::UNCOMPRESSED | Codec::SNAPPY | Codec::LZ4 | Codec::LZ4_RAW) {
            return Err(Error::unsupported_type(format!(
                "{place}: the column {:?} is compressed with {}, which cannot be read here; write the file with snappy, \
                 lz4 or no compression",
                column.column_path().string(),
                column.compression()
            )));
        }
    }
    Ok(())
}

/// The bytes of a Parquet file, at random. [`File`] itself would be cloned for each read, which WASI cannot.
#[derive(Clone)]
pub enum Chunks {
    File(Arc<Mutex<File>>, u64),
    Memory(Bytes),
}

impl Chunks {
    /// Those of `file`, read as they are asked for.
    ///
    /// # Errors
    /// Where its size cannot be told.
    pub fn of_file(file: File) -> Result<Self, Error> {
        let size = file.metadata()?.len();
        Ok(Self::File(Arc::new(Mutex::new(file)), size))
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        match self {
            Self::File(_, size) => *size,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<ReadFrom>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::with_capacity(HEAD, ReadFrom { chunks: self.clone(), position: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.len());
        let end = end.ok_or_else(|| ParquetError::EOF(format!("it has no {length} bytes at {start}")))?;
        match self {
            Self::File(file, _) => {
                let mut bytes = vec![0; length];
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(start))?;
                file.read_exact(&mut bytes)?;
                Ok(bytes.into())
            }
            Self::Memory(bytes) => {
                let outside = |_| ParquetError::EOF(format!("it has no {length} bytes at {start}"));
                Ok(bytes.slice(usize::try_from(start).map_err(outside)?..usize::try_from(end).map_err(outside)?))
            }
        }
    }
}

/// Reads on from a position.
pub struct ReadFrom {
    chunks: Chunks,
    position: u64,
}

impl Read for ReadFrom {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.chunks.len().saturating_sub(self.position)).unwrap_or(usize::MAX);
        let length = left.min(buffer.len());
        let bytes = self.chunks.get_bytes(self.position, length).map_err(std::io::Error::other)?;
        buffer.get_mut(..length).unwrap_or_default().copy_from_slice(&bytes);
        self.position += length as u64;
        Ok(length)
    }
}
