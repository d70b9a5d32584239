"""Reads the raw file, checks its columns, and stores it as it is."""

import pathlib

import airlock

COLUMNS = "date,precipitation,temp_max,temp_min,wind,weather"

raw = pathlib.Path(__file__).with_name("seattle-weather.csv").read_text()
header, *rows = raw.splitlines()
if header != COLUMNS:
    raise SystemExit(f"the columns are {header}; {COLUMNS} are expected")
airlock.add_metadata(rows=len(rows), first=rows[0][:10], last=rows[-1][:10])
airlock.store_text(raw)
