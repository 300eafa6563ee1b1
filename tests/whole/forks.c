/* Forks of a program with threads: in main, and in a thread. The child has one thread, may start others, and
 * may allocate; handlers of forks run; what executes another program touches nothing. */
#define _GNU_SOURCE
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int before, in_parent, in_child;
static volatile int over;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void on_before(void) { before++; }
static void on_parent(void) { in_parent++; }
static void on_child(void) { in_child++; }

static void *nothing(void *argument)
{
    return argument;
}

/* Keeps allocators, a lock and the start of threads busy while others fork. */
static void *busy(void *argument)
{
    while (!over) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, nothing, NULL) == 0)
            pthread_join(thread, NULL);
        pthread_mutex_lock(&lock);
        free(malloc(100));
        pthread_mutex_unlock(&lock);
        usleep(100);
    }
    return argument;
}

static void *work(void *argument)
{
    char *text = malloc(1000);
    memset(text, 'x', 999);
    text[999] = 0;
    *(size_t *)argument += strlen(text);
    free(text);
    return argument;
}

/* What the child does: five threads, one after the other and at a time. */
static int child_works(pthread_t parent)
{
    size_t sums[5] = { 0 };
    pthread_t threads[5];
    for (int i = 0; i < 5; i++)
        if (pthread_create(&threads[i], NULL, work, &sums[i]) != 0)
            return 1;
    for (int i = 0; i < 5; i++)
        if (pthread_join(threads[i], NULL) != 0 || sums[i] != 999)
            return 2;
    if (!pthread_equal(pthread_self(), parent))
        return 3;
    return in_child == 1 ? 40 : 4;
}

static int fork_and_wait(void)
{
    pthread_t self = pthread_self();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(child_works(self));
    int status;
    if (waitpid(child, &status, 0) != child)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void *forks(void *argument)
{
    *(int *)argument = fork_and_wait();
    return argument;
}

/* A child that goes on by itself: it ends as a process does. */
static void *forks_and_exits(void *argument)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        size_t sum = 0;
        pthread_create(&thread, NULL, work, &sum);
        pthread_join(thread, NULL);
        printf("the child has worked: %zu\n", sum);
        exit(6);
    }
    int status;
    waitpid(child, &status, 0);
    *(int *)argument = WEXITSTATUS(status);
    return argument;
}

static void *executes(void *argument)
{
    char *words[] = { "sh", "-c", "exit 9", NULL };
    pid_t child;
    int status;
    volatile int sum = 0;
    if (posix_spawn(&child, "/bin/sh", NULL, NULL, words, environ) == 0 && waitpid(child, &status, 0) == child)
        sum += WEXITSTATUS(status);
    child = vfork();
    if (child == 0) {
        execv("/bin/sh", words);
        _exit(127);
    }
    if (waitpid(child, &status, 0) == child)
        sum += WEXITSTATUS(status);
    *(int *)argument = sum;
    return argument;
}

int main(void)
{
    pthread_atfork(on_before, on_parent, on_child);
    pthread_t others[20], thread;
    for (int i = 0; i < 20; i++)
        pthread_create(&others[i], NULL, busy, NULL);

    printf("main: %d\n", fork_and_wait());
    int found = 0;
    pthread_create(&thread, NULL, forks, &found);
    pthread_join(thread, NULL);
    printf("a thread: %d\n", found);
    pthread_create(&thread, NULL, forks_and_exits, &found);
    pthread_join(thread, NULL);
    printf("a thread whose child exits: %d\n", found);

    /* Many at a time. */
    pthread_t threads[16];
    int all[16], sum = 0;
    for (int i = 0; i < 16; i++)
        pthread_create(&threads[i], NULL, forks, &all[i]);
    for (int i = 0; i < 16; i++) {
        pthread_join(threads[i], NULL);
        sum += all[i];
    }
    printf("sixteen threads: %d\n", sum);
    pthread_create(&thread, NULL, executes, &found);
    pthread_join(thread, NULL);
    printf("other programs: %d\n", found);

    over = 1;
    for (int i = 0; i < 20; i++)
        pthread_join(others[i], NULL);
    printf("handlers: %d %d %d\n", before, in_parent, in_child);
    return 0;
}
