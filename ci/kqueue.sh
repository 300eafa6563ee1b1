#!/usr/bin/env bash
# Tests the kqueue backend on Linux, on a model of kqueue(2) (runtime/src/tests/kqueue.rs) in the place of
# the system's calls. It shows that the backend, and what stands on it, is right by the manuals; not
# that a BSD or a Mac does what its manual says.
#
#   ci/kqueue.sh                  as FreeBSD has it, and then what differs as macOS has it, and as neither
#                                 has it though the manuals would allow it
#   ci/kqueue.sh freebsd|macos    all of it on one; further arguments go to `cargo test`
set -euo pipefail
cd "$(dirname "$0")/.."

export RUSTFLAGS="${RUSTFLAGS:-} --cfg sylvan_kqueue"
# Its own target directory: another configuration.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/kqueue"
# The platforms that have kqueue share thread-locals.
export SYLVAN_TLS=shared

files=(
    std_net_tcp_listener std_net_tcp_stream std_net_tcp_stream_connect std_net_udp_socket
    std_os_unix_net_datagram std_os_unix_net_listener std_os_unix_net_stream
    std_io_pipe std_io_stdio std_streams
    std_process std_process_crowd std_process_mirror std_process_pipes
    std_time std_thread std_thread_park
    rt_clones rt_fork rt_places rt_poll rt_ready
    fault_sockets stress_sockets stress_threads examples_echo
)
skipped=(
    # The model's queues are three descriptors each on Linux, and these count them.
    nothing_of_the_parents_event_loops_is_left
    a_start_that_fails_leaves_nothing_behind
    # More registrations of one file than Linux wakes through event loops within event loops.
    clones_of_a_tcp_listener_take_no_os_thread_each
    clones_of_a_unix_listener_take_no_os_thread_each
    clones_of_the_end_of_a_pipe_take_no_os_thread_each
    many_wait_on_no_os_thread
)

run() {
    local system=$1
    shift
    local options=()
    for name in "${skipped[@]}"; do
        options+=(--skip "$name")
    done
    if [[ "$system" = freebsd* ]]; then
        echo "skipped as FreeBSD: urgent_data; it does not tell of any, see docs/caveats.md"
        options+=(--skip urgent_data)
    else
        local inherited=an_accepted_stream_is_a_blocking_one_whatever_the_listener_is
        echo "skipped as macOS: $inherited; std's does not block either, after a listener that does not"
        options+=(--skip "$inherited")
    fi
    echo "skipped on the model: ${skipped[*]} (see ci/kqueue.sh)"
    echo "testing with SYLVAN_KQUEUE=$system"
    SYLVAN_KQUEUE=$system cargo test --package tests "$@" -- "${options[@]}"
}

tests=()
for file in "${files[@]}"; do
    tests+=(--test "$file")
done
case "${1:-}" in
    freebsd | macos)
        system=$1
        shift
        run "$system" "${tests[@]}" "$@"
        ;;
    *)
        # What the manuals leave open, the other way.
        turned=freebsd,eof-apart,again-silent,last-close
        cargo test --package sylvan --lib --tests "$@"
        run freebsd "${tests[@]}" "$@"
        for ways in macos "$turned"; do
            SYLVAN_KQUEUE=$ways cargo test --package sylvan --lib "$@" poller
            run "$ways" --test std_streams --test std_io_pipe \
                --test std_process_crowd --test std_process_pipes \
                --test std_net_tcp_listener --test rt_poll --test fault_sockets \
                --test stress_sockets "$@"
        done
        # Children that macOS tells nothing of any more, and those that are told of too early.
        for ways in macos freebsd,exit-early; do
            run "$ways" --test std_process "$@"
        done
        ;;
esac
