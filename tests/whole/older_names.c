/* What the older names of sigaction do to a signal's handler and to the thread's mask. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static _Thread_local int n;

static void handle(int signal)
{
    (void)signal;
    n++;
}

static void tell(const char *what, int returned)
{
    sigset_t mask;
    struct sigaction action;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    sigaction(SIGUSR1, NULL, &action);
    printf("%s: returned as expected %d; blocked %d, handler %d, restarts %d, ran %d\n", what, returned,
           sigismember(&mask, SIGUSR1), action.sa_handler == handle, (action.sa_flags & SA_RESTART) != 0, n);
}

static void *all(void *unused)
{
    tell("set", sigset(SIGUSR1, handle) == SIG_DFL);
    raise(SIGUSR1);
    tell("hold", sigset(SIGUSR1, SIG_HOLD) == handle);
    raise(SIGUSR1);
    tell("release", sigset(SIGUSR1, handle) == SIG_HOLD);
    tell("ignore", sigset(SIGUSR1, SIG_IGN) == handle);
    raise(SIGUSR1);
    tell("signal", signal(SIGUSR1, handle) == SIG_IGN);
    tell("interrupt", siginterrupt(SIGUSR1, 1) == 0);
    tell("signal", signal(SIGUSR1, handle) == handle);
    tell("restart", siginterrupt(SIGUSR1, 0) == 0);
    tell("default", signal(SIGUSR1, SIG_DFL) == handle);
    printf("none: %d %d\n", sigset(0, handle) == SIG_ERR, sigset(SIGKILL, handle) == SIG_ERR);
    return unused;
}

int main(void)
{
    pthread_t one;
    all(NULL);
    pthread_create(&one, NULL, all, NULL);
    pthread_join(one, NULL);
    return 0;
}
