#!/usr/bin/env bash
# Type-checks for the platforms of the kqueue backend. Arguments: other targets than these.
#
# A target that rustup has is checked with it (`rustup target add aarch64-apple-darwin`). For
# others, Debian's compiler checks std's own source along: that takes the packages rustc-web and
# rust-web-src, and `-Zbuild-std`, which RUSTC_BOOTSTRAP allows on a stable compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    targets=(x86_64-apple-darwin aarch64-apple-darwin x86_64-unknown-freebsd)
fi
# Its own target directory: another compiler is at work.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/cross"
check=(cargo check --locked --package sylvan --package std-shim --package sylvan-cli)

debian=/usr/bin/rustc
has_std_source() {
    [ -x "$debian" ] && [ -f "$("$debian" --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]
}

for target in "${targets[@]}"; do
    if [ -d "$(rustc --print target-libdir --target "$target")" ]; then
        echo "checking for $target with $(rustc --version)"
        "${check[@]}" --target "$target"
    elif has_std_source; then
        echo "checking for $target and its std with $("$debian" --version)"
        RUSTC=$debian RUSTC_BOOTSTRAP=1 "${check[@]}" --target "$target" \
            -Zbuild-std=std,panic_abort
    else
        echo "no std for $target: \`rustup target add $target\`, or on Debian" \
            "\`apt-get install --no-install-recommends rustc-web rust-web-src\`"
        exit 1
    fi
done
