/* What `select` and `pselect` say, what they leave in their sets and times, and how they wait. */
#define _GNU_SOURCE
#include "waiting.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>

static int pairs[CROWD][2];
static int quiet[2];

static fd_set set_of(int a, int b) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(a, &set);
    if (b >= 0) FD_SET(b, &set);
    return set;
}

static void *answers(void *unused) {
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR), ends[2], many[2];
    if (pipe(ends) || pipe(many)) return NULL;
    fd_set readers = set_of(zero, quiet[0]), writers = set_of(null, -1), urgent = set_of(quiet[0], -1);
    SAY(select(FD_SETSIZE, &readers, &writers, &urgent, NULL));
    printf("to read %d %d, to write %d, urgent %d\n", FD_ISSET(zero, &readers), FD_ISSET(quiet[0], &readers),
           FD_ISSET(null, &writers), FD_ISSET(quiet[0], &urgent));
    readers = set_of(ends[0], -1);
    close(ends[1]);
    SAY(select(ends[0] + 1, &readers, NULL, NULL, NULL));
    close(ends[0]);
    readers = set_of(ends[0], quiet[0]);
    SAY(select(FD_SETSIZE, &readers, NULL, NULL, NULL));
    printf("left in the set: %d\n", FD_ISSET(ends[0], &readers));
    readers = set_of(quiet[0], -1);
    struct timeval time = {0, 30000}, bad = {-1, 0}, more = {0, 1030000};
    double begin = now();
    SAY(select(quiet[0] + 1, &readers, NULL, NULL, &time));
    printf("left: %ld %ld, and %d in the set\n", (long)time.tv_sec, (long)time.tv_usec, FD_ISSET(quiet[0], &readers));
    SAY(select(0, NULL, NULL, NULL, &time));
    printf("took %s\n", now() - begin > 0.029 ? "as long" : "another time");
    SAY(select(quiet[0] + 1, &readers, NULL, NULL, &bad));
    SAY(select(-1, &readers, NULL, NULL, NULL));
    readers = set_of(zero, -1);
    SAY(select(zero + 1, &readers, NULL, NULL, &more));
    printf("left of it: %s\n", more.tv_sec == 1 || more.tv_usec > 900000 ? "most" : "little");
    /* Hung up, which the set does not ask about. */
    int gone[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, gone);
    close(gone[1]);
    urgent = set_of(gone[0], -1);
    time = (struct timeval){0, 50000};
    SAY(select(gone[0] + 1, NULL, NULL, &urgent, &time));
    struct timespec length = {0, 20000000}, wrong = {0, -1};
    readers = set_of(quiet[0], -1);
    SAY(pselect(quiet[0] + 1, &readers, NULL, NULL, &length, NULL));
    printf("its time is left alone: %ld\n", length.tv_nsec);
    SAY(pselect(quiet[0] + 1, &readers, NULL, NULL, &wrong, NULL));
    /* More than a set usually has. */
    struct rlimit limit = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &limit);
    int high = fcntl(many[0], F_DUPFD, 2000);
    unsigned char large[4096 / 8] = {0};
    large[high / 8] |= 1 << high % 8;
    if (write(many[1], "x", 1) != 1) return NULL;
    SAY(select(high + 1, (fd_set *)large, NULL, NULL, NULL));
    return unused;
}

static void *one_each(void *number) {
    int fd = pairs[(long)number][0];
    long sum = 0;
    for (int round = 0; round < 3; round++) {
        fd_set readers = set_of(fd, quiet[0]);
        struct timeval time = {60, 0};
        char byte;
        int n = select(FD_SETSIZE, &readers, NULL, NULL, round % 2 ? &time : NULL);
        if (n == 1 && FD_ISSET(fd, &readers) && read(fd, &byte, 1) == 1) sum += byte;
    }
    return (void *)sum;
}

int main(void) {
    for (int i = 0; i < CROWD; i++) socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]);
    socketpair(AF_UNIX, SOCK_STREAM, 0, quiet);
    pthread_t threads[CROWD];
    start(threads, CROWD, one_each);
    usleep(50000);
    printf("waits well: %s\n", waits_well());
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < CROWD; i++)
            if (write(pairs[i][1], "\1", 1) != 1) printf("cannot write\n");
    printf("heard %ld\n", join(threads, CROWD));
    in_thread(answers);
}
