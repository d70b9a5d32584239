"""Takes one day out of the raw file, as a table of one row."""

import csv
import pathlib
import sys

import airlock

day = airlock.partition()
with pathlib.Path(__file__).with_name("seattle-weather.csv").open(newline="") as raw:
    header, *rows = csv.reader(raw)
rows = [row for row in rows if row[0] == day]
if len(rows) != 1:
    sys.exit(f"the raw file has {len(rows)} rows of {day}; one is expected")
airlock.add_metadata(weather=rows[0][-1])
with airlock.output_path().open("w", newline="") as output:
    csv.writer(output, lineterminator="\n").writerows([header, *rows])
