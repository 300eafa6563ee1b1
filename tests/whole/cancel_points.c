// Cancellation: where it acts, what is cleaned up, and what the joiner gets.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static atomic_int go;
static int cleaned, relocked;

static void clean(void *argument) {
    (void)argument;
    cleaned++;
    pthread_testcancel();
}

static void unlock(void *argument) {
    (void)argument;
    cleaned++;
    relocked = pthread_mutex_trylock(&mutex) == EBUSY;
    pthread_mutex_unlock(&mutex);
}

static void *waits(void *argument) {
    pthread_cleanup_push(unlock, NULL);
    pthread_mutex_lock(&mutex);
    for (;;)
        pthread_cond_wait(&condition, &mutex);
    pthread_cleanup_pop(0);
    return argument;
}

static void *takes(void *argument) {
    pthread_cleanup_push(clean, NULL);
    for (;;)
        sem_wait(&semaphore);
    pthread_cleanup_pop(0);
    return argument;
}

static void *joins(void *argument) {
    pthread_cleanup_push(clean, NULL);
    pthread_join(*(pthread_t *)argument, NULL);
    pthread_cleanup_pop(0);
    return argument;
}

static void *tests(void *argument) {
    pthread_cleanup_push(clean, NULL);
    for (;;) {
        sched_yield();
        pthread_testcancel();
    }
    pthread_cleanup_pop(0);
    return argument;
}

static void *disabled(void *argument) {
    int old = -1;
    pthread_cleanup_push(clean, NULL);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    printf("was %d\n", old == PTHREAD_CANCEL_ENABLE);
    atomic_store(&go, 1);
    while (atomic_load(&go) != 2)
        sched_yield();
    pthread_testcancel();
    printf("still there\n");
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
    printf("was %d\n", old == PTHREAD_CANCEL_DISABLE);
    pthread_testcancel();
    printf("never\n");
    pthread_cleanup_pop(0);
    return argument;
}

static void *itself(void *argument) {
    pthread_cleanup_push(clean, NULL);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    pthread_cancel(pthread_self());
    printf("never\n");
    pthread_cleanup_pop(0);
    return argument;
}

static void end(const char *what, pthread_t thread) {
    void *result;
    pthread_join(thread, &result);
    printf("%s: canceled %d, cleaned %d\n", what, result == PTHREAD_CANCELED, cleaned);
    cleaned = 0;
}

int main(void) {
    pthread_t thread, other;
    sem_init(&semaphore, 0, 0);

    pthread_create(&thread, NULL, waits, NULL);
    usleep(50000);
    printf("cancel %d\n", pthread_cancel(thread));
    end("condition", thread);
    printf("relocked %d, free %d\n", relocked, pthread_mutex_trylock(&mutex));
    pthread_mutex_unlock(&mutex);

    pthread_create(&other, NULL, takes, NULL);
    pthread_create(&thread, NULL, joins, &other);
    usleep(50000);
    pthread_cancel(thread);
    end("join", thread);
    pthread_cancel(other);
    end("semaphore", other);

    pthread_create(&thread, NULL, tests, NULL);
    pthread_cancel(thread);
    end("test", thread);

    pthread_create(&thread, NULL, disabled, NULL);
    while (!atomic_load(&go))
        sched_yield();
    pthread_cancel(thread);
    atomic_store(&go, 2);
    end("disabled", thread);

    pthread_create(&thread, NULL, itself, NULL);
    end("itself", thread);
    printf("invalid %d %d\n", pthread_setcancelstate(7, NULL), pthread_setcanceltype(7, NULL));
    return 0;
}
