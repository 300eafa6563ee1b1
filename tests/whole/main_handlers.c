/* Handlers on `main` call what main itself is in the midst of: they wait until it is out of that. */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static sem_t semaphores[2];
static atomic_long by_handler;
static atomic_int is_over, told, n_once;
static int ends[2];
static enum { POST, DUPLICATE, POST_BOTH, SIGNAL } what;
static pthread_t threads[4];

static void handle(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    if (info->si_code != SI_KERNEL && info->si_code != SI_USER)
        atomic_store(&told, info->si_code);
    switch (what) {
    case POST:
        sem_post(&semaphores[0]);
        break;
    case DUPLICATE:
        close(dup(ends[0]));
        break;
    case POST_BOTH:
        sem_post(&semaphores[1]);
        sem_post(&semaphores[0]);
        break;
    case SIGNAL:
        pthread_kill(threads[0], SIGUSR2);
        break;
    }
    atomic_fetch_add(&by_handler, 1);
}

static void nothing(int signal)
{
    (void)signal;
}

static void once(int signal)
{
    (void)signal;
    atomic_fetch_add(&n_once, 1);
}

static void *takes(void *from)
{
    while (!atomic_load(&is_over))
        sem_wait(from);
    return NULL;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void run_for(double seconds)
{
    struct itimerval every = {{0, 150}, {0, 150}}, off = {0};
    setitimer(ITIMER_REAL, &every, NULL);
    for (double begin = now(); now() - begin < seconds;)
        for (int i = 0; i < 100; i++) {
            if (what == DUPLICATE)
                close(dup(ends[0]));
            else
                sem_post(&semaphores[0]);
        }
    setitimer(ITIMER_REAL, &off, NULL);
}

int main(void)
{
    sigset_t alarm, mask;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sem_init(&semaphores[0], 0, 0);
    sem_init(&semaphores[1], 0, 0);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return 1;
    signal(SIGUSR2, nothing);
    /* The threads leave it to main. */
    pthread_sigmask(SIG_BLOCK, &alarm, NULL);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, takes, &semaphores[i / 2]);
    pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_RESTART | SA_SIGINFO};
    sigaction(SIGALRM, &action, NULL);
    const char *const names[] = {"post", "duplicate", "post both", "signal"};
    for (int i = 0; i < 4; i++) {
        what = (typeof(what))i;
        atomic_store(&by_handler, 0);
        run_for(0.7);
        pthread_sigmask(SIG_BLOCK, NULL, &mask);
        printf("%s: often %d, blocked %d\n", names[i], atomic_load(&by_handler) > 200, sigismember(&mask, SIGALRM));
    }
    printf("told something else: %d\n", atomic_load(&told));

    /* One that is to be called once is, wherever it comes. */
    for (int i = 0; i < 200; i++) {
        struct sigaction one = {.sa_handler = once, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)}, was;
        sigaction(SIGURG, &one, NULL);
        pthread_kill(pthread_self(), SIGURG);
        sem_post(&semaphores[0]);
        sigaction(SIGURG, NULL, &was);
        if (was.sa_handler != SIG_DFL)
            printf("still there\n");
    }
    printf("once: %d\n", atomic_load(&n_once));

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    /* What signal() makes of siginterrupt(). */
    struct sigaction was;
    siginterrupt(SIGHUP, 1);
    printf("before: %d\n", signal(SIGHUP, nothing) == SIG_DFL);
    sigaction(SIGHUP, NULL, &was);
    printf("ends calls: %d\n", (was.sa_flags & SA_RESTART) == 0);
    siginterrupt(SIGHUP, 0);
    sigaction(SIGHUP, NULL, &was);
    printf("ends calls: %d, kept: %d\n", (was.sa_flags & SA_RESTART) == 0, was.sa_handler == nothing);
    printf("no signal: %d, %d\n", siginterrupt(0, 1), siginterrupt(65, 1));

    atomic_store(&is_over, 1);
    for (int i = 0; i < 4; i++)
        sem_post(&semaphores[0]), sem_post(&semaphores[1]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
