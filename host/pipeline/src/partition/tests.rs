//! What partitions there are, in the zones whose clocks are hardest to follow, and how they are selected.

use std::borrow::Cow;

use jiff::ToSpan;
use jiff::civil::date;
use proptest::prelude::*;

use super::*;

mod dimensions;
mod mapping;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn time(schedule: &str, zone: &str, start: &str, end: &str, format: Option<&str>) -> PartitionsDefinition {
    let schedule = Schedule::cron(schedule).unwrap();
    let format = format.unwrap_or(Calendar::default_format(&schedule)).to_owned();
    let calendar = Calendar { schedule, time_zone: time_zone(zone).unwrap(), format };
    let (start, end) = (calendar.moment(start).unwrap(), calendar.moment(end));
    PartitionsDefinition::Time(TimePartitions { calendar, start, end })
}

fn daily(zone: &str, start: &str, end: &str) -> PartitionSet {
    set(&time("0 0 * * *", zone, start, end, None))
}

fn hourly(zone: &str, start: &str, end: &str) -> PartitionSet {
    set(&time("0 * * * *", zone, start, end, Some("%Y-%m-%d-%H:%M")))
}

/// What there is long after.
fn set(definition: &PartitionsDefinition) -> PartitionSet {
    definition.partitions("days", at("2100-01-01T00:00Z"))
}

fn keys(set: &PartitionSet) -> Vec<Cow<'_, str>> {
    set.keys().collect()
}

/// The minutes that each partition has.
fn minutes(set: &PartitionSet) -> Vec<i64> {
    let windows = (0..set.len()).map(|index| set.window(index).unwrap());
    windows.map(|window| (window.end_ms - window.start_ms) / 60_000).collect()
}

#[test]
fn a_partition_is_there_when_its_window_has_ended() {
    let open = |now: &str| {
        let definition = time("0 0 * * *", "Europe/Berlin", "2024-02-28", "", None);
        definition.partitions("days", at(now)).len()
    };
    assert_eq!(["2024-02-28T22:59:59.999Z", "2024-02-28T23:00Z", "2024-03-01T23:00Z"].map(open), [0, 1, 3]);
    assert_eq!(open("1990-01-01T00:00Z"), 0);
    let until = daily("UTC", "2024-02-28", "2024-03-01");
    assert_eq!(keys(&until), ["2024-02-28", "2024-02-29"]);
    let weeks = set(&time("0 0 * * 0", "UTC", "2024-01-01", "2024-01-27", None));
    assert_eq!(keys(&weeks), ["2024-01-07", "2024-01-14"], "a window that ends after `end` is not there");
}

#[test]
fn a_start_between_two_moments_begins_with_the_next() {
    let days = set(&time("30 6 * * *", "UTC", "2024-01-01", "2024-01-04", None));
    assert_eq!(keys(&days), ["2024-01-01", "2024-01-02"]);
    assert_eq!(days.window(0).unwrap().start_ms, at("2024-01-01T06:30Z").as_millisecond());
    let months = set(&time("0 0 1 * *", "UTC", "2012-01-02", "2012-04-01", None));
    assert_eq!(keys(&months), ["2012-02-01", "2012-03-01"]);
    assert_eq!(minutes(&months), [29 * 1440, 31 * 1440]);
}

#[test]
fn a_day_has_as_many_hours_as_the_clock_gives_it() {
    assert_eq!(minutes(&daily("America/Los_Angeles", "2024-03-09", "2024-03-12")), [1440, 1380, 1440]);
    assert_eq!(minutes(&daily("Europe/Berlin", "2024-10-26", "2024-10-29")), [1440, 1500, 1440]);
    assert_eq!(minutes(&daily("Australia/Lord_Howe", "2024-04-06", "2024-04-08")), [1440, 1470]);
    assert_eq!(minutes(&daily("Australia/Lord_Howe", "2024-10-05", "2024-10-07")), [1440, 1410]);
}

