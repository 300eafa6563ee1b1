/* What `poll` and `ppoll` say, and how they wait. */
#define _GNU_SOURCE
#include "waiting.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

static int pairs[CROWD][2];
static int one[2], two[2];

static void show(const char *what, int n, struct pollfd *fds, int count) {
    printf("%s: %d%s%s,", what, n, n < 0 ? " " : "", n < 0 ? named(errno) : "");
    for (int i = 0; i < count; i++) printf(" %x", fds[i].revents);
    printf("\n");
}

static void *answers(void *unused) {
    int file = open("/dev/zero", O_RDWR), regular = open("/proc/self/exe", O_RDONLY);
    struct pollfd fds[4] = {
        {file, POLLIN | POLLOUT, -1}, {regular, POLLIN, -1}, {999, POLLIN, -1}, {-5, POLLIN, -1}};
    show("files, none, negative", poll(fds, 4, -1), fds, 4);
    struct pollfd none[2] = {{999, POLLIN, -1}, {one[0], POLLIN, -1}};
    show("no descriptor", poll(none, 2, -1), none, 2);
    struct pollfd twice[2] = {{one[0], POLLOUT, -1}, {one[0], POLLIN | POLLOUT, -1}};
    show("twice", poll(twice, 2, -1), twice, 2);
    struct pollfd quiet[2] = {{one[0], POLLIN, -1}, {two[0], POLLIN | POLLPRI, -1}};
    show("a look", poll(quiet, 2, 0), quiet, 2);
    double begin = now();
    show("one, 30 ms", poll(quiet, 1, 30), quiet, 1);
    show("two, 30 ms", poll(quiet, 2, 30), quiet, 2);
    struct pollfd urgent[2] = {{one[0], POLLPRI, -1}, {two[0], 0, -1}};
    show("nested, 30 ms", poll(urgent, 2, 30), urgent, 2);
    show("nothing, 30 ms", poll(NULL, 0, 30), NULL, 0);
    struct timespec short_time = {0, 30000000}, bad_time = {0, 1000000000}, negative = {-1, 0};
    show("ppoll, 30 ms", ppoll(quiet, 2, &short_time, NULL), quiet, 2);
    double took = now() - begin;
    printf("took %s\n", took >= 0.15 && took < 5 ? "as long" : "another time");
    printf("its time is left alone: %ld\n", short_time.tv_nsec);
    SAY(ppoll(quiet, 1, &bad_time, NULL));
    SAY(ppoll(quiet, 1, &negative, NULL));
    /* The compiler is not to know. */
    int (*volatile wrong)(struct pollfd *, nfds_t, int) = poll;
    SAY(wrong((struct pollfd *)8, 1, 10));
    SAY(wrong(NULL, 1, 10));
    SAY(wrong(quiet, 1UL << 40, 10));
    SAY(wrong(quiet, 1UL << 31, 10));
    return unused;
}

/* Waits for its pair, reads, three times. */
static void *one_each(void *number) {
    int fd = pairs[(long)number][0];
    long sum = 0;
    for (int round = 0; round < 3; round++) {
        struct pollfd it = {fd, POLLIN, 0};
        char byte;
        if (poll(&it, 1, -1) == 1 && it.revents == POLLIN && read(fd, &byte, 1) == 1) sum += byte;
    }
    return (void *)sum;
}

/* The same, for this or a quiet one. */
static void *two_each(void *number) {
    int fd = pairs[(long)number][0];
    long sum = 0;
    for (int round = 0; round < 3; round++) {
        struct pollfd it[2] = {{one[0], POLLIN, 0}, {fd, POLLIN, 0}};
        char byte;
        if (poll(it, 2, 60000) == 1 && it[1].revents == POLLIN && read(fd, &byte, 1) == 1) sum += byte;
    }
    return (void *)sum;
}

/* The same, among more than can be waited for one by one. */
static void *many_each(void *number) {
    int fd = pairs[(long)number][0];
    long sum = 0;
    for (int round = 0; round < 3; round++) {
        struct pollfd it[12];
        char byte;
        for (int i = 0; i < 12; i++) it[i] = (struct pollfd){i < 11 ? two[0] : fd, POLLIN, 0};
        if (poll(it, 12, 60000) == 1 && it[11].revents == POLLIN && read(fd, &byte, 1) == 1) sum += byte;
    }
    return (void *)sum;
}

static void crowd(const char *what, void *(*run)(void *)) {
    pthread_t threads[CROWD];
    start(threads, CROWD, run);
    usleep(50000);
    printf("%s: waits well: %s\n", what, waits_well());
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < CROWD; i++)
            if (write(pairs[i][1], "\1", 1) != 1) printf("cannot write\n");
    printf("%s: heard %ld\n", what, join(threads, CROWD));
}

static int shared[2];
static int heard;

/* All wait for the same descriptor; one byte for each. */
static void *same_for_all(void *number) {
    char byte;
    if ((long)number % 2) {
        struct pollfd it[2] = {{one[0], POLLIN, 0}, {shared[0], POLLIN, 0}};
        do {
            poll(it, 2, -1);
        } while (recv(shared[0], &byte, 1, MSG_DONTWAIT) != 1);
    } else if (recv(shared[0], &byte, 1, 0) != 1) {
        return NULL;
    }
    return (void *)(long)(__sync_fetch_and_add(&heard, 1) >= 0);
}

int main(void) {
    for (int i = 0; i < CROWD; i++) socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]);
    socketpair(AF_UNIX, SOCK_STREAM, 0, one);
    socketpair(AF_UNIX, SOCK_STREAM, 0, two);
    socketpair(AF_UNIX, SOCK_STREAM, 0, shared);
    in_thread(answers);
    crowd("one each", one_each);
    crowd("two each", two_each);
    crowd("many each", many_each);
    pthread_t threads[20];
    start(threads, 20, same_for_all);
    for (int i = 0; i < 20; i++) {
        if (write(shared[1], "x", 1) != 1) printf("cannot write\n");
        usleep(1000);
    }
    printf("of the same: %ld\n", join(threads, 20));
}
