// Threads by their numbers, and calls by theirs.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// What `sigpause` of POSIX stands for.
extern int __xpg_sigpause(int);

static sem_t begun, end;
static atomic_int number;
static _Atomic pthread_t ran_on;
static int counter, pair[2];

static void on_signal(int signal)
{
    (void)signal;
    atomic_store(&ran_on, pthread_self());
}

static void *wait_here(void *argument)
{
    (void)argument;
    atomic_store(&number, gettid());
    sem_post(&begun);
    // Each signal may end the wait, or come between two of them.
    while (sem_wait(&end) != 0 && errno == EINTR)
        ;
    return NULL;
}

static void *post(void *argument)
{
    (void)argument;
    usleep(20000);
    eventfd_write(counter, 5);
    usleep(20000);
    if (write(pair[1], "x", 1) != 1)
        puts("no write");
    return NULL;
}

static int lies_between(long ns, long s, struct timespec time)
{
    return time.tv_sec >= 0 && time.tv_sec < s && time.tv_nsec >= ns;
}

static void *by_numbers(void *argument)
{
    (void)argument;
    cpu_set_t set;
    pthread_t other;
    pid_t self = gettid();
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGUSR1, &action, NULL);
    pthread_create(&other, NULL, wait_here, NULL);
    sem_wait(&begun);
    printf("tgkill %d", tgkill(getpid(), number, SIGUSR1));
    while (!pthread_equal(ran_on, other))
        usleep(1000);
    atomic_store(&ran_on, (pthread_t)0);
    printf(", by number %ld", syscall(SYS_tgkill, getpid(), (int)number, SIGUSR1));
    while (!pthread_equal(ran_on, other))
        usleep(1000);
    atomic_store(&ran_on, (pthread_t)0);
    printf(", tkill %ld", syscall(SYS_tkill, (int)number, SIGUSR1));
    while (!pthread_equal(ran_on, other))
        usleep(1000);
    printf(", nothing %d", tgkill(getpid(), self, 0));
    printf(", itself %d\n", tgkill(getpid(), self, SIGUSR1));
    printf("on itself %d\n", pthread_equal(ran_on, pthread_self()) != 0);
    printf("affinity %d", sched_getaffinity(self, sizeof set, &set));
    printf(" %d\n", CPU_COUNT(&set) > 0);
    printf("by number %d\n", syscall(SYS_sched_getaffinity, self, sizeof set, &set) > 0);
    printf("of another %d", sched_getaffinity(number, sizeof set, &set));
    puts("");
    printf("policy %d, priority %d\n", sched_getscheduler(self), getpriority(PRIO_PROCESS, self));
    printf("of another %d\n", getpriority(PRIO_PROCESS, number));
    sem_post(&end);
    pthread_join(other, NULL);

    eventfd_t value = 0;
    counter = eventfd(0, 0);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    pthread_create(&other, NULL, post, NULL);
    printf("eventfd %d", eventfd_read(counter, &value));
    printf(", %d\n", (int)value);
    struct pollfd fd = { .fd = pair[0], .events = POLLIN };
    struct timespec time = { .tv_sec = 50 };
    printf("ppoll %ld", syscall(SYS_ppoll, &fd, 1, &time, NULL, 8));
    printf(", time left %d\n", lies_between(1, 50, time));
    fd_set set_of;
    FD_ZERO(&set_of);
    FD_SET(pair[0], &set_of);
    time = (struct timespec){ .tv_sec = 50 };
    printf("pselect6 %ld", syscall(SYS_pselect6, pair[0] + 1, &set_of, NULL, NULL, &time, NULL));
    printf(", time left %d\n", lies_between(1, 50, time));
    pthread_join(other, NULL);
#ifdef SYS_select
    struct timeval soon = { .tv_usec = 1000 };
    FD_ZERO(&set_of);
    printf("select %ld\n", syscall(SYS_select, 0, NULL, NULL, NULL, &soon));
#else
    puts("select 0");
#endif
    char letter;
    struct iovec to = { &letter, 1 };
    struct mmsghdr message = { .msg_hdr = { .msg_iov = &to, .msg_iovlen = 1 } };
    time = (struct timespec){ .tv_sec = 50 };
    printf("recvmmsg %d", recvmmsg(pair[0], &message, 1, 0, &time));
    printf(", time left %d\n", lies_between(1, 50, time));
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    atomic_store(&ran_on, (pthread_t)0);
    pthread_kill(pthread_self(), SIGUSR1);
    printf("blocked %d", ran_on == 0);
    printf(", sigpause %d", __xpg_sigpause(SIGUSR1));
    printf(", EINTR %d, ran %d\n", errno == EINTR, pthread_equal(ran_on, pthread_self()) != 0);
    siginfo_t info;
    pid_t child = fork();
    if (child == 0)
        _exit(3);
    printf("waitid %ld", syscall(SYS_waitid, P_PID, child, &info, WEXITED, NULL));
    printf(", %d\n", info.si_status);
    return NULL;
}

int main(void)
{
    pthread_t thread;
    setvbuf(stdout, NULL, _IONBF, 0);
    sem_init(&begun, 0, 0);
    sem_init(&end, 0, 0);
    pthread_create(&thread, NULL, by_numbers, NULL);
    pthread_join(thread, NULL);
    return 0;
}
