#!/usr/bin/env bash
# Compares what the runtime offers to programs with the list in docs/api.txt: a line that goes or changes
# breaks them, one that comes is a promise. The mirror's is std's own, which `tests/tests/parity.rs` compares.
# What is hidden from the documentation (`sylvan::contract`) is between our packages, and not in the list.
#
#   ci/api.sh             compares
#   ci/api.sh --update    writes the list anew
set -euo pipefail
cd "$(dirname "$0")/.."

list=docs/api.txt
target=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}/api")

cargo fmt --manifest-path tests/api/Cargo.toml --check
# rustdoc's JSON is not stable: the tool that reads it (tests/api) goes with a version of it, and says so.
RUSTC_BOOTSTRAP=1 cargo rustdoc --quiet --locked --package sylvan --lib --target-dir "$target" -- \
    -Zunstable-options --output-format json
found=$(mktemp)
trap 'rm "$found"' EXIT
cargo run --quiet --locked --manifest-path tests/api/Cargo.toml --target-dir "$target" -- \
    "$target/doc/sylvan.json" >"$found"

if [ "${1:-}" = --update ]; then
    cp "$found" "$list"
elif ! diff -u "$list" "$found"; then
    echo "the public API has changed: if that is meant, \`ci/api.sh --update\`, and a line in CHANGELOG.md"
    exit 1
fi
echo "$(wc -l <"$list") items are public"
