/* Waits that a signal ends, with the thread's mask and with another one. */
#define _GNU_SOURCE
#include "waiting.h"
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <threads.h>

static int quiet[2], other[2], loop, runs, is_waiting, is_sent;
static pid_t child;

static void handle(int signal) {
    (void)signal;
    __atomic_add_fetch(&runs, 1, __ATOMIC_SEQ_CST);
}

static void say(const char *what, long result, double begin) {
    int error = errno;
    printf("%s: %ld%s%s, handled %d, %s\n", what, result, result < 0 ? " " : "", result < 0 ? named(error) : "",
           __atomic_load_n(&runs, __ATOMIC_SEQ_CST), now() - begin < 10 ? "soon" : "late");
}

/* Each is interrupted. */
static void *waits(void *number) {
    struct pollfd fds[2] = {{quiet[0], POLLIN, 0}, {other[0], POLLIN, 0}};
    struct epoll_event event;
    struct timespec long_time = {30, 0}, left = {0, 0};
    struct timeval time = {30, 0};
    fd_set readers;
    sigset_t none;
    sigemptyset(&none);
    FD_ZERO(&readers);
    FD_SET(quiet[0], &readers);
    double begin = now();
    int status;
    __atomic_store_n(&is_waiting, 1, __ATOMIC_SEQ_CST);
    switch ((long)number) {
    case 0: say("poll of one", poll(fds, 1, 30000), begin); break;
    case 1: say("poll of two", poll(fds, 2, 30000), begin); break;
    case 2: fds[0].events = POLLPRI; say("poll, nested", poll(fds, 2, -1), begin); break;
    case 3: say("poll of none", poll(NULL, 0, 30000), begin); break;
    case 4: say("ppoll", ppoll(fds, 1, &long_time, &none), begin); break;
    case 5:
        say("select", select(quiet[0] + 1, &readers, NULL, NULL, &time), begin);
        printf("left: %s\n", time.tv_sec > 15 && time.tv_sec < 30 ? "most" : "another time");
        break;
    case 6: say("pselect", pselect(quiet[0] + 1, &readers, NULL, NULL, &long_time, &none), begin); break;
    case 7: say("epoll_wait", epoll_wait(loop, &event, 1, 30000), begin); break;
    case 8: say("epoll_pwait", epoll_pwait(loop, &event, 1, -1, &none), begin); break;
    case 9: say("epoll_pwait2", epoll_pwait2(loop, &event, 1, &long_time, &none), begin); break;
    case 10:
        say("nanosleep", nanosleep(&long_time, &left), begin);
        printf("left: %s\n", left.tv_sec > 15 && left.tv_sec < 30 ? "most" : "another time");
        break;
    case 11:
        errno = 0;
        long error = clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, &left);
        printf("clock_nanosleep: %s\n", named(error));
        printf("left: %s\n", left.tv_sec > 15 && left.tv_sec < 30 ? "most" : "another time");
        break;
    case 12: printf("sleep: %s\n", sleep(30) > 15 ? "most is left" : "little is left"); break;
    case 13: say("usleep", usleep(30000000), begin); break;
    case 14: printf("thrd_sleep: %d\n", thrd_sleep(&long_time, &left)); break;
    case 15: say("waitpid", waitpid(child, &status, 0) == child ? 1 : -1, begin); break;
    case 16: say("wait", wait(&status), begin); break;
    }
    return NULL;
}

enum { CASES = 17 };

/* A signal that is blocked is left, and the mask of the wait opens it; after that it is blocked again. */
static void *opens(void *number) {
    sigset_t usr1, none, mask;
    struct pollfd fds[2] = {{quiet[0], POLLIN, 0}, {other[0], POLLIN, 0}};
    struct epoll_event event;
    fd_set readers;
    sigemptyset(&usr1), sigaddset(&usr1, SIGUSR1), sigemptyset(&none);
    FD_ZERO(&readers);
    FD_SET(quiet[0], &readers);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    pthread_kill(pthread_self(), SIGUSR1);
    SAY(poll(fds, 2, 50));
    printf("handled %d\n", runs);
    double begin = now();
    struct timespec time = {30, 0};
    switch ((long)number) {
    case 0: say("ppoll opens", ppoll(fds, 2, &time, &none), begin); break;
    case 1: say("pselect opens", pselect(quiet[0] + 1, &readers, NULL, NULL, &time, &none), begin); break;
    case 2: say("epoll_pwait opens", epoll_pwait(loop, &event, 1, 30000, &none), begin); break;
    }
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    printf("blocked again: %d\n", sigismember(&mask, SIGUSR1));
    return NULL;
}

static long asked(int by, int fd, const sigset_t *mask) {
    struct timespec no_time = {0, 0};
    struct pollfd it = {fd, POLLIN, 0};
    struct epoll_event event;
    fd_set readers;
    if (by == 0) return ppoll(&it, 1, &no_time, mask);
    if (by == 2) return epoll_pwait(loop, &event, 1, 0, mask);
    FD_ZERO(&readers);
    FD_SET(fd, &readers);
    long result = pselect(fd + 1, &readers, NULL, NULL, &no_time, mask);
    if (result < 0) printf("set left alone: %d ", FD_ISSET(fd, &readers) != 0);
    return result;
}

