// Signals for one thread: where it is, and what becomes of its call.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static sem_t ready, go;
static volatile sig_atomic_t n_ran;
static volatile pthread_t ran_on;
static volatile uintptr_t ran_at;
static siginfo_t said;
static __thread int mine;
static volatile int mine_was;

static void note(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    int here;
    said = *info;
    ran_on = pthread_self();
    ran_at = (uintptr_t)&here;
    mine_was = mine;
    n_ran++;
}

static void install(int signal, int flags) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = note;
    action.sa_flags = SA_SIGINFO | flags;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, NULL);
}

static sigset_t set_of(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}

// Most likely it waits by then; if not, what follows is the same.
static void let_it_wait(void) { usleep(50000); }

// Nobody waits for ever, for a test that fails is to end.
static int comes(volatile sig_atomic_t *n, int wanted) {
    for (int i = 0; i < 5000 && *n < wanted; i++) usleep(1000);
    return *n >= wanted;
}

static pthread_t thread;
static void start(void *(*f)(void *)) {
    n_ran = 0;
    pthread_create(&thread, NULL, f, NULL);
    sem_wait(&ready);
}

static void *waits_for_semaphore(void *argument) {
    (void)argument;
    int here;
    mine = 7;
    sem_post(&ready);
    int result = sem_wait(&go);
    int error = errno;
    printf("  sem_wait %d%s", result, result ? error == EINTR ? " EINTR" : " ?" : "");
    printf("; on the thread %d, on its stack %d, its thread-locals %d\n", pthread_equal(ran_on, pthread_self()),
           labs((long)(ran_at - (uintptr_t)&here)) < 100000, mine_was == 7);
    return NULL;
}

