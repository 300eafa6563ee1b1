#!/usr/bin/env bash
# The bench suite, which is a workspace of its own: format, lints, its tests, and that its scenes
# run and its report is written, on the shim alone and for a moment each. What it measures here
# says nothing.
set -euo pipefail
cd "$(dirname "$0")/../benches"

echo "checking format and lints"
cargo fmt --all --check
cargo clippy --locked --workspace --all-targets -- -D warnings

echo "testing the suite"
cargo test --locked --release --package suite --package kit

echo "running its scenes"
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
cp ../docs/performance.md "$scratch/page.md"
cargo run --locked --release --package suite -- --quick --rounds 1 --seconds 0.1 \
    --peer shim --peer shim-shared --json "$scratch/found.json" --report "$scratch/page.md"

# A case a line.
if grep '"failure":"' "$scratch/found.json"; then
    echo "these scenes failed"
    exit 1
fi
for chart in echo threads servers; do
    test -s "$scratch/charts/$chart.svg"
done
