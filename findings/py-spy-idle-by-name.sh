#!/usr/bin/env bash
#
# Expected: py-spy's README (0.4.1), on how it finds out if a thread is idle: it takes that "from the OS" where it
# can, so as "to only include stack traces from threads that are actively running code"; what is left may
# "cause idle threads to still be marked as active". So a function that computes is seen; at worst too much is.
#
# What happens: a thread that the system calls active is left out all the same if its innermost function has a
# certain name in a file whose path has a certain ending, or a certain word anywhere: `wait` in "...threading.py",
# `select` in "...selectors.py", `poll` in a path with "gevent", "tornado" or "zmq" (_heuristic_is_thread_idle
# in python_spy.rs). These are meant to be the standard library's and those packages' own. But `wait` in a
# mythreading.py, or `poll` in any file below a directory called my-gevent-app, gets no sample, however much it
# computes. --idle shows it.
#
# Here each of three functions computes for a third of the time.
#
# Seen with: Linux 6.18, Python 3.11, py-spy 0.4.1 (installed here from PyPI). It traces a child of its own.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --target "$work/packages" py-spy==0.4.1

mkdir "$work/my-gevent-app"
cat >"$work/mythreading.py" <<'PYTHON'
import time


def wait(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
PYTHON
sed 's/wait/work/' "$work/mythreading.py" >"$work/working.py"
sed 's/wait/poll/' "$work/mythreading.py" >"$work/my-gevent-app/device.py"
cat >"$work/main.py" <<'PYTHON'
import sys

sys.path += [f"{sys.path[0]}/my-gevent-app"]
import device, mythreading, working

for _ in range(30):
    working.work(0.03)
    mythreading.wait(0.03)
    device.poll(0.03)
PYTHON

# The interpreter, not a script that finds one.
python=$(python3 -c 'import sys; print(sys.executable)')

# seen [--idle]: how many samples each function has, "some" or "none".
seen() {
    local name
    : >"$work/stacks"
    # On a busy machine it may give up before the program has worked for long.
    for _ in {1..10}; do
        awk '/;work / { samples += $NF } END { exit samples < 20 }' "$work/stacks" && break
        timeout 30 "$work/packages/bin/py-spy" record "$@" --rate 100 --format raw --output "$work/stacks" \
            -- "$python" "$work/main.py" >"$work/log" 2>&1 || cat "$work/log" >&2
    done
    for name in work wait poll; do
        echo -n "$name $(grep -q ";$name " "$work/stacks" && echo some || echo none) "
    done
}
usual=$(seen)
all=$(seen --idle)
echo "as usual: $usual"
echo "with --idle: $all"
[ "$usual" = "work some wait none poll none " ] && [ "$all" = "work some wait some poll some " ]
