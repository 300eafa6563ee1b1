// Semaphores: values, deadlines, handlers that post and that interrupt, shared and named ones.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAY(call) do { errno = 0; int result = call; printf("%s: %d %s\n", #call, result, errno ? strerrorname_np(errno) : "0"); } while (0)

static struct timespec in(clockid_t clock, long ms) {
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static sem_t items, slots, done, by_handler;
static int n_taken;
enum { N = 5000 };

static void *put(void *unused) {
    for (int i = 0; i < N; i++) {
        sem_wait(&slots);
        sem_post(&items);
    }
    return unused;
}
static void *take(void *unused) {
    for (int i = 0; i < N; i++) {
        struct timespec late = in(CLOCK_REALTIME, 60000);
        if (i % 3 == 0) sem_timedwait(&items, &late);
        else if (i % 3 == 1 || sem_trywait(&items)) sem_wait(&items);
        __atomic_fetch_add(&n_taken, 1, __ATOMIC_RELAXED);
        sem_post(&slots);
    }
    return unused;
}
static void *await_handler(void *unused) {
    for (int i = 0; i < 20; i++) sem_wait(&by_handler);
    sem_post(&done);
    return unused;
}
static void post(int signal) {
    (void)signal;
    int before = errno;
    sem_post(&by_handler);
    errno = before;
}
static void nothing(int signal) { (void)signal; }
static void *post_later(void *semaphore) {
    usleep(30000);
    sem_post(semaphore);
    return NULL;
}

int main(void) {
    pthread_t threads[8];
    SAY(sem_init(&items, 0, UINT_MAX));
    SAY(sem_init(&items, 0, SEM_VALUE_MAX));
    SAY(sem_post(&items));
    SAY(sem_init(&items, 0, 0));
    SAY(sem_trywait(&items));
    struct timespec past = {0, 0}, wrong = {0, -1}, soon = in(CLOCK_REALTIME, 30);
    SAY(sem_timedwait(&items, &past));
    SAY(sem_timedwait(&items, &wrong));
    SAY(sem_timedwait(&items, &soon));
    soon = in(CLOCK_MONOTONIC, 30);
    SAY(sem_clockwait(&items, CLOCK_MONOTONIC, &soon));
    SAY(sem_clockwait(&items, CLOCK_PROCESS_CPUTIME_ID, &soon));
    SAY(sem_post(&items));
    SAY(sem_timedwait(&items, &past));

    sem_init(&slots, 0, 2);
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, i % 2 ? put : take, NULL);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    int left;
    sem_getvalue(&items, &left);
    printf("taken %d, left %d\n", n_taken, left);

    sem_init(&by_handler, 0, 0);
    sem_init(&done, 0, 0);
    struct sigaction action = {.sa_handler = post};
    sigaction(SIGUSR1, &action, NULL);
    pthread_create(&threads[0], NULL, await_handler, NULL);
    for (int i = 0; i < 20; i++) raise(SIGUSR1);
    SAY(sem_wait(&done));
    pthread_join(threads[0], NULL);

    action.sa_handler = nothing;
    sigaction(SIGALRM, &action, NULL);
    ualarm(30000, 0);
    SAY(sem_wait(&items));
    ualarm(30000, 0);
    soon = in(CLOCK_REALTIME, 10000);
    SAY(sem_timedwait(&items, &soon));
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    ualarm(10000, 0);
    pthread_create(&threads[0], NULL, post_later, &items);
    SAY(sem_wait(&items));
    pthread_join(threads[0], NULL);

    sem_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    SAY(sem_init(shared, 1, 0));
    fflush(stdout);
    if (fork() == 0) {
        usleep(30000);
        _exit(sem_post(shared));
    }
    SAY(sem_wait(shared));
    wait(NULL);
    pthread_create(&threads[0], NULL, post_later, shared);
    SAY(sem_wait(shared));
    pthread_join(threads[0], NULL);

    char path[64];
    snprintf(path, sizeof path, "/sylvan-%d", getpid());
    sem_t *named = sem_open(path, O_CREAT | O_EXCL, 0600, 0);
    sem_unlink(path);
    pthread_create(&threads[0], NULL, post_later, named);
    SAY(sem_wait(named));
    pthread_join(threads[0], NULL);
    SAY(sem_close(named));
    SAY(sem_destroy(&items));
    return 0;
}
