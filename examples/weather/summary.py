"""Summarises the observations by year and month."""

import csv
import statistics

import airlock


def describe(days):
    """What a number of days were like."""
    return {
        "days": len(days),
        "rainy_days": sum(day["precipitation"] > 0 for day in days),
        "precipitation_mm": round(sum(day["precipitation"] for day in days), 1),
        "temp_max_mean": round(statistics.fmean(day["temp_max"] for day in days), 2),
        "temp_min_mean": round(statistics.fmean(day["temp_min"] for day in days), 2),
        "wind_max": max(day["wind"] for day in days),
    }


years = {}
for row in csv.DictReader(airlock.load_text("observations").splitlines()):
    year, month, _ = map(int, row["date"].split("-"))
    day = {name: float(row[name]) for name in ("precipitation", "temp_max", "temp_min", "wind")}
    years.setdefault(year, {}).setdefault(month, []).append(day)

summary = []
for year, months in sorted(years.items()):
    of_year = [day for days in months.values() for day in days]
    by_month = [{"month": month, **describe(days)} for month, days in sorted(months.items())]
    summary.append({"year": year, **describe(of_year), "months": by_month})
airlock.store_json(summary)
