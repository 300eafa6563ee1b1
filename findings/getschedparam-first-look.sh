#!/usr/bin/env bash
#
# Expected: pthread_getschedparam(3) (man-pages 6.03) "returns the scheduling policy and parameters of
# the thread"; only of the priority it says that it is the one of the last pthread_ call. A policy may
# be set from outside, too (`chrt -p`, sched_setscheduler(2) with the number of a thread), so the
# answer should follow it, or else never.
#
# What happens in glibc: it follows until somebody asks. The first look is kept in the thread's
# descriptor and answers all later ones; looking changes what is seen. And what the thread has kept is
# handed on to each thread that it starts: a new thread that nobody has asked about says SCHED_OTHER
# (until pthread_setschedparam() sets another), while the kernel has run it as SCHED_BATCH from its
# first instruction. musl asks the kernel each time.
#
# Seen with: Linux 6.18, glibc 2.36-9+deb12u14 (Debian 12) and musl 1.2.3-1 (fetched here from Debian).
# It needs a C compiler, `cc`, for x86-64.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
(cd "$work" && apt-get -q -o APT::Sandbox::User=root download musl-dev=1.2.3-1 >apt.log 2>&1) || {
    cat "$work/apt.log"
    exit 1
}
dpkg -x "$work"/musl-dev_*.deb "$work/musl"

cat >"$work/look.c" <<'C'
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OTHER = 0, BATCH = 3 };

static const char *name(int policy) { return policy == OTHER ? "OTHER" : policy == BATCH ? "BATCH" : "?"; }

/* What libc says, and what the kernel says, of the calling thread. */
static void *look(void *when)
{
	int policy;
	struct sched_param param;
	if (pthread_getschedparam(pthread_self(), &policy, &param) != 0)
		return "failed";
	printf("%s:%s/%s ", (char *)when, name(policy), name(syscall(SYS_sched_getscheduler, 0)));
	return 0;
}

/* As `chrt --batch --pid 0 NUMBER` does it, from another process. */
static void set_from_outside(void)
{
	int param = 0;
	pid_t self = syscall(SYS_gettid), child = fork();
	if (child == 0)
		_exit(syscall(SYS_sched_setscheduler, self, BATCH, &param) != 0);
	waitpid(child, 0, 0);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	(void)argv;
	if (argc > 1)
		look("before");
	set_from_outside();
	if (pthread_create(&thread, 0, look, "new-thread") != 0)
		return 1;
	pthread_join(thread, 0);
	look("after");
	puts("");
	return 0;
}
C

cc -pthread -o "$work/glibc-look" "$work/look.c"
lib=$work/musl/usr/lib/x86_64-linux-musl
cc -static -nostdinc -isystem "$work/musl/usr/include/x86_64-linux-musl" -nostdlib -fno-stack-protector \
    -o "$work/musl-look" "$lib/crt1.o" "$lib/crti.o" "$work/look.c" "$lib/libc.a" "$lib/crtn.o"

different=0
check() {
    local seen
    seen=$(timeout 10 "$work/$1-look" ${2:+"$2"}) || true
    echo "$1, ${2:-nobody asked before}: $seen"
    [ "$seen" = "$3 " ] || different=1
}
echo "what libc says / what the kernel says"
check glibc "" "new-thread:BATCH/BATCH after:BATCH/BATCH"
check glibc "asked before" "before:OTHER/OTHER new-thread:OTHER/BATCH after:OTHER/BATCH"
check musl "asked before" "before:OTHER/OTHER new-thread:BATCH/BATCH after:BATCH/BATCH"
exit $different
