/* A program that takes all signals there are, as some languages do, hears of those that are sent and of no other. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int n_first, n_others;

static void first(int signal)
{
    atomic_fetch_add(signal == SIGUSR1 ? &n_first : &n_others, 1);
}

static void *computes(void *unused)
{
    for (volatile int i = 0; atomic_load(&n_first) < 1; i++)
        ;
    return unused;
}

static void *asks(void *unused)
{
    sigset_t set;
    while (atomic_load(&n_first) < 2)
        pthread_sigmask(SIG_BLOCK, NULL, &set);
    return unused;
}

static _Atomic pid_t number;
/* Of an OS thread the kernel would tell its end there, and not to libc, which waits for it. */
static int is_an_os_thread, is_told_its_number = 1, cleared;

/* A green thread's number is above those of the kernel's. */
static void *looks(void *unused)
{
    is_an_os_thread = gettid() < 1 << 22;
    return unused;
}

static void *spins(void *unused)
{
    number = gettid();
    if (!is_an_os_thread)
        is_told_its_number = syscall(SYS_set_tid_address, &cleared) == number;
    while (atomic_load(&n_first) < 3)
        ;
    return unused;
}

sighandler_t __sysv_signal(int, sighandler_t);

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = first, .sa_flags = SA_RESTART}, was;
    pthread_t thread;
    int n_taken = 0;
    alarm(30);
    pthread_create(&thread, NULL, looks, NULL);
    pthread_join(thread, NULL);
    for (int i = 1; i <= 64; i++)
        if (i != SIGALRM && sigaction(i, &action, NULL) == 0)
            n_taken++;
    (void)argv;
    if (argc > 1)
        __sysv_signal(64, first);
    sigaction(64, NULL, &was);
    printf("%d taken, kept %d", n_taken, was.sa_handler == first);
    printf(", to go on afterwards %d", !!(was.sa_flags & SA_RESTART));
    printf(", signal %d\n", signal(64, SIG_DFL) == first);
    pthread_create(&thread, NULL, computes, NULL);
    usleep(50000);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, asks, NULL);
    usleep(50000);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, spins, NULL);
    while (!number)
        usleep(1000);
    siginfo_t info = {.si_code = SI_QUEUE, .si_pid = getpid(), .si_uid = getuid()};
    printf("by its number: %ld\n", syscall(SYS_rt_tgsigqueueinfo, getpid(), number, SIGUSR1, &info));
    pthread_join(thread, NULL);
    printf("its number again: %d\n", is_told_its_number);
    printf("first %d, others %d\n", atomic_load(&n_first), atomic_load(&n_others));
    return 0;
}
