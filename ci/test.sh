#!/usr/bin/env bash
# Tests the whole workspace: `cargo test`.
#
#   ci/test.sh           as a user gets it
#   ci/test.sh own       each green thread has its own thread-locals; fails where it cannot
#   ci/test.sh shared    thread-locals are the worker's, as on platforms that cannot do better
#
# Further arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
    own | shared)
        export SYLVAN_TLS=$1
        shift
        echo "testing with SYLVAN_TLS=$SYLVAN_TLS"
        ;;
    *) echo "testing" ;;
esac
if ! command -v strace >/dev/null; then
    echo "strace is missing: the tests under strace will skip (apt-get install strace)"
fi
cargo test "$@"