#[test]
fn a_midnight_that_is_skipped_loses_no_day_and_a_day_that_is_skipped_has_no_partition() {
    let paulo = daily("America/Sao_Paulo", "2018-11-03", "2018-11-06");
    assert_eq!(keys(&paulo), ["2018-11-03", "2018-11-04", "2018-11-05"]);
    assert_eq!(minutes(&paulo), [1440, 1380, 1440]);
    assert_eq!(keys(&daily("America/Sao_Paulo", "2018-11-04", "2018-11-05")), ["2018-11-04"]);
    assert_eq!(minutes(&daily("America/Sao_Paulo", "2018-02-17", "2018-02-19")), [1500, 1440]);
    let apia = daily("Pacific/Apia", "2011-12-29", "2012-01-01");
    assert_eq!(keys(&apia), ["2011-12-29", "2011-12-31"]);
    assert_eq!(minutes(&apia), [1440, 1440]);
}

#[test]
fn of_an_hour_that_comes_twice_the_second_has_its_offset_in_its_key() {
    let autumn = hourly("America/Los_Angeles", "2024-11-03-00:00", "2024-11-03-03:00");
    let expected = ["2024-11-03-00:00", "2024-11-03-01:00", "2024-11-03-01:00-0800", "2024-11-03-02:00"];
    assert_eq!(keys(&autumn), expected);
    assert_eq!(minutes(&autumn), [60; 4]);
    let spring = hourly("America/Los_Angeles", "2024-03-10-01:00", "2024-03-10-04:00");
    assert_eq!(keys(&spring), ["2024-03-10-01:00", "2024-03-10-03:00"]);
    let berlin = hourly("Europe/Berlin", "2024-10-27-02:00", "2024-10-27-04:00");
    assert_eq!(keys(&berlin), ["2024-10-27-02:00", "2024-10-27-02:00+0100", "2024-10-27-03:00"]);
    let named = set(&time("0 * * * *", "Europe/Berlin", "2024-10-27 02:00", "2024-10-27 04:00", Some("%F %H%z")));
    assert_eq!(keys(&named), ["2024-10-27 02+0200", "2024-10-27 02+0100", "2024-10-27 03+0100"]);
    let second = hourly("America/Los_Angeles", "2024-11-03-01:00-0800", "2024-11-03-03:00");
    assert_eq!(keys(&second).first(), Some(&"2024-11-03-01:00-0800".into()), "a start can be any key");
}

#[test]
fn an_hour_that_comes_twice_may_go_across_midnight() {
    let hours = hourly("America/St_Johns", "2010-11-06-22:00", "2010-11-07-02:00");
    // At 00:01 the clock is turned back to 23:01.
    let expected =
        ["2010-11-06-22:00", "2010-11-06-23:00", "2010-11-07-00:00", "2010-11-07-00:00-0330", "2010-11-07-01:00"];
    assert_eq!(keys(&hours), expected);
    assert_eq!(minutes(&hours), [60; 5]);
    let half = set(&time("45 * * * *", "Australia/Lord_Howe", "2024-04-07 00:45", "2024-04-07 03:45", Some("%H:%M")));
    assert_eq!(keys(&half), ["00:45", "01:45", "01:45+1030", "02:45"]);
    assert_eq!(minutes(&half), [60, 30, 60, 60]);
}

#[test]
fn keys_that_are_the_same_are_a_mistake_and_are_never_there() {
    let definition = time("0 0 * * *", "UTC", "2024-01-30", "", Some("%Y-%m"));
    let PartitionsDefinition::Time(partitions) = &definition else { unreachable!() };
    let expected =
        "two partitions have the key \"2024-01\": those that begin at 2024-01-30T00:00:00 and at 2024-01-31T00:00:00";
    assert_eq!(partitions.check(at("2024-01-01T00:00Z")).unwrap_err().to_string(), expected, "before there are any");
    assert_eq!(keys(&set(&definition)), ["2024-01"]);
    let PartitionsDefinition::Time(years) = time("0 0 * * *", "UTC", "2024-03-01", "", Some("%m-%d")) else {
        unreachable!()
    };
    assert_ne!(years.check(at("2024-06-01T00:00Z")), Ok(()), "those of a year ahead are looked at");
}

