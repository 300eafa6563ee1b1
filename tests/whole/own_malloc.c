/* A program with an allocator of its own, which takes a mutex and sleeps now and then while it has it. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define THREADS 300
#define ROUNDS 100

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char space[256 << 20] __attribute__((aligned(64)));
static size_t used;
static unsigned long calls;
static __thread int in_thread;

struct head {
    size_t size;
    size_t unused;
};

static void *take(size_t size, size_t align)
{
    pthread_mutex_lock(&lock);
    calls++;
    if (in_thread && calls % 256 == 0)
        usleep(100);
    size_t at = (used + sizeof(struct head) + align - 1) & ~(align - 1);
    used = at + size;
    void *block = space + at;
    int full = used > sizeof space;
    pthread_mutex_unlock(&lock);
    if (full) {
        errno = ENOMEM;
        return NULL;
    }
    ((struct head *)block)[-1].size = size;
    return block;
}

void *malloc(size_t size)
{
    return take(size, 16);
}

void free(void *block)
{
    if (block == NULL)
        return;
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
}

void *calloc(size_t n, size_t size)
{
    void *block = take(n * size, 16);
    return block == NULL ? NULL : memset(block, 0, n * size);
}

void *realloc(void *block, size_t size)
{
    void *new = take(size, 16);
    if (block != NULL && new != NULL) {
        size_t before = ((struct head *)block)[-1].size;
        memcpy(new, block, before < size ? before : size);
    }
    return new;
}

void *memalign(size_t align, size_t size)
{
    return take(size, align < 16 ? 16 : align);
}

void *aligned_alloc(size_t align, size_t size)
{
    return memalign(align, size);
}

int posix_memalign(void **block, size_t align, size_t size)
{
    *block = memalign(align, size);
    return *block == NULL ? ENOMEM : 0;
}

static void *work(void *argument)
{
    in_thread = 1;
    size_t number = (size_t)(uintptr_t)argument, sum = 0;
    for (size_t i = 0; i < ROUNDS; i++) {
        unsigned char *block = malloc(16 + number % 64);
        __asm__ volatile("" : "+r"(block)); /* Or the compiler needs no memory. */
        memset(block, (int)number, 16);
        sum += block[15] == (unsigned char)number;
        free(block);
    }
    return (void *)(uintptr_t)sum;
}

int main(void)
{
    static pthread_t threads[THREADS];
    size_t sum = 0;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < THREADS; i++)
            if (pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i) != 0)
                return 1;
        for (size_t i = 0; i < THREADS; i++) {
            void *found;
            pthread_join(threads[i], &found);
            sum += (size_t)(uintptr_t)found;
        }
    }
    printf("%zu\n", sum);
    return 0;
}
