#!/usr/bin/env bash
#
# Expected: pthread_exit(3) (man-pages 6.03), of a first thread that is to leave the others to run on: it "should
# terminate by calling pthread_exit() rather than exit(3)". The process goes on, under its number, so that number
# is what one gives to a debugger: strace(1) has `-p pid` attach "to the process with the process ID pid", gdb's
# manual has attach take "a process ID".
#
# What happens: gdb says "process PID is a zombie - the process has already terminated", strace says "Operation not
# permitted", root or not, and both end. The kernel calls the first thread a zombie and has nobody trace it;
# /proc/PID/maps is empty and process_vm_readv fails with ESRCH, for memory too is asked for by a thread. psutil calls
# the process a zombie that has no memory, and has no command line. All of them work by the number of another
# thread (/proc/PID/task), which none of them says. proc(5) tells of this for exe, cwd, root and fd.
#
# Seen with: Linux 6.18, Debian 12's gdb-minimal 13.1-3 and strace 6.1-0.1 (fetched here from Debian with the libraries
# that they need), psutil 7.2.2 (installed here from PyPI). It looks at children of its own.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
needed=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances gdb-minimal strace | grep '^lib' | grep -v ':' | sort -u)
(cd "$work" && apt-get -q -o APT::Sandbox::User=root download gdb-minimal=13.1-3 strace=6.1-0.1 $needed >apt.log 2>&1) || {
    cat "$work/apt.log"
    exit 1
}
for package in "$work"/*.deb; do
    dpkg -x "$package" "$work/root"
done
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --target "$work/packages" psutil==7.2.2
unset DEBUGINFOD_URLS

cat >"$work/look.py" <<'PYTHON'
import os, subprocess, sys, time

import psutil

root = sys.argv[1]
libraries = f"{root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu"

# A process whose first thread ends, as by pthread_exit(), and whose other one sleeps.
PROGRAM = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).syscall(60, 0)
"""
process = subprocess.Popen([sys.executable, "-c", PROGRAM])


def tool(*command):
    environment = dict(os.environ, LD_LIBRARY_PATH=libraries)
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    return run.stdout + run.stderr


def look(number):
    gdb = tool(f"{root}/usr/bin/gdb", "-nx", "-batch", "-p", str(number), "-ex", "info registers rip")
    # It stays for a second, if it gets in.
    strace = tool("timeout", "1", f"{root}/usr/bin/strace", "-p", str(number))
    asked = psutil.Process(number)
    try:
        command = asked.cmdline()[:1] == [sys.executable]
    except psutil.ZombieProcess:
        command = False
    return {
        "gdb": "is a zombie" not in gdb and "rip " in gdb,
        "strace": "Operation not permitted" not in strace and "attached" in strace,
        "psutil's memory": asked.memory_info().rss > 0,
        "psutil's command line": command,
    }


try:
    end = time.monotonic() + 20
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE or process.poll() is not None:
        assert process.poll() is None and time.monotonic() < end, "the first thread ends, the process does not"
        time.sleep(0.05)
    (other,) = [int(task) for task in os.listdir(f"/proc/{process.pid}/task") if int(task) != process.pid]
    by_process, by_thread = look(process.pid), look(other)
    for name, works in by_process.items():
        print(f"{name}: by the number of the process {works}, by that of its other thread {by_thread[name]}")
    as_stated = not any(by_process.values()) and all(by_thread.values()) and process.poll() is None
finally:
    process.kill()
    process.wait()
print("as stated" if as_stated else "different")
sys.exit(not as_stated)
PYTHON
uname -r
PYTHONPATH="$work/packages" timeout 120 python3 "$work/look.py" "$work/root"
