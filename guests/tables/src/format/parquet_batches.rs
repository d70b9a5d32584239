//! The batches of a Parquet file, of about the same size in memory whatever the rows take.
//!
//! A text that is there often is stored once, so how much a row takes is only known once it is decoded.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Type;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::parquet_file::Chunks;
use crate::table::{BATCH_BYTES, BATCH_ROWS};

/// Rows of the first batch where the file does not tell how large they are.
const FIRST_ROWS: usize = 16;
/// Decoded bytes of a row group, at most, of which the average is believed.
const GROUP_BYTES: usize = 64 << 20;
/// How many times the rows of one batch the next has, at most.
const GROWTH: usize = 8;

/// Begins with a batch of the size that the file's own statistics suggest, or a small one where it has none; the next ones
/// are as large as the rows of the last one allow.
pub struct ParquetBatches {
    chunks: Chunks,
    metadata: ArrowReaderMetadata,
    /// The indexes of the columns that are read; all where there are none.
    columns: Option<Vec<usize>>,
    reader: ParquetRecordBatchReader,
    /// Rows of a batch of the reader.
    rows: usize,
    /// Rows that were read.
    position: usize,
}

impl ParquetBatches {
    /// # Errors
    /// Where the file has no such columns.
    pub fn new(
        chunks: Chunks,
        metadata: ArrowReaderMetadata,
        columns: Option<Vec<usize>>,
    ) -> Result<Self, ParquetError> {
        let rows = row_bytes(metadata.metadata(), columns.as_deref()).map_or(FIRST_ROWS, rows_of);
        let reader = open(&chunks, &metadata, columns.as_deref(), 0, rows)?;
        Ok(Self { chunks, metadata, columns, reader, rows, position: 0 })
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let Some(batch) = self.reader.next().transpose()? else { return Ok(None) };
        self.position = self.position.saturating_add(batch.num_rows());
        if let Some(rows) = next_rows(self.rows, &batch) {
            // A reader keeps its size, so another one goes on.
            self.reader = open(&self.chunks, &self.metadata, self.columns.as_deref(), self.position, rows)?;
            self.rows = rows;
        }
        Ok(Some(batch))
    }
}

impl Iterator for ParquetBatches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

/// A reader of batches of `rows` rows that begins after `position` rows of the file.
fn open(
    chunks: &Chunks,
    metadata: &ArrowReaderMetadata,
    columns: Option<&[usize]>,
    position: usize,
    rows: usize,
) -> Result<ParquetRecordBatchReader, ParquetError> {
    let groups = metadata.metadata().row_groups();
    let (mut first, mut offset) = (0, position);
    for group in groups {
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let Some(left) = offset.checked_sub(rows) else { break };
        (first, offset) = (first + 1, left);
    }
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks.clone(), metadata.clone());
    builder = builder.with_batch_size(rows).with_row_groups((first..groups.len()).collect());
    if offset > 0 {
        builder = builder.with_offset(offset);
    }
    if let Some(columns) = columns {
        let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
        builder = builder.with_projection(mask);
    }
    builder.build()
}

/// The rows of the batches after `batch`, one of `rows` rows; none where they are about right.
fn next_rows(rows: usize, batch: &RecordBatch) -> Option<usize> {
    let bytes: usize = batch.columns().iter().map(decoded_bytes).sum();
    let row = bytes.checked_div(batch.num_rows())?;
    let wanted = rows_of(row).min(rows.saturating_mul(GROWTH));
    let too_small = wanted >= rows.saturating_mul(2) || (wanted == BATCH_ROWS && rows < wanted);
    (too_small || wanted < rows / 2 || (rows <= 2 && wanted < rows)).then_some(wanted)
}

/// The rows of a batch where a row takes `bytes`.
fn rows_of(bytes: usize) -> usize {
    (BATCH_BYTES / bytes.max(1)).clamp(1, BATCH_ROWS)
}

/// Decoded bytes of a row of `columns` on average, in the row group where that is most; none where statistics lack, or
/// where a group has so much that a batch of many rows could hold too much of it, however short the others are.
fn row_bytes(metadata: &ParquetMetaData, columns: Option<&[usize]>) -> Option<usize> {
    let schema = metadata.file_metadata().schema_descr();
    let is_read = |leaf: usize| columns.is_none_or(|columns| columns.contains(&schema.get_column_root_idx(leaf)));
    let mut most = 0;
    for group in metadata.row_groups() {
        let mut bytes = 0_usize;
        for (_, column) in group.columns().iter().enumerate().filter(|(leaf, _)| is_read(*leaf)) {
            bytes = bytes.checked_add(column_bytes(column)?)?;
        }
        if bytes > GROUP_BYTES {
            return None;
        }
        most = most.max(bytes.checked_div(usize::try_from(group.num_rows()).ok()?)?);
    }
    Some(most)
}

/// Decoded bytes of all values of a column, where its statistics tell that.
fn column_bytes(column: &ColumnChunkMetaData) -> Option<usize> {
    let texts = match column.column_type() {
        Type::BYTE_ARRAY => usize::try_from(column.unencoded_byte_array_data_bytes()?).ok()?,
        _ => 0,
    };
    let width = match column.column_type() {
        Type::FIXED_LEN_BYTE_ARRAY => usize::try_from(column.column_descr().type_length()).ok()?,
        Type::INT64 | Type::DOUBLE | Type::INT96 => 8,
        Type::BYTE_ARRAY | Type::INT32 | Type::FLOAT | Type::BOOLEAN => 4,
    };
    usize::try_from(column.num_values()).ok()?.checked_mul(width)?.checked_add(texts)
}

/// Bytes of a column that are its own: many batches share the values of a dictionary, or the buffers of a view.
fn decoded_bytes(column: &ArrayRef) -> usize {
    const VIEW: usize = 16;
    let views = column.len().saturating_mul(VIEW);
    match column.data_type() {
        DataType::Dictionary(..) => column.as_any_dictionary().keys().get_array_memory_size(),
        DataType::Utf8View => column.as_string_view().total_buffer_bytes_used().saturating_add(views),
        DataType::BinaryView => column.as_binary_view().total_buffer_bytes_used().saturating_add(views),
        _ => column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size()),
    }
}
