/* A thread forks, and its child reads a pipe that stays empty: what those see who look at the child from outside. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static int ends[2];

static void *forks(void *unused)
{
    char byte;
    pid_t child = fork();
    if (child == 0)
        _exit((int)read(ends[0], &byte, 1));
    printf("child %d\nready\n", child);
    fflush(stdout);
    return unused;
}

int main(void)
{
    pthread_t thread;
    char byte;
    if (pipe(ends) != 0)
        return 1;
    pthread_create(&thread, NULL, forks, NULL);
    pthread_join(thread, NULL);
    return (int)read(0, &byte, 1);
}
