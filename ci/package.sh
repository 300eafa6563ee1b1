#!/usr/bin/env bash
# Packs what users need, and tries it as they will: in an empty folder, from the packages alone, with no
# checkout and no network. The packages are unpacked into a folder that takes the registry's place, along
# with those of other people's that they need.
#
# The README's first program is built and serves; `cargo sylvan` and `sylvan run` are installed, and make
# the same program green without a line in its Cargo.toml.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(sylvan-sight sylvan sylvan-posix std-shim sylvan-libc sylvan-preload sylvan-cli)
n_clients=100
# Of what the program locks. Its own, and for other platforms: some fourteen.
locked_max=20

scratch=$(mktemp -d)
server=
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$scratch"
}
trap cleanup EXIT
checkout=$PWD
registry=$scratch/registry

echo "packing"
cargo package --quiet --locked --no-verify --allow-dirty --target-dir "$scratch/packed" \
    "${packages[@]/#/--package=}"
cargo vendor --quiet --locked --versioned-dirs "$registry" >/dev/null
for package in "${packages[@]}"; do
    tar -xzf "$scratch/packed/package/$package"-[0-9]*.crate -C "$registry"
    folder=$(echo "$registry/$package"-[0-9]*)
    # What a folder of packages has in the place of a registry's checksums.
    echo '{"files":{}}' >"$folder/.cargo-checksum.json"
    for file in LICENSE-MIT LICENSE-APACHE README.md; do
        [ -s "$folder/$file" ] || { echo "$package has no $file" && exit 1; }
    done
done

# From here on nothing of the checkout's is in use.
mkdir -p "$scratch/away/.cargo"
cd "$scratch/away"
cat >.cargo/config.toml <<EOF
[source.crates-io]
replace-with = "packages"
[source.packages]
directory = "$registry"
[net]
offline = true
EOF
export XDG_CACHE_HOME=$scratch/cache
unset CARGO_TARGET_DIR SYLVAN_SOURCES
export PATH=$scratch/installed/bin:$PATH

# serve COMMAND...: starts a server, and says how many OS threads it has with its clients. Each of them
# gets back what it sends.
serve() {
    "$@" &
    server=$!
    local fd line fds=() tries=0
    until { exec {fd}<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] && kill -0 "$server" || { echo "it does not serve" && exit 1; }
        sleep 0.1
    done
    fds+=("$fd")
    while [ "${#fds[@]}" -lt "$n_clients" ]; do
        exec {fd}<>"/dev/tcp/127.0.0.1/$port"
        fds+=("$fd")
    done
    for fd in "${fds[@]}"; do
        echo "client $fd" >&"$fd"
        read -r -t 20 line <&"$fd"
        [ "$line" = "client $fd" ] || { echo "client $fd got \`$line\`" && exit 1; }
    done
    n_threads=$(sed -n 's/^Threads:\s*//p' "/proc/$server/status")
    for fd in "${fds[@]}"; do
        exec {fd}>&-
    done
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=
}

# is_green: fails if the last server had a thread of the kernel's for each client.
is_green() {
    echo "$n_clients clients, $n_threads OS threads"
    [ "$n_threads" -lt "$n_clients" ]
}

# The first program of the README, but for its port, which may be taken.
port=$((20000 + RANDOM % 10000))
first_program() {
    awk '/^```rust/ { inside = 1; next } /^```/ && inside { exit } inside' "$checkout/README.md" \
        | sed "s/37564/$port/"
}

echo "building the README's first program"
cargo new --quiet echo
first_program >echo/src/main.rs
cd echo
cargo add --quiet std-shim --rename std
cargo build --quiet
n_locked=$(grep -c '^name' Cargo.lock)
echo "it locks $n_locked packages, itself included"
[ "$n_locked" -le "$locked_max" ]
serve target/debug/echo
is_green
cd ..

echo "installing what users run"
# It reads no configuration of the folder it is called in.
cargo install --quiet --debug --config .cargo/config.toml --root "$scratch/installed" sylvan-cli
if grep -qF "$checkout" "$scratch/installed/bin/sylvan"; then
    echo "the checkout's path is in what was installed"
    exit 1
fi
cargo new --quiet plain
first_program >plain/src/main.rs
cd plain

echo "by cargo sylvan"
cargo sylvan build
serve target/*/debug/plain
is_green

echo "by sylvan run"
cargo build --quiet
serve target/debug/plain
[ "$n_threads" -gt "$n_clients" ] || { echo "it is green as it is" && exit 1; }
sylvan run true
serve sylvan run target/debug/plain
is_green
