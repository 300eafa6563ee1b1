// Calls that are made in parts: what ends them after one, and what does not.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define BIG (16 << 20)
static char big[BIG];
static int from, to;
static volatile int n_handled, n_broken;

static void handle(int signal) { *(signal == SIGPIPE ? &n_broken : &n_handled) += 1; }

enum { PIPE, UNIX, TCP, KINDS };
static const char *const names[] = {"pipe", "unix", "tcp"};

static void make(int kind)
{
    int pair[2];
    if (kind == PIPE ? pipe(pair) : kind == UNIX ? socketpair(AF_UNIX, SOCK_STREAM, 0, pair) : 0)
        abort();
    if (kind != TCP) {
        from = pair[0], to = pair[1];
        return;
    }
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    to = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (void *)&name, len) || listen(listener, 1) ||
        getsockname(listener, (void *)&name, &len) || connect(to, (void *)&name, len))
        abort();
    from = accept(listener, NULL, NULL);
    close(listener);
}

static void *writes(void *unused)
{
    (void)unused;
    ssize_t n = write(to, big, BIG);
    return (void *)(n < 0 ? -(ssize_t)errno : n);
}

static void *receives_ten(void *unused)
{
    (void)unused;
    static char ten[10];
    return (void *)recv(from, ten, 10, MSG_WAITALL);
}

static void *receives_messages(void *unused)
{
    (void)unused;
    static char bytes[3];
    struct iovec parts[3] = {{bytes, 1}, {bytes + 1, 1}, {bytes + 2, 1}};
    struct mmsghdr messages[3] = {0};
    for (int i = 0; i < 3; i++)
        messages[i].msg_hdr = (struct msghdr){.msg_iov = parts + i, .msg_iovlen = 1};
    return (void *)(long)recvmmsg(from, messages, 3, 0, NULL);
}

static void *sends_messages(void *unused)
{
    (void)unused;
    struct iovec part = {big, BIG}, end = {"end", 3};
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}},
                                  {.msg_hdr = {.msg_iov = &end, .msg_iovlen = 1}}};
    int n = sendmmsg(to, messages, 2, 0);
    return (void *)(long)(n == 1 && messages[0].msg_len < BIG);
}

static pthread_t start(void *(*f)(void *))
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, f, NULL))
        abort();
    return thread;
}

// What has come, once as much has come as there is room for.
static int full(void)
{
    int before, now = 0;
    do {
        before = now;
        usleep(10 * 1000);
        if (ioctl(from, FIONREAD, &now))
            abort();
    } while (now == 0 || now != before);
    return now;
}

static ssize_t join(pthread_t thread)
{
    void *result;
    if (pthread_join(thread, &result))
        abort();
    return (ssize_t)result;
}

// Signals until the thread has ended: it may not have begun to wait.
static ssize_t join_interrupted(pthread_t thread)
{
    void *result;
    while (pthread_kill(thread, SIGUSR1) == 0) {
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_sec += 1;
        if (pthread_timedjoin_np(thread, &result, &soon) == 0)
            return (ssize_t)result;
    }
    abort();
}

static void done(void) { close(from), close(to); }

static void interrupted(int kind)
{
    make(kind);
    pthread_t thread = start(writes);
    full();
    n_handled = 0;
    ssize_t n = join_interrupted(thread);
    printf("%s: a handler ends a write after a part: %d, handled %d\n", names[kind],
           n > 0 && n < BIG, n_handled > 0);
    done();
    if (kind == PIPE)
        return;
    make(kind);
    if (write(to, "abc", 3) != 3)
        abort();
    thread = start(receives_ten);
    usleep(20 * 1000);
    printf("%s: and a read of all: %zd\n", names[kind], join_interrupted(thread));
    thread = start(sends_messages);
    full();
    printf("%s: and a row of messages: %zd\n", names[kind], join_interrupted(thread));
    done();
}

static void messages(void)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
        abort();
    from = pair[0], to = pair[1];
    if (write(to, "a", 1) != 1)
        abort();
    pthread_t thread = start(receives_messages);
    usleep(20 * 1000);
    printf("messages: a handler ends the wait for more: %zd\n", join_interrupted(thread));
    done();
}

static void nobody_reads_on(int kind)
{
    make(kind);
    n_broken = 0;
    pthread_t thread = start(writes);
    full();
    close(from);
    ssize_t n = join(thread);
    printf("%s: nobody reads on, a part %d, signals %d\n", names[kind], n > 0 && n < BIG, n_broken);
    n = write(to, "x", 1);
    printf("%s: the next write %zd %s, signals %d\n", names[kind], n, strerrorname_np(errno), n_broken);
    n = write(to, "x", 1);
    printf("%s: and the next %zd %s, signals %d\n", names[kind], n, strerrorname_np(errno), n_broken);
    close(to);
}

static void *writes_one(void *unused)
{
    (void)unused;
    return (void *)(write(to, "x", 1) < 0 ? -(ssize_t)errno : 1);
}

static void shut_down_while_full(void)
{
    ssize_t n = 0;
    n_broken = 1;
    // On a busy machine the thread may not wait yet.
    for (int pause_ms = 20; n_broken && pause_ms < 1000; pause_ms *= 2) {
        make(UNIX);
        while (send(to, big, 1 << 16, MSG_DONTWAIT) > 0)
            ;
        n_broken = 0;
        pthread_t thread = start(writes_one);
        usleep(pause_ms * 1000);
        shutdown(to, SHUT_WR);
        n = join(thread);
        done();
    }
    printf("unix: shut down while a write waits: %s, signals %d\n", strerrorname_np((int)-n), n_broken);
}

// Each of the times that are kept for the writer is `POLLERR`.
static void times_are_kept(void)
{
    make(TCP);
    int flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE |
                SOF_TIMESTAMPING_OPT_TSONLY;
    if (setsockopt(to, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags))
        abort();
    pthread_t thread = start(writes);
    full();
    static char back[1 << 20];
    ssize_t total = 0, n;
    while (total < BIG && (n = read(from, back, sizeof back)) > 0)
        total += n;
    printf("times are kept: wrote all %d, read all %d", join(thread) == BIG, total == BIG);
    char control[512];
    struct msghdr header = {.msg_control = control, .msg_controllen = sizeof control};
    printf(", a time %d\n", recvmsg(to, &header, MSG_ERRQUEUE) >= 0);
    struct timeval soon = {0, 50 * 1000};
    setsockopt(to, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    n = read(to, back, 1);
    printf("times are kept: nothing to read %zd %s\n", n, strerrorname_np(errno));
    done();
}

static void *body(void *unused)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGPIPE, &action, NULL);
    for (int kind = 0; kind < KINDS; kind++) {
        interrupted(kind);
        nobody_reads_on(kind);
    }
    shut_down_while_full();
    messages();
    times_are_kept();
    return unused;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, body, NULL);
    pthread_join(thread, NULL);
    return 0;
}
