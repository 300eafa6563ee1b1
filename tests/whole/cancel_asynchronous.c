// A thread that computes, and lets itself be cancelled wherever it is.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_int begun;
static int cleaned;

static void clean(void *argument) {
    (void)argument;
    cleaned++;
}

static void *computes(void *argument) {
    volatile unsigned long count = 0;
    pthread_cleanup_push(clean, NULL);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    atomic_store(&begun, 1);
    for (;;)
        count++;
    pthread_cleanup_pop(0);
    return argument;
}

int main(void) {
    pthread_t thread;
    void *result;
    for (int i = 0; i < 3; i++) {
        atomic_store(&begun, 0);
        pthread_create(&thread, NULL, computes, NULL);
        while (!atomic_load(&begun))
            usleep(1000);
        pthread_cancel(thread);
        pthread_join(thread, &result);
        printf("canceled %d, cleaned %d\n", result == PTHREAD_CANCELED, cleaned);
    }
    return 0;
}
