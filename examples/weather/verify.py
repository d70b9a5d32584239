"""Computes every value of the example from the raw file by itself, and compares.

Usage: python3 verify.py DIRECTORY, which holds what `airlock load` gave: observations.csv, summary.json,
hottest_days.csv and chart.svg. Needs neither airlock nor the scripts beside it.
"""

import collections
import json
import pathlib
import sys
import xml.etree.ElementTree
from fractions import Fraction

RAW = pathlib.Path(__file__).with_name("seattle-weather.csv")
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
Day = collections.namedtuple("Day", "date rain high low wind")
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
        date, *numbers, _weather = line.split(",")
        yield Day(date, *map(Fraction, numbers))


def check_group(what, found, days):
    expect(f"{what}, days", found["days"], len(days))
    expect(f"{what}, rainy days", found["rainy_days"], len([day for day in days if day.rain]))
    expect_rounded(f"{what}, precipitation", found["precipitation_mm"], sum(day.rain for day in days), 1)
    expect_rounded(f"{what}, high", found["temp_max_mean"], sum(day.high for day in days) / len(days), 2)
    expect_rounded(f"{what}, low", found["temp_min_mean"], sum(day.low for day in days) / len(days), 2)
    expect_rounded(f"{what}, wind", found["wind_max"], max(day.wind for day in days), 1)


def check_summary(path, days):
    summary = json.loads(path.read_text())
    expect("summary, years", [entry["year"] for entry in summary], sorted({int(day.date[:4]) for day in days}))
    for entry in summary:
        of_year = [day for day in days if day.date.startswith(f"{entry['year']}-")]
        check_group(f"summary of {entry['year']}", entry, of_year)
        expect(f"summary of {entry['year']}, months", [month["month"] for month in entry["months"]], [*range(1, 13)])
        for month in entry["months"]:
            name = f"{entry['year']}-{month['month']:02}"
            check_group(f"summary of {name}", month, [day for day in of_year if day.date.startswith(name)])


def check_hottest_days(path, days):
    hottest = {}
    for day in days:
        known = hottest.setdefault(day.date[:7], day)
        if day.high > known.high:
            hottest[day.date[:7]] = day
    header, *lines = path.read_text().splitlines()
    expect("hottest_days, header", header, "month,date,temp_max")
    expect("hottest_days, rows", len(lines), len(hottest))
    for line, day in zip(lines, hottest.values()):
        expect(f"hottest_days, {day.date[:7]}", line, f"{day.date[:7]},{day.date},{float(day.high):.1f}")


def check_chart(path, days):
    """Each month has a mark whose title tells its numbers."""
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
    expect("observations", (directory / "observations.csv").read_bytes() == RAW.read_bytes(), True)
    check_summary(directory / "summary.json", days)
    check_hottest_days(directory / "hottest_days.csv", days)
    check_chart(directory / "chart.svg", days)
    if mistakes:
        sys.exit("\n".join(mistakes))
    print(f"verify: all 4 values agree with {RAW.name} ({len(days)} days)")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
