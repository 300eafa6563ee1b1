#!/usr/bin/env bash
#
# Expected: gdb's `generate-core-file` (and `gcore`, which calls it) writes what the process has in memory.
# A page that cannot be read is one page: the manual of gdb says that it creates a core dump "of the debugged
# process", and the kernel's own core dump of the same process leaves out that page and has the rest.
#
# What happens: one page that was made a guard by madvise(MADV_GUARD_INSTALL) costs the whole mapping that it is
# in. A guard of this kind is no mapping of its own, so the mapping looks readable from end to end. gdb reads
# it in pieces as large as it can; as one of them fails it gives up on the section, and the core file has zeros
# in place of all of it, stacks and heaps included. It warns ("Memory read failed for corefile section"), says
# "Saved corefile", and ends with 0. The bytes can be had: /proc/PID/mem reads all pages but that one. With a
# guard by mprotect(PROT_NONE) all is there.
#
# Seen with: Linux 6.18 (MADV_GUARD_INSTALL is there since 6.13), Debian 12's gdb-minimal 13.1-3 (fetched here
# from Debian with the libraries that it needs), python3 for the process that is looked at.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
needed=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances gdb-minimal | grep '^lib' | grep -v ':' | sort -u)
(cd "$work" && apt-get -q -o APT::Sandbox::User=root download gdb-minimal=13.1-3 $needed >apt.log 2>&1) || {
    cat "$work/apt.log"
    exit 1
}
for package in "$work"/*.deb; do
    dpkg -x "$package" "$work/root"
done
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu
gdb=$work/root/usr/bin/gdb
unset DEBUGINFOD_URLS

cat >"$work/look.py" <<'PYTHON'
import ctypes, os, struct, subprocess, sys

work, gdb, how = sys.argv[1:]
PAGE, PAGES, GUARD_INSTALL = 4096, 16, 102
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
start = libc.mmap(None, ctypes.c_size_t(PAGE * PAGES), 3, 0x22, -1, ctypes.c_long(0))
first = ctypes.c_void_p(start)
if how == "madvise":
    made = libc.madvise(first, ctypes.c_size_t(PAGE), GUARD_INSTALL)
else:
    made = libc.mprotect(first, ctypes.c_size_t(PAGE), 0)
assert made == 0, f"no guard: errno {ctypes.get_errno()}"
marker = b"this page is " + b"there"
wanted = start + 8 * PAGE
ctypes.memmove(wanted, marker, len(marker))

pid = os.getpid()
with open(f"/proc/{pid}/mem", "rb") as memory:
    memory.seek(wanted)
    assert memory.read(len(marker)) == marker
core = f"{work}/core"
command = [gdb, "-nx", "-batch", "-p", str(pid), "-ex", f"generate-core-file {core}"]
run = subprocess.run(command, capture_output=True, text=True)
said = [line for line in (run.stdout + run.stderr).splitlines() if "corefile" in line]
with open(core, "rb") as file:
    data = file.read()
offset, = struct.unpack_from("<Q", data, 32)
number, = struct.unpack_from("<H", data, 56)
found = None
for n in range(number):
    kind, _, at, address, _, size, _, _ = struct.unpack_from("<IIQQQQQQ", data, offset + 56 * n)
    if kind == 1 and address <= wanted < address + size:
        at += wanted - address
        found = data[at : at + len(marker)]
lost = found is not None and not any(found)
warned = any(f"{start:x}" in line and "failed" in line for line in said)
print(f"guard by {how}: gdb ends with {run.returncode}, warns of it: {warned};", end=" ")
print("page 8 is", "there" if found == marker else "zeros" if lost else found)
expected = lost and warned if how == "madvise" else found == marker and not warned
sys.exit(not (expected and run.returncode == 0))
PYTHON

uname -r
"$gdb" --version | head -1
# Whoever may be looked at by a child of its own.
python3 "$work/look.py" "$work" "$gdb" mprotect
python3 "$work/look.py" "$work" "$gdb" madvise
echo "as stated"
