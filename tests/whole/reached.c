/* A signal for a thread that computes in a function which the layer has called for it: of `thrd_create`, of
   `call_once`. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <threads.h>
#include <time.h>

static atomic_int computes, ran;

static void handle(int signal)
{
    (void)signal;
    atomic_store(&ran, 1);
}

static void compute(void)
{
    time_t end = time(NULL) + 20;
    atomic_store(&computes, 1);
    while (!atomic_load(&ran) && time(NULL) < end)
        for (int i = 0; i < 10000000 && !atomic_load(&ran); i++)
            ;
}

static int by_thread(void *unused)
{
    (void)unused;
    compute();
    return -7;
}

static int by_once(void *unused)
{
    static once_flag flag = ONCE_FLAG_INIT;
    (void)unused;
    call_once(&flag, compute);
    return -7;
}

int main(int argc, char **argv)
{
    int is_once = argc > 1 && strcmp(argv[1], "once") == 0, result = 0;
    thrd_t thread;
    signal(SIGUSR1, handle);
    thrd_create(&thread, is_once ? by_once : by_thread, NULL);
    while (!atomic_load(&computes))
        thrd_sleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    pthread_kill(thread, SIGUSR1);
    thrd_join(thread, &result);
    printf("ran %d, result %d\n", ran, result);
    return 0;
}
