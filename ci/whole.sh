#!/usr/bin/env bash
# Tests a Rust program that links sylvan-libc: real std, parking_lot, SQLite, OpenSSL and a shared library in
# C on green threads. Arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo clippy --locked --manifest-path posix/linked/program/Cargo.toml --all-targets -- -D warnings
cargo test --locked --manifest-path posix/linked/program/Cargo.toml "$@"
