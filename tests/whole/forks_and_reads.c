/* A thread forks twice. One child reads a pipe that stays empty, the other one waits for a signal: what those see who
   look at them from outside. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static int ends[2];

static void *forks(void *unused)
{
    char byte;
    pid_t reads, pauses;
    if ((reads = fork()) == 0)
        _exit((int)read(ends[0], &byte, 1));
    if ((pauses = fork()) == 0)
        _exit(pause());
    printf("reads %d\npauses %d\nready\n", reads, pauses);
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
