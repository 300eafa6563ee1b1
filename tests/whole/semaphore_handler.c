// A handler that posts to the semaphores that `main`, which it interrupts, posts to and waits at all the time.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

enum { TAKERS = 4 };

static sem_t items, there, back;
static volatile sig_atomic_t posts;
static volatile int over;
static long n_by_handler, n_taken, n_echoed;

static void post(int signal) {
    (void)signal;
    n_by_handler++;
    sem_post(posts == 1 ? &items : &back);
}
static void *take(void *unused) {
    while (sem_wait(&items) == 0 && !over) __atomic_fetch_add(&n_taken, 1, __ATOMIC_RELAXED);
    return unused;
}
static void *echo(void *unused) {
    while (sem_wait(&there) == 0 && !over) {
        n_echoed++;
        sem_post(&back);
    }
    return unused;
}
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}
static void tick(long us) {
    struct itimerval every = {{0, us}, {0, us}};
    setitimer(ITIMER_REAL, &every, NULL);
}

int main(void) {
    sem_init(&items, 0, 0);
    sem_init(&there, 0, 0);
    sem_init(&back, 0, 0);
    // For `main` alone.
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, NULL);
    pthread_t takers[TAKERS], echoes;
    for (int i = 0; i < TAKERS; i++) pthread_create(&takers[i], NULL, take, NULL);
    pthread_create(&echoes, NULL, echo, NULL);
    struct sigaction action = {.sa_handler = post, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);

    // It posts, to those who wait.
    posts = 1;
    tick(100);
    long posted = 0;
    for (double end = now() + 2; now() < end; posted++) sem_post(&items);
    tick(0);
    posted += n_by_handler;
    printf("handlers have posted: %s\n", n_by_handler > 100 ? "yes" : "no");
    int left = 1;
    for (double end = now() + 20; left > 0 && now() < end;) sem_getvalue(&items, &left);
    struct timespec moment = {0, 1000000};
    for (double end = now() + 20; __atomic_load_n(&n_taken, __ATOMIC_RELAXED) < posted && now() < end;)
        nanosleep(&moment, NULL);
    printf("taken: %s\n", n_taken == posted ? "all" : "not all");

    // It waits, and is woken by both.
    posts = 2;
    n_by_handler = 0;
    tick(100);
    long waited = 0, asked = 0;
    for (double end = now() + 2; now() < end; asked++) {
        sem_post(&there);
        sem_wait(&back);
        waited++;
    }
    tick(0);
    for (double end = now() + 20; waited < asked + n_by_handler && now() < end;)
        if (sem_trywait(&back) == 0) waited++;
    printf("woken: %s\n", waited == asked + n_by_handler && n_echoed == asked ? "each time" : "not each time");

    over = 1;
    for (int i = 0; i < TAKERS; i++) sem_post(&items);
    sem_post(&there);
    for (int i = 0; i < TAKERS; i++) pthread_join(takers[i], NULL);
    pthread_join(echoes, NULL);
    return 0;
}
