//! Storing and loading a table as Parquet through `builtin:tables`, beside the same libraries called natively.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use airlock_sandbox::value::{Budget, Content, Value};
use anyhow::{Context, Result};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::generate::{measurements, stream};
use crate::lab::Lab;
use crate::measure::{Cost, compare, timed};
use crate::row::Row;

pub const STREAM: &str = "application/vnd.apache.arrow.stream";

const ROWS: i64 = 1_000_000;
const ROUNDS: usize = 9;

// As `builtin:tables` has them.
const ROW_GROUP_BYTES: usize = 32 << 20;
const BATCH_ROWS: usize = 1 << 16;

pub fn rows(folder: &Path) -> Result<Vec<Row>> {
    let lab = Lab::new("tables", folder, Budget::new(u64::MAX, folder))?;
    let table = stream(measurements, ROWS, Vec::new())?;
    let value = Value::single(STREAM, Content::from_bytes(&table, &lab.budget)?);
    let file = folder.join("native.parquet");
    let store =
        compare(ROUNDS, || Ok(timed(|| lab.store(&value))?.0), || Ok(timed(|| write_parquet(&table, &file))?.0))?;
    let upstream = lab.store(&value)?.value;
    let stored = folder.join("tables/bench/value.parquet");
    anyhow::ensure!(fs::read(stored)? == fs::read(&file)?, "native Rust does not write what `tables` writes");
    let rows = whole(&table)?;
    let load = compare(
        ROUNDS,
        || {
            let (cost, loaded) = timed(|| Ok(lab.load(&upstream)?.value))?;
            let part = loaded.parts.first().context("nothing was loaded")?;
            anyhow::ensure!(whole(&part.content.to_vec()?)? == rows, "what was loaded is not what was stored");
            Ok(cost)
        },
        || {
            let (cost, read) = timed(|| read_parquet(&file))?;
            anyhow::ensure!(whole(&read)? == rows, "what was read is not what was written");
            Ok(cost)
        },
    )?;
    let row = |way: &str, (airlock, native): (Cost, Cost), goal| {
        Row::time(format!("{way} 1,000,000 rows × 4 columns through `tables`"), airlock.time)
            .native(native.time)
            .dagster(format!("{way} 1,000,000 rows"))
            .goal(goal)
    };
    Ok(vec![row("store", store, "≤ 1.6× native"), row("load", load, "≤ 1.3× native")])
}

fn write_parquet(table: &[u8], file: &Path) -> Result<()> {
    let mut file = File::create(file)?;
    let reader = StreamReader::try_new(table, None)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), reader.schema(), Some(properties))?;
    for batch in reader {
        writer.write(&batch?)?;
        file.write_all(&std::mem::take(writer.inner_mut()))?;
    }
    Ok(file.write_all(&writer.into_inner()?)?)
}

fn read_parquet(file: &Path) -> Result<Vec<u8>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?.with_batch_size(BATCH_ROWS);
    let mut writer = StreamWriter::try_new(Vec::new(), builder.schema())?;
    for batch in builder.build()? {
        writer.write(&batch?)?;
    }
    Ok(writer.into_inner()?)
}

/// The rows of a stream, however they are divided into batches.
fn whole(table: &[u8]) -> Result<RecordBatch> {
    let reader = StreamReader::try_new(table, None)?;
    let schema = reader.schema();
    Ok(concat_batches(&schema, &reader.collect::<Result<Vec<_>, _>>()?)?)
}
