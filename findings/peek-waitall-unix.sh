#!/usr/bin/env bash
#
# Expected: recv(2) (man-pages 6.03) of MSG_WAITALL: the call blocks "until the full request is satisfied"; less may
# come "if a signal is caught, an error or disconnect occurs, or the next data to be received is of a different
# type". And MSG_PEEK: data comes "without removing that data from the receive queue". Together they look at
# the head of a message once all of it is there. On TCP they do.
#
# What happens on a Unix stream: with MSG_PEEK the call waits for the first byte only, as if MSG_WAITALL had not
# been said, and returns what there is. No signal, no error, no end. unix_stream_read_generic() leaves its loop
# where a look has come to the end of the queue, and does not ask how much was wanted. A parser that trusts in
# the two flags works by TCP, and is given half a head by the same peer on the same machine.
#
# Seen with: Linux 6.18, x86-64; python3's socket module.
set -euo pipefail

uname -r
python3 - <<'PYTHON'
import socket, threading, time

LOOK = socket.MSG_PEEK | socket.MSG_WAITALL


def tcp():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = socket.create_connection(listener.getsockname())
        return client, listener.accept()[0]


def head(pair, flags):
    """What a reader of six bytes gets, the last three of which come later."""
    writer, reader = pair
    reader.settimeout(None)
    writer.sendall(b"abc")
    while len(reader.recv(6, socket.MSG_PEEK)) < 3:
        pass
    later = threading.Thread(target=lambda: (time.sleep(0.5), writer.sendall(b"def")))
    later.start()
    got = reader.recv(6, flags)
    later.join()
    return got


seen = {}
for name, make in (("TCP", tcp), ("Unix", socket.socketpair)):
    seen[name] = [head(make(), LOOK), head(make(), socket.MSG_WAITALL)]
    print(f"{name}: with MSG_PEEK {seen[name][0]}, without {seen[name][1]}")
assert seen == {"TCP": [b"abcdef", b"abcdef"], "Unix": [b"abc", b"abcdef"]}
print("as stated")
PYTHON
