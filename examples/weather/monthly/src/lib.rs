//! Summarises the days of a month: sums, means, and the days that were hottest, coldest, wettest and windiest.
//!
//! The days come one by one, each a table of one row, as they are asked for.

use std::sync::Arc;

use airlock_sdk::arrow::array::{Array, ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch};
use airlock_sdk::arrow::datatypes::{Date32Type, Float64Type};
use airlock_sdk::table::{TableReader, TableWriter};
use airlock_sdk::{Error, Op, OpContext};

/// The op.
#[derive(Debug)]
pub struct Monthly;

/// One day.
struct Day {
    /// Days since 1970-01-01.
    date: i32,
    rain: f64,
    high: f64,
    low: f64,
    wind: f64,
}

impl Op for Monthly {
    fn run(context: &OpContext) -> Result<(), Error> {
        let mut days = Vec::new();
        let mut input = context.input("days")?;
        while let Some(part) = input.next()? {
            for batch in TableReader::new(part)? {
                read(&batch?, &mut days)?;
            }
        }
        days.sort_by_key(|day| day.date);
        let summary = summarise(&days)?;
        let mut output = context.output("result")?;
        let mut table = TableWriter::begin(&mut output, None, &summary.schema())?;
        table.write(&summary)?;
        table.finish()?;
        context.add_output_metadata("result", "days", days.len() as u64)
    }
}

/// Adds the rows of `batch` to `days`.
fn read(batch: &RecordBatch, days: &mut Vec<Day>) -> Result<(), Error> {
    let column = |name: &str| {
        let column = batch.column_by_name(name).filter(|column| column.null_count() == 0);
        column.ok_or_else(|| Error::corrupt(format!("the days have no column `{name}` without gaps")))
    };
    let numbers = |name: &str| {
        let numbers = column(name)?.as_primitive_opt::<Float64Type>();
        numbers.ok_or_else(|| Error::unsupported_type(format!("the column `{name}` has no numbers of type float64")))
    };
    let dates = column("date")?.as_primitive_opt::<Date32Type>();
    let dates = dates.ok_or_else(|| Error::unsupported_type("the column `date` has no dates"))?;
    let (rain, high) = (numbers("precipitation")?, numbers("temp_max")?);
    let (low, wind) = (numbers("temp_min")?, numbers("wind")?);
    days.extend((0..batch.num_rows()).map(|row| Day {
        date: dates.value(row),
        rain: rain.value(row),
        high: high.value(row),
        low: low.value(row),
        wind: wind.value(row),
    }));
    Ok(())
}

/// A table of one row.
fn summarise(days: &[Day]) -> Result<RecordBatch, Error> {
    let first = days.first().ok_or_else(Error::not_found)?;
    let count = i64::try_from(days.len()).unwrap_or(i64::MAX);
    let rainy = days.iter().filter(|day| day.rain > 0.0).count();
    let sum = |of: fn(&Day) -> f64| days.iter().map(of).sum::<f64>();
    let numbers = |value: f64| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
    let integers = |value: i64| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    let dates = |value: i32| Arc::new(Date32Array::from(vec![value])) as ArrayRef;
    #[expect(clippy::cast_precision_loss, reason = "a month has few days")]
    let mean = |of: fn(&Day) -> f64| numbers(round(sum(of) / count as f64, 100.0));
    // Of equal days the first.
    let record = |of: fn(&Day) -> f64| days.iter().fold(first, |best, day| if of(day) > of(best) { day } else { best });
    let (hottest, coldest) = (record(|day| day.high), record(|day| -day.low));
    let (wettest, windiest) = (record(|day| day.rain), record(|day| day.wind));
    let columns = [
        ("month", dates(first.date)),
        ("days", integers(count)),
        ("rainy_days", integers(i64::try_from(rainy).unwrap_or(i64::MAX))),
        ("precipitation", numbers(round(sum(|day| day.rain), 10.0))),
        ("temp_max_mean", mean(|day| day.high)),
        ("temp_min_mean", mean(|day| day.low)),
        ("hottest", numbers(hottest.high)),
        ("hottest_day", dates(hottest.date)),
        ("coldest", numbers(coldest.low)),
        ("coldest_day", dates(coldest.date)),
        ("wettest", numbers(wettest.rain)),
        ("wettest_day", dates(wettest.date)),
        ("windiest", numbers(windiest.wind)),
        ("windiest_day", dates(windiest.date)),
    ];
    RecordBatch::try_from_iter(columns).map_err(|error| Error::other("arrow", error))
}

/// `value`, rounded to a fraction of which one has `parts`.
fn round(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

airlock_sdk::export_op!(Monthly);
airlock_sdk::manifest!("../manifest.json");

#[cfg(test)]
mod tests {
    use airlock_sdk::{Part, build_op_context};

    use super::*;

    fn day(date: i32, rain: f64, high: f64, low: f64, wind: f64) -> RecordBatch {
        let numbers = |value: f64| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
        RecordBatch::try_from_iter([
            ("date", Arc::new(Date32Array::from(vec![date])) as ArrayRef),
            ("precipitation", numbers(rain)),
            ("temp_max", numbers(high)),
            ("temp_min", numbers(low)),
            ("wind", numbers(wind)),
        ])
        .unwrap()
    }

    fn monthly(days: &[RecordBatch]) -> Result<RecordBatch, Error> {
        let parts = days.iter().map(|day| Part::from_batches(&day.schema(), std::slice::from_ref(day)));
        let op = build_op_context().input("days", parts.collect::<Result<Vec<_>, _>>()?).build();
        op.run::<Monthly>()?;
        let [part] = op.output("result").try_into().unwrap();
        Ok(part.to_batches()?.remove(0))
    }

    fn number(summary: &RecordBatch, name: &str) -> f64 {
        summary.column_by_name(name).unwrap().as_primitive::<Float64Type>().value(0)
    }

    fn date(summary: &RecordBatch, name: &str) -> i32 {
        summary.column_by_name(name).unwrap().as_primitive::<Date32Type>().value(0)
    }

    #[test]
    fn a_month_is_what_its_days_are_together() {
        let days = [day(10, 0.1, 7.0, 1.0, 2.0), day(11, 0.2, 8.0, -3.0, 5.0), day(12, 0.0, 8.0, -3.0, 1.0)];
        let summary = monthly(&days).unwrap();
        assert_eq!((number(&summary, "precipitation"), number(&summary, "temp_max_mean")), (0.3, 7.67));
        assert_eq!((date(&summary, "month"), number(&summary, "temp_min_mean")), (10, -1.67));
        assert_eq!((number(&summary, "windiest"), date(&summary, "windiest_day")), (5.0, 11));
    }

    #[test]
    fn of_equal_days_the_first_is_the_record() {
        let days = [day(12, 0.0, 8.0, -3.0, 1.0), day(11, 0.0, 8.0, -3.0, 1.0), day(10, 0.0, 7.0, 1.0, 1.0)];
        let summary = monthly(&days).unwrap();
        let records = ["hottest_day", "coldest_day", "wettest_day", "windiest_day"].map(|name| date(&summary, name));
        assert_eq!(records, [11, 11, 10, 10]);
    }

    #[test]
    fn a_column_that_is_not_there_is_named() {
        let day = day(10, 0.0, 1.0, 0.0, 0.0).project(&[0, 1, 2]).unwrap();
        let error = monthly(&[day]).unwrap_err();
        assert!(matches!(error, Error::Corrupt(message) if message.contains("`temp_min`")));
    }

    #[test]
    fn a_month_without_days_has_no_summary() {
        assert!(matches!(monthly(&[]), Err(Error::NotFound(_))));
    }
}
