// A thousand threads that wait; prints how many OS threads there are meanwhile, if asked by an argument.
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { COUNT = 1000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t here = PTHREAD_COND_INITIALIZER, go = PTHREAD_COND_INITIALIZER;
static int waiting, may_go;

static void *waits(void *argument) {
    pthread_mutex_lock(&mutex);
    if (++waiting == COUNT)
        pthread_cond_signal(&here);
    while (!may_go)
        pthread_cond_wait(&go, &mutex);
    pthread_mutex_unlock(&mutex);
    return argument;
}

static int os_threads(void) {
    char line[256];
    int count = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status))
        sscanf(line, "Threads: %d", &count);
    fclose(status);
    return count;
}

int main(int argc, char **argv) {
    pthread_t threads[COUNT];
    for (int i = 0; i < COUNT; i++)
        if (pthread_create(&threads[i], NULL, waits, NULL))
            return 1;
    pthread_mutex_lock(&mutex);
    while (waiting < COUNT)
        pthread_cond_wait(&here, &mutex);
    if (argc > 1 && !strcmp(argv[1], "count"))
        printf("%d\n", os_threads());
    may_go = 1;
    pthread_cond_broadcast(&go);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < COUNT; i++)
        pthread_join(threads[i], NULL);
    printf("all\n");
    return 0;
}
