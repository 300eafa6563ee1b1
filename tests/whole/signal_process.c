// Signals for the process, where threads have them open or wait for them.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static sem_t ready, go;
static volatile sig_atomic_t n_ran;
static volatile pthread_t ran_on;

static void note(int signal) {
    (void)signal;
    ran_on = pthread_self();
    n_ran++;
}

static sigset_t set_of(int a, int b) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, a);
    if (b) sigaddset(&set, b);
    return set;
}

static void let_it_wait(void) {
    struct timespec time = {.tv_nsec = 50 * 1000 * 1000};
    nanosleep(&time, NULL);
}

static pthread_t thread;
static void start(void *(*f)(void *)) {
    n_ran = 0;
    pthread_create(&thread, NULL, f, NULL);
    sem_wait(&ready);
    let_it_wait();
}

static void *has_it_open(void *argument) {
    sigset_t set = set_of(SIGUSR1, SIGTERM);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    sem_post(&ready);
    int result = sem_wait(&go), error = errno;
    printf("  sem_wait %d, EINTR %d, ran %d, here %d\n", result, error == EINTR, (int)n_ran,
           pthread_equal(ran_on, pthread_self()));
    return argument;
}

static void *pauses(void *argument) {
    sigset_t set = set_of(SIGUSR1, 0);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    sem_post(&ready);
    int result = pause(), error = errno;
    printf("  pause %d, EINTR %d, ran %d\n", result, error == EINTR, (int)n_ran);
    return argument;
}

static void *suspends(void *argument) {
    sigset_t set, now;
    sigfillset(&set);
    sigdelset(&set, SIGUSR1);
    sem_post(&ready);
    int result = sigsuspend(&set), error = errno;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    printf("  sigsuspend %d, EINTR %d, ran %d, blocked again %d\n", result, error == EINTR, (int)n_ran,
           sigismember(&now, SIGUSR1));
    return argument;
}

static void *waits(void *argument) {
    sigset_t set = set_of(SIGUSR1, SIGUSR2);
    int signal = 0, result;
    sem_post(&ready);
    result = sigwait(&set, &signal);
    printf("  sigwait %d, USR1 %d\n", result, signal == SIGUSR1);
    sem_post(&ready);
    siginfo_t info;
    result = sigwaitinfo(&set, &info);
    printf("  sigwaitinfo USR2 %d, code %d, from this process %d\n", result == SIGUSR2, info.si_code,
           info.si_pid == getpid());
    sem_post(&ready);
    result = sigwaitinfo(&set, &info);
    printf("  sigwaitinfo USR1 %d, SI_QUEUE %d, value %d\n", result == SIGUSR1, info.si_code == SI_QUEUE,
           info.si_value.sival_int);
    struct timespec soon = {.tv_nsec = 20 * 1000 * 1000};
    result = sigtimedwait(&set, &info, &soon);
    printf("  sigtimedwait %d, EAGAIN %d\n", result, errno == EAGAIN);
    printf("  ran %d\n", (int)n_ran);
    return argument;
}

static void *sends(void *argument) {
    sigset_t set = set_of(SIGUSR1, 0), pending;
    printf("  kill %d", kill(getpid(), SIGUSR1));
    printf(", ran %d\n", (int)n_ran);
    sigpending(&pending);
    printf("  pending %d\n", sigismember(&pending, SIGUSR1));
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    printf("  opened, ran %d\n", (int)n_ran);
    printf("  kill %d", kill(getpid(), SIGUSR1));
    printf(", ran %d\n", (int)n_ran);
    sem_post(&ready);
    return argument;
}

static void *forks(void *argument) {
    sigset_t set = set_of(SIGUSR2, 0), open = set_of(SIGUSR1, 0);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_sigmask(SIG_UNBLOCK, &open, NULL);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        // What the kernel has.
        char line[256];
        FILE *status = fopen("/proc/self/status", "r");
        unsigned long long blocked = 0;
        while (fgets(line, sizeof line, status)) sscanf(line, "SigBlk: %llx", &blocked);
        printf("  in the child: USR2 %d, USR1 %d\n", (int)(blocked >> (SIGUSR2 - 1) & 1),
               (int)(blocked >> (SIGUSR1 - 1) & 1));
        fflush(stdout);
        raise(SIGUSR1);
        printf("  ran %d\n", (int)n_ran);
        fflush(stdout);
        _exit(0);
    }
    int status;
    while (waitpid(child, &status, 0) < 0) {}
    printf("  the child's end %d\n", status);
    sem_post(&ready);
    return argument;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IONBF, 0);
    sem_init(&ready, 0, 0);
    sem_init(&go, 0, 0);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = note;
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    sigset_t set = set_of(SIGUSR1, SIGUSR2);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (argc > 1 && argv[1][0]) {
        start(has_it_open);
        kill(getpid(), SIGTERM);
        sleep(10);
        return 3;
    }
    puts("one thread has it open, and waits");
    start(has_it_open);
    kill(getpid(), SIGUSR1);
    pthread_join(thread, NULL);
    puts("pause");
    start(pauses);
    kill(getpid(), SIGUSR1);
    pthread_join(thread, NULL);
    puts("sigsuspend");
    start(suspends);
    kill(getpid(), SIGUSR1);
    pthread_join(thread, NULL);
    puts("sigwait");
    start(waits);
    kill(getpid(), SIGUSR1);
    sem_wait(&ready);
    let_it_wait();
    pthread_kill(thread, SIGUSR2);
    sem_wait(&ready);
    let_it_wait();
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 5});
    pthread_join(thread, NULL);
    puts("a thread sends it to its process");
    start(sends);
    pthread_join(thread, NULL);
    puts("fork");
    start(forks);
    pthread_join(thread, NULL);
    puts("main");
    n_ran = 0;
    sigset_t alarm = set_of(SIGALRM, 0);
    pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
    struct itimerval timer = {.it_value = {.tv_usec = 50000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    int result = sem_wait(&go), error = errno;
    printf("  sem_wait %d, EINTR %d, ran %d\n", result, error == EINTR, (int)n_ran);
    return 0;
}
