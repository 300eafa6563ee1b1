#!/usr/bin/env bash
#
# Expected: a call that would not block says the same whether it may block or not. POSIX's `recv` and
# `accept` have EAGAIN for a descriptor with O_NONBLOCK where the call would wait, and `poll` calls a descriptor
# readable if a read "will not block". So once reading is shut down, shutdown(SHUT_RD), both say what there is to
# say: the end.
#
# What happens: of datagram sockets (UDP that is connected, and Unix) and of Unix listeners Linux tells the end to
# calls that block, and to `poll`; calls that do not block are told EAGAIN, for ever. The blocking `recv`
# returns 0 at once, the blocking `accept` fails with EINVAL at once, and `poll` says readable each
# time. An event loop that goes by readiness asks again and again and gets nowhere; it has to ask `poll` for
# POLLRDHUP to find out. A TCP listener, and streams of both kinds, tell both.
#
# Seen with: Linux 6.18, x86-64; python3's socket module.
set -euo pipefail

uname -r
python3 - <<'PYTHON'
import errno, select, socket

POLLRDHUP = 0x2000


def udp():
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.connect(made.getsockname())
    return made


def listener(family, address):
    made = socket.socket(family)
    made.bind(address)
    made.listen()
    return made


def stream():
    return socket.socketpair()[0]


def answer(made, call, blocks):
    made.setblocking(blocks)
    try:
        got = call(made)
        return f"{len(got)} bytes" if isinstance(got, bytes) else "a connection"
    except OSError as error:
        return errno.errorcode[error.errno]


def receive(made):
    return made.recv(10)


def accept(made):
    return made.accept()


keep = []
CASES = [
    ("UDP", udp(), receive, "EAGAIN", "0 bytes"),
    ("Unix datagram", socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0], receive, "EAGAIN", "0 bytes"),
    ("Unix listener", listener(socket.AF_UNIX, ""), accept, "EAGAIN", "EINVAL"),
    ("TCP listener", listener(socket.AF_INET, ("127.0.0.1", 0)), accept, "EINVAL", "EINVAL"),
    ("Unix stream", stream(), receive, "0 bytes", "0 bytes"),
]
for name, made, call, without, with_blocking in CASES:
    made.shutdown(socket.SHUT_RD)
    poll = select.poll()
    poll.register(made, select.POLLIN | POLLRDHUP)
    said = poll.poll(1_000)
    readable = bool(said) and bool(said[0][1] & (select.POLLIN | select.POLLHUP))
    end = bool(said) and bool(said[0][1] & (POLLRDHUP | select.POLLHUP))
    asked = [answer(made, call, False) for _ in range(3)]
    blocked = answer(made, call, True)
    print(f"{name}: readable {readable}, end {end}; three times without blocking {asked}; blocking {blocked}")
    assert readable and end, name
    assert asked == [without] * 3 and blocked == with_blocking, name
print("as stated")
PYTHON
