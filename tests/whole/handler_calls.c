/* Handlers on alternate stacks make calls that need not wait, while other threads want to run: each thread finds its
   stack for signals and its mask as they were, and a fault can come again. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 65536 };
static int ends[2], faults[2];
static atomic_int stop, stacks, masks, caught;
static __thread sigjmp_buf out;

static void on_signal(int unused)
{
    char byte = 0;
    for (int n = 0; n < 40; n++) {
        send(ends[1], &byte, 1, MSG_DONTWAIT);
        recv(ends[0], &byte, 1, MSG_DONTWAIT);
    }
    (void)unused;
}

static void on_fault(int unused)
{
    for (int n = 0; n < 50; n++)
        if (write(faults[1], "frame\n", 6) != 6)
            break;
    (void)unused;
    siglongjmp(out, 1);
}

static void *looks(void *unused)
{
    while (!atomic_load(&stop))
        sched_yield();
    return unused;
}

static void *signals(void *unused)
{
    stack_t stack = {.ss_sp = malloc(ROOM), .ss_size = ROOM}, now;
    sigset_t before, after;
    sigaltstack(&stack, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    for (int n = 0; n < 500; n++) {
        raise(SIGUSR1);
        sigaltstack(NULL, &now);
        pthread_sigmask(SIG_SETMASK, NULL, &after);
        stacks += now.ss_sp == stack.ss_sp && now.ss_flags == 0;
        masks += sigismember(&before, SIGUSR1) == sigismember(&after, SIGUSR1);
    }
    return unused;
}

static void *fails(void *unused)
{
    char bytes[4096];
    sigaltstack(&(stack_t){.ss_sp = malloc(ROOM), .ss_size = ROOM}, NULL);
    for (volatile int n = 0; n < 100; n++) {
        if (!sigsetjmp(out, 1))
            *(volatile int *)0 = 1;
        caught++;
        while (recv(faults[0], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
            ;
        sched_yield();
    }
    return unused;
}

int main(void)
{
    pthread_t threads[6], others[4];
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    action.sa_handler = on_fault;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGSEGV, &action, NULL);
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    socketpair(AF_UNIX, SOCK_STREAM, 0, faults);
    for (int n = 0; n < 4; n++)
        pthread_create(&others[n], NULL, looks, NULL);
    for (int n = 0; n < 6; n++)
        pthread_create(&threads[n], NULL, n < 3 ? signals : fails, NULL);
    for (int n = 0; n < 6; n++)
        pthread_join(threads[n], NULL);
    atomic_store(&stop, 1);
    for (int n = 0; n < 4; n++)
        pthread_join(others[n], NULL);
    printf("stacks: %d, masks: %d, faults: %d\n", stacks, masks, caught);
    return 0;
}
