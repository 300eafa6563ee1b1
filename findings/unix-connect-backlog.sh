#!/usr/bin/env bash
#
# Expected: a connect that cannot be done at once is waited for, or is an error. asyncio documents
# open_unix_connection() as "Establish a Unix socket connection and return a pair of (reader, writer)"
# (Python 3.11); trio documents open_unix_socket() as "Opens a connection to the specified Unix domain
# socket", which raises OSError "If the socket file could not be connected to" (0.33).
#
# What happens, if the server's backlog is full for the moment: both return a "connection", and the
# first use of it says that it is none: EINVAL from asyncio's read, ENOTCONN from trio's send. Linux
# fails such a connect with EAGAIN, not EINPROGRESS (connect(2)): nothing goes on that one could wait
# for. Both take the two for the same, wait for EPOLLOUT, which an unconnected socket has at once
# (with EPOLLHUP), and ask for SO_ERROR, which is 0. Others read the same EAGAIN in other ways: uvloop
# fails with it, and gevent's loop turns without sleep until there is room.
#
# Seen with: Linux 6.18, Python 3.11, trio 0.33.0, gevent 25.9.1, uvloop 0.22.1 (installed here from PyPI).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --target "$work/packages" \
    trio==0.33.0 gevent==25.9.1 uvloop==0.22.1

cat >"$work/connect.py" <<'PYTHON'
import asyncio, errno, socket, sys

library, path = sys.argv[1:]
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen(0)
first = socket.socket(socket.AF_UNIX)
first.connect(path)  # the one that the backlog has room for


async def by_asyncio():
    reader, writer = await asyncio.open_unix_connection(path)
    yield f"connected to {writer.get_extra_info('peername')!r}"
    await reader.read(1)


async def by_trio():
    import trio

    stream = await trio.open_unix_socket(path)
    yield "connected"
    await stream.send_all(b"x")


async def run(steps):
    said = []
    try:
        async for step in steps:
            said.append(step)
    except OSError as error:
        said.append(errno.errorcode[error.errno])
    except Exception as error:  # trio wraps the OSError
        said.append(errno.errorcode[error.__cause__.errno])
    return ", then ".join(said)


def by_gevent():
    import gevent
    from gevent import socket as green

    turns = 0

    def turn():
        nonlocal turns
        turns += 1

    watcher = gevent.get_hub().loop.prepare()
    watcher.start(turn)
    with gevent.Timeout(0.5, False):
        green.socket(socket.AF_UNIX).connect(path)
        return "connected"
    return "turns without sleep" if turns > 100 else f"waits, {turns} turns"


if library == "asyncio":
    print(asyncio.run(run(by_asyncio())))
elif library == "uvloop":
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    print(asyncio.run(run(by_asyncio())))
elif library == "trio":
    import trio

    print(trio.run(run, by_trio()))
else:
    print(by_gevent())
PYTHON

different=0
check() {
    local seen
    seen=$(PYTHONPATH="$work/packages" timeout 15 python3 "$work/connect.py" "$1" "$work/$1" 2>&1 | tail -n 1) || true
    echo "$1: $seen"
    [ "$seen" = "$2" ] || different=1
}
check asyncio "connected to None, then EINVAL"
check trio "connected, then ENOTCONN"
check uvloop "EAGAIN"
check gevent "turns without sleep"
exit $different
