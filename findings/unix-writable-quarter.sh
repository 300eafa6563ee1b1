#!/usr/bin/env bash
#
# Expected: poll(2) (man-pages 6.03) of POLLOUT: "Writing is now possible, though a write larger than the available
# space in a socket or pipe will still block". How little space counts as none is the low-water mark, by POSIX
# (SO_SNDLOWAT); socket(7) has it 1 on Linux, for good. So a socket that has room is writable.
#
# What happens on a Unix stream: once a quarter of its buffer is in use, poll, select and epoll say that it is not
# writable, and a send that does not block goes on to succeed until the buffer is full: three times as much again.
# (unix_writable() in net/unix/af_unix.c.) A program that waits for POLLOUT before each send uses a quarter of what
# it has asked for by SO_SNDBUF, and one that has met EAGAIN is woken only when the peer has taken three quarters
# away. TCP has a mark of its own, at two thirds in use. getsockopt says 1 for both.
#
# Seen with: Linux 6.18, x86-64; python3's socket and select modules.
set -euo pipefail

uname -r
python3 - <<'PYTHON'
import select, socket

PIECE = bytes(1024)


def tcp():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = socket.create_connection(listener.getsockname())
        return client, listener.accept()[0]


def room(pair):
    """How much can be sent while it is called writable, and how much then."""
    sender, _receiver = pair
    sender.setblocking(False)
    assert sender.getsockopt(socket.SOL_SOCKET, socket.SO_SNDLOWAT) == 1
    poll = select.poll()
    poll.register(sender, select.POLLOUT)
    while_writable = after = 0
    while poll.poll(0):
        while_writable += sender.send(PIECE)
    try:
        while True:
            assert not poll.poll(0)
            after += sender.send(PIECE)
    except BlockingIOError:
        return while_writable, after


seen = {}
for name, pair in (("Unix stream", socket.socketpair()), ("TCP", tcp())):
    seen[name] = room(pair)
    print(f"{name}: {seen[name][0]} bytes while it is called writable, then {seen[name][1]} more")
assert 2 < seen["Unix stream"][1] / seen["Unix stream"][0] < 4
assert seen["TCP"][1] < seen["TCP"][0]
print("as stated")
PYTHON
