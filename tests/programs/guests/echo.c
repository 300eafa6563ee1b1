/* An echo server, a thread for each client: echo PORT. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void *serve(void *arg) {
    int client = (int)(intptr_t)arg;
    char buffer[4096];
    ssize_t n;
    while ((n = recv(client, buffer, sizeof buffer, 0)) > 0)
        if (send(client, buffer, n, MSG_NOSIGNAL) != n) break;
    close(client);
    return NULL;
}

int main(int argc, char **argv) {
    int on = 1, server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 37564)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(server, (struct sockaddr *)&at, sizeof at) || listen(server, 4096)) return 1;
    for (;;) {
        int client = accept(server, NULL, NULL);
        pthread_t thread;
        if (client < 0) return 2;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)client)) return 3;
        pthread_detach(thread);
    }
}
