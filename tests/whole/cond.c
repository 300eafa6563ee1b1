// Conditions: no signal is lost, both clocks, destroyed at once, and a mutex of each type.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *name(int error) { return error ? strerrorname_np(error) : "0"; }
#define SAY(call) printf("%s: %s\n", #call, name(call))

static struct timespec in(clockid_t clock, long ms) {
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t some = PTHREAD_COND_INITIALIZER, room = PTHREAD_COND_INITIALIZER;
static int n_in, taken, sum;
enum { N = 3000, ROOM = 3 };

static void *produce(void *from) {
    for (int i = 0; i < N; i++) {
        pthread_mutex_lock(&mutex);
        while (n_in == ROOM) pthread_cond_wait(&room, &mutex);
        n_in++;
        sum += (int)(long)from;
        pthread_mutex_unlock(&mutex);
        pthread_cond_signal(&some);
    }
    return NULL;
}
static void *consume(void *unused) {
    for (int i = 0; i < N; i++) {
        pthread_mutex_lock(&mutex);
        while (n_in == 0) {
            struct timespec late = in(CLOCK_REALTIME, 60000);
            if (i % 2) pthread_cond_wait(&some, &mutex);
            else if (pthread_cond_timedwait(&some, &mutex, &late)) puts("a signal was lost");
        }
        n_in--;
        taken++;
        pthread_cond_signal(&room);
        pthread_mutex_unlock(&mutex);
    }
    return unused;
}

static int started, may_go, gone;
static void *wait_for_all(void *unused) {
    pthread_mutex_lock(&mutex);
    started++;
    pthread_cond_signal(&some);
    while (!may_go) pthread_cond_wait(&room, &mutex);
    gone++;
    pthread_mutex_unlock(&mutex);
    return unused;
}

struct brief { pthread_mutex_t mutex; pthread_cond_t condition; int is_done; };
static void *finish(void *arg) {
    struct brief *brief = arg;
    pthread_mutex_lock(&brief->mutex);
    brief->is_done = 1;
    pthread_cond_broadcast(&brief->condition);
    pthread_mutex_unlock(&brief->mutex);
    return NULL;
}
static void *wait_briefly(void *arg) {
    struct brief *brief = arg;
    pthread_mutex_lock(&brief->mutex);
    while (brief->is_done == 0) pthread_cond_wait(&brief->condition, &brief->mutex);
    pthread_mutex_unlock(&brief->mutex);
    return NULL;
}

static void times(void) {
    pthread_condattr_t attributes;
    pthread_cond_t by_attribute;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    SAY(pthread_cond_init(&by_attribute, &attributes));
    pthread_mutex_lock(&mutex);
    struct timespec wrong = {0, -1}, past = {0, 0};
    SAY(pthread_cond_timedwait(&some, &mutex, &wrong));
    SAY(pthread_cond_timedwait(&some, &mutex, &past));
    for (int i = 0; i < 4; i++) {
        struct timespec real = in(CLOCK_REALTIME, 30), monotonic = in(CLOCK_MONOTONIC, 30);
        double start = now();
        switch (i) {
            case 0: SAY(pthread_cond_timedwait(&some, &mutex, &real)); break;
            case 1: SAY(pthread_cond_timedwait(&by_attribute, &mutex, &monotonic)); break;
            case 2: SAY(pthread_cond_clockwait(&some, &mutex, CLOCK_MONOTONIC, &monotonic)); break;
            case 3: SAY(pthread_cond_clockwait(&by_attribute, &mutex, CLOCK_REALTIME, &real)); break;
        }
        double took = now() - start;
        printf("it took its time: %d\n", took >= 0.025 && took < 5);
    }
    SAY(pthread_cond_clockwait(&some, &mutex, CLOCK_PROCESS_CPUTIME_ID, &past));
    SAY(pthread_mutex_trylock(&mutex));
    pthread_mutex_unlock(&mutex);
    SAY(pthread_cond_destroy(&by_attribute));
}

static void each_mutex(void) {
    static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP,
                           checking = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    SAY(pthread_cond_wait(&condition, &checking));
    SAY(pthread_cond_wait(&condition, &recursive));
    struct timespec past = {0, 0};
    pthread_mutex_lock(&checking);
    SAY(pthread_cond_timedwait(&condition, &checking, &past));
    SAY(pthread_mutex_lock(&checking));
    SAY(pthread_mutex_unlock(&checking));
    printf("users %u\n", checking.__data.__nusers);
    pthread_mutex_lock(&recursive);
    SAY(pthread_cond_timedwait(&condition, &recursive, &past));
    SAY(pthread_mutex_unlock(&recursive));
    SAY(pthread_mutex_unlock(&recursive));
}

int main(void) {
    pthread_t threads[200];
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, i % 2 ? produce : consume, (void *)(long)i);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    printf("taken %d, left %d, sum %d\n", taken, n_in, sum);

    for (int i = 0; i < 200; i++) pthread_create(&threads[i], NULL, wait_for_all, NULL);
    pthread_mutex_lock(&mutex);
    while (started < 200) pthread_cond_wait(&some, &mutex);
    may_go = 1;
    pthread_cond_broadcast(&room);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 200; i++) pthread_join(threads[i], NULL);
    printf("gone %d\n", gone);

    for (int i = 0; i < 500; i++) {
        struct brief *brief = calloc(1, sizeof *brief);
        for (int j = 0; j < 3; j++) pthread_create(&threads[j], NULL, j ? wait_briefly : finish, brief);
        wait_briefly(brief);
        // Others may have been woken, and not have left.
        pthread_mutex_lock(&brief->mutex);
        brief->is_done = 2;
        pthread_mutex_unlock(&brief->mutex);
        for (int j = 0; j < 3; j++) pthread_join(threads[j], NULL);
        pthread_cond_destroy(&brief->condition);
        memset(brief, 0xff, sizeof *brief);
        free(brief);
    }
    puts("destroyed at once");
    times();
    each_mutex();
    return 0;
}
