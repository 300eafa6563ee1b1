// Barriers and spin locks: rounds, the one that is told so, and destroyed by the first that leaves.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *name(int error) { return error ? strerrorname_np(error) : "0"; }
#define SAY(call) printf("%s: %s\n", #call, name(call))

enum { N = 7, ROUNDS = 500 };
static pthread_barrier_t barrier;
static pthread_spinlock_t spin;
static int serial, in_round[ROUNDS], early, counted;

static void *go_round(void *unused) {
    for (int i = 0; i < ROUNDS; i++) {
        __atomic_fetch_add(&in_round[i], 1, __ATOMIC_RELAXED);
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            __atomic_fetch_add(&serial, 1, __ATOMIC_RELAXED);
        if (__atomic_load_n(&in_round[i], __ATOMIC_RELAXED) != N) early++;
        pthread_spin_lock(&spin);
        counted++;
        if (i % 50 == 0) sched_yield();
        pthread_spin_unlock(&spin);
    }
    return unused;
}

static void *destroy(void *arg) {
    pthread_barrier_t *barrier = arg;
    if (pthread_barrier_wait(barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
        pthread_barrier_destroy(barrier);
        memset(barrier, 0xff, sizeof *barrier);
        free(barrier);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[N];
    SAY(pthread_barrier_init(&barrier, NULL, 0));
    SAY(pthread_barrier_init(&barrier, NULL, 1));
    printf("alone: %d\n", pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD);
    SAY(pthread_barrier_destroy(&barrier));
    SAY(pthread_barrier_init(&barrier, NULL, N));
    SAY(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE));
    for (int i = 0; i < N; i++) pthread_create(&threads[i], NULL, go_round, NULL);
    for (int i = 0; i < N; i++) pthread_join(threads[i], NULL);
    printf("told so %d, early %d, counted %d\n", serial, early, counted);
    SAY(pthread_barrier_destroy(&barrier));
    SAY(pthread_spin_lock(&spin));
    SAY(pthread_spin_trylock(&spin));
    SAY(pthread_spin_unlock(&spin));
    SAY(pthread_spin_trylock(&spin));
    for (int i = 0; i < 500; i++) {
        pthread_barrier_t *barrier = malloc(sizeof *barrier);
        pthread_barrier_init(barrier, NULL, 4);
        for (int j = 0; j < 4; j++) pthread_create(&threads[j], NULL, destroy, barrier);
        for (int j = 0; j < 4; j++) pthread_join(threads[j], NULL);
    }
    puts("destroyed at once");
    return 0;
}
