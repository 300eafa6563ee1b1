/* A library whose constructor starts a thread and waits for it. */
#include <pthread.h>
#include <stdio.h>

static void *work(void *argument)
{
    *(int *)argument = 42;
    return argument;
}

__attribute__((constructor)) static void begin(void)
{
    int found = 0;
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, &found) == 0)
        pthread_join(thread, NULL);
    printf("a library's constructor has heard %d\n", found);
}
