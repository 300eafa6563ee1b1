/* Look-ups of hosts, by a crowd at the same time and by one thread over and over: what each list has. */
#define _GNU_SOURCE
#include "waiting.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

static const char *nodes[] = {"localhost", "LOCALHOST", "127.0.0.1", "::1", "127.1", "*", "", NULL};
static const char *services[] = {NULL, "80", "65535", "65536", "http", "no service", "+80", "*"};
static const int flags[] = {0, AI_PASSIVE, AI_NUMERICSERV, AI_CANONNAME, AI_ADDRCONFIG | AI_V4MAPPED, AI_NUMERICHOST, -1};
static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX};
static const int kinds[] = {0, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, 99};

#define EACH(name, all) for (unsigned name = 0; name < sizeof all / sizeof *all; name++)

/* What a look-up says, as text. */
static void look_up(const char *node, const char *service, const struct addrinfo *hints, char *text, size_t size) {
    struct addrinfo *found = NULL;
    int code = getaddrinfo(node, service, hints, &found);
    size_t len = snprintf(text, size, "%d%s", code, code == EAI_SYSTEM ? strerror(errno) : "");
    for (struct addrinfo *one = found; !code && one; one = one->ai_next) {
        char address[INET6_ADDRSTRLEN] = "", zeros[sizeof(struct sockaddr_in6)] = "";
        struct sockaddr_in *v4 = (void *)one->ai_addr;
        struct sockaddr_in6 *v6 = (void *)one->ai_addr;
        if (one->ai_family == AF_INET) inet_ntop(AF_INET, &v4->sin_addr, address, sizeof address);
        else inet_ntop(AF_INET6, &v6->sin6_addr, address, sizeof address);
        int rest = one->ai_family == AF_INET ? memcmp(v4->sin_zero, zeros, sizeof v4->sin_zero) : (int)(v6->sin6_scope_id + v6->sin6_flowinfo);
        len += snprintf(text + len, size - len, "; %s %d, %d, %d %d %d %d %d, %d, %s", address, ntohs(v4->sin_port), one->ai_addr->sa_family,
                        one->ai_flags, one->ai_family, one->ai_socktype, one->ai_protocol, one->ai_addrlen, rest,
                        one->ai_canonname ? one->ai_canonname : "no name");
    }
    if (!code) freeaddrinfo(found);
}

static void *all(void *unused) {
    EACH(n, nodes) EACH(s, services) EACH(f, flags) EACH(a, families) EACH(k, kinds) {
        /* Not in the hosts file everywhere: a name server would be asked. */
        if (nodes[n] && strcasecmp(nodes[n], "localhost") == 0 && families[a] == AF_INET6) continue;
        char text[2][4000];
        struct addrinfo hints = {.ai_flags = flags[f], .ai_family = families[a], .ai_socktype = kinds[k]};
        /* The second and the third may be answered in another way than the first. */
        for (int turn = 0; turn < 3; turn++) {
            look_up(nodes[n], services[s], &hints, text[turn > 0], sizeof *text);
            if (turn > 0 && strcmp(text[0], text[1])) printf("another answer: %s, %s\n", text[0], text[1]);
        }
        printf("%s %s %d %d %d: %s\n", nodes[n], services[s], flags[f], families[a], kinds[k], text[0]);
    }
    char text[4000];
    look_up("localhost", "80", NULL, text, sizeof text);
    printf("without hints: %s\n", text);
    return unused;
}

static pthread_barrier_t barrier;
static char answers[CROWD][4000];

static void *one_of_many(void *place) {
    struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM};
    pthread_barrier_wait(&barrier);
    look_up("localhost", "http", &hints, place, sizeof *answers);
    return NULL;
}

static void *many(void *unused) {
    pthread_t threads[CROWD];
    pthread_barrier_init(&barrier, NULL, CROWD);
    for (int i = 0; i < CROWD; i++) pthread_create(&threads[i], NULL, one_of_many, answers[i]);
    for (int i = 0; i < CROWD; i++) pthread_join(threads[i], NULL);
    int n = 0;
    for (int i = 0; i < CROWD; i++) n += !strcmp(answers[i], answers[0]);
    printf("%d the same: %s\n", n, answers[0]);
    return unused;
}

int main(void) {
    void *(*scenes[])(void *) = {all, many};
    EACH(s, scenes) {
        pthread_t thread;
        pthread_create(&thread, NULL, scenes[s], NULL);
        pthread_join(thread, NULL);
    }
}
