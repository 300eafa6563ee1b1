/* Signals of timers that are for a certain thread: for the one that computes, or for one by its number. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static atomic_int by_main, by_computing, by_others, in_program, wrong, is_over;
extern char __executable_start, etext;
static _Thread_local int is_computing;
static pthread_t first;
static atomic_int expected_code, expected_value = -1;

static void handle(int signal, siginfo_t *info, void *context)
{
    (void)signal;
#ifdef __x86_64__
    char *at = (char *)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#else
    char *at = (char *)((ucontext_t *)context)->uc_mcontext.pc;
#endif
    if (info->si_code != atomic_load(&expected_code)
        || (atomic_load(&expected_value) >= 0 && info->si_value.sival_int != atomic_load(&expected_value)))
        atomic_fetch_add(&wrong, 1);
    if (is_computing && at >= &__executable_start && at < &etext)
        atomic_fetch_add(&in_program, 1);
    if (is_computing)
        atomic_fetch_add(&by_computing, 1);
    else if (pthread_self() == first)
        atomic_fetch_add(&by_main, 1);
    else
        atomic_fetch_add(&by_others, 1);
}

static double used(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Computes for 0.4 s of processor time, or calls the kernel all the time. */
static void *computes(void *calls)
{
    char byte = 0;
    is_computing = 1;
    int ends[2];
    if (pipe(ends) != 0)
        return NULL;
    for (double begin = used(CLOCK_PROCESS_CPUTIME_ID); used(CLOCK_PROCESS_CPUTIME_ID) - begin < 0.4;) {
        for (volatile int i = 0; !calls && i < 100000; i++)
            ;
        if (calls) {
            if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
                atomic_fetch_add(&wrong, 1);
        }
    }
    close(ends[0]);
    close(ends[1]);
    return NULL;
}

static void *sleeps(void *unused)
{
    while (!atomic_load(&is_over))
        usleep(1000);
    return unused;
}

/* Most of what has rung, and as often as it should, in the thread that computes. */
static void tell(const char *name, int calls)
{
    int computing = atomic_exchange(&by_computing, 0), others = atomic_exchange(&by_others, 0);
    int in_main = atomic_exchange(&by_main, 0);
    int is_so = computing >= 15 && computing > 8 * (others + in_main);
    int in_code = atomic_exchange(&in_program, 0);
    if (!calls && 2 * in_code < computing)
        printf("%d of %d in the program's code\n", in_code, computing);
    printf("%s: %s, wrong %d\n", name, is_so ? "by who computes" : "not so", atomic_exchange(&wrong, 0));
    if (!is_so)
        printf("%d by who computes, %d by main, %d by others\n", computing, in_main, others);
}

static void let_compute(const char *name, void *calls)
{
    pthread_t one;
    pthread_create(&one, NULL, computes, calls);
    /* They are not for this thread; one or another may come as it runs itself. */
    struct timespec time = {.tv_nsec = 10000000};
    int n_ended = 0;
    for (int i = 0; i < 30; i++)
        n_ended += nanosleep(&time, NULL) != 0;
    pthread_join(one, NULL);
    tell(name, calls != NULL);
    if (n_ended > 5)
        printf("%d of main's sleeps: %s\n", n_ended, strerror(errno));
}

static atomic_int rang_for;

static void rings(int signal)
{
    (void)signal;
    atomic_store(&rang_for, (int)syscall(SYS_gettid));
}

static atomic_int sleeper;

static atomic_int has_blocked, is_ready;

/* What a handler changes of the mask that it is told of is in force as it returns. */
static void blocks_another(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    sigset_t *mask = &((ucontext_t *)context)->uc_sigmask;
    printf("told of a mask: USR2 %d, HUP %d, URG %d\n", sigismember(mask, SIGUSR2), sigismember(mask, SIGHUP),
           sigismember(mask, SIGURG));
    sigaddset(mask, SIGUSR2);
    sigdelset(mask, SIGHUP);
    atomic_store(&has_blocked, 1);
}

static void *has_its_mask_changed(void *unused)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    atomic_store(&is_ready, 1);
    while (!atomic_load(&has_blocked))
        ;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    printf("has blocked: USR2 %d, HUP %d, URG %d\n", sigismember(&mask, SIGUSR2), sigismember(&mask, SIGHUP),
           sigismember(&mask, SIGURG));
    return unused;
}

static void *is_rung_for(void *unused)
{
    atomic_store(&sleeper, (int)syscall(SYS_gettid));
    struct timespec time = {.tv_sec = 20};
    int result = nanosleep(&time, NULL);
    printf("its sleep: %s, by itself: %d\n", result == 0 ? "whole" : strerror(errno),
           atomic_load(&rang_for) == atomic_load(&sleeper));
    return unused;
}

