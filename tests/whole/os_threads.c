/* Threads that are OS threads from their start, made by a thread that is not: one on a stack of the program's, and
   those of a thread that has set its priority. All that POSIX says of threads holds for them. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>

static int ends[2];
static sem_t done, ready;
static sigjmp_buf before;

static void handle(int signal)
{
    (void)signal;
    sem_post(&done);
}

static void overflows(int signal)
{
    (void)signal;
    siglongjmp(before, 1);
}

static void *shows(void *who)
{
    sigset_t set;
    pthread_attr_t attributes;
    void *lowest = NULL;
    size_t size = 0;
    char here, name[16];
    pthread_getname_np(pthread_self(), name, sizeof name);
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    int error = pthread_getattr_np(pthread_self(), &attributes);
    if (!error)
        pthread_attr_getstack(&attributes, &lowest, &size);
    int is_on = &here >= (char *)lowest && &here < (char *)lowest + size;
    printf("%s, called %s: %d, on its stack %d, USR1 %d, USR2 %d, TERM %d\n", (char *)who, name, error, is_on,
           sigismember(&set, SIGUSR1), sigismember(&set, SIGUSR2), sigismember(&set, SIGTERM));
    return NULL;
}

static void *reads(void *unused)
{
    char byte;
    sem_post(&ready);
    while (read(ends[0], &byte, 1) < 0)
        ;
    return unused;
}

static void *computes(void *unused)
{
    sem_post(&ready);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (volatile int i = 0;; i++)
        ;
    return unused;
}

static int deeper(volatile char *above)
{
    volatile char page[4096];
    page[0] = *above;
    if (page[0])
        return 0;
    return deeper(page) + page[0];
}

static int c11(void *unused)
{
    (void)unused;
    return -7;
}

static void *overflow(void *unused)
{
    stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
    volatile char first = 0;
    sigaltstack(&stack, NULL);
    if (!sigsetjmp(before, 1))
        printf("%d\n", deeper(&first));
    else
        printf("out of an overflow\n");
    return unused;
}

static void signal_and_cancel(void *(*run)(void *), const char *what)
{
    pthread_t thread;
    void *result = NULL;
    pthread_create(&thread, NULL, run, NULL);
    sem_wait(&ready);
    usleep(50000);
    printf("%s: kill %d", what, pthread_kill(thread, SIGUSR1));
    sem_wait(&done);
    printf(", handled, cancel %d", pthread_cancel(thread));
    pthread_join(thread, &result);
    printf(", cancelled %d\n", result == PTHREAD_CANCELED);
}

static void *maker(void *unused)
{
    static char own[1 << 20] __attribute__((aligned(4096)));
    struct sched_param priority = {0};
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t set;
    pthread_setname_np(pthread_self(), "maker");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, own, sizeof own);
    pthread_create(&thread, &attributes, shows, "on a stack of the program's");
    pthread_join(thread, NULL);
    pthread_setschedparam(pthread_self(), SCHED_OTHER, &priority);
    pthread_create(&thread, NULL, shows, "of one with a priority");
    pthread_join(thread, NULL);
    signal_and_cancel(reads, "reads");
    signal_and_cancel(computes, "computes");
    thrd_t by_c11;
    int result = 0;
    thrd_create(&by_c11, c11, NULL);
    thrd_join(by_c11, &result);
    printf("C11: %d\n", result);
    pthread_create(&thread, NULL, overflow, NULL);
    pthread_join(thread, NULL);
    return unused;
}

int main(void)
{
    struct sigaction action = {.sa_handler = handle}, fault = {.sa_handler = overflows, .sa_flags = SA_ONSTACK};
    pthread_t thread;
    alarm(30);
    sem_init(&done, 0, 0);
    sem_init(&ready, 0, 0);
    if (pipe(ends))
        return 1;
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGSEGV, &fault, NULL);
    pthread_create(&thread, NULL, maker, NULL);
    pthread_join(thread, NULL);
    return 0;
}
