#!/usr/bin/env bash
# Tests on aarch64 Linux, by qemu's emulation of user space, in both modes of thread-locals.
#
#   ci/aarch64.sh           all that makes sense there
#   ci/aarch64.sh own       in this mode only; or `shared`
#
# It takes qemu-user and a cross compiler for C to link with. std is rustup's, if rustup has the
# target (`rustup target add aarch64-unknown-linux-gnu`), else built from Debian's source along with
# everything else, as in ci/cross-check.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

modes=${*:-own shared}
target=aarch64-unknown-linux-gnu
# Where Debian's cross packages have the C library.
libraries=/usr/aarch64-linux-gnu

for program in qemu-aarch64 aarch64-linux-gnu-gcc; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is missing; on Debian: \`apt-get install --no-install-recommends" \
            "qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross\`"
        exit 1
    fi
done

# Its own target directory: another compiler may be at work.
# Its path is absolute, for std is looked for by it from the folder of each crate.
export CARGO_TARGET_DIR="$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")/aarch64"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L $libraries"
# For tests that run themselves once more, and one that builds a library.
export SYLVAN_TEST_RUNNER=$CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER
export CC=aarch64-linux-gnu-gcc
export CARGO_PROFILE_DEV_DEBUG=line-tables-only
# The backtraces of panics that a test wants take seconds each. Tests of backtraces do not mind.
export RUST_BACKTRACE=0

# std_from_source FOLDER: builds std, with what a test harness needs, and puts it where `rustc` looks for
# it when told that this is its home. Not `-Zbuild-std` alone: that gives each crate a dependency by
# the name of std, and some have one already.
std_from_source() {
    local empty=$CARGO_TARGET_DIR/empty libraries=$1/lib/rustlib/$target/lib
    mkdir -p "$empty/src"
    : >"$empty/src/lib.rs"
    printf '[workspace]\n[package]\nname = "empty"\nedition = "2024"\n' >"$empty/Cargo.toml"
    cargo build --manifest-path "$empty/Cargo.toml" --target "$target" \
        -Zbuild-std=std,panic_unwind,test
    rm -rf "$1"
    mkdir -p "$libraries"
    cp "$CARGO_TARGET_DIR/$target"/debug/deps/*.rlib "$libraries"
    rm "$libraries"/libempty-*.rlib
}

debian=/usr/bin/rustc
if [ -d "$(rustc --print target-libdir --target "$target")" ]; then
    echo "building for $target with $(rustc --version)"
elif [ -x "$debian" ] \
    && [ -f "$("$debian" --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]; then
    echo "building std for $target with $("$debian" --version)"
    export RUSTC=$debian RUSTC_BOOTSTRAP=1
    home=$CARGO_TARGET_DIR/std
    CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_TARGET_DIR=$home/build std_from_source "$home/rustc"
    export RUSTFLAGS="--sysroot $home/rustc"
else
    echo "no std for $target: \`rustup target add $target\`, or on Debian" \
        "\`apt-get install --no-install-recommends rustc-web rust-web-src\`"
    exit 1
fi

# What depends on the processor, and some of all that runs on it.
test=(cargo test --locked --target "$target")
# Optimized a little, for what is emulated is slow; and what the compiler does with the address of a
# thread-local shows. Not the rest, of which much is built and little runs.
for package in sylvan std-shim rustix; do
    test+=(--config "profile.dev.package.$package.opt-level=1")
done
runtime=("${test[@]}" --package sylvan --lib --tests)
facts=("${test[@]}" --package tests
    --test rt_backtrace --test rt_overflow --test rt_panic --test rt_thread_locals
    --test std_net_tcp_stream --test std_net_udp_socket
    --test std_sync_condvar --test std_sync_mpsc --test std_sync_mutex --test std_sync_rwlock
    --test std_thread --test std_thread_local --test std_thread_park --test std_thread_scope)

# skip NAME REASON: the tests with this in their name are left out.
skips=()
skip() {
    echo "left out: $1 ($2)"
    skips+=(--skip "$1")
}

skip os_threads::nobody_else_is_panicking "std's OS threads unwind too slowly there to meet"

"${runtime[@]}" --no-run
"${facts[@]}" --no-run
for mode in $modes; do
    echo "testing with SYLVAN_TLS=$mode on $(qemu-aarch64 --version | head -n 1)"
    SYLVAN_TLS=$mode "${runtime[@]}" -- "${skips[@]}"
    SYLVAN_TLS=$mode "${facts[@]}" -- "${skips[@]}"
done

# What a program leaves that is aborted: qemu writes a core file of what it emulates.
echo "looking at a core file of qemu's"
programs=$CARGO_TARGET_DIR/$target/debug
left=$(mktemp -d)
trap 'rm -rf "$left"' EXIT
mkfifo "$left/input" "$left/said"
exec {input}<>"$left/input"
(
    ulimit -c unlimited
    cd "$left"
    # Its child waits for the end of the input.
    exec {input}>&-
    exec qemu-aarch64 -L "$libraries" "$programs/scene"
) <"$left/input" >"$left/said" &
scene=$!
grep -q '^ready' "$left/said"
kill -ABRT "$scene"
wait "$scene" || true
exec {input}>&-
shown=$(for verb in ps stacks; do
    qemu-aarch64 -L "$libraries" "$programs/look" "$verb" \
        --core "$left"/qemu_scene_*.core "$programs/scene"
done)
for line in \
    " second  *parked .* mutex 0x.*, most likely held by 'writer' (" \
    "^most likely a deadlock: 'a' (.*) holds " \
    ' parked (park): .*'\''parked'\'' (' \
    '^    scene::stay at ./tests/src/bin/scene.rs:' \
    "^1 running: 'computes' (" \
    '^    scene::main::.*closure.* at ./tests/src/bin/scene.rs'; do
    grep -q -- "$line" <<<"$shown" || {
        echo "no \`$line\` in"
        echo "$shown"
        exit 1
    }
done
# Of the runtime's functions those are left that the program has called.
left_in=$(grep -E '^    <*&?(rustix|std|core|sylvan[a-z_]*)::' <<<"$shown" |
    grep -vE '^    (sylvan::(blocking|thread::park)|std::thread::functions::sleep|std::sys::|core::hint::)') || true
if [ -n "$left_in" ]; then
    printf 'frames of the runtime are left in:\n%s\nin\n%s\n' "$left_in" "$shown"
    exit 1
fi
