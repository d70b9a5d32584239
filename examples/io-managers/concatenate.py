"""Puts the rows of two tables together, each with the currency that is given."""

import csv
import os
import sys

with open(os.environ["AIRLOCK_OUTPUT"], "w", newline="", encoding="utf-8") as output:
    table = csv.writer(output)
    table.writerow(["item", "price", "currency"])
    for shop in ["NORTH", "SOUTH"]:
        with open(os.environ[f"AIRLOCK_INPUT_{shop}"], newline="", encoding="utf-8") as rows:
            table.writerows([row["item"], row["price"], sys.argv[1]] for row in csv.DictReader(rows))