static void let_ring(int is_raw)
{
    pthread_t one;
    timer_t timer;
    int raw;
    atomic_store(&sleeper, 0);
    atomic_store(&rang_for, 0);
    pthread_create(&one, NULL, is_rung_for, NULL);
    while (!atomic_load(&sleeper))
        usleep(1000);
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
    event.sigev_notify_thread_id = atomic_load(&sleeper);
    struct itimerspec after = {.it_value = {.tv_nsec = 50000000}};
    int made = is_raw ? (int)syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &raw)
                      : timer_create(CLOCK_MONOTONIC, &event, &timer);
    int set = is_raw ? (int)syscall(SYS_timer_settime, raw, 0, &after, NULL)
                     : timer_settime(timer, 0, &after, NULL);
    pthread_join(one, NULL);
    int deleted = is_raw ? (int)syscall(SYS_timer_delete, raw) : timer_delete(timer);
    printf("made %d, set %d, deleted %d\n", made, set, deleted);
}

int main(int n_words, char **words)
{
    struct itimerval off = {0}, was, prof = {.it_interval = {.tv_usec = 10000}, .it_value = {.tv_usec = 10000}};
    if (n_words > 1) {
        getitimer(ITIMER_PROF, &was);
        setitimer(ITIMER_PROF, &off, NULL);
        printf("after exec: every %ld us, is set: %d\n", (long)was.it_interval.tv_usec,
               was.it_value.tv_sec * 1000000L + was.it_value.tv_usec > 0);
        return 0;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    first = pthread_self();
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGPROF, &action, NULL);
    sigaction(SIGVTALRM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    pthread_t others[8];
    for (int i = 0; i < 8; i++)
        pthread_create(&others[i], NULL, sleeps, NULL);

    atomic_store(&expected_code, SI_KERNEL);
    printf("set: %d\n", setitimer(ITIMER_PROF, &prof, &was));
    printf("was set before: %d\n", was.it_value.tv_usec != 0);
    let_compute("ITIMER_PROF", NULL);
    let_compute("ITIMER_PROF, in calls", &first);
    getitimer(ITIMER_PROF, &was);
    printf("left: %d, every %ld us\n", was.it_value.tv_usec > 0, (long)was.it_interval.tv_usec);
    printf("unset: %d\n", setitimer(ITIMER_PROF, &off, &was));
    printf("was: every %ld us\n", (long)was.it_interval.tv_usec);
    getitimer(ITIMER_PROF, &was);
    printf("left: %d\n", was.it_value.tv_usec != 0);
    struct itimerval wrong_time = {.it_value = {.tv_usec = 1000000}};
    printf("no time: %d\n", setitimer(ITIMER_PROF, &wrong_time, NULL) == -1 && errno == EINVAL);

    setitimer(ITIMER_VIRTUAL, &prof, NULL);
    let_compute("ITIMER_VIRTUAL", NULL);
    setitimer(ITIMER_VIRTUAL, &off, NULL);

    struct itimerspec every = {{.tv_nsec = 10000000}, {.tv_nsec = 10000000}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value = {7}};
    timer_t timer;
    atomic_store(&expected_code, SI_TIMER);
    atomic_store(&expected_value, 7);
    timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer);
    timer_settime(timer, 0, &every, NULL);
    let_compute("timer_create", NULL);
    printf("deleted: %d\n", timer_delete(timer));

    timer_create(CLOCK_PROCESS_CPUTIME_ID, NULL, &timer);
    atomic_store(&expected_value, -1);
    timer_settime(timer, 0, &every, NULL);
    let_compute("timer_create without event", NULL);
    timer_delete(timer);

    int raw = 0;
    syscall(SYS_timer_create, CLOCK_PROCESS_CPUTIME_ID, NULL, &raw);
    atomic_store(&expected_value, raw);
    syscall(SYS_timer_settime, raw, 0, &every, NULL);
    let_compute("the call without event", NULL);
    printf("deleted: %ld\n", syscall(SYS_timer_delete, raw));

    event.sigev_signo = 99;
    printf("no signal: %d\n", timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == -1 && errno == EINVAL);
    event.sigev_signo = SIGUSR1;
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_notify_thread_id = 1;
    printf("no thread: %d\n", timer_create(CLOCK_MONOTONIC, &event, &timer) == -1 && errno == EINVAL);

    struct sigaction blocking = {.sa_sigaction = blocks_another, .sa_flags = SA_SIGINFO};
    sigaction(SIGURG, &blocking, NULL);
    pthread_t one;
    pthread_create(&one, NULL, has_its_mask_changed, NULL);
    while (!atomic_load(&is_ready))
        usleep(1000);
    pthread_kill(one, SIGURG);
    pthread_join(one, NULL);

    signal(SIGUSR2, rings);
    let_ring(0);
    let_ring(1);

    atomic_store(&is_over, 1);
    for (int i = 0; i < 8; i++)
        pthread_join(others[i], NULL);
    prof.it_value.tv_sec = prof.it_interval.tv_sec = 1;
    prof.it_value.tv_usec = prof.it_interval.tv_usec = 5000;
    setitimer(ITIMER_PROF, &prof, NULL);
    execl("/proc/self/exe", words[0], "next", (char *)NULL);
    return 1;
}
