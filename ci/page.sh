#!/usr/bin/env bash
# Opens the page of `sylvan trace view` in a real browser, headless: `cli/tests/page.rs` makes the pages and
# `cli/tests/page.py` drives the browser. Arguments go to the tests.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test -p sylvan-cli --test page -- --nocapture "$@"
