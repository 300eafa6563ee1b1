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
for mode in "${modes[@]}"; do
    echo "testing crates${mode:+ with SYLVAN_TLS=$mode}"
    env ${mode:+"SYLVAN_TLS=$mode"} cargo run --quiet --locked --package sylvan-cli --bin cargo-sylvan -- \
        sylvan test --locked --manifest-path crates/Cargo.toml "$@"
done
