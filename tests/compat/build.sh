#!/bin/sh
# Builds the guest of a frozen contract once, for it to be kept: build.sh 0.1.0. With --check it says instead whether what
# is kept is what its sources give, byte for byte, where the compiler is the one that built it.
set -eu
cd "$(dirname "$0")"
check=
if [ "${1-}" = --check ]; then check=1; shift; fi
for version in ${*:-*.*.*}; do
  compiler=$(rustc --version)
  if [ -n "$check" ] && [ "$compiler" != "$(cat "$version/compiler")" ]; then
    echo "compat: $version was built by $(cat "$version/compiler"), and this is $compiler: not checked"
    continue
  fi
  target=$(cd ../.. && pwd)/target/compat/$version
  RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo --remap-path-prefix=$PWD=compat" \
    CARGO_TARGET_DIR=$target cargo build --quiet --locked --release --target wasm32-wasip2 --manifest-path "$version/Cargo.toml"
  built=$target/wasm32-wasip2/release/airlock_compat.wasm
  if [ -z "$check" ]; then
    cp "$built" "$version/guest.wasm"
    echo "$compiler" >"$version/compiler"
    echo "compat: $version/guest.wasm is written"
  elif cmp -s "$built" "$version/guest.wasm"; then
    echo "compat: $version/guest.wasm is what its sources give"
  else
    echo "compat: $version/guest.wasm is not what its sources give: $built" >&2
    exit 1
  fi
done
