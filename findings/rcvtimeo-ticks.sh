#!/usr/bin/env bash
#
# Expected: SO_RCVTIMEO takes a `struct timeval`, microseconds included, and socket(7) names no coarser unit; poll,
# select and nanosleep keep to the microsecond since they have timers of high resolution. getsockopt gives
# back what was set: Rust's `TcpStream::read_timeout` "returns the read timeout of this socket".
#
# What happens: Linux keeps the timeouts of sockets in ticks of its own clock, rounded up. With CONFIG_HZ=250 a
# timeout of 2 ms, and one of a microsecond, is 4 ms, and reads back as that; 5 ms are 8. A read that waits takes
# a tick at least, mostly one more than it was rounded to. `poll` with a timeout before a read that does not
# block takes what was asked for.
#
# Seen with: Linux 6.18, x86-64, CONFIG_HZ=250; python3's socket module. A kernel with another tick
# has other figures; with one of 1 ms whole milliseconds come back as they were.
set -euo pipefail

uname -r
python3 - <<'PYTHON'
import select, socket, struct, time

near, far = socket.socketpair()


def set_and_read_back(microseconds):
    near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, microseconds))
    seconds, rest = struct.unpack("ll", near.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16))
    return seconds * 1_000_000 + rest


def shortest_wait(wait):
    took = []
    for _ in range(20):
        begin = time.monotonic_ns()
        wait()
        took.append(time.monotonic_ns() - begin)
    return min(took) / 1_000


def receive():
    try:
        near.recv(1)
    except BlockingIOError:
        pass


tick = set_and_read_back(1)
print(f"a timeout of 1 us reads back as {tick} us: the tick")
assert tick == 4_000, "another tick"
for asked, kept in ((2_000, 4_000), (4_000, 4_000), (5_000, 8_000), (8_001, 12_000)):
    got = set_and_read_back(asked)
    print(f"{asked} us read back as {got} us")
    assert got == kept
set_and_read_back(1)
took = shortest_wait(receive)
poll = select.poll()
poll.register(near, select.POLLIN)
polled = shortest_wait(lambda: poll.poll(1))
print(f"the shortest of twenty reads with a timeout of 1 us took {took:.0f} us, of polls of 1 ms {polled:.0f} us")
assert took > 3_000 and polled < 3_000
print("as stated")
PYTHON
