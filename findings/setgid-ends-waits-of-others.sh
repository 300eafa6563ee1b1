#!/usr/bin/env bash
#
# Expected: a thread that waits is interrupted (EINTR) when a handler of the program's has run there. A program that
# installs none need not expect it: poll(2), nanosleep(2) and their like give EINTR for "a signal handler". setgid(2)
# speaks of the calling process alone, and its notes for glibc of a wrapper that sees to it that all threads change.
#
# What happens: glibc has each thread make the change itself, in a handler of its own for a signal of its own, which the
# program never hears of (nptl/setxid). It asks for calls to go on afterwards (SA_RESTART). But the kernel never lets
# some go on behind a handler (signal(7)): so a setgid in one thread, though it changes nothing, ends poll, select,
# epoll_wait, nanosleep, clock_nanosleep, pause, sigwaitinfo, semop, msgrcv, and recv with a timeout in all others. A
# read of a pipe, recv, accept, sem_wait and pthread_cond_wait go on. A server that gives up its rights once its
# threads run sees each of their pauses end early.
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

cat >"$work/waits.c" <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int ends[2], pair[2];
static sem_t semaphore;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static volatile int error = -1;
static const char *const names[] = {
    "read", "recv", "recv with a timeout", "poll", "select", "epoll_wait", "nanosleep", "clock_nanosleep",
    "sem_wait", "pthread_cond_wait", "pause", "sigwaitinfo", "semop", "msgrcv", "accept"};

static int wait_in(long which)
{
    char byte;
    struct timespec time = {.tv_sec = 100};
    switch (which) {
    case 0: return read(ends[0], &byte, 1) < 0;
    case 1: return recv(pair[0], &byte, 1, 0) < 0;
    case 2: {
        struct timeval after = {.tv_sec = 100};
        setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &after, sizeof after);
        return recv(pair[0], &byte, 1, 0) < 0;
    }
    case 3: return poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, -1) < 0;
    case 4: {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(ends[0], &set);
        return select(ends[0] + 1, &set, NULL, NULL, NULL) < 0;
    }
    case 5: return epoll_wait(epoll_create1(0), &(struct epoll_event){0}, 1, -1) < 0;
    case 6: return nanosleep(&time, NULL) < 0;
    case 7: return (errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL)) != 0;
    case 8: return sem_wait(&semaphore) < 0;
    case 9: pthread_mutex_lock(&mutex); return pthread_cond_wait(&condition, &mutex);
    case 10: return pause() < 0;
    case 11: {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        return sigwaitinfo(&set, NULL) < 0;
    }
    case 12: {
        int id = semget(IPC_PRIVATE, 1, 0600), failed = semop(id, &(struct sembuf){0, -1, 0}, 1) < 0, was = errno;
        semctl(id, 0, IPC_RMID);
        errno = was;
        return failed;
    }
    case 13: {
        struct { long kind; char text[8]; } message;
        int id = msgget(IPC_PRIVATE, 0600), failed = msgrcv(id, &message, 8, 0, 0) < 0, was = errno;
        msgctl(id, IPC_RMID, NULL);
        errno = was;
        return failed;
    }
    default: {
        int listener = socket(AF_INET, SOCK_STREAM, 0);
        listen(listener, 1);
        return accept(listener, NULL, NULL) < 0;
    }
    }
}

static void *waits(void *which)
{
    error = wait_in((long)which) ? errno : 0;
    return NULL;
}

int main(void)
{
    if (pipe(ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return 1;
    sem_init(&semaphore, 0, 0);
    for (long which = 0; which < 15; which++) {
        pthread_t thread;
        error = -1;
        pthread_create(&thread, NULL, waits, (void *)which);
        usleep(200000);
        setgid(getgid());
        usleep(200000);
        printf("%s: %s\n", names[which], error == EINTR ? "EINTR" : error == -1 ? "goes on" : "something else");
    }
    fflush(stdout);
    _exit(0);
}
C
cc -O1 -o "$work/waits" "$work/waits.c" -pthread
lib="$work/root/lib/x86_64-linux-gnu"
seen=$("$lib/ld-linux-x86-64.so.2" --library-path "$lib" "$work/waits")
echo "$seen"
[ "$seen" = "read: goes on
recv: goes on
recv with a timeout: EINTR
poll: EINTR
select: EINTR
epoll_wait: EINTR
nanosleep: EINTR
clock_nanosleep: EINTR
sem_wait: goes on
pthread_cond_wait: goes on
pause: EINTR
sigwaitinfo: EINTR
semop: EINTR
msgrcv: EINTR
accept: goes on" ]
echo "as stated"
