/* Timers of processor time and handlers where a process or a thread ends, begins, or has blocked all. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static struct itimerval every = {{0, 20000}, {0, 20000}}, off;

static double used(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void compute(double seconds)
{
    for (double begin = used(CLOCK_PROCESS_CPUTIME_ID); used(CLOCK_PROCESS_CPUTIME_ID) - begin < seconds;)
        ;
}

/* No thread, and all blocked: what is pending is the program's signal. */
static void with_all_blocked(void)
{
    sigset_t all, pending;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    setitimer(ITIMER_PROF, &every, NULL);
    compute(0.2);
    sigpending(&pending);
    for (int i = 1; i < 65; i++)
        if (sigismember(&pending, i) == 1)
            printf("pending: %d\n", i);
    struct timespec time = {.tv_sec = 2};
    printf("found: %d\n", sigtimedwait(&all, NULL, &time));
    setitimer(ITIMER_PROF, &off, NULL);
}

/* The program that follows has the timer, and can stop it. */
static void across_exec(const char *program, int is_raw)
{
    char *words[] = {(char *)program, "next", NULL};
    setitimer(ITIMER_PROF, &every, NULL);
    if (is_raw)
        syscall(SYS_execve, "/proc/self/exe", words, environ);
    execv("/proc/self/exe", words);
}

static void after_exec(void)
{
    struct itimerval was;
    setitimer(ITIMER_PROF, &off, &was);
    printf("was: every %ld us\n", (long)was.it_interval.tv_usec);
    compute(0.2);
    printf("goes on\n");
}

static atomic_int has_forked, is_child;
static pid_t child;

static void forks(int signal)
{
    (void)signal;
    if (atomic_exchange(&has_forked, 1))
        return;
    child = fork();
    atomic_store(&is_child, child == 0);
    atomic_store(&has_forked, 2);
}

static void *is_forked(void *unused)
{
    while (atomic_load(&has_forked) != 2)
        ;
    if (atomic_load(&is_child)) {
        sigset_t mask;
        sigprocmask(SIG_BLOCK, NULL, &mask);
        printf("in the child: TERM %d, PROF %d\n", sigismember(&mask, SIGTERM), sigismember(&mask, SIGPROF));
        fflush(stdout);
        kill(getpid(), SIGTERM);
        usleep(100000);
        _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
    printf("it ended by %d\n", WTERMSIG(status));
    return unused;
}

static void in_a_fork(void)
{
    pthread_t one;
    signal(SIGPROF, forks);
    setitimer(ITIMER_PROF, &every, NULL);
    pthread_create(&one, NULL, is_forked, NULL);
    pthread_join(one, NULL);
    setitimer(ITIMER_PROF, &off, NULL);
}

/* Who waits in the kernel has not computed. */

static void nothing(int signal)
{
    (void)signal;
}

static void *waits_for_a_lock(void *name)
{
    FILE *file = fopen(name, "r");
    printf("flock: %d\n", flock(fileno(file), LOCK_EX));
    fclose(file);
    return NULL;
}

static int there[2], back[2];

static void *answers(void *unused)
{
    char byte;
    while (read(there[0], &byte, 1) == 1)
        if (write(back[1], &byte, 1) != 1)
            break;
    return unused;
}

static void beside_a_lock(void)
{
    char name[] = "/tmp/timer-edges-XXXXXX", byte = 0;
    int fd = mkstemp(name);
    pthread_t waiter, other;
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    sigaction(SIGPROF, &action, NULL);
    if (fd < 0 || flock(fd, LOCK_EX) != 0 || pipe(there) != 0 || pipe(back) != 0)
        return;
    pthread_create(&waiter, NULL, waits_for_a_lock, name);
    pthread_create(&other, NULL, answers, NULL);
    usleep(50000);
    struct itimerval often = {{0, 2000}, {0, 2000}};
    setitimer(ITIMER_PROF, &often, NULL);
    for (double begin = used(CLOCK_MONOTONIC); used(CLOCK_MONOTONIC) - begin < 0.7;)
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
            break;
    setitimer(ITIMER_PROF, &off, NULL);
    flock(fd, LOCK_UN);
    pthread_join(waiter, NULL);
    close(there[1]);
    pthread_join(other, NULL);
    unlink(name);
}

int main(int n_words, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *what = n_words > 1 ? words[1] : "";
    if (!strcmp(what, "next"))
        after_exec();
    else if (!strcmp(what, "blocked"))
        with_all_blocked();
    else if (!strcmp(what, "exec") || !strcmp(what, "raw exec"))
        across_exec(words[0], !strcmp(what, "raw exec"));
    else if (!strcmp(what, "fork"))
        in_a_fork();
    else if (!strcmp(what, "lock"))
        beside_a_lock();
    return 0;
}
