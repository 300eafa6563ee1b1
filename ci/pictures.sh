#!/usr/bin/env bash
# Makes the pictures of `docs/pictures` anew: records examples, and takes screenshots of their pages in a real
# browser, headless. No part of CI: a picture is never the same twice.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked --package sylvan-cli --package examples
/usr/bin/python3 -B ci/pictures.py target/release docs/pictures
