#!/usr/bin/env bash
# Programs of other people's, each on OS threads and green (`sylvan run`): started, asked by real clients,
# checked and stopped. They are Debian's (ci/install.sh); what is missing is skipped, with a word.
#
# Arguments: other tests than all, `ci/programs.sh ruby`.
set -euo pipefail
cd "$(dirname "$0")/../tests/programs"

# All of them, building not included. Each program has limits of its own.
limit=360

echo "checking format and lints"
cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings

# What they run under is what users have: optimized.
(cd ../.. && cargo build --locked --release --package sylvan-cli --package sylvan-preload)
SYLVAN=$(realpath "${CARGO_TARGET_DIR:-../../target}/release/sylvan")
export SYLVAN
cargo test --locked --no-run
timeout --verbose "$limit" cargo test --locked "${@/#/--test=}" -- --test-threads=2 --nocapture
