/* For programs that have many threads wait at once. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* As many threads wait at once. */
enum { CROWD = 100 };

static inline double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static inline int os_threads(void) {
    DIR *tasks = opendir("/proc/self/task");
    int n = -2;
    while (readdir(tasks)) n++;
    closedir(tasks);
    return n;
}

/* Whether the crowd waits as it should: on few OS threads if it is green, else on as many. */
static inline const char *waits_well(void) {
    int n = 0;
    /* Some may still be on their way. */
    for (int look = 0; look < 300; look++) {
        n = os_threads();
        if (getenv("LD_PRELOAD") ? n < CROWD / 4 : n > CROWD) return "yes";
        usleep(10000);
    }
    fprintf(stderr, "%d OS threads\n", n);
    return "no";
}

/* Runs the function in so many threads, each with its number. */
static inline void start(pthread_t *threads, int n, void *(*run)(void *)) {
    for (long i = 0; i < n; i++) {
        int error = pthread_create(&threads[i], NULL, run, (void *)i);
        if (error) printf("pthread_create: %s\n", strerror(error));
    }
}

static inline long join(pthread_t *threads, int n) {
    long sum = 0;
    for (int i = 0; i < n; i++) {
        void *result;
        pthread_join(threads[i], &result);
        sum += (long)result;
    }
    return sum;
}

/* Runs it in one thread. */
static inline void *in_thread(void *(*run)(void *)) {
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, run, NULL);
    pthread_join(thread, &result);
    return result;
}

static inline const char *named(int error) {
    switch (error) {
    case 0: return "0";
    case EAGAIN: return "EAGAIN";
    case EBADF: return "EBADF";
    case ECHILD: return "ECHILD";
    case EFAULT: return "EFAULT";
    case EINTR: return "EINTR";
    case EINVAL: return "EINVAL";
    case ENOENT: return "ENOENT";
    case ETIMEDOUT: return "ETIMEDOUT";
    default: return strerror(error);
    }
}

/* Prints a call with its result, and its error if there is one. */
#define SAY(call)                                                                     \
    do {                                                                              \
        errno = 0;                                                                    \
        long result_ = (long)(call);                                                  \
        printf("%s: %ld%s%s\n", #call, result_, result_ == -1 ? " " : "",             \
               result_ == -1 ? named(errno) : "");                                    \
    } while (0)
