#!/usr/bin/env bash
#
# Expected: signal(7) (man-pages 6.03), of handlers that were set with SA_RESTART: it lists sem_wait(3) and
# sem_timedwait(3) side by side, "since Linux 2.6.22", as calls that are restarted when the handler returns, and
# futex(2)'s FUTEX_WAIT as well. So a program whose handlers all have SA_RESTART meets no EINTR there.
#
# What happens: with glibc sem_wait goes on, and sem_timedwait fails with EINTR at the first signal. The kernel
# restarts a futex wait that has no timeout; one that has a timeout it restarts after a stop only, not after a handler
# (futex_wait() in kernel/futex/waitsyscalls.c), and glibc hands the error on. With musl both go on: it asks again,
# unless a handler without SA_RESTART has ever been set. So a profiler's timer or a child's end breaks off a wait for
# a time, and a program that was tested on one libc meets it on the other.
#
# Seen with: Linux 6.18, x86-64, glibc 2.36, musl 1.2.3 (Debian's musl-tools, fetched here). It needs gcc.
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

cat >"$work/wait.c" <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIGNALS = 3 };
static sem_t sem;
static volatile sig_atomic_t *handled;

/* The last signal ends the wait. */
static void handler(int signal) {
    (void)signal;
    if (++*handled == SIGNALS) sem_post(&sem);
}

static int sleeps(pid_t process) {
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", process);
    FILE *stat = fopen(path, "r");
    if (!stat || fscanf(stat, "%*d (%*[^)]) %c", &state) != 1) exit(1);
    fclose(stat);
    return state == 'S';
}

int main(int argc, char **argv) {
    (void)argc;
    handled = mmap(NULL, sizeof *handled, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
    sigaction(SIGUSR1, &action, NULL);
    sem_init(&sem, 0, 0);
    pid_t waiter = getpid(), sender = fork();
    if (sender == 0) {
        for (int sent = 0; sent < SIGNALS; sent++) {
            while (*handled < sent || !sleeps(waiter)) usleep(1000);
            kill(waiter, SIGUSR1);
        }
        _exit(0);
    }
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 60;
    int result = strcmp(argv[1], "sem_wait") == 0 ? sem_wait(&sem) : sem_timedwait(&sem, &end);
    const char *error = result == 0 ? "ok" : errno == EINTR ? "EINTR" : "another error";
    printf("%s after %d signals\n", error, (int)*handled);
    kill(sender, SIGKILL);
    waitpid(sender, NULL, 0);
    return 0;
}
C
gcc -o "$work/glibc" "$work/wait.c" -pthread
gcc -specs "$work/specs" -static -o "$work/musl" "$work/wait.c"

different=0
check() {
    local seen
    seen=$(timeout 60 "$work/$1" "$2") || true
    echo "$1, $2: $seen"
    [ "$seen" = "$3" ] || different=1
}
uname -r
check glibc sem_wait "ok after 3 signals"
check glibc sem_timedwait "EINTR after 1 signals"
check musl sem_wait "ok after 3 signals"
check musl sem_timedwait "ok after 3 signals"
exit $different
