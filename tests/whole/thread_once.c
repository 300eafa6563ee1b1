// pthread_once: once, waited for, and begun anew after an initializer that was cancelled.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT, again = PTHREAD_ONCE_INIT;
static int count, tries;

static void slow(void) {
    usleep(50000);
    count++;
}

static void exits_first(void) {
    if (tries++ == 0)
        pthread_exit("left");
}

static void *initializes(void *argument) {
    pthread_once(&once, slow);
    return (void *)(long)(count == 1 && argument == NULL);
}

static void *leaves(void *argument) {
    pthread_once(&again, exits_first);
    return argument;
}

int main(void) {
    pthread_t threads[20];
    void *result;
    long good = 0;
    for (int i = 0; i < 20; i++)
        pthread_create(&threads[i], NULL, initializes, NULL);
    for (int i = 0; i < 20; i++) {
        pthread_join(threads[i], &result);
        good += (long)result;
    }
    printf("%ld have seen it done, %d\n", good, count);
    pthread_create(&threads[0], NULL, leaves, "stayed");
    pthread_join(threads[0], &result);
    printf("%s", (char *)result);
    pthread_create(&threads[0], NULL, leaves, "stayed");
    pthread_join(threads[0], &result);
    printf(" %s %d\n", (char *)result, tries);
    return 0;
}
