// Mutexes: what each type says, and that nothing is lost between threads.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

static void *as_another(void *mutex) {
    struct timespec soon = in(CLOCK_REALTIME, 30), past = {-1, 0}, wrong = {0, 1000000000};
    SAY(pthread_mutex_trylock(mutex));
    double start = now();
    SAY(pthread_mutex_timedlock(mutex, &soon));
    double took = now() - start;
    printf("it took its time: %d\n", took >= 0.025 && took < 5);
    soon = in(CLOCK_MONOTONIC, 30);
    SAY(pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &soon));
    SAY(pthread_mutex_clocklock(mutex, CLOCK_PROCESS_CPUTIME_ID, &soon));
    SAY(pthread_mutex_timedlock(mutex, &past));
    SAY(pthread_mutex_timedlock(mutex, &wrong));
    return NULL;
}

static void each_type(void) {
    static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER,
                           recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP,
                           checking = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP,
                           adaptive = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
    pthread_mutex_t *all[] = {&plain, &recursive, &checking, &adaptive};
    for (int type = 0; type < 4; type++) {
        pthread_mutex_t *mutex = all[type], made;
        for (int again = 0; again < 2; again++) {
            printf("--- type %d, %s\n", type, again ? "by an attribute" : "static");
            SAY(pthread_mutex_lock(mutex));
            SAY(pthread_mutex_trylock(mutex));
            if (type == PTHREAD_MUTEX_RECURSIVE) {
                SAY(pthread_mutex_lock(mutex));
                SAY(pthread_mutex_unlock(mutex));
                SAY(pthread_mutex_unlock(mutex));
            } else if (type == PTHREAD_MUTEX_ERRORCHECK) {
                struct timespec soon = in(CLOCK_REALTIME, 10000);
                SAY(pthread_mutex_lock(mutex));
                SAY(pthread_mutex_timedlock(mutex, &soon));
            }
            SAY(pthread_mutex_destroy(mutex));
            printf("owner %d, users %u\n", mutex->__data.__owner > 0, mutex->__data.__nusers);
            pthread_t other;
            pthread_create(&other, NULL, as_another, mutex);
            pthread_join(other, NULL);
            SAY(pthread_mutex_unlock(mutex));
            printf("owner %d, users %u\n", mutex->__data.__owner > 0, mutex->__data.__nusers);
            if (type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK)
                SAY(pthread_mutex_unlock(mutex));
            SAY(pthread_mutex_destroy(mutex));
            SAY(pthread_mutex_lock(mutex));
            pthread_mutexattr_t attributes;
            pthread_mutexattr_init(&attributes);
            pthread_mutexattr_settype(&attributes, type);
            SAY(pthread_mutex_init(&made, &attributes));
            mutex = &made;
        }
    }
}

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER, deep = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static long counted, counted_deep;
static void *count(void *unused) {
    for (int i = 0; i < 5000; i++) {
        struct timespec late = in(CLOCK_REALTIME, 60000);
        if (i % 7 == 0) pthread_mutex_timedlock(&counting, &late);
        else if (i % 5 != 0 || pthread_mutex_trylock(&counting) != 0) pthread_mutex_lock(&counting);
        counted++;
        pthread_mutex_lock(&deep);
        pthread_mutex_lock(&deep);
        counted_deep++;
        if (i % 100 == 0) sched_yield();
        pthread_mutex_unlock(&deep);
        pthread_mutex_unlock(&counting);
        pthread_mutex_unlock(&deep);
    }
    return unused;
}

static pthread_mutex_t wanted = PTHREAD_MUTEX_INITIALIZER;
static volatile int stop;
static void *hog(void *unused) {
    while (!stop) {
        pthread_mutex_lock(&wanted);
        for (volatile int i = 0; i < 1000; i++) {}
        pthread_mutex_unlock(&wanted);
    }
    return unused;
}
static void *want(void *unused) {
    for (int i = 0; i < 20; i++) {
        pthread_mutex_lock(&wanted);
        pthread_mutex_unlock(&wanted);
    }
    return unused;
}

static void in_a_child(void) {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int error = pthread_mutex_unlock(&mutex);
        _exit(error == 0 && pthread_mutex_trylock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0 ? 7 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    printf("a child unlocks what it has locked before: %d\n", WEXITSTATUS(status));
}
static void *from_a_thread(void *unused) {
    in_a_child();
    return unused;
}

int main(void) {
    each_type();
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, count, NULL);
    count(NULL);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    printf("counted %ld, %ld\n", counted, counted_deep);
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, i == 0 ? hog : want, NULL);
    for (int i = 1; i < 4; i++) pthread_join(threads[i], NULL);
    stop = 1;
    pthread_join(threads[0], NULL);
    printf("nobody was kept out\n");
    in_a_child();
    pthread_create(&threads[0], NULL, from_a_thread, NULL);
    pthread_join(threads[0], NULL);
    return 0;
}
