/* A timer for a thread's processor time rings while that thread computes, and not while others do. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_int ran, are_idle, is_over;

static void handle(int signal)
{
    (void)signal;
    atomic_fetch_add(&ran, 1);
}

static double used(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Computes for a while and sleeps, so that threads take turns on OS threads. */
static void *other(void *unused)
{
    while (!atomic_load(&is_over)) {
        double begin = used();
        while (!atomic_load(&are_idle) && used() - begin < 0.005)
            ;
        usleep(1000);
    }
    return unused;
}

static void *computes(void *is_raw)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec after = {.it_value = {.tv_nsec = 200000000}};
    timer_t timer;
    int raw, result;
    if (is_raw) {
        result = (int)syscall(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &event, &raw);
        result += (int)syscall(SYS_timer_settime, raw, 0, &after, NULL);
    } else {
        result = timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer);
        result += timer_settime(timer, 0, &after, NULL);
    }
    printf("made: %d\n", result);
    /* It is on another OS thread afterwards, if it may be. */
    atomic_store(&are_idle, 0);
    for (int i = 0; i < 50; i++)
        usleep(2000);
    atomic_store(&are_idle, 1);
    printf("before: %d\n", atomic_load(&ran));
    double begin = used();
    while (!atomic_load(&ran) && used() - begin < 5)
        ;
    printf("after: %d, in time: %d\n", atomic_load(&ran), used() - begin < 2);
    return NULL;
}

int main(void)
{
    pthread_t threads[3], one;
    signal(SIGUSR1, handle);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, other, NULL);
    for (long is_raw = 0; is_raw < 2; is_raw++) {
        atomic_store(&ran, 0);
        pthread_create(&one, NULL, computes, (void *)is_raw);
        pthread_join(one, NULL);
    }
    atomic_store(&is_over, 1);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
