// Threads that wait in calls on descriptors are cancelled, and interrupted.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

static int pair[2], timed[2], pipes[2], full[2], listener;
static int cleaned, ready;
static char byte;

static void cleans(void *unused) { (void)unused, cleaned++; }

static long calls(int which)
{
    struct iovec part = {&byte, 1};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    switch (which) {
    case 0: return read(pair[0], &byte, 1);
    case 1: return recv(pair[0], &byte, 1, 0);
    case 2: return recvmsg(pair[0], &header, 0);
    case 3: return read(pipes[0], &byte, 1);
    case 4: return accept(listener, NULL, NULL);
    case 5: return write(full[1], &byte, 1);
    case 6: return recv(timed[0], &byte, 1, 0);
    default: return readv(pipes[0], &part, 1);
    }
}
enum { CALLS = 8 };

static void *waits(void *which)
{
    pthread_cleanup_push(cleans, NULL);
    __atomic_store_n(&ready, 1, __ATOMIC_SEQ_CST);
    calls((int)(long)which);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *is_interrupted(void *which)
{
    __atomic_store_n(&ready, 1, __ATOMIC_SEQ_CST);
    long n = calls((int)(long)which);
    return (void *)(long)(n < 0 ? errno : 0);
}

static void handler(int signal) { (void)signal; }

static pthread_t start(void *(*f)(void *), int which)
{
    pthread_t thread;
    __atomic_store_n(&ready, 0, __ATOMIC_SEQ_CST);
    if (pthread_create(&thread, NULL, f, (void *)(long)which))
        abort();
    while (!__atomic_load_n(&ready, __ATOMIC_SEQ_CST))
        usleep(1000);
    usleep(20000);
    return thread;
}

static void *all(void *unused)
{
    struct timeval long_time = {60, 0};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || socketpair(AF_UNIX, SOCK_STREAM, 0, timed) ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, full) || pipe(pipes))
        abort();
    setsockopt(timed[0], SOL_SOCKET, SO_RCVTIMEO, &long_time, sizeof long_time);
    while (send(full[1], "x", 1, MSG_DONTWAIT) == 1)
        ;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listen(listener, 1))
        abort();
    for (int i = 0; i < CALLS; i++) {
        void *result;
        pthread_t thread = start(waits, i);
        pthread_cancel(thread);
        pthread_join(thread, &result);
        printf("call %d: cancelled %d, cleaned %d\n", i, result == PTHREAD_CANCELED, cleaned);
    }
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < CALLS; i++) {
        void *result;
        pthread_t thread = start(is_interrupted, i);
        pthread_kill(thread, SIGUSR1);
        pthread_join(thread, &result);
        printf("call %d: interrupted %s\n", i, strerrorname_np((int)(long)result));
    }
    // With a timeout it does not go on, whatever the handler says.
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, NULL);
    void *result;
    pthread_t thread = start(is_interrupted, 6);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, &result);
    printf("with a timeout: %s\n", strerrorname_np((int)(long)result));
    thread = start(is_interrupted, 0);
    pthread_kill(thread, SIGUSR1);
    usleep(20000);
    if (write(pair[1], "x", 1) != 1)
        abort();
    pthread_join(thread, &result);
    printf("without: %ld\n", (long)result);
    return unused;
}

int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, all, NULL);
    pthread_join(thread, NULL);
    return 0;
}
