/* A thread whose calls find everything at once, and are asked not to wait: how many requests it has had when another
   thread runs that was started before the first of them. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

static atomic_int ran;

static void *runs(void *unused)
{
    atomic_store(&ran, 1);
    return unused;
}

static void *talks_to_itself(void *unused)
{
    int pair[2], requests = 0;
    char byte = 0;
    pthread_t other;
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    pthread_create(&other, NULL, runs, NULL);
    while (!atomic_load(&ran)) {
        send(pair[0], &byte, 1, MSG_DONTWAIT);
        recv(pair[1], &byte, 1, MSG_DONTWAIT);
        requests++;
    }
    pthread_join(other, NULL);
    printf("%d\n", requests);
    return unused;
}

int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, talks_to_itself, NULL);
    pthread_join(thread, NULL);
    return 0;
}
