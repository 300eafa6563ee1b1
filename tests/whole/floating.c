// How a thread rounds, and what has happened to its numbers, is its own.

#define _GNU_SOURCE
#include <fenv.h>
#include <float.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { N_THREADS = 8, N_TURNS = 500 };

static const int directions[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
static volatile double one = 1, three = 3, largest = DBL_MAX;
static __thread volatile double result;
static __thread volatile long double long_result;
static volatile long double long_one = 1, long_three = 3;
static atomic_int n_wrong;
static sem_t ready, go_on, next;

static void wrong(const char *what, int number) {
    if (n_wrong++ < 5)
        printf("%d: %s\n", number, what);
}

static void others_run(int turn) {
    if (turn % 16)
        sched_yield();
    else
        usleep(50);
}

static void *computes(void *argument) {
    int number = (int)(long)argument, direction = directions[number % 4];
    fesetround(direction);
    double third = one / three;
    long double long_third = long_one / long_three;
    for (int turn = 0; turn < N_TURNS; turn++) {
        feclearexcept(FE_ALL_EXCEPT);
        int happened = 0;
        if ((turn + number) % 3 == 0) {
            result = largest * three;
            happened |= FE_OVERFLOW | FE_INEXACT;
        }
        if ((turn + number) % 5 == 0) {
            long_result = long_one / (long_three - 3);
            happened |= FE_DIVBYZERO;
        }
        others_run(turn);
        if (fetestexcept(FE_ALL_EXCEPT) != happened)
            wrong("something else has happened", number);
        if (fegetround() != direction)
            wrong("another direction", number);
        if (one / three != third || long_one / long_three != long_third)
            wrong("another third", number);
    }
    return NULL;
}

static void *tells(void *what) {
    printf("%s: direction %d, overflow %d\n", (char *)what, fegetround() == FE_UPWARD,
           !!fetestexcept(FE_OVERFLOW));
    return NULL;
}

static void *waits_while_others_change_theirs(void *nothing) {
    sem_post(&ready);
    sem_wait(&go_on);
    tells("who has waited");
    sem_post(&next);
    return nothing;
}

static void *makes_another(void *nothing) {
    fesetround(FE_UPWARD);
    result = largest * three;
    pthread_t thread;
    pthread_create(&thread, NULL, tells, "made by one that rounds up, after an overflow");
    fesetround(FE_TONEAREST);
    feclearexcept(FE_ALL_EXCEPT);
    others_run(0);
    sem_post(&go_on);
    sem_wait(&next);
    pthread_join(thread, NULL);
    return nothing;
}

static void *waits_and_counts(void *nothing) {
    volatile long n = 0;
    for (int i = 0; i < 100; i++) {
        while (++n % 100000)
            ;
        usleep(3000);
    }
    return nothing;
}

// Whatever else runs there computes as it likes.
static void trap(void) {
    pthread_t threads[N_THREADS];
    feenableexcept(FE_ALL_EXCEPT);
    for (int i = 0; i < N_THREADS; i++)
        pthread_create(&threads[i], NULL, waits_and_counts, NULL);
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    puts("nothing was trapped");
    fflush(stdout);
    result = one / three;
}

int main(int n, char **arguments) {
    (void)arguments;
    if (n > 1)
        trap();
    pthread_t threads[N_THREADS], waits;
    sem_init(&ready, 0, 0);
    sem_init(&go_on, 0, 0);
    sem_init(&next, 0, 0);
    pthread_create(&waits, NULL, waits_while_others_change_theirs, NULL);
    sem_wait(&ready);
    for (long i = 0; i < N_THREADS; i++)
        pthread_create(&threads[i], NULL, computes, (void *)i);
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_create(&threads[0], NULL, makes_another, NULL);
    pthread_join(waits, NULL);
    pthread_join(threads[0], NULL);
    printf("wrong %d\n", n_wrong);
}
