/* A shared library that waits by libc: for a time, for bytes, for a condition, for a thread of its own. */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

void waits_for(long ms)
{
    struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&time, NULL);
}

int waits_for_byte(int fd)
{
    unsigned char byte;
    return read(fd, &byte, 1) == 1 ? byte : -1;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int is_open;

void waits_until_open(void)
{
    pthread_mutex_lock(&lock);
    while (!is_open)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

void waits_open(void)
{
    pthread_mutex_lock(&lock);
    is_open = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void *twice(void *number)
{
    waits_for(10);
    *(int *)number *= 2;
    return number;
}

int waits_for_thread(int number)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, twice, &number) != 0)
        return -1;
    pthread_join(thread, NULL);
    return number;
}
