// Two threads that wait, for those who look at the program from outside; and one in a child that it forks. With an
// argument the first thread ends.

#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int pipe_of[2];

static void *reads(void *unused) {
    char byte;
    (void)unused;
    pthread_setname_np(pthread_self(), "reads a pipe");
    return read(pipe_of[0], &byte, 1) == 1 ? NULL : &lock;
}

static void *locks(void *unused) {
    (void)unused;
    pthread_mutex_lock(&lock);
    return NULL;
}

int main(int argc, char **argv) {
    (void)argv;
    pthread_t reader, locker;
    char byte;
    if (pipe(pipe_of) != 0) {
        return 1;
    }
    pthread_mutex_lock(&lock);
    pthread_create(&reader, NULL, reads, NULL);
    pthread_create(&locker, NULL, locks, NULL);
    usleep(300000);
    pid_t child = fork();
    if (child == 0) {
        pthread_create(&reader, NULL, reads, NULL);
        return (int)read(0, &byte, 1);
    }
    usleep(300000);
    printf("child %d\n", child);
    printf("descriptor %d\nlock %p\nready\n", pipe_of[0], (void *)&lock);
    fflush(stdout);
    if (argc > 1) {
        pthread_exit(NULL);
    }
    return (int)read(0, &byte, 1);
}
