// A thread that sets its own processors is an OS thread from then on, and so are those that it makes: they run,
// allocate and end as any.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_key_t key;
static int n_ended;

static void at_end(void *value) {
    __atomic_add_fetch(&n_ended, (int)(long)value, __ATOMIC_SEQ_CST);
}

static void *made(void *argument) {
    pthread_setspecific(key, (void *)1L);
    for (int i = 1; i < 50; i++) {
        char *block = malloc((size_t)i * 1000);
        memset(block, i, (size_t)i * 1000);
        free(block);
    }
    usleep(1000);
    return argument;
}

static void *bound(void *argument) {
    cpu_set_t processors;
    sched_getaffinity(0, sizeof processors, &processors);
    printf("bound: %d\n", sched_setaffinity(0, sizeof processors, &processors));
    for (long i = 0; i < 20; i++) {
        pthread_t thread;
        void *result;
        int error = pthread_create(&thread, NULL, made, (void *)i);
        if (error || pthread_join(thread, &result) || result != (void *)i)
            printf("thread %ld: %d\n", i, error);
    }
    return argument;
}

int main(void) {
    pthread_key_create(&key, at_end);
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, bound, NULL);
        pthread_join(thread, NULL);
    }
    // Those that have been joined may end their keys a moment later.
    for (int i = 0; i < 1000 && __atomic_load_n(&n_ended, __ATOMIC_SEQ_CST) < 100; i++)
        usleep(1000);
    printf("%d keys have ended\n", n_ended);
    return 0;
}
