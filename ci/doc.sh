#!/usr/bin/env bash
# Builds the documentation; a warning, such as a dead link, is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "documenting"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
