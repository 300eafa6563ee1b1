// What reading and writing say, on one thread for each side.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#define BIG (4 << 20)
static char big[BIG], back[BIG];

static const char *said(ssize_t n)
{
    static char text[2][64];
    static int at;
    char *to = text[at ^= 1];
    if (n < 0)
        snprintf(to, 64, "-1 %s", strerrorname_np(errno));
    else
        snprintf(to, 64, "%zd", n);
    return to;
}

static void later(void) { usleep(20 * 1000); }

static ssize_t drain(int fd)
{
    ssize_t total = 0, n;
    while (total < BIG && (n = read(fd, back + total, 100000)) > 0)
        total += n;
    return total;
}

static void *drains(void *fd)
{
    later();
    return (void *)drain((int)(long)fd);
}

static void *says_hello(void *fd)
{
    later();
    if (write((int)(long)fd, "hello", 5) != 5)
        abort();
    return NULL;
}

static pthread_t start(void *(*f)(void *), int fd)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, f, (void *)(long)fd))
        abort();
    return thread;
}

static ssize_t join(pthread_t thread)
{
    void *result;
    if (pthread_join(thread, &result))
        abort();
    return (ssize_t)result;
}

static void all_is_written(const char *name, int from, int to)
{
    memset(back, 0, sizeof back);
    pthread_t reader = start(drains, from);
    const char *written = said(write(to, big, BIG));
    ssize_t n = join(reader);
    printf("%s: wrote %s, read %zd, the same %d\n", name, written, n, !memcmp(big, back, BIG));
    memset(back, 0, sizeof back);
    reader = start(drains, from);
    struct iovec parts[1024];
    for (int i = 0; i < 1024; i++)
        parts[i] = (struct iovec){big + i * (BIG / 1024), BIG / 1024};
    written = said(writev(to, parts, 1024));
    n = join(reader);
    printf("%s: wrote %s in parts, read %zd, the same %d\n", name, written, n,
           !memcmp(big, back, BIG));
}

static void waits_to_read(const char *name, int from, int to)
{
    char buffer[64];
    pthread_t writer = start(says_hello, to);
    ssize_t n = read(from, buffer, sizeof buffer);
    printf("%s: read %s\n", name, said(n));
    join(writer);
    writer = start(says_hello, to);
    struct iovec parts[2] = {{buffer, 2}, {buffer + 2, 60}};
    printf("%s: readv %s\n", name, said(readv(from, parts, 2)));
    join(writer);
    printf("%s: nothing %s\n", name, said(read(from, buffer, 0)));
    fcntl(from, F_SETFL, O_NONBLOCK);
    printf("%s: no waiting %s\n", name, said(read(from, buffer, 1)));
    fcntl(from, F_SETFL, 0);
}

static volatile int n_signals;
static void count(int signal) { n_signals += signal == SIGPIPE; }

static void nobody_reads(const char *name, int to)
{
    n_signals = 0;
    const char *written = said(write(to, "x", 1));
    printf("%s: nobody reads %s, %d signals\n", name, written, n_signals);
}

static void options(int *pair)
{
    char buffer[64];
    struct timeval soon = {0, 50000}, never = {0, 0};
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    printf("timeout: %s\n", said(recv(pair[0], buffer, 1, 0)));
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never);
    setsockopt(pair[1], SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
    ssize_t n = send(pair[1], big, BIG, 0);
    printf("timeout of a send: a part %d\n", n > 0 && n < BIG);
    printf("and again: %s\n", said(send(pair[1], big, BIG, 0)));
    setsockopt(pair[1], SOL_SOCKET, SO_SNDTIMEO, &never, sizeof never);
    while (recv(pair[0], back, BIG, MSG_DONTWAIT) > 0)
        ;
    printf("at once: %s\n", said(recv(pair[0], buffer, 1, MSG_DONTWAIT)));
    pthread_t writer = start(says_hello, pair[1]);
    printf("a look: %s\n", said(recv(pair[0], buffer, 64, MSG_PEEK)));
    join(writer);
    writer = start(says_hello, pair[1]);
    printf("all of ten: %s\n", said(recv(pair[0], buffer, 10, MSG_WAITALL)));
    join(writer);
    int mark = 8;
    setsockopt(pair[0], SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark);
    writer = start(says_hello, pair[1]);
    pthread_t other = start(says_hello, pair[1]);
    n = recv(pair[0], buffer, 64, 0);
    printf("a mark: at least eight %d\n", n >= 8);
    join(writer);
    join(other);
}

static void moved(int *pair)
{
    char name[] = "/tmp/whole-transfer-XXXXXX";
    int file = mkstemp(name);
    unlink(name);
    if (pwrite(file, big, 100000, 0) != 100000)
        abort();
    off_t at = 0;
    memset(back, 0, sizeof back);
    printf("sendfile: %s\n", said(sendfile(pair[1], file, &at, 100000)));
    printf("received: %s\n", said(recv(pair[0], back, 100000, MSG_WAITALL)));
    printf("the same: %d\n", !memcmp(big, back, 100000));
    printf("pread: %s\n", said(pread(file, back, 50, 99990)));
    printf("pread of a socket: %s\n", said(pread(pair[0], back, 50, 0)));
    int pipes[2];
    if (pipe(pipes))
        abort();
    pthread_t writer = start(says_hello, pair[1]);
    printf("splice: %s\n", said(splice(pair[0], NULL, pipes[1], NULL, 100, 0)));
    join(writer);
    printf("read: %s\n", said(read(pipes[0], back, 100)));
}

static void connected(int *pair)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    pair[1] = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (void *)&name, len) || listen(listener, 1) ||
        getsockname(listener, (void *)&name, &len) || connect(pair[1], (void *)&name, len))
        abort();
    pair[0] = accept(listener, NULL, NULL);
    close(listener);
}

static void *body(void *unused)
{
    (void)unused;
    int pair[2], tcp[2], pipes[2], numbers[2];
    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)(i * 31 >> 3);
    signal(SIGPIPE, count);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || pipe(pipes))
        abort();
    all_is_written("socket", pair[0], pair[1]);
    connected(tcp);
    all_is_written("tcp", tcp[0], tcp[1]);
    close(tcp[0]), close(tcp[1]);
    all_is_written("pipe", pipes[0], pipes[1]);
    waits_to_read("socket", pair[0], pair[1]);
    waits_to_read("pipe", pipes[0], pipes[1]);
    options(pair);
    close(pair[0]), close(pair[1]);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        abort();
    moved(pair);
    close(pair[0]), close(pipes[0]);
    nobody_reads("socket", pair[1]);
    nobody_reads("pipe", pipes[1]);
    printf("send without a signal: %s\n", said(send(pair[1], "x", 1, MSG_NOSIGNAL)));
    // The numbers mean other files now.
    close(pair[1]), close(pipes[1]);
    if (pipe(numbers))
        abort();
    waits_to_read("another pipe", numbers[0], numbers[1]);
    int event = eventfd(0, 0);
    unsigned long one = 3, got = 0;
    printf("eventfd: %s", said(write(event, &one, 8)));
    printf(" %s", said(read(event, &got, 8)));
    printf(" %lu\n", got);
    printf("a bad number: %s %s\n", said(read(-1, back, 1)), said(recv(4000, back, 1, 0)));
    printf("no socket: %s\n", said(recv(numbers[0], back, 1, 0)));
    return NULL;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, body, NULL);
    pthread_join(thread, NULL);
    return 0;
}
