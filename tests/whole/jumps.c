// Jumps out of handlers of signals: the mask that `sigsetjmp` has kept is the thread's again.

#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static __thread sigjmp_buf with_mask;
static __thread jmp_buf without;

static void jumps(int signal) {
    (void)signal;
    siglongjmp(with_mask, 1);
}

static void jumps_without(int signal) {
    (void)signal;
    longjmp(without, 1);
}

static int has_blocked(int signal) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&mask, signal);
}

static void *itself(void *nothing) {
    for (volatile int i = 0; i < 3; i++) {
        if (!sigsetjmp(with_mask, 1)) {
            pthread_kill(pthread_self(), SIGUSR1);
            puts("not delivered");
        }
        printf("USR1 blocked %d\n", has_blocked(SIGUSR1));
    }
    if (!_setjmp(without))
        raise(SIGUSR2);
    printf("USR2 blocked %d, as the handler had it\n", has_blocked(SIGUSR2));
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    if (!sigsetjmp(with_mask, 1)) {
        sigemptyset(&mask);
        pthread_sigmask(SIG_SETMASK, &mask, NULL);
        siglongjmp(with_mask, 1);
    }
    printf("INT blocked %d, as it was\n", has_blocked(SIGINT));
    return nothing;
}

static atomic_int is_ready;

static void *waits_and_computes(void *nothing) {
    volatile int n = 0;
    for (volatile int i = 0; i < 20; i++) {
        if (!sigsetjmp(with_mask, 1)) {
            is_ready = 1;
            while (1) {
                if (i % 2)
                    usleep(100000);
                for (volatile int k = 0; k < 10000; k++)
                    ;
            }
        }
        n++;
    }
    printf("out of waits and loops %d times, USR1 blocked %d\n", n, has_blocked(SIGUSR1));
    return nothing;
}

int main(void) {
    struct sigaction action = {.sa_handler = jumps};
    sigaction(SIGUSR1, &action, NULL);
    action.sa_handler = jumps_without;
    sigaction(SIGUSR2, &action, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, itself, NULL);
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, waits_and_computes, NULL);
    for (int i = 0; i < 20; i++) {
        while (!atomic_exchange(&is_ready, 0))
            usleep(100);
        usleep(2000);
        pthread_kill(thread, SIGUSR1);
    }
    pthread_join(thread, NULL);
}
