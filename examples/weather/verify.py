"""Computes every value of the example from the raw file by itself, and compares.

Usage: python3 verify.py DIRECTORY, which holds what `airlock load` gave: daily/DAY.csv, monthly/MONTH.json,
yearly/YEAR.jsonl and chart.svg. What is not there is not checked, but for the chart and its months. Needs neither
airlock nor the scripts beside it.
"""

import collections
import json
import pathlib
import sys
import xml.etree.ElementTree
from fractions import Fraction

RAW = pathlib.Path(__file__).with_name("seattle-weather.csv")
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
Day = collections.namedtuple("Day", "date rain high low wind weather")
mistakes = []


def expect(what, found, expected):
    if found != expected:
        mistakes.append(f"{what}: {found!r}, expected {expected!r}")


def expect_rounded(what, found, exact, digits):
    """`found` is `exact`, rounded to `digits` after the point, whichever way a tie goes."""
    if abs(Fraction(str(found)) - exact) > Fraction(1, 2 * 10**digits):
        mistakes.append(f"{what}: {found!r}, expected {float(exact):.{digits + 2}f}")


def read_days():
    for line in RAW.read_text().splitlines()[1:]:
        date, *numbers, weather = line.split(",")
        yield Day(date, *map(Fraction, numbers), weather)


def check_day(path, days):
    """One row, its numbers those of the raw file."""
    [day] = [day for day in days if day.date == path.stem]
    header, row, *more = path.read_text().splitlines()
    expect(f"{path.name}, header", header, "date,precipitation,temp_max,temp_min,wind,weather")
    date, *numbers, weather = row.split(",")
    expect(f"{path.name}, row", (date, *map(Fraction, numbers), weather, more), (*day, []))


def records(days):
    """The first of the hottest, coldest, wettest and windiest days."""
    return {
        "hottest": max(days, key=lambda day: day.high),
        "coldest": min(days, key=lambda day: day.low),
        "wettest": max(days, key=lambda day: day.rain),
        "windiest": max(days, key=lambda day: day.wind),
    }


def measured(record, day):
    return {"hottest": day.high, "coldest": day.low, "wettest": day.rain, "windiest": day.wind}[record]


def check_month(path, days):
    [month] = json.loads(path.read_text())
    of_month = [day for day in days if day.date[:7] == path.stem[:7]]
    expect(f"{path.name}, month", month["month"], path.stem)
    expect(f"{path.name}, days", month["days"], len(of_month))
    expect(f"{path.name}, rainy days", month["rainy_days"], len([day for day in of_month if day.rain]))
    expect_rounded(f"{path.name}, precipitation", month["precipitation"], sum(day.rain for day in of_month), 1)
    expect_rounded(f"{path.name}, high", month["temp_max_mean"], sum(day.high for day in of_month) / len(of_month), 2)
    expect_rounded(f"{path.name}, low", month["temp_min_mean"], sum(day.low for day in of_month) / len(of_month), 2)
    for record, day in records(of_month).items():
        expect(f"{path.name}, {record}", month[f"{record}_day"], day.date)
        expect(f"{path.name}, {record}", Fraction(str(month[record])), measured(record, day))


def check_year(path, days):
    of_year = [day for day in days if day.date[:4] == path.stem[:4]]
    found = [json.loads(line) for line in path.read_text().splitlines()]
    expect(f"{path.name}, records", [line["record"] for line in found], list(records(of_year)))
    for line in found:
        day = records(of_year)[line["record"]]
        expect(f"{path.name}, {line['record']}", line["day"], day.date)
        expect(f"{path.name}, {line['record']}", Fraction(str(line["value"])), measured(line["record"], day))


def check_chart(path, days):
    """Each month that it shows has a mark whose title tells its numbers."""
    svg = "{http://www.w3.org/2000/svg}"
    root = xml.etree.ElementTree.parse(path).getroot()
    expect("chart, root", root.tag, f"{svg}svg")
    titles = [group.findtext(f"{svg}title") for group in root.iter(f"{svg}g") if group.get("class") == "month"]
    months = sorted({day.date[:7] for day in days})
    expect("chart, months", len(titles), len(months))
    for title, month in zip(titles, months):
        of_month = [day for day in days if day.date.startswith(month)]
        name, numbers = title.split(": ")
        expect("chart, month", name, f"{MONTHS[int(month[5:]) - 1]} {month[:4]}")
        span, rain = numbers.removesuffix(" mm").split(" °C, ")
        low, high = span.split(" to ")
        # Drawn from means that were rounded once already.
        mean_low = sum(day.low for day in of_month) / len(of_month)
        mean_high = sum(day.high for day in of_month) / len(of_month)
        for what, shown, exact in [("low", low, mean_low), ("high", high, mean_high)]:
            if abs(Fraction(shown) - exact) > Fraction(55, 1000):
                mistakes.append(f"chart, {what} of {month}: {shown}, expected {float(exact):.3f}")
        expect_rounded(f"chart, rain of {month}", rain, sum(day.rain for day in of_month), 1)


def main(directory):
    days = list(read_days())
    counts = {}
    for folder, check in [("daily", check_day), ("monthly", check_month), ("yearly", check_year)]:
        paths = sorted((directory / folder).iterdir())
        for path in paths:
            check(path, days)
        counts[folder] = len(paths)
    months = {path.stem[:7] for path in (directory / "monthly").iterdir()}
    check_chart(directory / "chart.svg", [day for day in days if day.date[:7] in months])
    if mistakes:
        sys.exit("\n".join(mistakes))
    print(
        f"verify: {counts['daily']} days, {counts['monthly']} months, {counts['yearly']} years and the chart agree with "
        f"{RAW.name}"
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
