//! Schedules: the moments at which one partition ends and the next begins, given as a cron expression.

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

/// A cron expression of five fields, realised in the local time of a zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    text: String,
    times: Vec<Time>,
    days: Days,
    is_every_hour: bool,
}

/// The days of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Days {
    of_month: Field,
    months: Field,
    of_week: Field,
}

/// The numbers that one field of an expression allows, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    allowed: u64,
    is_all: bool,
}

/// A moment of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    pub at: Timestamp,
    /// Whether its local time was there before: an hour that is repeated when daylight saving time ends.
    pub is_repeated: bool,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// The most days that the months have.
const MONTH_DAYS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl Schedule {
    /// Reads a cron expression: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday). A field
    /// is `*`, or numbers, ranges and steps separated by commas; months and days of the week may be named. Where both
    /// kinds of days are restricted, a day of either kind is meant.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn cron(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(format!(
                "a cron expression has five fields (minute, hour, day of the month, month, day of the week), and this has {}",
                fields.len()
            ));
        };
        let minutes = Field::read(minutes, "the minute", 0, 59, &[])?;
        let hours = Field::read(hours, "the hour", 0, 23, &[])?;
        let days = Days {
            of_month: Field::read(days, "the day of the month", 1, 31, &[])?,
            months: Field::read(months, "the month", 1, 12, &MONTHS)?,
            of_week: Field::read(weekdays, "the day of the week", 0, 7, &WEEKDAYS)?.with_one_sunday(),
        };
        if !days.ever_come() {
            return Err("there is no such day in any year".to_owned());
        }
        let times = hours.numbers().flat_map(|hour| minutes.numbers().map(move |minute| (hour, minute)));
        let times = times.filter_map(|(hour, minute)| Time::new(hour, minute, 0, 0).ok()).collect();
        Ok(Self { text: fields.join(" "), times, days, is_every_hour: hours.is_all })
    }

    /// The expression.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it has several moments a day.
    pub fn is_finer_than_a_day(&self) -> bool {
        self.times.len() > 1
    }

    /// Its moments in `zone` between `from` and `to`, both included, in order; of more than `limit` the first ones.
    ///
    /// A local time that daylight saving time skips is the moment when the clock is turned, so that no day is lost; a
    /// schedule of every hour goes on with the next hour. Of a local time that comes twice the second one is meant; a
    /// schedule of every hour has both.
    pub(super) fn ticks(&self, zone: &TimeZone, from: Timestamp, to: Timestamp, limit: usize) -> Vec<Tick> {
        let mut ticks = Vec::new();
        // What a change of the clock moves across midnight is of the day before or after.
        let local_date = |at: Timestamp| zone.to_datetime(at).date();
        let first = local_date(from).checked_sub(1.day()).unwrap_or(Date::MIN);
        let last = local_date(to).checked_add(1.day()).unwrap_or(Date::MAX);
        let enough = limit.saturating_add(self.times.len().saturating_mul(4));
        for date in first.series(1.day()).take_while(|date| *date <= last) {
            if self.days.has(date) {
                for time in &self.times {
                    self.push_ticks(zone, date, *time, |tick| {
                        if tick.at >= from && tick.at <= to {
                            ticks.push(tick);
                        }
                    });
                }
                if ticks.len() > enough {
                    break;
                }
            }
        }
        ticks.sort_by_key(|tick| tick.at);
        ticks.dedup_by_key(|tick| tick.at);
        ticks.truncate(limit);
        ticks
    }

    fn push_ticks(&self, zone: &TimeZone, date: Date, time: Time, mut push: impl FnMut(Tick)) {
        let local = date.to_datetime(time);
        let ambiguous = zone.to_ambiguous_timestamp(local);
        let mut tick = |offset: Offset, is_repeated: bool| {
            // A time that lies outside the years that timestamps have is no moment.
            if let Ok(at) = offset.to_timestamp(local) {
                push(Tick { at, is_repeated });
            }
        };
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => tick(offset, false),
            AmbiguousOffset::Gap { .. } if self.is_every_hour => {}
            AmbiguousOffset::Gap { before, after } => {
                if let Some(at) = turned(zone, local, before, after) {
                    push(Tick { at, is_repeated: false });
                }
            }
            AmbiguousOffset::Fold { before, after } => {
                if self.is_every_hour {
                    tick(before, false);
                }
                tick(after, self.is_every_hour);
            }
        }
    }
}

