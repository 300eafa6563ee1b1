#!/usr/bin/env bash
# Lints all targets; a warning is an error. Cargo.lock must be up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "linting"
cargo clippy --locked --workspace --all-targets -- -D warnings
