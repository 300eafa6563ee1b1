/* A signal comes while the layer calls a function that the program has in the place of libc's: the handler waits until
   the layer is through. One that comes while the program's own function computes runs there. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static atomic_int n_begun, ran;
static __thread int is_asked;
static int ran_in_call, ran_in_function;

/* Computes until the handler has run, or for a second or two. */
static int compute(void)
{
    struct timespec begin, now;
    atomic_store(&ran, 0);
    atomic_fetch_add(&n_begun, 1);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        /* Not in the layer, which sees to clocks. */
        for (int i = 0; i < 10000000 && !atomic_load(&ran); i++)
            ;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (!atomic_load(&ran) && now.tv_sec - begin.tv_sec < 1);
    return atomic_load(&ran);
}

/* libc's, which the layer calls for the name of a thread. */
size_t strnlen(const char *text, size_t most)
{
    size_t n = 0;
    if (is_asked) {
        is_asked = 0;
        ran_in_call = compute();
    }
    while (n < most && text[n])
        n++;
    return n;
}

static void handle(int signal)
{
    (void)signal;
    atomic_store(&ran, 1);
}

static void *asks(void *unused)
{
    ran_in_function = compute();
    is_asked = 1;
    pthread_setname_np(pthread_self(), "name");
    return unused;
}

int main(void)
{
    pthread_t thread;
    signal(SIGUSR1, handle);
    pthread_create(&thread, NULL, asks, NULL);
    for (int n = 1; n <= 2; n++) {
        while (atomic_load(&n_begun) < n)
            usleep(1000);
        pthread_kill(thread, SIGUSR1);
    }
    pthread_join(thread, NULL);
    printf("in the function %d, in the call %d, then %d\n", ran_in_function, ran_in_call, ran);
    return 0;
}
