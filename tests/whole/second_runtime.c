/* A program with threads that loads a library which has a runtime in it, and uses it from main and from
 * threads, old and new. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int (*library_works)(void);
static pthread_barrier_t barrier;

static void *works(void *argument)
{
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    *(int *)argument = library_works();
    return argument;
}

static void *works_at_once(void *argument)
{
    *(int *)argument = library_works();
    return argument;
}

int main(int argc, char **argv)
{
    pthread_t old[4], new[4];
    int found[8] = { 0 }, sum = 0;
    pthread_barrier_init(&barrier, NULL, 5);
    for (int i = 0; i < 4; i++)
        pthread_create(&old[i], NULL, works, &found[i]);
    pthread_barrier_wait(&barrier);
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (library == NULL) {
        printf("nothing loaded: %s\n", dlerror());
        return 1;
    }
    void *found_function = dlsym(library, "library_works");
    memcpy(&library_works, &found_function, sizeof found_function);
    printf("main: %d\n", library_works());
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 4; i++)
        pthread_create(&new[i], NULL, works_at_once, &found[4 + i]);
    for (int i = 0; i < 4; i++) {
        pthread_join(old[i], NULL);
        pthread_join(new[i], NULL);
        sum += found[i] + found[4 + i];
    }
    printf("threads: %d\n", sum);
    return 0;
}