static void semaphore(int flags) {
    install(SIGUSR1, flags);
    start(waits_for_semaphore);
    let_it_wait();
    int result = pthread_kill(thread, SIGUSR1), ran = comes(&n_ran, 1);
    if (flags) sem_post(&go);
    pthread_join(thread, NULL);
    printf("  pthread_kill %d\n", result);
    printf("  ran %d, SI_TKILL %d, pid %d\n", ran, said.si_code == SI_TKILL, said.si_pid == getpid());
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int flag;

static void *waits_for_mutex(void *argument) {
    (void)argument;
    sem_post(&ready);
    printf("  lock %d\n", pthread_mutex_lock(&mutex));
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void *waits_for_condition(void *argument) {
    (void)argument;
    pthread_mutex_lock(&mutex);
    sem_post(&ready);
    int result = 0;
    while (!flag) result |= pthread_cond_wait(&cond, &mutex);
    printf("  wait %d\n", result);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static volatile int stop;
static void *computes(void *argument) {
    (void)argument;
    sem_post(&ready);
    volatile unsigned long n = 0;
    while (!stop) n++;
    return NULL;
}

static void *has_blocked_it(void *argument) {
    (void)argument;
    sigset_t set = set_of(SIGUSR1), pending, before;
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sem_post(&ready);
    sem_wait(&go);
    sigpending(&pending);
    printf("  pending %d, ran %d\n", sigismember(&pending, SIGUSR1), (int)n_ran);
    pthread_sigmask(SIG_UNBLOCK, &set, &before);
    printf("  opened: was blocked %d, ran %d\n", sigismember(&before, SIGUSR1), (int)n_ran);
    sigpending(&pending);
    printf("  pending %d\n", sigismember(&pending, SIGUSR1));
    return NULL;
}

static int values[8], n_values;
static void keep(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    values[n_values++] = info->si_value.sival_int;
}

static void *opens_queued(void *argument) {
    (void)argument;
    sigset_t set = set_of(SIGRTMIN + 1);
    sem_post(&ready);
    sem_wait(&go);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    printf("  %d values: %d %d %d, SI_QUEUE\n", n_values, values[0], values[1], values[2]);
    return NULL;
}

static void *raises(void *argument) {
    (void)argument;
    printf("  raise %d", raise(SIGUSR1));
    printf(", ran %d\n", (int)n_ran);
    printf("  again %d", pthread_kill(pthread_self(), SIGUSR1));
    printf(", ran %d\n", (int)n_ran);
    sem_post(&ready);
    return NULL;
}

static char stack[1 << 16];
static void *has_a_stack(void *argument) {
    (void)argument;
    stack_t before, mine = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(NULL, &before);
    printf("  none %d, set %d\n", before.ss_flags == SS_DISABLE, sigaltstack(&mine, NULL));
    sigaltstack(NULL, &before);
    printf("  it is there %d\n", before.ss_sp == stack && before.ss_size == sizeof stack);
    sem_post(&ready);
    sem_wait(&go);
    printf("  on its stack for signals %d\n", ran_at - (uintptr_t)stack < sizeof stack);
    return NULL;
}

// A handler that waits, and one that comes meanwhile.
static volatile int depth, deepest;
static sem_t inner;
static void wait_in_handler(int signal) {
    if (++depth > deepest) deepest = depth;
    if (signal == SIGUSR1) {
        sem_post(&ready);
        while (sem_wait(&inner)) {}
    }
    depth--;
    n_ran++;
}

static void *handles(void *argument) {
    (void)argument;
    sem_post(&ready);
    printf("  sem_wait %d", sem_wait(&go));
    printf(" EINTR %d\n", errno == EINTR);
    return NULL;
}

static void nested(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = wait_in_handler;
    sigfillset(&action.sa_mask);
    sigdelset(&action.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    sem_init(&inner, 0, 0);
    start(handles);
    let_it_wait();
    pthread_kill(thread, SIGUSR1);
    sem_wait(&ready);
    let_it_wait();
    pthread_kill(thread, SIGUSR1); // Blocked while its handler runs.
    pthread_kill(thread, SIGUSR2);
    printf("  the inner one ran %d\n", comes(&n_ran, 1));
    sem_post(&inner);
    sem_wait(&ready);
    printf("  then the first %d, and again\n", comes(&n_ran, 2));
    sem_post(&inner);
    pthread_join(thread, NULL);
    printf("  %d in all, %d deep\n", (int)n_ran, deepest);
}

static void *returns(void *argument) {
    sem_post(&ready);
    return argument;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IONBF, 0);
    sem_init(&ready, 0, 0);
    sem_init(&go, 0, 0);
    if (argc > 1 && !strcmp(argv[1], "default")) {
        // The thread's end by a signal is that of the process.
        start(waits_for_semaphore);
        let_it_wait();
        pthread_kill(thread, SIGUSR2);
        sleep(10);
        return 3;
    }
    puts("semaphore");
    semaphore(0);
    puts("semaphore, SA_RESTART");
    semaphore(SA_RESTART);
    puts("mutex");
    install(SIGUSR1, 0);
    pthread_mutex_lock(&mutex);
    start(waits_for_mutex);
    let_it_wait();
    pthread_kill(thread, SIGUSR1);
    printf("  ran %d\n", comes(&n_ran, 1));
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
    puts("condition");
    start(waits_for_condition);
    let_it_wait();
    pthread_kill(thread, SIGUSR1);
    printf("  ran %d\n", comes(&n_ran, 1));
    pthread_mutex_lock(&mutex);
    flag = 1;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
    puts("computing");
    start(computes);
    let_it_wait();
    pthread_kill(thread, SIGUSR1);
    int ran = comes(&n_ran, 1);
    printf("  ran %d, on the thread %d\n", ran, pthread_equal(ran_on, thread));
    stop = 1;
    pthread_join(thread, NULL);
    puts("blocked");
    start(has_blocked_it);
    pthread_kill(thread, SIGUSR1);
    pthread_kill(thread, SIGUSR1);
    sem_post(&go);
    pthread_join(thread, NULL);
    puts("queued");
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = keep;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGRTMIN + 1, &action, NULL);
    sigset_t set = set_of(SIGRTMIN + 1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    start(opens_queued);
    for (int i = 1; i <= 3; i++)
        printf("  sigqueue %d\n", pthread_sigqueue(thread, SIGRTMIN + 1, (union sigval){.sival_int = i}));
    sem_post(&go);
    pthread_join(thread, NULL);
    puts("raise");
    start(raises);
    pthread_join(thread, NULL);
    puts("its own stack for signals");
    install(SIGUSR1, SA_ONSTACK);
    start(has_a_stack);
    let_it_wait();
    pthread_kill(thread, SIGUSR1);
    comes(&n_ran, 1);
    pthread_join(thread, NULL);
    puts("handlers that wait");
    nested();
    puts("numbers");
    start(returns);
    let_it_wait();
    printf("  to one that has ended %d\n", pthread_kill(thread, 0));
    pthread_join(thread, NULL);
    printf("  to this one %d, bad %d %d\n", pthread_kill(pthread_self(), 0),
           pthread_kill(pthread_self(), 65) == EINVAL, pthread_kill(pthread_self(), -1) == EINVAL);
    return 0;
}
