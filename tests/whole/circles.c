// Pairs of threads, each of which has a lock that the other one waits for: a pair for each kind of lock and way to take
// it. main is one of the last pair.

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

union lock {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
};

struct kind {
    const char *name;
    void (*make)(union lock *);
    int (*take)(union lock *), (*wait)(union lock *);
};

struct pair {
    const struct kind *kind;
    union lock locks[2];
    pthread_barrier_t both;
};

static void make_mutex(union lock *it, int type) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutex_init(&it->mutex, &attributes);
}

static void normal(union lock *it) { make_mutex(it, PTHREAD_MUTEX_NORMAL); }
static void checking(union lock *it) { make_mutex(it, PTHREAD_MUTEX_ERRORCHECK); }
static void recursive(union lock *it) { make_mutex(it, PTHREAD_MUTEX_RECURSIVE); }
static void rwlock(union lock *it) { pthread_rwlock_init(&it->rwlock, NULL); }

static int lock(union lock *it) { return pthread_mutex_lock(&it->mutex); }
static int try(union lock *it) { return pthread_mutex_trylock(&it->mutex); }
static int twice(union lock *it) { return lock(it) + lock(it); }
static int writes(union lock *it) { return pthread_rwlock_wrlock(&it->rwlock); }
static int reads(union lock *it) { return pthread_rwlock_rdlock(&it->rwlock); }

static const struct kind kinds[] = {
    {"normal", normal, lock, lock},   {"checking", checking, lock, lock}, {"recursive", recursive, twice, lock},
    {"tried", normal, try, lock},     {"writes", rwlock, writes, writes}, {"reads", rwlock, writes, reads},
    {"with-main", normal, lock, lock},
};
#define N (sizeof kinds / sizeof *kinds)
static struct pair pairs[N];

static void meet(struct pair *pair, int first) {
    if (pair->kind->take(&pair->locks[first]) != 0) {
        abort();
    }
    pthread_barrier_wait(&pair->both);
    pair->kind->wait(&pair->locks[1 - first]);
    abort();
}

static void call_it(struct pair *pair, const char *which) {
    char name[16];
    snprintf(name, sizeof name, "%s-%s", pair->kind->name, which);
    pthread_setname_np(pthread_self(), name);
}

static void *a(void *pair) {
    call_it(pair, "a");
    meet(pair, 0);
    return NULL;
}

static void *b(void *pair) {
    call_it(pair, "b");
    meet(pair, 1);
    return NULL;
}

// What is not told, for nobody can be sure of it: a wait for a lock whose owner has ended, which another thread might
// unlock, and a circle through a join, which might be cancelled.
static pthread_mutex_t left = PTHREAD_MUTEX_INITIALIZER, mine = PTHREAD_MUTEX_INITIALIZER;

static void *lock_left(void *unused) {
    pthread_mutex_lock(&left);
    return unused;
}

static void *lock_mine(void *unused) {
    pthread_mutex_lock(&mine);
    return unused;
}

static void *joins(void *unused) {
    pthread_t thread;
    pthread_mutex_lock(&mine);
    pthread_create(&thread, NULL, lock_mine, NULL);
    pthread_join(thread, NULL);
    return unused;
}

static void begin_what_is_not_told(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, lock_left, NULL);
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, lock_left, NULL);
    pthread_create(&thread, NULL, joins, NULL);
}

int main(void) {
    begin_what_is_not_told();
    // Far longer than anybody looks.
    alarm(40);
    for (size_t i = 0; i < N; i++) {
        struct pair *pair = &pairs[i];
        pthread_t thread;
        pair->kind = &kinds[i];
        pair->kind->make(&pair->locks[0]);
        pair->kind->make(&pair->locks[1]);
        pthread_barrier_init(&pair->both, NULL, 2);
        pthread_create(&thread, NULL, a, pair);
        if (i + 1 < N) {
            pthread_create(&thread, NULL, b, pair);
        }
    }
    meet(&pairs[N - 1], 1);
}
