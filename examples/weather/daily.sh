#!/bin/sh
# Takes one day out of the raw file, with the line that names the columns.
set -eu
raw=$(dirname "$0")/seattle-weather.csv
head -n 1 "$raw" > "$AIRLOCK_OUTPUT"
grep "^$AIRLOCK_PARTITION," "$raw" >> "$AIRLOCK_OUTPUT" || {
  echo "$raw has no row of $AIRLOCK_PARTITION" >&2
  exit 1
}
