// Waits that never end, though nobody can be sure of that: for a lock whose owner has ended, which another thread might
// unlock; and in a circle through a join, which might be cancelled.

#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t orphan = PTHREAD_MUTEX_INITIALIZER, lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t joined;
static pthread_barrier_t both;

static void *leaves(void *unused) {
    pthread_mutex_lock(&orphan);
    return unused;
}

static void *waits(void *unused) {
    pthread_mutex_lock(&orphan);
    return unused;
}

static void *is_joined(void *unused) {
    pthread_barrier_wait(&both);
    pthread_mutex_lock(&lock);
    return unused;
}

static void *joins(void *unused) {
    pthread_mutex_lock(&lock);
    pthread_barrier_wait(&both);
    pthread_join(joined, NULL);
    return unused;
}

static pthread_t begin(const char *name, void *(*run)(void *)) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL) != 0 || pthread_setname_np(thread, name) != 0) {
        abort();
    }
    return thread;
}

int main(void) {
    char byte;
    pthread_t leaver;
    pthread_barrier_init(&both, NULL, 2);
    if (pthread_create(&leaver, NULL, leaves, NULL) != 0) {
        return 1;
    }
    pthread_join(leaver, NULL);
    begin("waits", waits);
    joined = begin("joined", is_joined);
    begin("joins", joins);
    printf("orphan %p\nready\n", (void *)&orphan);
    fflush(stdout);
    return (int)read(0, &byte, 1);
}
