// A thread that waits for the end of one that has a stack of the program's own is cancelled there; another joins it.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static sem_t end;
static pthread_t with_stack;

static void *wait_for_end(void *argument)
{
    sem_wait(&end);
    return argument;
}

static void *join(void *argument)
{
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 1000000;
    if (soon.tv_nsec >= 1000000000) {
        soon.tv_nsec -= 1000000000;
        soon.tv_sec++;
    }
    printf("in time %d\n", pthread_timedjoin_np(with_stack, NULL, &soon) == ETIMEDOUT);
    pthread_join(with_stack, argument);
    return NULL;
}

int main(void)
{
    pthread_attr_t attributes;
    pthread_t joiner;
    size_t size = 1 << 20;
    void *stack = aligned_alloc(4096, size), *joiners, *result;
    sem_init(&end, 0, 0);
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, size);
    pthread_create(&with_stack, &attributes, wait_for_end, (void *)7);
    pthread_create(&joiner, NULL, join, NULL);
    usleep(50000);
    pthread_cancel(joiner);
    pthread_join(joiner, &joiners);
    sem_post(&end);
    int error = pthread_join(with_stack, &result);
    printf("joiner cancelled %d; joined %d, %ld\n", joiners == PTHREAD_CANCELED, error, (long)result);
    // A green one joins it, too.
    pthread_create(&with_stack, &attributes, wait_for_end, (void *)8);
    pthread_create(&joiner, NULL, join, &result);
    usleep(20000);
    sem_post(&end);
    pthread_join(joiner, NULL);
    printf("joined %ld\n", (long)result);
    return 0;
}
