// A thread for each kind of wait that libc has, for those who look at the program from outside. Each thread's name says
// what it does.

#define _GNU_SOURCE
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static sem_t semaphore;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int futex = 7;
static int ends[3][2];
static int many[12][2];
static int listener;
static int pair[2];

static void *waits_for_it(void *unused) {
    (void)unused;
    return sem_wait(&semaphore) == 0 ? NULL : &semaphore;
}

static void *pauses(void *unused) {
    (void)unused;
    pause();
    return NULL;
}

static void *suspends(void *unused) {
    sigset_t none;
    (void)unused;
    sigemptyset(&none);
    sigsuspend(&none);
    return NULL;
}

static void *takes_signals(void *unused) {
    sigset_t set;
    int signal;
    (void)unused;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGTERM);
    sigwait(&set, &signal);
    return NULL;
}

static void *meets(void *unused) {
    (void)unused;
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void begin(void) {
    pause();
}

static void *is_once(void *unused) {
    (void)unused;
    pthread_once(&once, begin);
    return NULL;
}

static void *knows_a_word(void *unused) {
    (void)unused;
    syscall(SYS_futex, &futex, FUTEX_WAIT_PRIVATE, 7, NULL, NULL, 0);
    return NULL;
}

static void *hears(void *unused) {
    (void)unused;
    pthread_mutex_lock(&lock);
    pthread_cond_wait(&condition, &lock);
    return NULL;
}

static void *polls(void *unused) {
    struct pollfd fds[3];
    (void)unused;
    for (int i = 0; i < 3; i++) {
        fds[i] = (struct pollfd){.fd = ends[i][0], .events = POLLIN};
    }
    poll(fds, 3, -1);
    return NULL;
}

static void *polls_many(void *unused) {
    struct pollfd fds[12];
    (void)unused;
    for (int i = 0; i < 12; i++) {
        fds[i] = (struct pollfd){.fd = many[i][0], .events = POLLIN};
    }
    poll(fds, 12, -1);
    return NULL;
}

static void *selects(void *unused) {
    fd_set set;
    (void)unused;
    FD_ZERO(&set);
    FD_SET(ends[0][0], &set);
    FD_SET(pair[0], &set);
    select(FD_SETSIZE, &set, NULL, NULL, NULL);
    return NULL;
}

static void *loops(void *unused) {
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(0);
    (void)unused;
    epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0][0], &event);
    epoll_wait(epoll, &event, 1, -1);
    return NULL;
}

static void *accepts(void *unused) {
    (void)unused;
    accept(listener, NULL, NULL);
    return NULL;
}

static void *reads(void *unused) {
    char byte;
    (void)unused;
    return read(pair[0], &byte, 1) == 1 ? NULL : &byte;
}

static void *waits_for_child(void *unused) {
    int end[2];
    char byte;
    (void)unused;
    if (pipe(end) != 0) {
        return NULL;
    }
    pid_t child = fork();
    if (child == 0) {
        // It ends with its parent.
        close(end[1]);
        _exit((int)read(end[0], &byte, 1));
    }
    printf("child %d\n", child);
    waitpid(child, NULL, 0);
    return NULL;
}

static void start(const char *name, void *(*run)(void *)) {
    pthread_t thread;
    pthread_create(&thread, NULL, run, NULL);
    pthread_setname_np(thread, name);
}

int main(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char byte;
    sem_init(&semaphore, 0, 0);
    pthread_barrier_init(&barrier, NULL, 3);
    for (int i = 0; i < 12; i++) {
        if ((i < 3 && pipe(ends[i]) != 0) || pipe(many[i]) != 0) {
            return 1;
        }
    }
    // Without a name in any folder: it has a zero before it.
    int len = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "sylvan-waits-%d", getpid());
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1) != 0) {
        return 1;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
        return 1;
    }
    start("child", waits_for_child);
    start("begins", is_once);
    usleep(100000);
    start("semaphore", waits_for_it);
    start("pause", pauses);
    start("sigsuspend", suspends);
    start("sigwait", takes_signals);
    start("meets-one", meets);
    start("meets-other", meets);
    start("once", is_once);
    start("futex", knows_a_word);
    start("condition", hears);
    start("poll", polls);
    start("poll-many", polls_many);
    start("select", selects);
    start("epoll", loops);
    start("accept", accepts);
    start("pair", reads);
    usleep(300000);
    printf("semaphore %p\nbarrier %p\nonce %p\nfutex %p\n", (void *)&semaphore, (void *)&barrier,
           (void *)&once, (void *)&futex);
    printf("condition %p\n", (void *)&condition);
    printf("listener @sylvan-waits-%d\npair %d %d\n", getpid(), pair[0], pair[1]);
    printf("pipes %d %d %d %d %d %d\n", ends[0][0], ends[0][1], ends[1][0], ends[1][1], ends[2][0],
           ends[2][1]);
    printf("many %d\nready\n", many[0][0]);
    fflush(stdout);
    return (int)read(0, &byte, 1);
}
