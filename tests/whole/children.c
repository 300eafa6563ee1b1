/* Children: how they are waited for, and started. */
#define _GNU_SOURCE
#include "waiting.h"
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;

/* A child that ends with this after that many milliseconds. */
static pid_t child(int status, int ms) {
    pid_t pid = fork();
    if (pid == 0) {
        if (ms < 0) pause();
        usleep(ms * 1000);
        _exit(status);
    }
    return pid;
}

static pid_t taken;
static void *take(void *unused) {
    (void)unused;
    long pid = waitpid(taken, NULL, 0);
    return (void *)(pid == taken ? 1L : pid == -1 && errno == ECHILD ? 10L : 100L);
}

static void *answers(void *unused) {
    int status = 0;
    struct rusage usage;
    siginfo_t info;
    pid_t pid = child(3, 30);
    SAY(waitpid(pid, &status, WNOHANG));
    SAY(waitpid(pid, &status, 0) == pid);
    printf("exited %d with %d\n", WIFEXITED(status), WEXITSTATUS(status));
    SAY(waitpid(pid, &status, 0));
    SAY(waitpid(-1, &status, 0));
    SAY(waitpid(getpid(), &status, 0));
    SAY(waitpid(pid, &status, 0x40000000 | 0x100));
    pid = child(0, -1);
    kill(pid, SIGTERM);
    SAY(wait4(pid, &status, 0, &usage) == pid);
    printf("signaled %d by %d, used %d\n", WIFSIGNALED(status), WTERMSIG(status), usage.ru_maxrss > 0);
    pid = child(5, 30);
    SAY(wait(&status) == pid);
    printf("exited with %d\n", WEXITSTATUS(status));
    pid = child(6, 30);
    SAY(wait3(&status, 0, &usage) == pid);
    pid = child(7, 30);
    SAY(waitpid(0, &status, 0) == pid);
    printf("exited with %d\n", WEXITSTATUS(status));
    pid = child(8, 30);
    SAY(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
    printf("%d %d %d\n", info.si_pid == pid, info.si_code == CLD_EXITED, info.si_status);
    SAY(waitid(P_PID, pid, &info, WEXITED));
    SAY(waitid(P_PID, pid, &info, WEXITED));
    pid = child(9, 30);
    info.si_pid = 5;
    SAY(waitid(P_ALL, 0, &info, WEXITED | WNOHANG));
    printf("none: %d\n", info.si_pid);
    SAY(waitid(P_ALL, 0, NULL, WEXITED));
    SAY(waitid(P_ALL, 0, &info, WEXITED));
    SAY(waitid(P_PID, 1, &info, 0));
    pid = child(10, 30);
    int pidfd = syscall(SYS_pidfd_open, pid, 0);
    SAY(waitid(P_PIDFD, pidfd, &info, WEXITED));
    printf("%d %d\n", info.si_pid == pid, info.si_status);
    close(pidfd);
    /* Stopped, and going on. */
    pid = child(0, -1);
    kill(pid, SIGSTOP);
    SAY(waitpid(pid, &status, WUNTRACED) == pid);
    printf("stopped %d\n", WIFSTOPPED(status));
    kill(pid, SIGCONT);
    SAY(waitpid(pid, &status, WCONTINUED) == pid);
    printf("goes on %d\n", WIFCONTINUED(status));
    /* One takes it, whichever is faster. */
    taken = pid;
    pthread_t threads[3];
    start(threads, 3, take);
    usleep(50000);
    kill(pid, SIGKILL);
    printf("one of three: %ld\n", join(threads, 3));
    SAY(waitpid(pid, &status, 0));
    /* By libc. */
    SAY(WEXITSTATUS(system("exit 4")));
    SAY(system(NULL));
    char line[40] = "";
    FILE *stream = popen("echo heard; exit 6", "r");
    if (!fgets(line, sizeof line, stream)) printf("nothing\n");
    printf("%s", line);
    SAY(WEXITSTATUS(pclose(stream)));
    char *argv[] = {"sh", "-c", "exit 12", NULL};
    SAY(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ));
    SAY(waitpid(pid, &status, 0) == pid);
    printf("exited with %d\n", WEXITSTATUS(status));
    SAY(posix_spawnp(&pid, "sh", NULL, NULL, argv, environ));
    SAY(waitpid(pid, &status, 0) == pid);
    SAY(posix_spawn(&pid, "/nothing", NULL, NULL, argv, environ) == ENOENT);
    return unused;
}

static void *one_each(void *number) {
    pid_t pid;
    int status = 0;
    char *argv[] = {"sleep", "0.7", NULL};
    if (posix_spawnp(&pid, "sleep", NULL, NULL, argv, environ)) return NULL;
    if ((long)number % 2) {
        siginfo_t info;
        if (waitid(P_PID, pid, &info, WEXITED)) return NULL;
    } else if (waitpid(pid, &status, 0) != pid) {
        return NULL;
    }
    return (void *)1;
}

static void *waits(void *pid) {
    int status = 0;
    return (void *)(long)(waitpid(*(pid_t *)pid, &status, 0) == *(pid_t *)pid ? WEXITSTATUS(status) : 100);
}

static pid_t pids[CROWD];
static void *for_its_own(void *number) { return waits(&pids[(long)number]); }

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    pthread_t threads[CROWD];
    for (int i = 0; i < CROWD; i++) pids[i] = child(1, -1);
    start(threads, CROWD, for_its_own);
    usleep(50000);
    printf("waits well: %s\n", waits_well());
    for (int i = 0; i < CROWD; i++) kill(pids[i], SIGTERM);
    printf("all ended: %ld\n", join(threads, CROWD));
    start(threads, CROWD, one_each);
    printf("started and ended: %ld\n", join(threads, CROWD));
    in_thread(answers);
}
