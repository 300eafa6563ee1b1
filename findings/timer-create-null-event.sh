#!/usr/bin/env bash
#
# Expected: timer_create without a sigevent is as one that asks for SIGALRM "with the value of the timer ID" (POSIX,
# timer_create; timer_create(2) has the same). So a handler of several such timers knows by si_value which has rung.
#
# What happens: glibc passes a sigevent of its own on to the kernel, in which the value is a null pointer, and each
# such timer says 0. The kernel, asked by the system call of that name, says the timer's number, as it should. (In
# earlier releases a timer_t was a pointer, of which the kernel knows nothing, and glibc's own sigevent had that: the
# comment there still says so (sysdeps/unix/sysv/linux/timer_create.c). Now the timer_t of a signal is the kernel's
# number, and the value is null.) What helps is a sigevent of the program's own, or si_timerid, which no standard has.
#
# Seen with: glibc 2.36 (Debian 12, libc6 2.36-9+deb12u14, fetched here), gcc 12, Linux 6.18, x86-64.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
(cd "$work" && apt-get -q -o APT::Sandbox::User=root download libc6=2.36-9+deb12u14 >apt.log 2>&1) || {
    cat "$work/apt.log"
    exit 1
}
dpkg -x "$work"/libc6_*.deb "$work/root"

cat >"$work/timers.c" <<'C'
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarm, NULL);
    struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
    siginfo_t info;
    timer_t timers[3];
    for (int i = 0; i < 3; i++)
        timer_create(CLOCK_MONOTONIC, NULL, &timers[i]);
    for (int i = 0; i < 3; i++) {
        timer_settime(timers[i], 0, &soon, NULL);
        sigwaitinfo(&alarm, &info);
        printf("glibc: timer %ld says %ld\n", (long)timers[i], (long)info.si_value.sival_ptr);
    }
    int timer;
    syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer);
    syscall(SYS_timer_settime, timer, 0, &soon, NULL);
    sigwaitinfo(&alarm, &info);
    printf("the kernel: timer %d says %d\n", timer, info.si_value.sival_int);
    return 0;
}
C
cc -O1 -o "$work/timers" "$work/timers.c"
lib=$work/root/lib/x86_64-linux-gnu
seen=$("$lib/ld-linux-x86-64.so.2" --library-path "$lib" "$work/timers")
echo "$seen"
expected='glibc: timer 0 says 0
glibc: timer 1 says 0
glibc: timer 2 says 0
the kernel: timer 3 says 3'
[ "$seen" = "$expected" ]
echo "as stated"
