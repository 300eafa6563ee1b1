/* A look with a mask that lets everything in, and finds nothing: a signal for the process still ends the next wait of
   the only thread that has it open. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t got;

static void on_signal(int number) { got = number; }

static void *waits(void *unused)
{
    int pipe_ends[2];
    sigset_t mask;
    struct timespec no_time = {0};
    pid_t process = getpid();
    pipe(pipe_ends);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    sigemptyset(&mask);
    printf("look: %d\n", ppoll(NULL, 0, &no_time, &mask));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        usleep(50000);
        kill(process, SIGTERM);
        _exit(0);
    }
    struct pollfd ready = {pipe_ends[0], POLLIN, 0};
    int found = poll(&ready, 1, 20000);
    printf("wait: %d, EINTR %d, handled %d\n", found, errno == EINTR, got == SIGTERM);
    waitpid(child, NULL, 0);
    return unused;
}

int main(void)
{
    pthread_t thread;
    sigset_t all;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    pthread_create(&thread, NULL, waits, NULL);
    pthread_join(thread, NULL);
    return 0;
}
