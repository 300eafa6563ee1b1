#!/usr/bin/env bash
#
# Expected: SO_LINGER in socket(7) (man-pages 6.03): "a close(2) or shutdown(2) will not return until all queued
# messages for the socket have been successfully sent or the linger timeout has been reached". So a thread that shuts
# down writing knows on return that all was sent, or that its time was up, and can still read the answer. Of sockets
# that do not block that page is silent; nothing that one calls on them waits.
#
# What happens: the other way round. shutdown returns at once, whatever is queued: the time is looked at in close only
# (inet_release() in net/ipv4/af_inet.c). And close waits for it on a socket with O_NONBLOCK as on any other: an event
# loop that closes such a connection stands still for as long as its peer does not read. (FreeBSD closes such a socket
# at once.) On Unix sockets the option is taken and does nothing.
#
# Seen with: Linux 6.18; python3's socket module.
set -euo pipefail

uname -r
python3 - <<'PYTHON'
import socket, struct, sys, time

LINGER = 2


def full(make):
    sender, receiver = make()
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, LINGER))
    sender.setblocking(False)
    try:
        while True:
            sender.send(bytes(65536))
    except BlockingIOError:
        return sender, receiver


def tcp():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return socket.create_connection(listener.getsockname()), listener.accept()[0]


as_stated = True
for name, make, call, blocking, waits in (
    ("TCP, shutdown", tcp, lambda s: s.shutdown(socket.SHUT_WR), True, False),
    ("TCP, close", tcp, socket.socket.close, True, True),
    ("TCP, close, O_NONBLOCK", tcp, socket.socket.close, False, True),
    ("Unix, close", socket.socketpair, socket.socket.close, True, False),
):
    sender, receiver = full(make)
    sender.setblocking(blocking)
    begun = time.monotonic()
    call(sender)
    waited = time.monotonic() - begun > LINGER / 2
    print(f"{name}: waits {waited}")
    as_stated &= waited == waits
    receiver.close()
print("as stated" if as_stated else "different")
sys.exit(not as_stated)
PYTHON
