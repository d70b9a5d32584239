//! Tables that look like real ones and are the same each time, as Arrow IPC streams.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::ipc::writer::StreamWriter;

/// Rows of a batch.
const BATCH: i64 = 1 << 16;
/// The first moment of 2013 in microseconds.
const START: i64 = 1_356_998_400_000_000;
const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;

/// Some rows of a table, by their numbers.
pub type Rows = fn(Range<i64>) -> Result<RecordBatch>;

/// Writes the first `count` rows of a table into `to`.
pub fn stream<W: Write>(rows: Rows, count: i64, to: W) -> Result<W> {
    let mut writer = StreamWriter::try_new(to, &rows(0..0)?.schema())?;
    let mut start = 0;
    while start < count {
        let end = count.min(start + BATCH);
        writer.write(&rows(start..end)?)?;
        start = end;
    }
    Ok(writer.into_inner()?)
}

/// A whole number, a fraction, a moment and a text.
pub fn measurements(rows: Range<i64>) -> Result<RecordBatch> {
    let fraction = |row| scattered(row, 1, 1 << 52) as f64 / (1_u64 << 52) as f64;
    let columns: [(&str, ArrayRef); 4] = [
        ("number", Arc::new(Int64Array::from_iter_values(rows.clone()))),
        ("value", Arc::new(Float64Array::from_iter_values(rows.clone().map(fraction)))),
        ("time", Arc::new(TimestampMicrosecondArray::from_iter_values(rows.clone().map(|row| START + row * SECOND)))),
        (
            "key",
            Arc::new(StringArray::from_iter_values(rows.map(|row| format!("key-{}", scattered(row, 2, 1_000_000))))),
        ),
    ];
    batch(columns)
}

/// Flights, as in the well-known table of those that left New York in 2013: numbers, some of them missing, short texts
/// and moments.
pub fn flights(rows: Range<i64>) -> Result<RecordBatch> {
    let whole = |salt, first: i64, count: i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.clone().map(|row| first + scattered(row, salt, count))))
    };
    let missing = |row, salt: i64| scattered(row, -salt, 40) == 0;
    let fraction = |salt, first: i64, count: i64| -> ArrayRef {
        let of = |row| (!missing(row, salt)).then(|| (first + scattered(row, salt, count)) as f64);
        Arc::new(rows.clone().map(of).collect::<Float64Array>())
    };
    let text = |salt, prefix: &str, count: i64| -> ArrayRef {
        let of = |row| (!missing(row, salt)).then(|| format!("{prefix}{}", scattered(row, salt, count)));
        Arc::new(rows.clone().map(of).collect::<StringArray>())
    };
    let moments = rows.clone().map(|row| START + row * MINUTE);
    let columns: [(&str, ArrayRef); 19] = [
        ("year", whole(1, 2013, 1)),
        ("month", whole(2, 1, 12)),
        ("day", whole(3, 1, 31)),
        ("dep_time", fraction(4, 1, 2400)),
        ("sched_dep_time", whole(5, 1, 2400)),
        ("dep_delay", fraction(6, -43, 1300)),
        ("arr_time", fraction(7, 1, 2400)),
        ("sched_arr_time", whole(8, 1, 2400)),
        ("arr_delay", fraction(9, -86, 1300)),
        ("carrier", text(10, "C", 10)),
        ("flight", whole(11, 1, 8500)),
        ("tailnum", text(12, "N", 4000)),
        ("origin", text(13, "NY", 3)),
        ("dest", text(14, "A", 100)),
        ("air_time", fraction(15, 20, 675)),
        ("distance", fraction(16, 17, 4983)),
        ("hour", whole(17, 1, 23)),
        ("minute", whole(18, 0, 60)),
        ("time_hour", Arc::new(TimestampMicrosecondArray::from_iter_values(moments))),
    ];
    batch(columns)
}

fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> Result<RecordBatch> {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).context("no batch")
}

/// A number from 0 up to `count` that looks random, of a row and a column: `SplitMix64`.
fn scattered(row: i64, salt: i64, count: i64) -> i64 {
    let seed = row.wrapping_mul(1000).wrapping_add(salt).cast_unsigned();
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).cast_signed().rem_euclid(count)
}
