// Reader-writer locks: who comes in, deadlines, and that nobody waits for ever.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
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

static void *as_another(void *lock) {
    struct timespec soon = in(CLOCK_REALTIME, 20), wrong = {0, 1000000000};
    int error;
    SAY(error = pthread_rwlock_tryrdlock(lock));
    if (error == 0) pthread_rwlock_unlock(lock);
    SAY(error = pthread_rwlock_timedrdlock(lock, &soon));
    if (error == 0) pthread_rwlock_unlock(lock);
    SAY(error = pthread_rwlock_trywrlock(lock));
    if (error == 0) pthread_rwlock_unlock(lock);
    soon = in(CLOCK_REALTIME, 20);
    SAY(error = pthread_rwlock_timedwrlock(lock, &soon));
    if (error == 0) pthread_rwlock_unlock(lock);
    soon = in(CLOCK_MONOTONIC, 20);
    SAY(error = pthread_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, &soon));
    if (error == 0) pthread_rwlock_unlock(lock);
    SAY(error = pthread_rwlock_clockrdlock(lock, CLOCK_MONOTONIC, &soon));
    if (error == 0) pthread_rwlock_unlock(lock);
    SAY(pthread_rwlock_timedrdlock(lock, &wrong));
    SAY(pthread_rwlock_clockwrlock(lock, CLOCK_THREAD_CPUTIME_ID, &soon));
    return NULL;
}
static void try_as_another(pthread_rwlock_t *lock) {
    pthread_t other;
    pthread_create(&other, NULL, as_another, lock);
    pthread_join(other, NULL);
}
static void *write_once(void *lock) {
    pthread_rwlock_wrlock(lock);
    pthread_rwlock_unlock(lock);
    return NULL;
}

static void each_kind(void) {
    static pthread_rwlock_t plain = PTHREAD_RWLOCK_INITIALIZER,
                            for_writers = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
    pthread_rwlock_t *all[] = {&plain, &for_writers};
    for (int kind = 0; kind < 2; kind++) {
        pthread_rwlock_t *lock = all[kind];
        printf("--- %s\n", kind ? "for writers" : "plain");
        puts("free");
        try_as_another(lock);
        puts("read");
        SAY(pthread_rwlock_rdlock(lock));
        SAY(pthread_rwlock_rdlock(lock));
        try_as_another(lock);
        SAY(pthread_rwlock_unlock(lock));
        puts("read, and a writer waits");
        pthread_t writer;
        pthread_create(&writer, NULL, write_once, lock);
        usleep(50000);
        SAY(pthread_rwlock_tryrdlock(lock));
        if (!kind) SAY(pthread_rwlock_unlock(lock));
        SAY(pthread_rwlock_unlock(lock));
        pthread_join(writer, NULL);
        puts("written");
        SAY(pthread_rwlock_wrlock(lock));
        SAY(pthread_rwlock_wrlock(lock));
        SAY(pthread_rwlock_rdlock(lock));
        SAY(pthread_rwlock_trywrlock(lock));
        try_as_another(lock);
        SAY(pthread_rwlock_unlock(lock));
        puts("free again");
        try_as_another(lock);
        SAY(pthread_rwlock_destroy(lock));
    }
}

static pthread_rwlock_t lock;
static long a, b, reads, wrong;
static void *mixed(void *arg) {
    long id = (long)arg;
    for (int i = 0; i < 4000; i++) {
        struct timespec soon = in(CLOCK_REALTIME, 1), late = in(CLOCK_REALTIME, 60000);
        if ((i + id) % 4 == 0) {
            if (i % 3 == 0) { if (pthread_rwlock_timedwrlock(&lock, &soon)) pthread_rwlock_wrlock(&lock); }
            else pthread_rwlock_wrlock(&lock);
            a++;
            if (i % 64 == 0) sched_yield();
            b++;
            pthread_rwlock_unlock(&lock);
        } else {
            if (i % 3 == 0) { if (pthread_rwlock_timedrdlock(&lock, &soon)) pthread_rwlock_timedrdlock(&lock, &late); }
            else pthread_rwlock_rdlock(&lock);
            if (a != b) wrong++;
            if (i % 64 == 0) sched_yield();
            __atomic_fetch_add(&reads, 1, __ATOMIC_RELAXED);
            pthread_rwlock_unlock(&lock);
        }
    }
    return NULL;
}

static volatile int stop;
static void *hog_reading(void *unused) {
    while (!stop) {
        pthread_rwlock_rdlock(&lock);
        for (volatile int i = 0; i < 1000; i++) {}
        pthread_rwlock_unlock(&lock);
    }
    return unused;
}
static void *hog_writing(void *unused) {
    while (!stop) {
        pthread_rwlock_wrlock(&lock);
        for (volatile int i = 0; i < 1000; i++) {}
        pthread_rwlock_unlock(&lock);
    }
    return unused;
}
static void *write_some(void *unused) {
    for (int i = 0; i < 20; i++) write_once(&lock);
    return unused;
}
static void *read_some(void *unused) {
    for (int i = 0; i < 20; i++) {
        pthread_rwlock_rdlock(&lock);
        pthread_rwlock_unlock(&lock);
    }
    return unused;
}
static void hogged(void *(*hog)(void *), void *(*other)(void *)) {
    pthread_t threads[4];
    stop = 0;
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, i ? other : hog, NULL);
    for (int i = 1; i < 4; i++) pthread_join(threads[i], NULL);
    stop = 1;
    pthread_join(threads[0], NULL);
}

int main(void) {
    each_kind();
    for (int kind = 0; kind < 3; kind++) {
        pthread_rwlockattr_t attributes;
        pthread_rwlockattr_init(&attributes);
        pthread_rwlockattr_setkind_np(&attributes, kind);
        SAY(pthread_rwlock_init(&lock, &attributes));
        pthread_t threads[8];
        a = b = reads = 0;
        for (long i = 0; i < 8; i++) pthread_create(&threads[i], NULL, mixed, (void *)i);
        for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
        printf("kind %d: written %ld %ld, read %ld, wrong %ld\n", kind, a, b, reads, wrong);
        hogged(hog_reading, write_some);
        hogged(hog_writing, read_some);
        puts("nobody was kept out");
        SAY(pthread_rwlock_destroy(&lock));
    }
    return 0;
}
