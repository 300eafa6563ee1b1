/* A thread that overflows its stack: `overflow`, or with a handler of the program's: `overflow handler`. As std
   does it, with a stack for it unless there is one: `overflow handler std`. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static volatile int depth;

static __attribute__((noinline)) int sink(int n)
{
    volatile char frame[512];
    frame[0] = (char)n;
    depth = n;
    return n < 1 << 30 ? sink(n + 1) + frame[0] : 0;
}

static char stack[64 << 10];

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    static const char text[] = "the program's handler\n";
    if (signal == SIGSEGV && info->si_addr != NULL)
        (void)!write(1, text, sizeof text - 1);
    _exit(5);
}

static int as_std;

static void *work(void *argument)
{
    pthread_setname_np(pthread_self(), "deep-one");
    stack_t there;
    sigaltstack(NULL, &there);
    if (as_std && there.ss_flags == 0) {
        stack_t again;
        int set = sigaltstack(&there, NULL);
        sigaltstack(NULL, &again);
        fprintf(stderr, "there is one, put back %d, still there %d\n", set, again.ss_sp == there.ss_sp);
    } else if (argument != NULL) {
        stack_t other = { .ss_sp = stack, .ss_size = sizeof stack };
        sigaltstack(&other, NULL);
    }
    sink(0);
    return NULL;
}

int main(int argc, char **argv)
{
    (void)argv;
    as_std = argc > 2;
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    if (argc > 1) {
        struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };
        action.sa_sigaction = on_fault;
        sigaction(SIGSEGV, &action, NULL);
    }
    pthread_t thread;
    pthread_create(&thread, NULL, work, argc > 1 ? &thread : NULL);
    pthread_join(thread, NULL);
    printf("not reached\n");
    return 0;
}
