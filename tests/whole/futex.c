// Futexes by number: results, errors, who is woken.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAY(call) do { errno = 0; long result = call; printf("%s: %ld %s\n", #call, result, errno ? strerrorname_np(errno) : "0"); } while (0)

static long futex(void *word, int op, uint32_t value, const void *time, void *word2, uint32_t value3) {
    return syscall(SYS_futex, word, op, value, time, word2, value3);
}
static struct timespec in(clockid_t clock, long ms) {
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static uint32_t word, other, started, n_woken;
static int flag;
static void *wait_there(void *unused) {
    __atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == 0) futex(&word, FUTEX_WAIT | flag, 0, NULL, NULL, 0);
    __atomic_fetch_add(&n_woken, 1, __ATOMIC_SEQ_CST);
    return unused;
}
static void *wait_for_bits(void *bits) {
    __atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == 0)
        futex(&word, FUTEX_WAIT_BITSET | flag, 0, NULL, NULL, (uint32_t)(uintptr_t)bits);
    __atomic_fetch_add(&n_woken, 1, __ATOMIC_SEQ_CST);
    return NULL;
}
static void begin(pthread_t *threads, int n, void *(*wait)(void *)) {
    word = other = started = n_woken = 0;
    for (long i = 0; i < n; i++) pthread_create(&threads[i], NULL, wait, (void *)(1L << i));
    while (__atomic_load_n(&started, __ATOMIC_SEQ_CST) < (uint32_t)n) usleep(1000);
    usleep(30000);
}
static void end(pthread_t *threads, int n) {
    for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
    printf("woken %u\n", n_woken);
}
static void *ping(void *words) {
    uint32_t *shared = words;
    for (int i = 0; i < 1000; i++) {
        while (__atomic_load_n(&shared[0], __ATOMIC_SEQ_CST) != 1) futex(&shared[0], FUTEX_WAIT | flag, 0, NULL, NULL, 0);
        __atomic_store_n(&shared[0], 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&shared[1], 1, __ATOMIC_SEQ_CST);
        futex(&shared[1], FUTEX_WAKE | flag, 1, NULL, NULL, 0);
    }
    return NULL;
}
static void pong(uint32_t *shared) {
    for (int i = 0; i < 1000; i++) {
        __atomic_store_n(&shared[0], 1, __ATOMIC_SEQ_CST);
        futex(&shared[0], FUTEX_WAKE | flag, 1, NULL, NULL, 0);
        while (__atomic_load_n(&shared[1], __ATOMIC_SEQ_CST) != 1) futex(&shared[1], FUTEX_WAIT | flag, 0, NULL, NULL, 0);
        __atomic_store_n(&shared[1], 0, __ATOMIC_SEQ_CST);
    }
}

int main(void) {
    pthread_t threads[4];
    struct timespec none = {0, 0}, brief = {0, 30000000}, wrong = {0, 1000000000}, before = {-1, 0};
    for (int i = 0; i < 2; i++) {
        flag = i ? 0 : FUTEX_PRIVATE_FLAG;
        printf("--- %s\n", i ? "not said to be private" : "private");
        word = 0;
        SAY(futex(&word, FUTEX_WAIT | flag, 1, NULL, NULL, 0));
        SAY(futex(&word, FUTEX_WAIT | flag, 0, &none, NULL, 0));
        SAY(futex(&word, FUTEX_WAIT | flag, 0, &brief, NULL, 0));
        SAY(futex(&word, FUTEX_WAIT | flag, 0, &wrong, NULL, 0));
        SAY(futex(&word, FUTEX_WAIT | flag, 0, &before, NULL, 0));
        SAY(futex(&word, FUTEX_WAIT_BITSET | flag, 0, &none, NULL, 1));
        SAY(futex(&word, FUTEX_WAIT_BITSET | flag, 0, NULL, NULL, 0));
        struct timespec soon = in(CLOCK_MONOTONIC, 30);
        SAY(futex(&word, FUTEX_WAIT_BITSET | flag, 0, &soon, NULL, ~0));
        soon = in(CLOCK_REALTIME, 30);
        SAY(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME | flag, 0, &soon, NULL, ~0));
        SAY(futex(&word, FUTEX_WAIT_BITSET | flag, 0, &before, NULL, ~0));
        SAY(futex((char *)&word + 1, FUTEX_WAIT | flag, 0, NULL, NULL, 0));
        SAY(futex((char *)&word + 1, FUTEX_WAKE | flag, 1, NULL, NULL, 0));
        SAY(futex(NULL, FUTEX_WAIT | flag, 0, NULL, NULL, 0));
        SAY(futex(&word, FUTEX_WAKE | flag, 1, NULL, NULL, 0));
        SAY(futex(&word, FUTEX_WAKE_BITSET | flag, 1, NULL, NULL, 0));
        SAY(futex(&word, FUTEX_CMP_REQUEUE | flag, 1, NULL, &other, 5));
        SAY(futex(&word, 77 | flag, 1, NULL, &other, 5));

        begin(threads, 3, wait_there);
        word = 1;
        SAY(futex(&word, FUTEX_WAKE | flag, 2, NULL, NULL, 0));
        SAY(futex(&word, FUTEX_WAKE | flag, 100, NULL, NULL, 0));
        SAY(futex(&word, FUTEX_WAKE | flag, 1, NULL, NULL, 0));
        end(threads, 3);

        begin(threads, 3, wait_for_bits);
        word = 1;
        long all = 0;
        for (int bits = 0; bits < 3; bits++) all += futex(&word, FUTEX_WAKE_BITSET | flag, 100, NULL, NULL, 1 << bits);
        printf("by their bits %ld\n", all);
        end(threads, 3);

        begin(threads, 4, wait_there);
        word = 1;
        SAY(futex(&word, FUTEX_CMP_REQUEUE | flag, 1, (void *)100L, &other, 1));
        futex(&other, FUTEX_WAKE | flag, 100, NULL, NULL, 0);
        end(threads, 4);

        begin(threads, 2, wait_there);
        SAY(futex(&other, FUTEX_WAKE_OP | flag, 1, (void *)100L, &word, FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0)));
        printf("word %u\n", word);
        end(threads, 2);

        uint32_t words[2] = {0, 0};
        pthread_create(&threads[0], NULL, ping, words);
        pong(words);
        pthread_join(threads[0], NULL);
        puts("to and fro");
    }
    uint32_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_create(&threads[0], NULL, ping, shared);
    pong(shared);
    pthread_join(threads[0], NULL);
    fflush(stdout);
    if (fork() == 0) {
        pong(shared);
        _exit(0);
    }
    pthread_create(&threads[0], NULL, ping, shared);
    pthread_join(threads[0], NULL);
    wait(NULL);
    puts("to another process and back");
    return 0;
}
