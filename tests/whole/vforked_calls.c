/* A child of a vfork makes calls that need not wait, as one does that tells its parent what has failed: no other thread
   of the parent's runs in it. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t process;
static atomic_int stop;
static int ends[2], good, rounds;

static void *looks(void *unused)
{
    while (!atomic_load(&stop)) {
        if (syscall(SYS_getpid) != process)
            _exit(99);
        sched_yield();
    }
    return unused;
}

static void *starts(void *unused)
{
    for (rounds = 0; rounds < 20; rounds++) {
        int status = 0;
        sched_yield();
        pid_t child = vfork();
        if (child == 0) {
            char byte = 0;
            for (int n = 0; n < 40; n++)
                if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
                    _exit(3);
            _exit(7);
        }
        waitpid(child, &status, 0);
        good += WIFEXITED(status) && WEXITSTATUS(status) == 7;
    }
    printf("good: %d\n", good);
    return unused;
}

int main(void)
{
    pthread_t thread, others[4];
    process = getpid();
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    for (int n = 0; n < 4; n++)
        pthread_create(&others[n], NULL, looks, NULL);
    pthread_create(&thread, NULL, starts, NULL);
    pthread_join(thread, NULL);
    atomic_store(&stop, 1);
    for (int n = 0; n < 4; n++)
        pthread_join(others[n], NULL);
    return 0;
}
