/* A program's own event loops. */
#define _GNU_SOURCE
#include "waiting.h"
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

enum { EVENTS = 4000 };

static int loop, event, loops[CROWD], events[CROWD];

static void watch(int in, int fd, uint32_t flags) {
    struct epoll_event it = {.events = flags, .data.fd = fd};
    if (epoll_ctl(in, EPOLL_CTL_ADD, fd, &it)) printf("epoll_ctl: %s\n", named(errno));
}

static void put(int fd) {
    if (eventfd_write(fd, 1)) printf("eventfd_write: %s\n", named(errno));
}

static void *answers(void *unused) {
    struct epoll_event found[4];
    int own = epoll_create1(0), quiet = eventfd(0, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
    double begin = now();
    SAY(epoll_wait(own, found, 4, 0));
    SAY(epoll_wait(own, found, 4, 30));
    watch(own, quiet, EPOLLIN);
    SAY(epoll_wait(own, found, 4, 30));
    SAY(epoll_pwait(own, found, 4, 30, NULL));
    struct timespec time = {0, 30000000}, bad = {0, -1};
    SAY(epoll_pwait2(own, found, 4, &time, NULL));
    double took = now() - begin;
    printf("took %s\n", took >= 0.12 && took < 5 ? "as long" : "another time");
    SAY(epoll_pwait2(own, found, 4, &bad, NULL));
    SAY(epoll_wait(own, found, 0, -1));
    SAY(epoll_wait(quiet, found, 4, -1));
    SAY(epoll_wait(-1, found, 4, -1));
    SAY(epoll_wait(999, found, 4, -1));
    watch(own, timer, EPOLLIN | EPOLLET);
    timerfd_settime(timer, 0, &(struct itimerspec){{0, 0}, {0, 30000000}}, NULL);
    SAY(epoll_wait(own, found, 4, -1));
    printf("it is the timer: %d\n", found[0].data.fd == timer);
    /* Told once by its edge, again and again by its level. */
    SAY(epoll_wait(own, found, 4, 20));
    put(quiet);
    SAY(epoll_wait(own, found, 4, -1));
    SAY(epoll_wait(own, found, 4, -1));
    eventfd_t value;
    SAY(eventfd_read(quiet, &value));
    SAY(epoll_wait(own, found, 4, 20));
    /* One within another. */
    int outer = epoll_create1(0);
    watch(outer, own, EPOLLIN);
    SAY(epoll_wait(outer, found, 4, 20));
    put(quiet);
    SAY(epoll_wait(outer, found, 4, -1));
    return unused;
}

/* Each has an event loop. */
static void *one_each(void *number) {
    long sum = 0;
    for (int round = 0; round < 3; round++) {
        struct epoll_event found;
        eventfd_t value;
        if (epoll_wait(loops[(long)number], &found, 1, -1) == 1 && eventfd_read(events[(long)number], &value) == 0)
            sum += value;
    }
    return (void *)sum;
}

static int taken, stop;

/* All wait at the same one, for what each may take once. */
static void *take(void *unused) {
    long n = 0;
    for (;;) {
        struct epoll_event found[2];
        int count = epoll_wait(loop, found, 2, -1);
        if (__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) return (void *)n;
        for (int i = 0; i < count; i++) {
            int fd = found[i].data.fd;
            eventfd_t value;
            if (eventfd_read(fd, &value)) continue;
            n += value;
            __atomic_add_fetch(&taken, value, __ATOMIC_SEQ_CST);
            struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};
            epoll_ctl(loop, EPOLL_CTL_MOD, fd, &again);
        }
    }
    return unused;
}

/* Threads that share an event loop take all; by levels, by edges, or once each. */
static void shared(const char *what, uint32_t flags, int is_again) {
    pthread_t threads[8];
    int fds[20];
    loop = epoll_create1(0);
    taken = stop = 0;
    event = eventfd(0, EFD_NONBLOCK);
    for (int i = 0; i < 20; i++) watch(loop, fds[i] = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE), flags);
    start(threads, 8, take);
    int sent = 0;
    for (; sent < EVENTS; sent++) {
        put(fds[sent % 20]);
        /* A semaphore is taken from one by one, and told by its edge once. Who yields to a busy machine waits for
           all of it, each time. */
        if (is_again && sent % 20 == 19)
            while (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) <= sent) usleep(20);
    }
    double begin = now();
    while (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) < sent && now() - begin < 20) usleep(1000);
    printf("%s: taken %d of %d\n", what, __atomic_load_n(&taken, __ATOMIC_SEQ_CST), sent);
    stop = 1;
    watch(loop, event, EPOLLIN);
    put(event);
    printf("%s: all end: %ld\n", what, join(threads, 8));
    for (int i = 0; i < 20; i++) close(fds[i]);
    close(loop);
    close(event);
}

int main(void) {
    for (int i = 0; i < CROWD; i++) watch(loops[i] = epoll_create1(0), events[i] = eventfd(0, EFD_SEMAPHORE), EPOLLIN);
    pthread_t threads[CROWD];
    start(threads, CROWD, one_each);
    usleep(50000);
    printf("waits well: %s\n", waits_well());
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < CROWD; i++) put(events[i]);
    long heard = join(threads, CROWD);
    printf("heard %ld\n", heard);
    in_thread(answers);
    shared("by level", EPOLLIN, 0);
    shared("by edge", EPOLLIN | EPOLLET, 1);
    shared("once", EPOLLIN | EPOLLONESHOT, 0);
}
