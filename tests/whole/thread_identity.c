// Who a thread is: numbers, names, stacks and attributes, asked by itself and by others.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int tid, go;
static _Atomic(char *) frame;

static void *stays(void *argument) {
    char here;
    atomic_store(&frame, &here);
    atomic_store(&tid, gettid());
    while (!atomic_load(&go))
        sched_yield();
    printf("same number %d %d\n", gettid() == atomic_load(&tid), syscall(SYS_gettid) == gettid());
    char name[16];
    pthread_getname_np(pthread_self(), name, sizeof name);
    printf("is called %s\n", name);
    return argument;
}

static int numbers[1000];

static void *numbered(void *number) {
    *(int *)number = gettid();
    return NULL;
}

// One after the other, and yet no two have the same number.
static int have_numbers_of_their_own(void) {
    const int n = sizeof numbers / sizeof *numbers;
    for (int i = 0; i < n; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, numbered, &numbers[i]);
        pthread_join(thread, NULL);
        for (int j = 0; j < i; j++)
            if (numbers[i] == numbers[j])
                return 0;
    }
    return 1;
}

static void *nothing(void *argument) { return argument; }

int main(void) {
    pthread_t thread;
    pthread_attr_t attributes;
    char name[16];
    void *lowest;
    size_t size;
    int state, policy;
    struct sched_param param;

    pthread_setname_np(pthread_self(), "parent");
    pthread_create(&thread, NULL, stays, NULL);
    printf("attributes %d", pthread_getattr_np(thread, &attributes));
    pthread_attr_getstack(&attributes, &lowest, &size);
    pthread_attr_getdetachstate(&attributes, &state);
    while (!atomic_load(&tid))
        sched_yield();
    printf(" %d %d\n", frame > (char *)lowest && frame < (char *)lowest + size, state);
    pthread_attr_destroy(&attributes);
    printf("other number %d\n", tid != gettid() && gettid() == getpid());
    printf("name %d", pthread_getname_np(thread, name, sizeof name));
    printf(" %s\n", name);
    printf("too long %d\n", pthread_setname_np(thread, "0123456789abcdef"));
    printf("too short %d\n", pthread_getname_np(thread, name, 3));
    printf("set %d\n", pthread_setname_np(thread, "child"));
    pthread_getname_np(pthread_self(), name, sizeof name);
    printf("mine %s\n", name);
    printf("scheduled %d", pthread_getschedparam(thread, &policy, &param));
    printf(" %d %d\n", policy == SCHED_OTHER, param.sched_priority);
    cpu_set_t set;
    printf("processors %d\n", pthread_getaffinity_np(thread, sizeof set, &set));
    atomic_store(&go, 1);
    pthread_join(thread, NULL);

    printf("numbers of their own %d\n", have_numbers_of_their_own());

    // What an OS thread alone can have.
    static char stack[1 << 18] __attribute__((aligned(4096)));
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, sizeof stack);
    atomic_store(&go, 1);
    int error = pthread_create(&thread, &attributes, stays, NULL);
    pthread_join(thread, NULL);
    printf("own stack %d, there %d\n", error, frame > stack && frame < stack + sizeof stack);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    printf("detached %d\n", pthread_create(&thread, &attributes, nothing, NULL));
    return 0;
}
