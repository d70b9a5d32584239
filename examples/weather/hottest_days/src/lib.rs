//! Finds the hottest day of each month; of days equally hot, the first.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use airlock_sdk::{Error, Op, OpContext};

/// Reads daily observations and writes `month,date,temp_max`.
struct HottestDays;

impl Op for HottestDays {
    fn run(context: &OpContext) -> Result<(), Error> {
        let mut lines = context.input("observations")?.single()?.lines();
        let header = lines.next().transpose()?.unwrap_or_default();
        let date = column(&header, "date")?;
        let temperature = column(&header, "temp_max")?;

        let mut hottest: BTreeMap<String, (String, f64)> = BTreeMap::new();
        for line in lines {
            let line = line?;
            let cell = |index| line.split(',').nth(index).unwrap_or_default();
            let (Some(month), Ok(value)) = (cell(date).get(..7), cell(temperature).parse::<f64>()) else {
                return Err(Error::corrupt(format!("the line `{line}` has no date or no temperature")));
            };
            let known = hottest.entry(month.to_owned()).or_insert_with(|| (cell(date).to_owned(), value));
            if value > known.1 {
                *known = (cell(date).to_owned(), value);
            }
        }

        let mut output = context.output("result")?;
        let mut part = output.begin(None, "text/csv")?;
        writeln!(part, "month,date,temp_max")?;
        for (month, (date, value)) in &hottest {
            writeln!(part, "{month},{date},{value:.1}")?;
        }
        context.add_output_metadata("result", "months", hottest.len() as u64)
    }
}

/// The index of the column `name`.
fn column(header: &str, name: &str) -> Result<usize, Error> {
    let position = header.split(',').position(|column| column == name);
    position.ok_or_else(|| Error::corrupt(format!("the header `{header}` has no column `{name}`")))
}

airlock_sdk::export_op!(HottestDays);

#[cfg(test)]
mod tests {
    use airlock_sdk::{Part, build_op_context};

    use super::*;

    fn hottest_days(observations: &str) -> Result<String, Error> {
        let op = build_op_context().input("observations", [Part::new("text/csv", observations)]).build();
        op.run::<HottestDays>()?;
        Ok(op.output("result").into_iter().map(|part| String::from_utf8(part.bytes).unwrap()).collect())
    }

    #[test]
    fn the_first_of_the_hottest_days_of_a_month_is_found() {
        let observations = "date,temp_max\n2012-01-01,5.0\n2012-01-02,7.0\n2012-01-03,7.0\n2012-02-01,-3.5\n";
        let expected = "month,date,temp_max\n2012-01,2012-01-02,7.0\n2012-02,2012-02-01,-3.5\n";
        assert_eq!(hottest_days(observations).unwrap(), expected);
    }

    #[test]
    fn a_line_without_a_temperature_is_shown() {
        let error = hottest_days("date,temp_max\n2012-01-01,warm\n").unwrap_err();
        assert!(matches!(error, Error::Corrupt(message) if message.contains("2012-01-01,warm")));
    }

    #[test]
    fn a_missing_column_is_named() {
        let error = hottest_days("date,wind\n").unwrap_err();
        assert!(matches!(error, Error::Corrupt(message) if message.contains("temp_max")));
    }
}
