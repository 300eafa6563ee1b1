#!/usr/bin/env bash
# Counts the instructions of the hot paths, and the memory of a thread that waits, and compares them
# with `ci/instructions.txt`: over a tenth more is an error. Counts hold on a busy machine, where times
# do not.
#
#   ci/instructions.sh             compares
#   ci/instructions.sh --update    writes the table anew: when more is as it should be, or less is
#                                  to stay so
set -euo pipefail
cd "$(dirname "$0")/.."

echo "counting instructions"
cargo run --quiet --locked --release --package tests --bin hot_paths -- ci/instructions.txt "$@"
