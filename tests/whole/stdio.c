// Streams and named pipes: whoever waits there holds nobody up.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OTHERS = 20 };
static int is_over, n_steps;
static ssize_t from_pipe, at_end = -1;
static FILE *stream;
static char path[64];

static void *steps(void *unused)
{
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        usleep(1000);
        __atomic_add_fetch(&n_steps, 1, __ATOMIC_SEQ_CST);
    }
    return unused;
}

static void *gets_line(void *unused)
{
    char line[64];
    if (!fgets(line, sizeof line, stream))
        abort();
    printf("a line: %s", line);
    return unused;
}

static void *gets_input(void *unused)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n = getline(&line, &room, stdin);
    printf("the input: %zd %s", n, line);
    free(line);
    return unused;
}

static void *opens(void *unused)
{
    int fd = open(path, O_RDONLY);
    char buffer[8];
    from_pipe = read(fd, buffer, sizeof buffer);
    at_end = read(fd, buffer, sizeof buffer);
    close(fd);
    return unused;
}

static int go_on(void)
{
    int before = __atomic_load_n(&n_steps, __ATOMIC_SEQ_CST);
    usleep(300000);
    return __atomic_load_n(&n_steps, __ATOMIC_SEQ_CST) - before > OTHERS;
}

static void *all(void *input)
{
    pthread_t others[OTHERS], waits[8];
    int pipes[2];
    if (pipe(pipes))
        abort();
    stream = fdopen(pipes[0], "r");
    for (int i = 0; i < OTHERS; i++)
        pthread_create(&others[i], NULL, steps, NULL);
    // Eight wait for the stream's lock, one of them in the kernel.
    for (int i = 0; i < 8; i++)
        pthread_create(&waits[i], NULL, gets_line, NULL);
    printf("beside a stream: %d\n", go_on());
    for (int i = 0; i < 8; i++)
        if (write(pipes[1], "line\n", 5) != 5)
            abort();
    for (int i = 0; i < 8; i++)
        pthread_join(waits[i], NULL);
    fclose(stream), close(pipes[1]);
    pthread_create(&waits[0], NULL, gets_input, NULL);
    printf("beside the input: %d\n", go_on());
    if (write(*(int *)input, "typed\n", 6) != 6)
        abort();
    pthread_join(waits[0], NULL);
    snprintf(path, sizeof path, "/tmp/whole-stdio-%d", getpid());
    if (mkfifo(path, 0600))
        abort();
    pthread_create(&waits[0], NULL, opens, NULL);
    printf("beside an open: %d\n", go_on());
    FILE *to = fopen(path, "w");
    printf("beside a read: %d\n", go_on());
    fputs("bytes", to);
    fflush(to);
    printf("beside its end: %d\n", go_on());
    fclose(to);
    pthread_join(waits[0], NULL);
    unlink(path);
    printf("a named pipe: %zd, its end: %zd\n", from_pipe, at_end);
    __atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < OTHERS; i++)
        pthread_join(others[i], NULL);
    return NULL;
}

int main(void)
{
    int pipes[2];
    pthread_t thread;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (pipe(pipes) || dup2(pipes[0], 0) < 0)
        abort();
    pthread_create(&thread, NULL, all, &pipes[1]);
    pthread_join(thread, NULL);
    return 0;
}
