#!/bin/sh
# Runs the example from nothing and checks each value that it stores. `make demo` builds what it needs and calls it.
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
mkdir -p "$demo/examples" "$demo/loaded"
ln -s "$TARGET_DIR" "$demo/target"
cp -R "$here" "$demo/examples/weather"
cd "$demo/examples/weather"
rm -rf data .airlock

say "What may be touched, before anything runs"
show airlock check

say "Compute and store every value"
show airlock run

say "What is stored, and what one value looks like"
show airlock ls
show airlock load hottest_days | head -4
echo "…"

say "Check each value against one that a script computes from the observations by itself"
for value in observations.csv summary.json hottest_days.csv chart.svg; do
  airlock load "${value%.*}" -o "$demo/loaded/$value"
done
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
