/* All threads of a process change their group: libc has each of them take a signal of its own, and waits for that.
   Beside threads that wait for signals, by `main` and by another thread. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_int n_handled;

static void handle(int signal)
{
    (void)signal;
    atomic_fetch_add(&n_handled, 1);
}

static void *pauses(void *unused)
{
    /* The signal of libc's ends a wait, too. */
    while (!atomic_load(&n_handled))
        pause();
    return unused;
}

static void *waits(void *unused)
{
    sigset_t set;
    int signal;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sigwait(&set, &signal);
    return unused;
}

static void *changes(void *who)
{
    printf("%s: setgid %d, setegid %d\n", (char *)who, setgid(getgid()), setegid(getegid()));
    return NULL;
}

int main(void)
{
    pthread_t pausing, waiting, changing;
    signal(SIGUSR1, handle);
    alarm(20);
    pthread_create(&pausing, NULL, pauses, NULL);
    pthread_create(&waiting, NULL, waits, NULL);
    usleep(100000);
    changes("main");
    pthread_create(&changing, NULL, changes, "another");
    pthread_join(changing, NULL);
    /* It may be about to wait. */
    do {
        pthread_kill(pausing, SIGUSR1);
        usleep(10000);
    } while (pthread_tryjoin_np(pausing, NULL));
    changes("main, later");
    pthread_kill(waiting, SIGUSR2);
    pthread_join(waiting, NULL);
    printf("handled %d\n", atomic_load(&n_handled) > 0);
    return 0;
}
