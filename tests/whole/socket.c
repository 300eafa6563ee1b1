// Sockets of the Internet: an echo of many clients, who waits where, and what is said when it goes wrong.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS = 1000, ROUNDS = 5 };

static struct sockaddr_in place;
static int n_greeted, n_os_threads;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_greeted = PTHREAD_COND_INITIALIZER;

#define MUST(what) \
    do { if (!(what)) { perror(#what); exit(3); } } while (0)

static const char *error(void) { return strerrorname_np(errno); }

static int threads_now(void)
{
    DIR *folder = opendir("/proc/self/task");
    int n = -2;
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

static void *serve(void *arg)
{
    char buffer[64];
    int fd = (int)(long)arg;
    ssize_t n;
    while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0)
        MUST(send(fd, buffer, n, MSG_NOSIGNAL) == n);
    close(fd);
    return NULL;
}

static void start(pthread_t *thread, void *(*f)(void *), void *arg)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    MUST(!pthread_create(thread, &attributes, f, arg));
    pthread_attr_destroy(&attributes);
}

static void *listen_on(void *arg)
{
    int listener = (int)(long)arg;
    for (int i = 0; i < CLIENTS; i++) {
        struct sockaddr_in peer;
        socklen_t len = sizeof peer;
        int fd = accept(listener, (struct sockaddr *)&peer, &len);
        MUST(fd >= 0 && len == sizeof peer && peer.sin_family == AF_INET);
        pthread_t thread;
        start(&thread, serve, (void *)(long)fd);
        pthread_detach(thread);
    }
    return NULL;
}

static void *talk(void *arg)
{
    char buffer[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    MUST(!connect(fd, (struct sockaddr *)&place, sizeof place));
    for (int i = 0; i < ROUNDS; i++) {
        MUST(write(fd, "hello", 5) == 5);
        MUST(recv(fd, buffer, 5, MSG_WAITALL) == 5 && !memcmp(buffer, "hello", 5));
    }
    int flags = fcntl(fd, F_GETFL);
    struct timeval timeout;
    socklen_t len = sizeof timeout;
    MUST(!getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &len));
    MUST(!(flags & O_NONBLOCK) && !timeout.tv_sec && !timeout.tv_usec);
    pthread_mutex_lock(&lock);
    if (++n_greeted == CLIENTS) {
        n_os_threads = threads_now();
        pthread_cond_broadcast(&all_greeted);
    }
    while (n_greeted < CLIENTS)
        pthread_cond_wait(&all_greeted, &lock);
    pthread_mutex_unlock(&lock);
    close(fd);
    return arg;
}

static void *send_three(void *arg)
{
    int fd = (int)(long)arg;
    for (int i = 0; i < 3; i++) {
        usleep(10000);
        MUST(send(fd, "message", 5 + i, 0) == 5 + i);
    }
    return NULL;
}

static void messages(void)
{
    int pair[2];
    char buffers[4][16];
    struct mmsghdr headers[4] = {0};
    struct iovec parts[4];
    MUST(!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    for (int i = 0; i < 4; i++) {
        parts[i] = (struct iovec){buffers[i], 16};
        headers[i].msg_hdr.msg_iov = &parts[i];
        headers[i].msg_hdr.msg_iovlen = 1;
    }
    pthread_t sender;
    start(&sender, send_three, (void *)(long)pair[1]);
    int n = recvmmsg(pair[0], headers, 3, 0, NULL);
    printf("messages: %d of %u %u %u\n", n, headers[0].msg_len, headers[1].msg_len,
           headers[2].msg_len);
    pthread_join(sender, NULL);
    start(&sender, send_three, (void *)(long)pair[1]);
    printf("for one: %d\n", recvmmsg(pair[0], headers, 1, MSG_WAITFORONE, NULL));
    pthread_join(sender, NULL);
    for (int i = 0; i < 4; i++)
        parts[i].iov_len = 3;
    printf("sent: %d\n", sendmmsg(pair[1], headers, 4, 0));
    printf("cut: %zd\n", recv(pair[0], buffers[0], 2, MSG_TRUNC));
    for (int i = 0; i < 5; i++)
        MUST(recv(pair[0], buffers[0], 16, 0) > 0);
    struct timeval soon = {0, 30000};
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    n = recvmmsg(pair[0], headers, 4, 0, NULL);
    printf("none: %d %s\n", n, error());
    close(pair[0]), close(pair[1]);
}

static void *send_right(void *arg)
{
    int *numbers = arg;
    char room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {"r", 1};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room,
                            .msg_controllen = sizeof room};
    struct cmsghdr *right = CMSG_FIRSTHDR(&header);
    right->cmsg_level = SOL_SOCKET, right->cmsg_type = SCM_RIGHTS;
    right->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(right), &numbers[1], sizeof(int));
    usleep(10000);
    MUST(sendmsg(numbers[0], &header, 0) == 1);
    return NULL;
}

static void rights(void)
{
    int pair[2], pipes[2], passed;
    MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && !pipe(pipes));
    pthread_t sender;
    int numbers[2] = {pair[1], pipes[1]};
    start(&sender, send_right, numbers);
    char room[CMSG_SPACE(sizeof(int))], byte;
    struct iovec part = {&byte, 1};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room,
                            .msg_controllen = sizeof room};
    ssize_t n = recvmsg(pair[0], &header, 0);
    memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof passed);
    pthread_join(sender, NULL);
    MUST(write(passed, "through", 7) == 7);
    char text[8];
    printf("rights: %zd, and", n);
    printf(" %zd\n", read(pipes[0], text, 8));
    close(pair[0]), close(pair[1]), close(pipes[0]), close(pipes[1]), close(passed);
}

