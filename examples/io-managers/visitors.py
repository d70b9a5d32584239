"""Counts the visitors of each day that is asked for."""

import airlock

for number, day in enumerate(airlock.partitions(), start=7):
    airlock.store_text(f"day,visitors\n{day},{number}\n", partition=day)
