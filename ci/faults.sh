#!/usr/bin/env bash
# Fails each system call that the runtime and the mirror make once, in each way that its manual allows, in each
# of the scenes of tests/tests/faults.rs, and compares what came of it with docs/faults.md.
#
#   ci/faults.sh           each green thread has its own thread-locals
#   ci/faults.sh shared    thread-locals are the worker's
set -euo pipefail
cd "$(dirname "$0")/.."

mode=${1:-own}
# A process plays hundreds of scenes, one after the other, each of which has 15 s: together they have as long as a busy
# machine takes.
SYLVAN_FAULTS=all SYLVAN_STRESS_SECONDS=300 SYLVAN_TLS=$mode cargo test --package tests --test faults "$mode::"
