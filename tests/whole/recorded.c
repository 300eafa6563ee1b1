// Threads that are named by themselves and by others, for a recording of the run; the same in a child that it
// forks. With an argument it ends by that signal.

#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *by_itself(void *name) {
    pthread_setname_np(pthread_self(), "at first");
    usleep(5000);
    pthread_setname_np(pthread_self(), name);
    usleep(20000);
    return NULL;
}

static void *by_another(void *unused) {
    (void)unused;
    usleep(20000);
    return NULL;
}

static void threads(const char *one, const char *other) {
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, by_itself, (void *)one);
    pthread_create(&threads[1], NULL, by_another, NULL);
    usleep(5000);
    pthread_setname_np(threads[1], other);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

int main(int n, char **arguments) {
    int status = 1;
    threads("by itself", "by another");
    if (n > 1) {
        kill(getpid(), atoi(arguments[1]));
        pause();
    }
    pid_t child = fork();
    if (child == 0) {
        threads("in the child", "of the child");
        return 0;
    }
    waitpid(child, &status, 0);
    printf("%d\n", child);
    return status;
}
