"""Finds the records of a year in the summaries of its months."""

import json

import airlock

RECORDS = [
    ("hottest", max, "°C"),
    ("coldest", min, "°C"),
    ("wettest", max, "mm"),
    ("windiest", max, "m/s"),
]

months = [json.loads(path.read_text()) for path in airlock.input_partitions("months").values()]
lines = []
for record, best, unit in RECORDS:
    # The first of equal days is the record.
    month = best(months, key=lambda month: month[record])
    lines.append({"record": record, "day": month[f"{record}_day"], "value": month[record], "unit": unit})
airlock.add_metadata(months=len(months))
airlock.store_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
