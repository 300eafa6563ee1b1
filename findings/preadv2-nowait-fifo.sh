#!/usr/bin/env bash
#
# Expected: preadv2(2) (man-pages 6.03) of RWF_NOWAIT: "Do not wait for data which is not immediately
# available … If this flag is specified, the preadv2() system call will return instantly"; EOPNOTSUPP is
# for "a flag" that is not supported. So whoever reads pipes tries it once on a pipe, and knows.
#
# What happens: it depends on how the pipe was come by, not on what it is. Both ends of a pipe(2) know the
# flag. A FIFO, the same kind of file by S_ISFIFO, opened by its path does not: EOPNOTSUPP, with data in it
# and without. An eventfd knows it for reading and refuses it for writing. So support has to be asked of
# each descriptor and each direction, not of a kind of file.
#
# Seen with: Linux 6.18.44 (x86-64). Nothing is fetched; it needs python3 (os.preadv, os.pwritev).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

timeout 30 python3 - "$work/fifo" <<'PYTHON'
import ctypes, errno, os, stat, sys

RWF_NOWAIT = 8
libc = ctypes.CDLL(None, use_errno=True)


class Piece(ctypes.Structure):
    """struct iovec"""

    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


def call(function, fd, size):
    room = ctypes.create_string_buffer(b"\x01" + bytes(size - 1), size)
    piece = Piece(ctypes.addressof(room), size)
    result = function(fd, ctypes.byref(piece), 1, ctypes.c_long(-1), RWF_NOWAIT)
    if result == size:
        return "done"
    # Linux has one number for two names.
    return errno.errorcode[ctypes.get_errno()].replace("ENOTSUP", "EOPNOTSUPP")


seen = {}
reader, writer = os.pipe()
seen["pipe(2), empty, read"] = call(libc.preadv2, reader, 8)
seen["pipe(2), write"] = call(libc.pwritev2, writer, 8)
seen["pipe(2), filled, read"] = call(libc.preadv2, reader, 8)

os.mkfifo(sys.argv[1])
fifo = os.open(sys.argv[1], os.O_RDWR)
assert stat.S_ISFIFO(os.fstat(fifo).st_mode) and stat.S_ISFIFO(os.fstat(reader).st_mode)
seen["FIFO by path, empty, read"] = call(libc.preadv2, fifo, 8)
seen["FIFO by path, write"] = call(libc.pwritev2, fifo, 8)
os.write(fifo, bytes(8))
seen["FIFO by path, filled, read"] = call(libc.preadv2, fifo, 8)

event = libc.eventfd(1, 0)
seen["eventfd, read"] = call(libc.preadv2, event, 8)
seen["eventfd, write"] = call(libc.pwritev2, event, 8)

for what, came in seen.items():
    print(f"{what:28}{came}")
sys.exit(
    list(seen.values())
    != ["EAGAIN", "done", "done", "EOPNOTSUPP", "EOPNOTSUPP", "EOPNOTSUPP", "done", "EOPNOTSUPP"]
)
PYTHON
