#!/usr/bin/env bash
# Runs the pthread programs of the Open POSIX suite (a part of the Linux Test Project) on OS threads and green, and
# says which pass on OS threads alone: ci/posix-suite.sh PATH-OF-SUITE [PATTERN]
#
# The suite is the folder open_posix_testsuite; its programs are built and run in a copy. A program passes
# if it ends with 0 within a minute (LIMIT, in seconds). PATTERN selects folders of conformance/interfaces.
set -euo pipefail
script=$(realpath "$0")
suite=$(cd "$1" && pwd)
pattern=${2:-'^(pthread_|sem_|sched_yield$)'}
cd "$(dirname "$0")/.."
cargo build --quiet --package sylvan-preload
library=$PWD/target/debug/libsylvan_preload.so
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export suite library work

one() {
    name=$(basename "$(dirname "$1")")/$(basename "$1" .c)
    program=$work/$(echo "$name" | tr / _)
    cc -std=gnu99 -O1 -w -D_GNU_SOURCE -I"$suite/include" -I"$(dirname "$1")" "$1" "$suite/lib/common.c" -o "$program" -lpthread -lrt -lm 2>/dev/null || return 0
    cd "$work"
    timeout -k 1 "${LIMIT:-60}" "$program" >/dev/null 2>&1 </dev/null || { echo "os $? $name"; rm -f "$program"; return 0; }
    status=0
    LD_PRELOAD=$library timeout -k 1 "${LIMIT:-60}" "$program" >"$program.said" 2>&1 </dev/null || status=$?
    if [ "$status" -eq 0 ]; then
        echo "pass 0 $name"
    else
        echo "green $status $name: $(tail -n 1 "$program.said" | tr -d '\000' | cut -c 1-120)"
    fi
    rm -f "$program" "$program.said"
}

for folder in "$suite"/conformance/interfaces/*; do
    echo "$(basename "$folder")" | grep -Eq "$pattern" || continue
    for source in "$folder"/*.c; do
        case $source in *'*'*) continue ;; esac
        echo "$source"
    done
done >"$work/sources"
run=$(mktemp "$work/run.XXXXXX")
{
    sed -n "/^one() {/,/^}/p" "$script"
    echo 'one "$1"'
} >"$run"
xargs -P "$(($(nproc) * 4))" -n 1 bash "$run" <"$work/sources" >"$work/results"
sort "$work/results" | grep -v '^pass' || true
echo "$(grep -c '^pass' "$work/results") pass, $(grep -c '^green' "$work/results" || true) on OS threads alone"
