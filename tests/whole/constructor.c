/* Threads that start and end in constructors, and threads that run while the process ends. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *work(void *argument)
{
    *(int *)argument = 7;
    return argument;
}

static int heard(void)
{
    int found = 0;
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, &found) == 0)
        pthread_join(thread, NULL);
    return found;
}

__attribute__((constructor)) static void begin(void)
{
    printf("the constructor has heard %d\n", heard());
}

static void at_exit(void)
{
    printf("a handler at the end has heard %d\n", heard());
    fflush(stdout);
}

__attribute__((destructor)) static void end(void)
{
    printf("a destructor has heard %d\n", heard());
    fflush(stdout);
}

static volatile unsigned long counted;

static void *run(void *argument)
{
    (void)argument;
    for (;;)
        counted++;
    return NULL;
}

static void *sleeping(void *argument)
{
    (void)argument;
    for (;;)
        usleep(1000);
    return NULL;
}

static void *loads(void *path)
{
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL)
        printf("%s\n", dlerror());
    return NULL;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    atexit(at_exit);
    pthread_t thread;
    if (argc > 1) {
        pthread_create(&thread, NULL, loads, argv[1]);
        pthread_join(thread, NULL);
    }
    pthread_create(&thread, NULL, run, NULL);
    pthread_create(&thread, NULL, sleeping, NULL);
    while (counted == 0)
        usleep(1000);
    return 3;
}
