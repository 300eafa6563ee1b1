/* A child of a fork sets a timeout on a listener of its parent's: what it accepts has it. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int listener;

static void *nothing(void *unused) { return unused; }

static void *serves(void *unused)
{
    char byte;
    int accepted = accept(listener, NULL, NULL);
    ssize_t n = recv(accepted, &byte, 1, 0);
    printf("recv %zd, EAGAIN %d\n", n, errno == EAGAIN);
    fflush(stdout);
    return unused;
}

int main(void)
{
    pthread_t thread;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    pthread_create(&thread, NULL, nothing, NULL);
    pthread_join(thread, NULL);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr *)&address, sizeof address);
    listen(listener, 1);
    getsockname(listener, (struct sockaddr *)&address, &len);
    if (fork() == 0) {
        struct timeval timeout = {.tv_usec = 300000};
        setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address);
        pthread_create(&thread, NULL, serves, NULL);
        pthread_join(thread, NULL);
        _exit(0);
    }
    wait(NULL);
    return 0;
}
