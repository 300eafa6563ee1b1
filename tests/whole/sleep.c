/* Sleeping: results, errors, what is left, and how long it takes. */
#define _GNU_SOURCE
#include "waiting.h"
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <threads.h>

static const char *span(double begin, double least) {
    double took = now() - begin;
    return took >= least && took < least + 5 ? "as long" : "another time";
}

static void *answers(void *unused) {
    struct timespec left = {7, 7}, time = {0, 20000000}, bad = {0, 1000000000}, negative = {-1, 0};
    double begin = now();
    SAY(nanosleep(&time, &left));
    SAY(nanosleep(&time, NULL));
    SAY(usleep(20000));
    SAY(sleep(1));
    SAY(thrd_sleep(&time, NULL));
    SAY(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL));
    SAY(clock_nanosleep(CLOCK_BOOTTIME, 0, &time, NULL));
    printf("took %s\n", span(begin, 1.12));
    printf("left: %ld %ld\n", (long)left.tv_sec, left.tv_nsec);
    SAY(nanosleep(&bad, NULL));
    SAY(nanosleep(&negative, NULL));
    SAY(thrd_sleep(&bad, NULL));
    SAY(clock_nanosleep(CLOCK_REALTIME, 0, &bad, NULL) == EINVAL);
    SAY(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &time, NULL) == EINVAL);
    SAY(clock_nanosleep(99, 0, &time, NULL) == EINVAL);
    SAY(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &bad, NULL) == EINVAL);
    clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME};
    for (int i = 0; i < 3; i++) {
        struct timespec at, past = {1, 0};
        clock_gettime(clocks[i], &at);
        at.tv_sec += (at.tv_nsec + 50000000) / 1000000000;
        at.tv_nsec = (at.tv_nsec + 50000000) % 1000000000;
        begin = now();
        SAY(clock_nanosleep(clocks[i], TIMER_ABSTIME, &at, &left));
        printf("took %s\n", span(begin, 0.049));
        SAY(clock_nanosleep(clocks[i], TIMER_ABSTIME, &past, NULL));
    }
    SAY(usleep(0));
    SAY(sleep(0));
    SAY(sched_yield());
    return unused;
}

static void *some(void *number) {
    struct timespec time = {0, 300000000};
    for (int i = 0; i < 3; i++) {
        if ((long)number % 3 == 0) nanosleep(&time, NULL);
        else if ((long)number % 3 == 1) usleep(300000);
        else thrd_sleep(&time, NULL);
    }
    return (void *)1;
}

int main(void) {
    pthread_t threads[CROWD];
    double begin = now();
    start(threads, CROWD, some);
    printf("waits well: %s\n", waits_well());
    long n = join(threads, CROWD);
    printf("slept: %ld, %s\n", n, span(begin, 0.9));
    in_thread(answers);
    answers(NULL);
}