/// The text is only how it is written.
impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.times == other.times && self.days == other.days
    }
}

impl Eq for Schedule {}

impl serde::Serialize for Schedule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// The moment when the clock is turned from `before` to `after`, which skips `local`.
pub(super) fn turned(
    zone: &TimeZone,
    local: jiff::civil::DateTime,
    before: Offset,
    after: Offset,
) -> Option<Timestamp> {
    let earlier = after.to_timestamp(local).ok()?;
    let mut changes = zone.following(earlier).map(|change| (change.timestamp(), change.offset()));
    let turned = changes.find(|(_, offset)| *offset == after).map(|(at, _)| at);
    turned.or_else(|| before.to_timestamp(local).ok())
}

impl Days {
    fn has(self, date: Date) -> bool {
        let of_month = self.of_month.has(date.day());
        let of_week = self.of_week.has(date.weekday().to_sunday_zero_offset());
        let is_either = !self.of_month.is_all && !self.of_week.is_all;
        self.months.has(date.month()) && if is_either { of_month || of_week } else { of_month && of_week }
    }

    fn ever_come(self) -> bool {
        let months = (1..).zip(MONTH_DAYS).filter(|(month, _)| self.months.has(*month));
        let longest = months.map(|(_, days)| days).max().unwrap_or(0);
        !self.of_week.is_all || self.of_month.allowed.trailing_zeros() <= longest
    }
}

