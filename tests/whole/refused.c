// Starts a thread, and prints what that has come to.
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void *does_nothing(void *unused) { return unused; }

int main(void) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, does_nothing, NULL);
    printf("%s\n", error == 0 ? "started" : strerror(error));
    return error == 0 ? pthread_join(thread, NULL) : 0;
}
