// Threads: created, joined, detached, and what each says of itself and of others.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static pthread_key_t key;
static atomic_int destroyed;
static _Thread_local char local[10];

static void destroy(void *value) {
    usleep(20000);
    atomic_fetch_add(&destroyed, (int)(intptr_t)value);
}

static void *double_it(void *argument) {
    pthread_setspecific(key, (void *)1);
    local[0] = 1;
    return (void *)(2 * (intptr_t)argument);
}

static void *wait_for(void *flag) {
    while (!atomic_load((atomic_int *)flag))
        usleep(1000);
    return NULL;
}

static void *exits(void *argument) {
    pthread_setspecific(key, (void *)10);
    pthread_exit(argument);
}

static void *joins(void *other) { return (void *)(intptr_t)pthread_join(*(pthread_t *)other, NULL); }

static void *frames(void *argument) {
    pthread_attr_t attributes;
    void *lowest;
    size_t size;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &lowest, &size);
    char *here = __builtin_frame_address(0), *local_at = (char *)&attributes;
    int is_there = here >= (char *)lowest && here < (char *)lowest + size && local_at > (char *)lowest;
    *(int *)argument = is_there && size >= 1 << 20;
    return NULL;
}

static int c11(void *argument) {
    return thrd_equal(thrd_current(), (thrd_t)pthread_self()) ? *(int *)argument : -1;
}

int main(void) {
    pthread_t threads[50], one, two;
    void *result;
    pthread_key_create(&key, destroy);
    for (intptr_t i = 0; i < 50; i++)
        pthread_create(&threads[i], NULL, double_it, (void *)i);
    intptr_t sum = 0;
    for (int i = 0; i < 50; i++) {
        pthread_join(threads[i], &result);
        sum += (intptr_t)result;
    }
    printf("results %ld, destroyed %d, own local %d\n", (long)sum, destroyed, local[0]);

    pthread_create(&one, NULL, exits, (void *)7);
    pthread_join(one, &result);
    printf("exit %ld, destroyed %d\n", (long)(intptr_t)result, destroyed);

    atomic_int flag = 0;
    pthread_create(&one, NULL, wait_for, &flag);
    printf("try %d\n", pthread_tryjoin_np(one, NULL));
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 20000000;
    if (soon.tv_nsec >= 1000000000)
        soon.tv_nsec -= 1000000000, soon.tv_sec++;
    printf("timed %d\n", pthread_timedjoin_np(one, NULL, &soon));
    atomic_store(&flag, 1);
    usleep(200000);
    printf("try %d\n", pthread_tryjoin_np(one, NULL));

    atomic_store(&flag, 0);
    pthread_create(&one, NULL, wait_for, &flag);
    printf("detach %d", pthread_detach(one));
    printf(" again %d", pthread_detach(one));
    printf(" join %d\n", pthread_join(one, NULL));
    atomic_store(&flag, 1);
    printf("self %d\n", pthread_join(pthread_self(), NULL));

    pthread_create(&two, NULL, wait_for, &flag);
    pthread_create(&one, NULL, joins, &two);
    pthread_join(one, &result);
    printf("joined %ld\n", (long)(intptr_t)result);

    int is_there = 0;
    pthread_create(&one, NULL, frames, &is_there);
    pthread_join(one, NULL);
    printf("frames %d\n", is_there);

    thrd_t thread;
    int given = 5, returned = 0;
    thrd_create(&thread, c11, &given);
    printf("c11 %d", thrd_join(thread, &returned));
    printf(" %d\n", returned);
    return 0;
}
