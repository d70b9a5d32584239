"""Writes a table, and tells how many rows it has."""

import airlock

airlock.store_text("name,age\nAda,36\nGrace,85\n")
airlock.add_metadata(num_rows=2)
