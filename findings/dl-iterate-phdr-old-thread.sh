#!/usr/bin/env bash
#
# Expected: dl_iterate_phdr(3) (man-pages 6.03) of dlpi_tls_data: "The address of the calling thread's
# instance of this module's PT_TLS segment, if it has one and it has been allocated in the calling
# thread, otherwise a null pointer". Collectors and leak checkers find a thread's roots so.
#
# What happens, with a library whose thread-locals lie at a fixed distance from the thread pointer
# (DF_STATIC_TLS, "initial-exec"), GCC's own libgomp say: each thread has them at once when dlopen()
# returns, and uses them. A thread that is older than the library is told a null pointer nevertheless,
# before it uses them and ever after; the thread that called dlopen(), too. A younger thread gets the
# address. The answer comes from the thread's table of modules (dtv). In a thread that is older,
# __tls_get_addr() fills in the entry, and the code of such a library never calls that.
#
# Here an old thread calls omp_set_num_threads(), which writes a thread-local: it reads back what it has
# set, other threads do not, and still it is told that it has no instance.
#
# Seen with: glibc 2.36-9+deb12u14 (Debian 12), libgomp1 12.2.0-14+deb12u1 (fetched here from Debian).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
(cd "$work" && apt-get -q -o APT::Sandbox::User=root download libgomp1=12.2.0-14+deb12u1 >apt.log 2>&1) || {
    cat "$work/apt.log"
    exit 1
}
dpkg -x "$work"/libgomp1_*.deb "$work/gomp"

cat >"$work/old.py" <<'PYTHON'
import ctypes, sys, threading


class Info(ctypes.Structure):
    """struct dl_phdr_info"""

    _fields_ = [
        ("addr", ctypes.c_size_t),
        ("name", ctypes.c_char_p),
        ("phdr", ctypes.c_void_p),
        ("phnum", ctypes.c_uint16),
        ("adds", ctypes.c_ulonglong),
        ("subs", ctypes.c_ulonglong),
        ("tls_modid", ctypes.c_size_t),
        ("tls_data", ctypes.c_void_p),
    ]


Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Info), ctypes.c_size_t, ctypes.c_void_p)
libc = ctypes.CDLL(None)


def told():
    """Whether the calling thread is told an instance of libgomp's thread-locals."""
    found = []

    @Callback
    def each(info, size, data):
        if b"libgomp" in (info.contents.name or b""):
            assert info.contents.tls_modid != 0, "it has thread-locals"
            found.append(info.contents.tls_data is not None)
        return 0

    libc.dl_iterate_phdr(each, None)
    (one,) = found
    return one


seen = {}
loaded = threading.Event()


def old():
    loaded.wait()
    seen["old thread, before use"] = told()
    gomp.omp_set_num_threads(7)
    seen["its own setting"] = gomp.omp_get_max_threads()
    seen["old thread, after use"] = told()


def young():
    seen["the young one's setting"] = gomp.omp_get_max_threads()
    seen["young thread"] = told()


first = threading.Thread(target=old)
first.start()
gomp = ctypes.CDLL(sys.argv[1])
gomp.omp_set_num_threads(3)
seen["thread that loaded it"] = told()
loaded.set()
first.join()
second = threading.Thread(target=young)
second.start()
second.join()

for name, what in seen.items():
    print(f"{name:24}", {True: "an address", False: "null"}[what] if isinstance(what, bool) else what)
sys.exit(
    not (
        seen["its own setting"] == 7
        and seen["the young one's setting"] != 7
        and seen["young thread"]
        and not any(seen[name] for name in ("old thread, before use", "old thread, after use", "thread that loaded it"))
    )
)
PYTHON

# Two processors at least, as far as OpenMP is concerned, so that its settings are not cut down.
OMP_NUM_THREADS=2 OMP_DYNAMIC=false timeout 30 python3 "$work/old.py" "$work"/gomp/usr/lib/*/libgomp.so.1 || exit 1
