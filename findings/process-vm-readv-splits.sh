#!/usr/bin/env bash
#
# Expected: process_vm_readv(2) of man-pages 6.03, "RETURN VALUE", says that a partial transfer never splits an
# element of the vectors: what comes back is the sum of whole elements. So who reads memory of which some may be
# missing gives each page an element of its own, as the same page advises, up to 1,024 of them in a call.
#
# What happens: Linux stops at the page that it cannot read, wherever that is in an element. One element over 40
# pages and one that is missing brings 40 pages less the offset it began at: the count ends in the middle
# of the element. Whether the unreadable page was made so by mprotect, or is a guard by
# madvise(MADV_GUARD_INSTALL) in the midst of a mapping, does not matter. Only where the first byte of all
# cannot be read is it an error, EFAULT. So one element for a large range is enough, and a count
# that is no sum of elements is to be reckoned with.
#
# Seen with: Linux 6.18, x86-64; python3, which asks by ctypes.
set -euo pipefail

uname -r
python3 - <<'PYTHON'
import ctypes, errno, os

PAGE, RW, PRIVATE, GUARD_INSTALL = 4096, 3, 0x22, 102
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.process_vm_readv.restype = ctypes.c_ssize_t


class Element(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def memory(n_good, how):
    """So many pages that can be read, one that cannot, and one that can."""
    start = libc.mmap(None, ctypes.c_size_t((n_good + 2) * PAGE), RW, PRIVATE, -1, ctypes.c_long(0))
    ctypes.memset(start, 7, (n_good + 2) * PAGE)
    page, size = ctypes.c_void_p(start + n_good * PAGE), ctypes.c_size_t(PAGE)
    made = libc.mprotect(page, size, 0) if how == "mprotect" else libc.madvise(page, size, GUARD_INSTALL)
    assert made == 0, os.strerror(ctypes.get_errno())
    return start


def read(*elements):
    total = sum(length for _, length in elements)
    buffer = ctypes.create_string_buffer(total)
    there = (Element * len(elements))(*elements)
    here = Element(ctypes.addressof(buffer), total)
    n = libc.process_vm_readv(os.getpid(), ctypes.byref(here), 1, there, len(elements), 0)
    return n if n >= 0 else errno.errorcode[ctypes.get_errno()]


for how in ("mprotect", "madvise"):
    for n_good in (1, 3, 40):
        start = memory(n_good, how)
        n = read((start + 100, (n_good + 1) * PAGE))
        print(f"{how}: one element over {n_good} pages and one that is missing: {n} bytes")
        assert n == n_good * PAGE - 100, n
    start = memory(2, how)
    n = read((start, PAGE), (start + PAGE + 8, 2 * PAGE))
    print(f"{how}: a page, and an element of which the second page is missing: {n} bytes")
    assert n == 2 * PAGE - 8, n
    n = read((start + 2 * PAGE, 2 * PAGE))
    print(f"{how}: an element of which the first page is missing: {n}")
    assert n == "EFAULT", n
print("as stated")
PYTHON
