#!/usr/bin/env bash
#
# Expected: Python's documentation of socket.sendall, since 3.5: "The socket timeout is no longer reset each time data
# was sent successfully. The socket timeout is now the maximum total duration to send all data." eventlet's
# eventlet.green.socket is documented as that module with its calls made green, and gevent.socket likewise.
#
# What happens in eventlet: its sendall() is a loop around send(), each of which has the whole timeout for itself
# (GreenSocket.sendall in greenio/base.py). A peer that reads a little now and then keeps a thread in sendall() for
# as long as it likes, whatever the timeout. gevent has one deadline for all, as Python has.
#
# Here 2 MiB are sent with a timeout of a second to a peer that reads 128 KiB each quarter of a second.
#
# Seen with: Linux 6.18, Python 3.11, eventlet 0.41.3, gevent 26.9.0 (installed here from PyPI).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --target "$work/packages" \
    eventlet==0.41.3 gevent==26.9.0

cat >"$work/send.py" <<'PYTHON'
import sys, time, warnings

warnings.simplefilter("ignore")
if sys.argv[1] == "eventlet":
    from eventlet import sleep, spawn
    from eventlet.green import socket
elif sys.argv[1] == "gevent":
    from gevent import sleep, socket, spawn
else:
    import socket
    from threading import Thread
    from time import sleep

    def spawn(function):
        Thread(target=function).start()


sender, receiver = socket.socketpair()
sender.settimeout(1)


def read():
    while True:
        sleep(0.25)
        if not receiver.recv(1 << 17):
            break


spawn(read)
start = time.monotonic()
try:
    sender.sendall(bytes(1 << 21))
    said = "sent all of it"
except TimeoutError:
    said = "timed out"
took = time.monotonic() - start
sender.close()
print(f"({sys.argv[1]}: {took:.1f} s)", file=sys.stderr)
print(said + (" after twice the timeout" if said.startswith("sent") and took > 2 else ""))
PYTHON

different=0
check() {
    local seen
    seen=$(PYTHONPATH="$work/packages" timeout 20 python3 "$work/send.py" "$1" 2>"$work/log") || true
    echo "$1: $seen"
    [ "$seen" = "$2" ] || { cat "$work/log"; different=1; }
}
check threads "timed out"
check gevent "timed out"
check eventlet "sent all of it after twice the timeout"
exit $different
