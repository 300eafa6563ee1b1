// Cancels a thread that has a stack of the program's own, and so is an OS thread whatever others are: where it waits.
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t never, later;
static atomic_int is_about_to_wait;

static void unlock(void *argument)
{
    // The mutex is the thread's again.
    printf("  unlock %d\n", pthread_mutex_unlock(argument));
}

static void *wait_condition(void *argument)
{
    (void)argument;
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(unlock, &mutex);
    atomic_store(&is_about_to_wait, 1);
    for (;;)
        pthread_cond_wait(&condition, &mutex);
    pthread_cleanup_pop(1);
    return NULL;
}

static void *wait_semaphore(void *argument)
{
    (void)argument;
    atomic_store(&is_about_to_wait, 1);
    sem_wait(&never);
    return NULL;
}

static void *wait_at_any_time(void *argument)
{
    int before;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
    return wait_semaphore(argument);
}

static void *nothing(void *argument)
{
    sem_wait(argument);
    return NULL;
}

static void *wait_join(void *argument)
{
    atomic_store(&is_about_to_wait, 1);
    pthread_join(*(pthread_t *)argument, NULL);
    return NULL;
}

static void *wait_disabled(void *argument)
{
    (void)argument;
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    atomic_store(&is_about_to_wait, 1);
    while (sem_wait(&later) != 0)
        ;
    puts("  has waited to the end");
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
    sem_wait(&never);
    return NULL;
}

static void try(const char *name, void *(*start)(void *), void *argument, int before_us)
{
    pthread_attr_t attributes;
    size_t size = 1 << 20;
    void *stack = aligned_alloc(4096, size), *result;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, size);
    pthread_t thread;
    atomic_store(&is_about_to_wait, 0);
    printf("%s\n", name);
    pthread_create(&thread, &attributes, start, argument);
    while (!atomic_load(&is_about_to_wait))
        usleep(100);
    usleep(before_us);
    pthread_cancel(thread);
    if (start == wait_disabled) {
        usleep(20000);
        sem_post(&later);
    }
    pthread_join(thread, &result);
    printf("  cancelled %d\n", result == PTHREAD_CANCELED);
    pthread_attr_destroy(&attributes);
    free(stack);
}

int main(void)
{
    sem_t end;
    pthread_t other;
    setvbuf(stdout, NULL, _IONBF, 0);
    sem_init(&never, 0, 0);
    sem_init(&later, 0, 0);
    sem_init(&end, 0, 0);
    pthread_create(&other, NULL, nothing, &end);
    for (int before_us = 0; before_us <= 20000; before_us += 10000) {
        try("condition", wait_condition, NULL, before_us);
        try("semaphore", wait_semaphore, NULL, before_us);
        try("at any time", wait_at_any_time, NULL, before_us);
        try("join", wait_join, &other, before_us);
        try("disabled", wait_disabled, NULL, before_us);
    }
    sem_post(&end);
    printf("join %d\n", pthread_join(other, NULL));
    return 0;
}