static void *shuts(void *arg)
{
    usleep(20000);
    shutdown((int)(long)arg, SHUT_RDWR);
    return NULL;
}

static void wrong(void)
{
    struct sockaddr_in nobody = place;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    MUST(!bind(fd, (struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET}, sizeof nobody));
    socklen_t len = sizeof nobody;
    getsockname(fd, (struct sockaddr *)&nobody, &len);
    nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int other = socket(AF_INET, SOCK_STREAM, 0);
    int result = connect(other, (struct sockaddr *)&nobody, sizeof nobody);
    printf("refused: %d %s\n", result, error());
    close(other);
    MUST(!listen(fd, 1));
    pthread_t thread;
    start(&thread, shuts, (void *)(long)fd);
    result = accept(fd, NULL, NULL);
    printf("shut: %d %s\n", result, error());
    pthread_join(thread, NULL);
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    nobody.sin_port = 0;
    MUST(!bind(fd, (struct sockaddr *)&nobody, sizeof nobody) && !listen(fd, 0));
    getsockname(fd, (struct sockaddr *)&nobody, &len);
    int queue[3];
    struct timeval soon = {0, 100000};
    for (int i = 0; i < 3; i++) {
        queue[i] = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(queue[i], SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
        result = connect(queue[i], (struct sockaddr *)&nobody, sizeof nobody);
    }
    printf("the queue is full: %d %s\n", result, error());
    for (int i = 0; i < 3; i++)
        close(queue[i]);
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    MUST(!listen(fd, 1));
    result = accept(fd, NULL, NULL);
    printf("nobody: %d %s\n", result, error());
    close(fd);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "/tmp/there/is/no/such"};
    result = connect(fd, (struct sockaddr *)&path, sizeof path);
    printf("no path: %d %s\n", result, error());
    close(fd);
    int pair[2];
    char byte;
    MUST(!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    start(&thread, shuts, (void *)(long)pair[0]);
    printf("a datagram's end: %zd\n", recv(pair[0], &byte, 1, 0));
    pthread_join(thread, NULL);
    close(pair[0]), close(pair[1]);
}

static void *all(void *unused)
{
    static pthread_t clients[CLIENTS];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    place = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    MUST(!bind(listener, (struct sockaddr *)&place, sizeof place) && !listen(listener, 4096));
    socklen_t len = sizeof place;
    getsockname(listener, (struct sockaddr *)&place, &len);
    pthread_t acceptor;
    start(&acceptor, listen_on, (void *)(long)listener);
    for (int i = 0; i < CLIENTS; i++)
        start(&clients[i], talk, NULL);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);
    pthread_join(acceptor, NULL);
    close(listener);
    printf("%d clients are served\n", n_greeted);
    messages();
    rights();
    wrong();
    return unused;
}

int main(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    pthread_t thread;
    start(&thread, all, NULL);
    pthread_join(thread, NULL);
    fprintf(stderr, "OS threads: %d\n", n_os_threads);
    return 0;
}
