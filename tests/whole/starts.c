// Starts a thread, which says whether it is a green one: the number of such a thread is none of the kernel's.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *says(void *unused) {
    char task[64];
    snprintf(task, sizeof task, "/proc/self/task/%d", gettid());
    puts(access(task, F_OK) == 0 ? "an OS thread" : "a green thread");
    return unused;
}

int main(void) {
    pthread_t thread;
    return pthread_create(&thread, NULL, says, NULL) != 0 || pthread_join(thread, NULL) != 0;
}
