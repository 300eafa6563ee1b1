#!/usr/bin/env bash
#
# Expected: exit(3) (man-pages 6.03): the streams are flushed, and the process ends. With glibc it does, whatever
# the other threads wait for: a server whose console thread sits in getchar() ends when another thread calls exit().
#
# What happens with musl: exit() waits for that getchar(). It flushes each stream under the stream's lock, which a
# reader has for as long as it reads, and puts an unread rest of the input back in the same way (__stdio_exit() in
# src/stdio/__stdio_exit.c). The process is there until a line comes, its handlers of atexit long done, and SIGTERM
# does not get it further if what it asks for is an exit. With fflush(NULL), for all streams, it is the other way
# round: glibc waits for the reader, musl passes over standard input. Who reads standard input in a thread of its own,
# and is to run on both, reads by read(2).
#
# Here a line comes after two seconds.
#
# Seen with: glibc 2.36, musl 1.2.3 (Debian's musl-tools, fetched here), Linux 6.18, x86-64. It needs gcc.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
(cd "$work" && apt-get -q -o APT::Sandbox::User=root download musl-dev=1.2.3-1 musl-tools=1.2.3-1 >apt.log 2>&1) || {
    cat "$work/apt.log"
    exit 1
}
for package in "$work"/*.deb; do
    dpkg -x "$package" "$work/root"
done
sed "s#/usr/\(lib\|include\)/x86_64-linux-musl#$work/root&#g" "$work/root/usr/lib/x86_64-linux-musl/musl-gcc.specs" \
    >"$work/specs"

cat >"$work/end.c" <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int console_id;

static void *console(void *unused) {
    console_id = syscall(SYS_gettid);
    getchar();
    pause();
    return unused;
}

/* Until the other thread waits in read(0). */
static void wait_for_console(void) {
    char path[64], call[6] = "";
    while (strcmp(call, "0 0x0") != 0) {
        usleep(10000);
        snprintf(path, sizeof path, "/proc/self/task/%d/syscall", console_id);
        int file = open(path, O_RDONLY);
        if (file >= 0) {
            if (read(file, call, 5) < 0) abort();
            close(file);
        }
    }
}

int main(int argc, char **argv) {
    (void)argc;
    pthread_t thread;
    pthread_create(&thread, NULL, console, NULL);
    wait_for_console();
    write(1, "now\n", 4);
    if (strcmp(argv[1], "exit") == 0) exit(0);
    if (strcmp(argv[1], "fflush(NULL)") == 0) fflush(NULL);
    _exit(0);
}
C
gcc -w -o "$work/glibc" "$work/end.c" -pthread
gcc -w -specs "$work/specs" -static -o "$work/musl" "$work/end.c"

uname -r
python3 - "$work" <<'PYTHON'
import subprocess, sys

as_stated = True
for libc, call, expected in (
    ("glibc", "_exit", False),
    ("glibc", "exit", False),
    ("glibc", "fflush(NULL)", True),
    ("musl", "_exit", False),
    ("musl", "exit", True),
    ("musl", "fflush(NULL)", False),
):
    pipe = subprocess.PIPE
    with subprocess.Popen([f"{sys.argv[1]}/{libc}", call], stdin=pipe, stdout=pipe) as process:
        assert process.stdout.readline() == b"now\n"
        try:
            # On a busy machine an end may take long that does not wait.
            process.wait(2 if expected else 20)
            waits = False
        except subprocess.TimeoutExpired:
            waits = True
        process.communicate(b"\n")
    print(f"{libc}, {call}: waits for the console's line {waits}")
    as_stated &= waits == expected and process.returncode == 0
print("as stated" if as_stated else "different")
sys.exit(not as_stated)
PYTHON
