#!/usr/bin/env bash
# Tests crates from crates.io on the mirror: builds them, and all they depend on, by `cargo sylvan`,
# and runs them with real peers, which the tests start and stop.
#
#   ci/crates.sh           with green threads as a user gets them, and with shared thread-locals
#   ci/crates.sh own       only with thread-locals of their own
#   ci/crates.sh shared    only with shared ones
#
# Further arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
    own | shared)
        modes=("$1")
        shift
        ;;
    *) modes=("" shared) ;;
esac
for program in redis-server memcached /usr/sbin/mariadbd /usr/lib/postgresql/*/bin/postgres /usr/sbin/apache2 \
    ab openssl python3; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is missing: its tests will skip (see ci/install.sh)"
    fi
done
# Built first: what the programs are built with is not for the tool.
cargo build --quiet --locked --package sylvan-cli --bin cargo-sylvan
sylvan=("${CARGO_TARGET_DIR:-$PWD/target}/debug/cargo-sylvan" sylvan)
# A program that is linked statically has the shared mode alone, and is to say so: once, unless it was
# asked for.
tells_at_its_start() {
    local program
    program=$(mktemp -d)
    trap 'rm -rf "$program"' RETURN
    mkdir "$program/src"
    printf '[workspace]\n[package]\nname = "told"\nedition = "2024"\n' >"$program/Cargo.toml"
    echo 'fn main() { (0..2).for_each(|_| std::thread::spawn(|| ()).join().unwrap()) }' >"$program/src/main.rs"
    local run=("${sylvan[@]}" run --quiet --manifest-path "$program/Cargo.toml")
    local words='^sylvan: green threads cannot have thread-locals of their own here: .* SYLVAN_TLS=shared leaves'
    export RUSTFLAGS=-Ctarget-feature=+crt-static
    [ "$("${run[@]}" 2>&1 | grep -c "$words")" = 1 ]
    [ "$(SYLVAN_TLS=shared "${run[@]}" 2>&1 | grep -c "$words")" = 0 ]
}
echo "telling of shared thread-locals"
(tells_at_its_start)
for mode in "${modes[@]}"; do
    echo "testing crates${mode:+ with SYLVAN_TLS=$mode}"
    env ${mode:+"SYLVAN_TLS=$mode"} "${sylvan[@]}" test --locked --manifest-path crates/Cargo.toml "$@"
done
