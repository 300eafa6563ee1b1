#!/usr/bin/env bash
# Checks that rustfmt has nothing to change. To change it: `cargo fmt`.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "checking the format"
cargo fmt --all --check
cargo fmt --manifest-path crates/Cargo.toml --all --check
cargo fmt --manifest-path posix/linked/program/Cargo.toml --check