#[test]
fn more_than_a_million_partitions_are_a_mistake() {
    let minutes = |now: &str| {
        let PartitionsDefinition::Time(partitions) = time("* * * * *", "UTC", "2020-01-01", "", None) else {
            unreachable!()
        };
        partitions.check(at(now))
    };
    assert_eq!(minutes("2021-01-01T00:00Z"), Ok(()));
    assert_eq!(minutes("2022-01-01T00:00Z"), Err(TimeMistake::TooMany));
    let minutes = set(&time("* * * * *", "UTC", "2020-01-01", "", None));
    assert_eq!(minutes.len(), PARTITIONS);
    assert!(minutes.window(PARTITIONS - 1).is_some() && minutes.window(PARTITIONS).is_none());
}

#[test]
fn a_start_is_read_as_keys_are_written_or_as_iso_has_it() {
    let calendar = |format: &str| Calendar {
        schedule: Schedule::cron("0 0 * * *").unwrap(),
        time_zone: time_zone("Europe/Berlin").unwrap(),
        format: format.to_owned(),
    };
    let midnight = Some(at("2024-02-29T23:00Z"));
    for (format, text) in [
        ("%Y-%m-%d", "2024-03-01"),
        ("%Y-%m", "2024-03"),
        ("%Y/%j", "2024/061"),
        ("%G-W%V-%u", "2024-W09-5"),
        ("%d.%m.%Y", "01.03.2024"),
        ("%d.%m.%Y", "2024-03-01"),
        ("%d.%m.%Y", "2024-03-01T00:00:00"),
        ("%d.%m.%Y", "2024-02-29T23:00:00Z"),
        ("%d.%m.%Y", "2024-02-29T18:00:00-05:00"),
        ("%s", "1709247600"),
    ] {
        assert_eq!(calendar(format).moment(text), midnight, "{format} {text}");
    }
    assert_eq!(calendar("%Y-%m-%d").moment("2024-02-30"), None);
    assert_eq!(calendar("%d.%m.%Y").moment("tomorrow"), None);
    assert!(calendar("%Y-%!").check_format().unwrap_err().starts_with("is no format of a time: "));
    assert_eq!(calendar("%Y%n").check_format().unwrap_err(), "writes a key that holds a control character");
    assert_eq!(calendar("").check_format().unwrap_err(), "writes a key that is empty");
}

fn selected(range: std::ops::Range<usize>) -> Selected {
    Selected::of_ranges(std::iter::once(range))
}

fn regions(keys: &[&str]) -> PartitionSet {
    PartitionsDefinition::Static(keys.iter().map(|key| (*key).to_owned()).collect())
        .partitions("regions", Timestamp::UNIX_EPOCH)
}

#[test]
fn a_key_a_range_or_all_are_selected() {
    let days = daily("UTC", "2024-01-01", "2024-02-01");
    assert_eq!(days.select("2024-01-02").unwrap(), selected(1..2));
    assert_eq!(days.select("2024-01-02..2024-01-31").unwrap(), selected(1..31));
    assert_eq!(days.select("all").unwrap(), Selected::all(31));
}

#[test]
fn a_key_that_looks_like_a_range_or_all_is_a_key() {
    let odd = regions(&["a", "b", "a..b", "all", "c..d", "e"]);
    assert_eq!(odd.select("a..b").unwrap(), selected(2..3));
    assert_eq!(odd.select("all").unwrap(), selected(3..4));
    assert_eq!(odd.select("c..d..e").unwrap(), selected(4..6));
    let ambiguous = regions(&["a", "a..b", "c", "b..c"]);
    assert_eq!(
        ambiguous.select("a..b..c").unwrap_err().to_string(),
        "\"a..b..c\" means more than one range of `regions`: name its partitions one by one"
    );
}

