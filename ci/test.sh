#!/usr/bin/env bash
# Tests the whole workspace: `cargo test`.
#
#   ci/test.sh           as a user gets it
#   ci/test.sh own       each green thread has its own thread-locals; fails where it cannot
#   ci/test.sh shared    thread-locals are the worker's, as on platforms that cannot do better:
#                        those that the mode may change
#
# Further arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

what=() names=()
case "${1:-}" in
    own | shared)
        export SYLVAN_TLS=$1
        if [ "$1" = shared ] && [ $# = 1 ]; then
            # Not what says itself on which threads it runs; nor those that look at texts, or at programs
            # of a mode of their own.
            what=(--lib)
            for test in {runtime,posix,cli,tests}/tests/*.rs; do
                case "$(basename "$test" .rs)" in
                    cargo | first_hour | libc_names | page | parity | seeing | sight_* | tidy | verbs | whole_*) ;;
                    *) what+=(--test "$(basename "$test" .rs)") ;;
                esac
            done
            names=(-- --skip on_std:: --skip own:: --skip shared::)
        fi
        shift
        echo "testing with SYLVAN_TLS=$SYLVAN_TLS"
        ;;
    *) echo "testing" ;;
esac
if ! command -v strace >/dev/null; then
    echo "strace is missing: the tests under strace will skip (apt-get install strace)"
fi
cargo test "${what[@]}" "$@" "${names[@]}"
