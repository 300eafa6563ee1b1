#!/usr/bin/env bash
# Runs tests under Valgrind's memcheck: an invalid or undefined read, a bad write or free, and what
# is lost for good are errors. Green threads share their worker's thread-locals there.
#
# Arguments: other tests than these, `ci/valgrind.sh std_thread`.
set -euo pipefail
cd "$(dirname "$0")/.."

tests=("$@")
if [ ${#tests[@]} -eq 0 ]; then
    # What each primitive does with memory. Left out: what starts processes (they are followed no
    # further, and a failing `exec` is another error there), and crowds, which take too long.
    tests=(
        std_sync_barrier std_sync_condvar std_sync_mpsc std_sync_mutex std_sync_once_lock
        std_sync_rwlock std_thread std_thread_local std_thread_park std_thread_scope
        std_net_tcp_listener std_net_tcp_stream std_os_unix_net_stream std_io_pipe
    )
fi

valgrind=(valgrind --quiet --error-exitcode=99
    --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite
    --suppressions="$PWD/ci/valgrind.supp")
runner=$(printf '"%s",' "${valgrind[@]}")
# A wait is in whole milliseconds there (a word about `epoll_pwait2` on standard error comes of it),
# and a thread may take long to start.
skipped=(--skip half_a_millisecond --skip a_reset_during_a_write)
echo "testing under $(valgrind --version)"
cargo test --locked --package tests --config "target.'cfg(unix)'.runner = [$runner]" \
    "${tests[@]/#/--test=}" -- shim_on_green_threads --test-threads=1 "${skipped[@]}"
