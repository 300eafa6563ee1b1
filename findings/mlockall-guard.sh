#!/usr/bin/env bash
#
# Expected: mlockall(2) (man-pages 6.03): "All mapped pages are guaranteed to be resident in RAM when
# the call returns successfully". MADV_GUARD_INSTALL (Linux 6.13; madvise(2)) makes light guard pages
# inside a mapping, which a program never touches; the rest of the mapping stays ordinary memory.
#
# What happens: the kernel fills a mapping from its low end, gives up at the first guard page, and goes
# on with the next mapping; mlockall reports success, and /proc counts the whole mapping as locked
# (VmLck). What lies above the guard is not there: first touches still fault. A stack has its guard at
# its low end, so of such a stack nothing is in memory. A mapping without any guard fares no better if
# it happens to lie above one that has a guard: the kernel has made one of both.
# mlock() of such a mapping does fail (ENOMEM). The other way round, MADV_GUARD_INSTALL fails with
# EINVAL in memory that is locked already.
#
# Seen with: Linux 6.18, Python 3.11. It locks all of a small process: as root, or with a big `ulimit -l`.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/lock.py" <<'PYTHON'
import ctypes, errno, mmap, re, sys

MADV_GUARD_INSTALL, MCL_CURRENT, PAGES, PAGE = 102, 1, 64, mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_size_t
libc.mmap.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.madvise.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
libc.mincore.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p]
libc.mlock.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
ANONYMOUS, FIXED = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 0x10


def reserve(pages):
    """Address space with a page at either end that nobody can use, so that it has no neighbour."""
    return libc.mmap(0, (pages + 2) * PAGE, 0, ANONYMOUS, -1, 0) + PAGE


def mapping(at):
    made = libc.mmap(at, PAGES * PAGE, mmap.PROT_READ | mmap.PROT_WRITE, ANONYMOUS | FIXED, -1, 0)
    assert made == at
    return made


def guard(start, page):
    failed = libc.madvise(start + page * PAGE, PAGE, MADV_GUARD_INSTALL) != 0
    return errno.errorcode[ctypes.get_errno()] if failed else "made"


def resident(start):
    pages = (ctypes.c_ubyte * PAGES)()
    assert libc.mincore(start, PAGES * PAGE, pages) == 0
    return sum(page & 1 for page in pages)


plain, low, middle = (mapping(reserve(PAGES)) for _ in range(3))
two = reserve(2 * PAGES)
first, second = mapping(two), mapping(two + PAGES * PAGE)
made = guard(low, 0), guard(middle, 20), guard(first, 20)
if made != ("made",) * 3:
    sys.exit(f"light guards need Linux 6.13: {made}")
if libc.mlockall(MCL_CURRENT) != 0:
    sys.exit("mlockall: " + errno.errorcode[ctypes.get_errno()])
locked = re.search(r"VmLck:\s+(\d+)", open("/proc/self/status").read())[1]
print(f"mlockall: success, VmLck {locked} KiB")
seen = {
    "no guard": resident(plain),
    "guard at page 0": resident(low),
    "guard at page 20": resident(middle),
    "the next mapping": resident(second),
}
for name, pages in seen.items():
    print(f"{name:16}: {pages:2} of {PAGES} pages in memory")
failed = libc.mlock(middle, PAGES * PAGE) != 0
print("mlock of one with a guard:", errno.errorcode[ctypes.get_errno()] if failed else "success")
late = guard(plain, 0)
print("a guard in locked memory:", late)
sys.exit(not (list(seen.values()) == [64, 0, 20, 0] and failed and late == "EINVAL"))
PYTHON

timeout 30 python3 "$work/lock.py" || exit 1
