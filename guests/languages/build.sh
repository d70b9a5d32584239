#!/bin/sh
# Builds the guests in all languages, or in those that are named, and says in a line of each what became of it.
# A language whose tools cannot be installed here is skipped, and the line says what it needs.
set -u
cd "$(dirname "$0")" || exit 1
target=${CARGO_TARGET_DIR:-../../target}
log=$(mktemp) && began=$(mktemp) || exit 1
trap 'rm -f "$log" "$began"' EXIT
failed=0
for name in ${*:-rust c cpp go python javascript rust-op c-op cpp-op go-op python-op javascript-op python-sqlite}; do
  component=$target/guests/languages/$name.wasm
  missing=$(make -s -C "$name" missing)
  if [ -n "$missing" ]; then
    rm -f "$component"
    echo "languages: $name is skipped, since this machine lacks: $missing"
    continue
  fi
  touch "$began"
  if ! make -s -C "$name" >"$log" 2>&1; then
    echo "languages: $name could not be built:"
    cat "$log"
    failed=1
    continue
  fi
  size=$(($(wc -c <"$component") / 1024))
  if [ -n "$(find "$component" -newer "$began")" ]; then became="is built"; else became="is as it was"; fi
  echo "languages: $name $became, $size KiB"
done
exit $failed
