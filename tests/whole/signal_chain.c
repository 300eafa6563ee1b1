// Signals for the process, each sent when the handler of the one before says so: none is lost, though all threads but
// the one that computes have them blocked, and that one has, too, while its handler runs. One that is sent as it ends
// is its last.
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define N_ROUNDS 300

static sem_t handled[2];
static atomic_int is_over;
static atomic_int n_handled[2];
static pthread_spinlock_t spin;

static void on_signal(int signal)
{
    int i = signal == SIGUSR2;
    atomic_fetch_add(&n_handled[i], 1);
    sem_post(&handled[i]);
}

static void on_alarm(int signal)
{
    (void)signal;
    pthread_exit((void *)3);
}

static void *compute(void *argument)
{
    (void)argument;
    sigset_t open;
    sigemptyset(&open);
    sigaddset(&open, SIGUSR1);
    sigaddset(&open, SIGUSR2);
    pthread_sigmask(SIG_UNBLOCK, &open, NULL);
    while (!atomic_load(&is_over))
        ;
    return NULL;
}

static void *chain(void *argument)
{
    int i = argument != NULL;
    for (int n = 0; n < N_ROUNDS; n++) {
        kill(getpid(), i ? SIGUSR2 : SIGUSR1);
        sem_wait(&handled[i]);
    }
    return NULL;
}

static void *want_spin(void *argument)
{
    (void)argument;
    sigset_t open;
    sigemptyset(&open);
    sigaddset(&open, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &open, NULL);
    pthread_spin_lock(&spin);
    return NULL;
}

int main(void)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGUSR2);
    sigaddset(&blocked, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, NULL);
    sem_init(&handled[0], 0, 0);
    sem_init(&handled[1], 0, 0);

    pthread_t computes, chains[2], spins;
    pthread_create(&computes, NULL, compute, NULL);
    pthread_create(&chains[0], NULL, chain, NULL);
    pthread_create(&chains[1], NULL, chain, &handled[1]);
    pthread_join(chains[0], NULL);
    pthread_join(chains[1], NULL);
    atomic_store(&is_over, 1);
    pthread_join(computes, NULL);
    printf("handled: %d and %d\n", n_handled[0], n_handled[1]);

    // Who waits for a spin lock is interrupted by signals, and may exit from the handler.
    void *result;
    pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
    pthread_spin_lock(&spin);
    pthread_create(&spins, NULL, want_spin, NULL);
    usleep(50000);
    kill(getpid(), SIGALRM);
    pthread_join(spins, &result);
    printf("left the spin lock: %ld\n", (long)result);
    return 0;
}