impl Field {
    /// Reads one field whose numbers are `lowest` to `highest`; `words` are those for the numbers from `lowest` on.
    fn read(text: &str, what: &str, lowest: u32, highest: u32, words: &[&str]) -> Result<Self, String> {
        let number = |text: &str| {
            let word = words.iter().position(|word| word.eq_ignore_ascii_case(text));
            let number = word.and_then(|index| u32::try_from(index).ok()?.checked_add(lowest));
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = number.or_else(|| text.parse().ok().filter(|_| is_number));
            number
                .filter(|number| (lowest..=highest).contains(number))
                .ok_or_else(|| format!("{what} is {lowest} to {highest}, and this is {text:?}"))
        };
        let mut allowed = 0_u64;
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(step)),
                None => (part, None),
            };
            let (first, last) = match (range, range.split_once('-')) {
                ("*", _) => (lowest, highest),
                (_, Some((first, last))) => (number(first)?, number(last)?),
                // As in other crons, `5/15` goes on to the end.
                (_, None) => (number(range)?, if step.is_some() { highest } else { number(range)? }),
            };
            if first > last {
                return Err(format!("{what} has the range {range:?}, which ends before it begins"));
            }
            let step = match step.map(str::parse::<u32>) {
                None => 1,
                Some(Ok(step)) if step > 0 && step <= highest => step,
                Some(_) => return Err(format!("{what} has a step in {part:?} that is not 1 to {highest}")),
            };
            for number in (first..=last).step_by(usize::try_from(step).unwrap_or(1)) {
                allowed |= 1_u64.checked_shl(number).unwrap_or(0);
            }
        }
        let all = (lowest..=highest).all(|number| allowed & (1_u64.checked_shl(number).unwrap_or(0)) != 0);
        Ok(Self { allowed, is_all: all })
    }

    /// The days of a week, in which 7 is Sunday too.
    fn with_one_sunday(self) -> Self {
        let allowed = (self.allowed | (self.allowed >> 7)) & 0b111_1111;
        Self { allowed, is_all: allowed == 0b111_1111 }
    }

    fn has(self, number: i8) -> bool {
        let bit = u32::try_from(number).ok().and_then(|number| 1_u64.checked_shl(number)).unwrap_or(0);
        self.allowed & bit != 0
    }

    fn numbers(self) -> impl Iterator<Item = i8> + Clone {
        (0..60).filter(move |number| self.has(*number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(schedule: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(zone).unwrap();
        let at = |text: &str| zone.to_timestamp(text.parse().unwrap()).unwrap();
        let ticks = Schedule::cron(schedule).unwrap().ticks(&zone, at(from), at(to), 1000);
        let local = |tick: &Tick| jiff::fmt::strtime::format("%m-%d %H:%M", &tick.at.to_zoned_datetime(zone.clone()));
        ticks.iter().map(|tick| local(tick).unwrap()).collect()
    }

    #[test]
    fn an_expression_has_numbers_ranges_steps_names_and_either_kind_of_day() {
        let quarters = ticks("*/15 6-7,22 * * *", "UTC", "2024-01-01T00:00", "2024-01-01T23:59");
        assert_eq!(quarters.len(), 12);
        assert_eq!(quarters.first().unwrap(), "01-01 06:00");
        assert_eq!(quarters.last().unwrap(), "01-01 22:45");
        let either = ticks("0 0 13 * FRI", "UTC", "2024-09-01T00:00", "2024-09-20T23:59");
        assert_eq!(either, ["09-06 00:00", "09-13 00:00", "09-20 00:00"]);
        let sundays = ticks("0 0 * jan 7", "UTC", "2024-01-01T00:00", "2024-12-31T00:00");
        assert_eq!(sundays, ["01-07 00:00", "01-14 00:00", "01-21 00:00", "01-28 00:00"]);
        assert_eq!(ticks("5/25 0 1 1 *", "UTC", "2024-01-01T00:00", "2024-01-02T00:00").len(), 3);
        assert_eq!(ticks("0 0 29 2 *", "UTC", "2023-01-01T00:00", "2028-12-31T00:00").len(), 2);
    }

    #[test]
    fn what_is_no_expression_says_why() {
        for (text, reason) in [
            ("0 0 * *", "five fields"),
            ("60 * * * *", "the minute is 0 to 59, and this is \"60\""),
            ("0 5-1 * * *", "the hour has the range \"5-1\", which ends before it begins"),
            ("*/90 * * * *", "the minute has a step in \"*/90\" that is not 1 to 59"),
            ("0 0 * * +1", "the day of the week is 0 to 7, and this is \"+1\""),
            ("0 0 31 2,4 *", "no such day"),
            ("0 0 * , *", "the month is 1 to 12, and this is \"\""),
        ] {
            let error = Schedule::cron(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn schedules_are_the_same_where_they_mean_the_same() {
        assert_eq!(Schedule::cron("0 0 * * *"), Schedule::cron("00 */24,0 * * 0-7").or(Schedule::cron("00 0 * * 0-7")));
        assert_ne!(Schedule::cron("0 0 * * *"), Schedule::cron("0 0 * * 1-6"));
    }

    #[test]
    fn a_time_that_is_skipped_is_when_the_clock_is_turned_and_of_a_repeated_one_the_second() {
        let zone = "America/Los_Angeles";
        let spring = ticks("30 2 * * *", zone, "2024-03-09T00:00", "2024-03-12T00:00");
        assert_eq!(spring, ["03-09 02:30", "03-10 03:00", "03-11 02:30"]);
        let database = jiff::tz::TimeZoneDatabase::bundled().get(zone).unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let schedule = Schedule::cron("30 1 * * *").unwrap();
        let autumn = schedule.ticks(&database, at("2024-11-03T00:00Z"), at("2024-11-04T00:00Z"), 10);
        assert_eq!(autumn, [Tick { at: at("2024-11-03T09:30Z"), is_repeated: false }]);
    }

    #[test]
    fn the_first_are_kept_where_there_are_too_many() {
        let zone = TimeZone::UTC;
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let minutes = Schedule::cron("* * * * *").unwrap();
        let few = minutes.ticks(&zone, at("2024-01-01T00:00:30Z"), at("2024-02-01T00:00Z"), 3);
        let minutes: Vec<Timestamp> = few.iter().map(|tick| tick.at).collect();
        assert_eq!(minutes, ["2024-01-01T00:01Z", "2024-01-01T00:02Z", "2024-01-01T00:03Z"].map(at));
    }
}