/* A wait without time lets in what its mask opens if it finds nothing, and only then; that of epoll never does. */
static void *opens_at_once(void *is_for_process) {
    static const char *const names[] = {"ppoll", "pselect", "epoll_pwait"};
    int ready[2];
    sigset_t usr1, none;
    sigemptyset(&usr1), sigaddset(&usr1, SIGUSR1), sigemptyset(&none);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    socketpair(AF_UNIX, SOCK_STREAM, 0, ready);
    if (write(ready[1], "x", 1) != 1) return NULL;
    for (int by = 0; by < 3; by++) {
        runs = 0;
        if (is_for_process) kill(getpid(), SIGUSR1);
        else pthread_kill(pthread_self(), SIGUSR1);
        if (by < 2) printf("%s, ready: %ld", names[by], asked(by, ready[0], &none)), printf(", handled %d\n", runs);
        double begin = now();
        say(names[by], asked(by, quiet[0], &none), begin);
        printf("handled %d\n", runs);
        pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
        printf("opened, handled %d\n", runs);
        pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    }
    close(ready[0]), close(ready[1]);
    return NULL;
}

/* A mask that blocks what the thread has open: the wait lasts, and the handler runs after it. */
static void *blocks(void *unused) {
    sigset_t usr1;
    struct pollfd fd = {quiet[0], POLLIN, 0};
    sigemptyset(&usr1), sigaddset(&usr1, SIGUSR1);
    struct timespec time = {0, 400000000};
    double begin = now();
    __atomic_store_n(&is_waiting, 1, __ATOMIC_SEQ_CST);
    long result;
    do
        result = ppoll(&fd, 1, &time, &usr1);
    while (!__atomic_load_n(&is_sent, __ATOMIC_SEQ_CST));
    say("ppoll blocks", result, begin);
    printf("took %s\n", now() - begin >= 0.39 ? "as long" : "another time");
    return unused;
}

static void interrupt(void *(*run)(void *), long number) {
    pthread_t thread;
    struct timespec late;
    is_waiting = is_sent = 0;
    pthread_create(&thread, NULL, run, (void *)number);
    while (!__atomic_load_n(&is_waiting, __ATOMIC_SEQ_CST)) sched_yield();
    /* On a busy machine it may be on its way still, and handle the signal before it waits: then another one is
     * the first. */
    do {
        usleep(100000);
        __atomic_store_n(&runs, 0, __ATOMIC_SEQ_CST);
        pthread_kill(thread, SIGUSR1);
        __atomic_store_n(&is_sent, 1, __ATOMIC_SEQ_CST);
        clock_gettime(CLOCK_REALTIME, &late);
        late.tv_sec += 2;
    } while (pthread_timedjoin_np(thread, NULL, &late));
}

int main(void) {
    socketpair(AF_UNIX, SOCK_STREAM, 0, quiet);
    socketpair(AF_UNIX, SOCK_STREAM, 0, other);
    struct epoll_event event = {.events = EPOLLIN};
    loop = epoll_create1(0);
    epoll_ctl(loop, EPOLL_CTL_ADD, quiet[0], &event);
    child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    for (int is_restarted = 0; is_restarted < 2; is_restarted++) {
        struct sigaction action = {.sa_handler = handle, .sa_flags = is_restarted ? SA_RESTART : 0};
        sigaction(SIGUSR1, &action, NULL);
        printf("%s\n", is_restarted ? "SA_RESTART" : "no SA_RESTART");
        for (long i = 0; i < CASES - 2 * is_restarted; i++) interrupt(waits, i);
        for (long i = 0; i < 3; i++) {
            pthread_t thread;
            runs = 0;
            pthread_create(&thread, NULL, opens, (void *)i);
            pthread_join(thread, NULL);
        }
        interrupt(blocks, 0);
    }
    /* Nobody else is to have it open. */
    sigset_t usr1;
    sigemptyset(&usr1), sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    for (long is_for_process = 0; is_for_process < 2; is_for_process++) {
        pthread_t thread;
        pthread_create(&thread, NULL, opens_at_once, (void *)is_for_process);
        pthread_join(thread, NULL);
    }
    pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    /* What is restarted goes on until the child ends. */
    pthread_t thread;
    runs = is_waiting = 0;
    pthread_create(&thread, NULL, waits, (void *)15L);
    while (!__atomic_load_n(&is_waiting, __ATOMIC_SEQ_CST)) sched_yield();
    usleep(100000);
    pthread_kill(thread, SIGUSR1);
    while (!__atomic_load_n(&runs, __ATOMIC_SEQ_CST)) usleep(1000);
    printf("handled %d\n", runs);
    int ended = child;
    kill(child, SIGTERM);
    pthread_join(thread, NULL);
    printf("%d\n", waitpid(ended, NULL, 0) == -1);
}
