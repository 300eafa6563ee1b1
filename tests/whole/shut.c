/* Writers of a Unix stream that has room for a part: writing is shut down meanwhile. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static char much[1 << 22];
static int ends[2];
static atomic_int begun;

static void *writes(void *unused)
{
    atomic_fetch_add(&begun, 1);
    send(ends[0], much, sizeof much, MSG_NOSIGNAL);
    return unused;
}

int main(void)
{
    for (int round = 0; round < 300; round++) {
        int n = round % 4 == 0 ? 4 : 1;
        pthread_t threads[4];
        atomic_store(&begun, 0);
        socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
        for (int i = 0; i < n; i++)
            pthread_create(&threads[i], NULL, writes, NULL);
        while (!atomic_load(&begun))
            ;
        for (volatile int i = 0; i < round % 40 * 1500; i++)
            ;
        shutdown(ends[0], SHUT_WR);
        for (int i = 0; i < n; i++)
            pthread_join(threads[i], NULL);
        close(ends[0]);
        close(ends[1]);
    }
    puts("all writers have ended");
    return 0;
}
