#!/usr/bin/env bash
#
# Expected: pipe(7) (man-pages 6.03): reading a pipe blocks if it is empty, and with O_NONBLOCK not even then.
# splice(2) says of SPLICE_F_NONBLOCK that splice may block for the other file, and nothing of anybody else. A proxy
# that has one thread splice from a socket into a pipe, and another one from the pipe into a socket, works as with
# read and write: what is in the pipe goes on.
#
# What happens: a splice into a pipe waits for its socket with the pipe locked (splice_file_to_pipe() in
# fs/splice.c). Until something comes, every read of that pipe waits, though there are bytes in it, though poll
# calls it readable, and with O_NONBLOCK too; the handler of a signal runs when that is over. So waits the second
# thread's splice. Where the peer answers only to what has been passed on, that is long. The remedy is a socket that
# does not block, and a wait for readiness before each splice.
#
# Seen with: Linux 6.18, x86-64, TCP and Unix sockets. It needs python3 (its os.splice from 3.10 on). The reads end
# here because the peer sends after a second.
set -euo pipefail

uname -r
python3 - <<'PYTHON'
import os, select, signal, socket, sys, threading, time

WAIT = 1.0


def tcp():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        return client, listener.accept()[0]


def splices(thread):
    """Whether it waits in splice(2)."""
    with open(f"/proc/self/task/{thread.native_id}/syscall") as call:
        return call.read().startswith("275 ")


def look(pair, spliced):
    splicing, peer = pair
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.write(writer, b"here")
    splicer = threading.Thread(target=os.splice, args=(splicing.fileno(), writer, 100))
    if spliced:
        splicer.start()
        until = time.monotonic() + 20
        while not splices(splicer) and time.monotonic() < until:
            time.sleep(0.01)
    readable = select.select([reader], [], [], 0)[0] == [reader]
    sender = threading.Timer(WAIT, peer.send, (b" there",))
    sender.start()
    begun = time.monotonic()
    handled = []
    signal.signal(signal.SIGALRM, lambda *_: handled.append(time.monotonic() - begun))
    signal.setitimer(signal.ITIMER_REAL, WAIT / 4)
    got = os.read(reader, 4)
    took = time.monotonic() - begun
    signal.setitimer(signal.ITIMER_REAL, 0)
    sender.join()
    if spliced:
        splicer.join()
    late = bool(handled) and handled[0] > WAIT / 2
    print(f"readable {readable}, got {got!r} after {took:.2f} s; the handler of a signal had to wait {late}")
    return readable, got, took > WAIT / 2, late


as_stated = True
for name, make in (("TCP", tcp), ("Unix", socket.socketpair)):
    print(f"{name}, nobody splices: ", end="")
    as_stated &= look(make(), False) == (True, b"here", False, False)
    print(f"{name}, somebody splices into the pipe: ", end="")
    as_stated &= look(make(), True) == (True, b"here", True, True)
print("as stated" if as_stated else "different")
sys.exit(not as_stated)
PYTHON