#[test]
fn a_key_that_is_unknown_is_an_error_that_names_it() {
    let days = daily("UTC", "2024-01-01", "2024-02-01");
    let error = |text: &str| days.select(text).unwrap_err().to_string();
    let unknown =
        |key: &str| format!("`days` has no partition {key:?}: its partitions are \"2024-01-01\" to \"2024-01-31\"");
    assert_eq!(error("2025-01-01"), format!("{}; did you mean `2024-01-01`?", unknown("2025-01-01")));
    assert_eq!(error("yesterday"), unknown("yesterday"));
    assert_eq!(error("2024-01-05..2024-1-07"), format!("{}; did you mean `2024-01-07`?", unknown("2024-1-07")));
    assert_eq!(error("x..2024-01-03"), unknown("x"));
    let backwards = "in `days`, \"2024-01-05\" comes after \"2024-01-03\": write 2024-01-03..2024-01-05";
    assert_eq!(error("2024-01-05..2024-01-03"), backwards);
    let none = time("0 0 * * *", "UTC", "2030-01-01", "", None).partitions("days", at("2024-01-01T00:00Z"));
    assert_eq!(none.select("all").unwrap_err().to_string(), "`days` has no partitions yet");
}

#[test]
fn definitions_are_shown_as_they_are_written() {
    let shown = serde_json::to_value(time("0 0 * * *", "europe/berlin", "2024-01-01", "2024-02-01", None)).unwrap();
    let expected = serde_json::json!({ "time": {
        "schedule": "0 0 * * *", "time_zone": "Europe/Berlin", "format": "%Y-%m-%d",
        "start": "2023-12-31T23:00:00Z", "end": "2024-01-31T23:00:00Z",
    }});
    assert_eq!(shown, expected);
}

const ZONES: [&str; 8] = [
    "UTC",
    "America/Los_Angeles",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "America/St_Johns",
    "America/Havana",
];

const SIMPLE: [&str; 6] = ["0 * * * *", "30 * * * *", "0 0 * * *", "15 2 * * *", "0 0 * * 1", "30 1 1 * *"];

/// When clocks are turned in these zones, and a day is skipped in Apia.
const SEASONS: [jiff::civil::Date; 4] = [date(2010, 9, 20), date(2011, 9, 20), date(2018, 9, 20), date(2024, 2, 1)];

/// Partitions of up to half a year that begin in the 100 days after `season`.
fn any_partitions(season: jiff::civil::Date) -> impl Strategy<Value = PartitionSet> {
    let definition = (prop::sample::select(&SIMPLE[..]), prop::sample::select(&ZONES[..]), 0..100_i64, 0..180_i64);
    definition.prop_map(move |(schedule, zone, from, days)| {
        let start = season.saturating_add(from.days());
        let end = start.saturating_add(days.days());
        set(&time(schedule, zone, &start.to_string(), &end.to_string(), Some("%Y-%m-%d-%H:%M")))
    })
}

/// Two of the same season.
fn any_two() -> impl Strategy<Value = (PartitionSet, PartitionSet)> {
    prop::sample::select(&SEASONS[..]).prop_flat_map(|season| (any_partitions(season), any_partitions(season)))
}

proptest! {
    #[test]
    fn windows_adjoin_and_keys_are_distinct_and_are_found((partitions, _) in any_two()) {
        for index in 0..partitions.len() {
            let window = partitions.window(index).unwrap();
            prop_assert!(window.start_ms < window.end_ms);
            if let Some(next) = partitions.window(index + 1) {
                prop_assert_eq!(window.end_ms, next.start_ms);
            }
            prop_assert_eq!(partitions.index(&partitions.key(index).unwrap()), Some(index));
        }
        prop_assert_eq!(partitions.key(partitions.len()), None);
        prop_assert_eq!(partitions.window(partitions.len()), None);
    }
}
