#!/bin/sh
# Runs the example from nothing and checks what it stores. `make demo` builds what it needs and calls it.
#
# AIRLOCK: the command. TARGET_DIR: Cargo's target directory, where the guests are and where the copy goes that runs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
demo=$TARGET_DIR/demo

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }
# Shows a command and runs it; `airlock` stands for the one that was built.
show() { printf '$ %s\n' "$*"; "$@"; }
airlock() { "$AIRLOCK" "$@"; }

# A copy, so that every demonstration begins with nothing stored; the link leads its paths to the guests.
rm -rf "$demo"
mkdir -p "$demo/examples" "$demo/loaded/daily" "$demo/loaded/monthly" "$demo/loaded/yearly"
ln -s "$TARGET_DIR" "$demo/target"
cp -R "$here" "$demo/examples/weather"
cd "$demo/examples/weather"
rm -rf data .airlock

say "What may be touched, before anything runs"
show airlock check

say "Compute and store four years: a file a day, a month from its days, a year from its months, a chart of all"
show airlock run --partition all
show airlock ls
echo "$(find data -name '*.parquet' | wc -l) Parquet files, $(find data -name '*.jsonl' | wc -l) files of JSON lines"

say "One month, read back as a table"
show airlock load monthly --partition 2012-03-01 --as jsonl
show airlock load daily --partition 2012-03-01 --as csv

say "Everything is there, so nothing is missing"
show airlock run --missing

say "A day is lost: it is computed again, and what depends on it"
show rm data/daily/days=2012-03-14.parquet
show airlock run --missing

say "Check what is stored against what a script computes from the raw file by itself"
for year in 2012 2013 2014 2015; do
  airlock load yearly --partition "$year-01-01" --as jsonl -o "$demo/loaded/yearly/$year-01-01.jsonl"
  for month in 01 02 03 04 05 06 07 08 09 10 11 12; do
    airlock load monthly --partition "$year-$month-01" -o "$demo/loaded/monthly/$year-$month-01.json"
    airlock load daily --partition "$year-$month-14" -o "$demo/loaded/daily/$year-$month-14.csv"
  done
done
airlock load chart -o "$demo/loaded/chart.svg"
show python3 verify.py "$demo/loaded"

say "An I/O manager that looks around: /etc/passwd, another asset's file, the environment"
code=0
show airlock run --file snoop.toml || code=$?
if [ "$code" -ne 3 ]; then
  echo "demo: that should have been denied (exit code 3), but the exit code was $code" >&2
  exit 1
fi
echo "(exit code 3: denied by policy)"
show airlock logs latest

say "Done. The copy that ran is in $demo/examples/weather"
