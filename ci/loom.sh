#!/usr/bin/env bash
# Runs the models of the runtime's lock-free protocols: loom tries each interleaving.
# An argument selects models by name; without one, all run.
set -euo pipefail
cd "$(dirname "$0")/.."

# Its own target directory, for the flag would rebuild everything twice.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom"
export RUSTFLAGS="--cfg sylvan_loom"
models=(cargo test --locked --package sylvan --release --lib "${1:-loom}")

echo "building the models"
list=$("${models[@]}" -- --list)
if ! grep -q ': test$' <<<"$list"; then
    echo "there is no model whose name contains \`${1:-loom}\`"
    exit 1
fi
echo "running the models"
"${models[@]}"
