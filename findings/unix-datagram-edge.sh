#!/usr/bin/env bash
#
# Expected: a non-blocking sendto() on a Unix datagram socket says EAGAIN while the receiver's queue is
# full, and then epoll tells when to try again. epoll(7), of edge-triggered use (man-pages 6.03): wait
# "for an event only after read(2) or write(2) return EAGAIN", and an event comes "only when changes
# occur on the monitored file descriptor".
#
# What happens: nothing changes, the receiver is asleep, and each failed sendto() is followed by a new
# EPOLLOUT edge. The kernel has put the datagram into a buffer before it looks at the receiver's queue;
# freeing that buffer says "there is room to write". So the failed call makes its own event, and a loop
# that does as the manual says never sleeps: level-triggered and edge-triggered alike. With connect()
# and send() the kernel does look at the receiver, and both kinds sleep until there is room.
# trio's `await socket.sendto()` spins so, too.
#
# Seen with: Linux 6.18, Python 3.11, trio 0.33.0 (installed here from PyPI).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --target "$work/packages" trio==0.33.0

cat >"$work/spin.py" <<'PYTHON'
import select, socket, sys, time
import trio

path = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(path)


def sender():
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


filler = sender()
try:
    while True:
        filler.sendto(b"x", path)
except BlockingIOError:
    pass


def wakeups(connected, edge):
    """How often epoll wakes, within half a second in which nobody receives."""
    socket_ = sender()
    if connected:
        socket_.connect(path)
    poller = select.epoll()
    poller.register(socket_, select.EPOLLOUT | (select.EPOLLET if edge else 0))
    end, woken = time.monotonic() + 0.5, 0
    while time.monotonic() < end:
        if poller.poll(0.05):
            woken += 1
            try:
                socket_.send(b"y") if connected else socket_.sendto(b"y", path)
            except BlockingIOError:
                continue
            sys.exit("the queue was not full")
    return woken


seen = {}
for connected in (False, True):
    for edge in (False, True):
        name = ("connected" if connected else "sendto") + (", edge" if edge else ", level")
        seen[name] = wakeups(connected, edge)


class Waits(trio.abc.Instrument):
    count = 0

    def before_io_wait(self, timeout):
        self.count += 1


async def by_trio(connected):
    waits = Waits()
    trio.lowlevel.add_instrument(waits)
    socket_ = trio.socket.from_stdlib_socket(sender())
    if connected:
        await socket_.connect(path)
    with trio.move_on_after(0.5):
        await (socket_.send(b"y") if connected else socket_.sendto(b"y", path))
    return waits.count


for connected in (False, True):
    seen["trio, " + ("connected" if connected else "sendto")] = trio.run(by_trio, connected)

for name, woken in seen.items():
    print(f"{name:18} woken {woken} times in 0.5 s")
spins = ["sendto, level", "sendto, edge", "trio, sendto"]
sys.exit(not all((woken > 200) if name in spins else (woken < 20) for name, woken in seen.items()))
PYTHON

PYTHONPATH="$work/packages" timeout 30 python3 "$work/spin.py" "$work/receiver" || exit 1
