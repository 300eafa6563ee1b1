/* What a handler of a fault is told, has blocked and may change: the thread's, and nothing that the layer has of its own. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static _Thread_local char *page;
static _Thread_local int usr2_ran, in_handler, ran_inside;
static size_t size;

static void tell_of(const char *what, const sigset_t *mask)
{
    printf("%s: HUP %d, USR1 %d, USR2 %d, SEGV %d, TERM %d\n", what, sigismember(mask, SIGHUP), sigismember(mask, SIGUSR1),
           sigismember(mask, SIGUSR2), sigismember(mask, SIGSEGV), sigismember(mask, SIGTERM));
}

static void tell(const char *what)
{
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    tell_of(what, &mask);
}

static void on_usr2(int signal)
{
    (void)signal;
    usr2_ran++;
    ran_inside += in_handler;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    ucontext_t *told = context;
    in_handler = 1;
    printf("at the page: %d\n", (char *)info->si_addr == page);
    tell("in the handler");
    tell_of("told", &told->uc_sigmask);
    printf("told of a stack: %d\n", (told->uc_stack.ss_flags & SS_DISABLE) == 0);
    pthread_kill(pthread_self(), SIGUSR2);
    /* A wait, after which it may be on another OS thread. */
    usleep(2000);
    sigdelset(&told->uc_sigmask, SIGHUP);
    sigaddset(&told->uc_sigmask, SIGTERM);
    mprotect(page, size, PROT_READ | PROT_WRITE);
    in_handler = 0;
}

static void *faults(void *unused)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGHUP);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    page = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile char *)page = 1;
    for (int i = 0; i < 1000 && usr2_ran == 0; i++)
        usleep(1000);
    printf("USR2 ran %d, inside %d\n", usr2_ran, ran_inside);
    tell("afterwards");
    return unused;
}

static sigjmp_buf place;

static void jumps(int signal)
{
    (void)signal;
    siglongjmp(place, 1);
}

static void *faults_and_jumps(void *unused)
{
    volatile int n = 0;
    if (sigsetjmp(place, 1) != 0 || n == 0)
        if (n++ < 20)
            *(volatile char *)page = 1;
    printf("jumped %d times\n", n - 1);
    tell("afterwards");
    return unused;
}

static atomic_int n_handled;

static void waits(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    usleep(1000);
    mprotect((char *)((size_t)info->si_addr & ~(size - 1)), size, PROT_READ | PROT_WRITE);
    atomic_fetch_add(&n_handled, 1);
}

static void *faults_again_and_again(void *unused)
{
    for (int i = 0; i < 30; i++) {
        char *at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        *(volatile char *)at = 1;
        munmap(at, size);
    }
    return unused;
}

static void once(const char *what, void *(*run)(void *))
{
    pthread_t one;
    printf("--- %s\n", what);
    pthread_create(&one, NULL, run, NULL);
    pthread_join(one, NULL);
}

static void *nothing(void *unused)
{
    return unused;
}

int main(int n_words, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    size = (size_t)sysconf(_SC_PAGESIZE);
    /* Before the runtime has started, or afterwards. */
    if (n_words > 1 && !strcmp(words[1], "later"))
        once("nothing", nothing);
    struct sigaction usr2 = {.sa_handler = on_usr2}, was;
    sigaction(SIGUSR2, &usr2, NULL);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaddset(&action.sa_mask, SIGUSR1);
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGSEGV, NULL, &was);
    printf("kept: %d, flags %d\n", was.sa_sigaction == on_fault, was.sa_flags == SA_SIGINFO);
    tell_of("kept", &was.sa_mask);
    once("a handler that is told", faults);
    page = NULL;
    printf("before: %d\n", (void *)signal(SIGSEGV, jumps) == (void *)on_fault);
    once("a handler that jumps", faults_and_jumps);
    sigaction(SIGSEGV, NULL, &was);
    printf("kept: %d, flags %d, blocks itself %d\n", was.sa_handler == jumps, was.sa_flags == SA_RESTART,
           sigismember(&was.sa_mask, SIGSEGV));

    struct sigaction waiting = {.sa_sigaction = waits, .sa_flags = SA_SIGINFO};
    sigfillset(&waiting.sa_mask);
    sigaction(SIGSEGV, &waiting, NULL);
    pthread_t many[50];
    for (int i = 0; i < 50; i++)
        pthread_create(&many[i], NULL, faults_again_and_again, NULL);
    for (int i = 0; i < 50; i++)
        pthread_join(many[i], NULL);
    printf("handled: %d\n", atomic_load(&n_handled));

    struct sigaction one_time = {.sa_handler = SIG_IGN, .sa_flags = SA_RESETHAND | SA_RESTART};
    sigaction(SIGFPE, &one_time, NULL);
    sigaction(SIGFPE, NULL, &was);
    printf("ignored: %d\n", was.sa_handler == SIG_IGN);
    one_time.sa_handler = jumps;
    sigaction(SIGBUS, &one_time, NULL);
    if (sigsetjmp(place, 1) == 0)
        raise(SIGBUS);
    sigaction(SIGBUS, NULL, &was);
    printf("once: %d\n", was.sa_handler == SIG_DFL);
    printf("no signal: %d, %d\n", sigaction(0, &action, NULL), sigaction(65, NULL, &was));
    /* The default ends it. */
    signal(SIGSEGV, SIG_DFL);
    once("none", faults);
    return 0;
}
