#!/usr/bin/env bash
#
# Expected: poll(2) (man-pages 6.03): `nfds` is an nfds_t, 64 bits on x86-64, and EINVAL says that "the nfds
# value exceeds the RLIMIT_NOFILE value". So a length that went wrong is told.
#
# What happens: the kernel takes the lower 32 bits of it and looks at no more. With 2^40 it looks at no
# descriptor, sleeps until the timeout, and says 0, though the first of those given is ready. With 2^32 + 1 it
# looks at the first one alone and says 1. Only what is too much by its lower 32 bits is EINVAL. glibc
# passes the number on as it is. ppoll() is the same, while select() takes an int from the start.
#
# Seen with: Linux 6.18.44 (x86-64), glibc 2.36-9+deb12u14. Nothing is fetched; it needs python3.
set -euo pipefail

timeout 30 python3 - <<'PYTHON'
import ctypes, errno, os, struct, sys

POLLOUT = 4
libc = ctypes.CDLL(None, use_errno=True)
reader, writer = os.pipe()


def poll(nfds, by_ppoll=False):
    """Of one descriptor that is ready."""
    fds = ctypes.create_string_buffer(struct.pack("ihh", writer, POLLOUT, 0), 8)
    if by_ppoll:
        time = ctypes.create_string_buffer(struct.pack("qq", 0, 10_000_000), 16)
        result = libc.ppoll(fds, ctypes.c_ulong(nfds), time, None)
    else:
        result = libc.poll(fds, ctypes.c_ulong(nfds), 10)
    return result if result >= 0 else errno.errorcode[ctypes.get_errno()]


seen = {
    "1": poll(1),
    "2^31": poll(1 << 31),
    "2^40": poll(1 << 40),
    "2^32 + 1": poll((1 << 32) + 1),
    "2^40, ppoll": poll(1 << 40, by_ppoll=True),
}
for nfds, said in seen.items():
    print(f"{nfds:12} descriptors: {said}")
sys.exit(list(seen.values()) != [1, "EINVAL", 0, 1, 0])
PYTHON
