// Ends: cleanup handlers, the first thread's own, and the process after its last thread.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_key_t key;

static void say(void *what) { printf("%s\n", (char *)what); fflush(stdout); }
static void at_exit(void) { say("at exit"); }

static void inner(void) {
    pthread_cleanup_push(say, "inner");
    pthread_exit("result");
    pthread_cleanup_pop(0);
}

static void *outer(void *argument) {
    (void)argument;
    pthread_setspecific(key, "of the key");
    pthread_cleanup_push(say, "outer");
    inner();
    pthread_cleanup_pop(0);
    return NULL;
}

static void *later(void *argument) {
    usleep(200000);
    say("the last thread");
    return argument;
}

static void *exits(void *argument) {
    (void)argument;
    exit(3);
}

int main(int argc, char **argv) {
    pthread_t thread;
    void *result;
    atexit(at_exit);
    pthread_key_create(&key, say);
    if (argc > 1 && !strcmp(argv[1], "process")) {
        pthread_create(&thread, NULL, exits, NULL);
        pause();
    }
    pthread_create(&thread, NULL, outer, NULL);
    pthread_join(thread, &result);
    printf("joined: %s\n", (char *)result);
    if (argc > 1 && !strcmp(argv[1], "last")) {
        pthread_create(&thread, NULL, later, NULL);
        pthread_detach(thread);
    }
    pthread_setspecific(key, "of the first thread's key");
    pthread_cleanup_push(say, "first");
    pthread_exit(NULL);
    pthread_cleanup_pop(0);
}
