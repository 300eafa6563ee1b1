/* What a program begins with that a thread has started: arguments, environment, and the thread's mask. */
#define _GNU_SOURCE
#include "waiting.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

#define SHOW "echo \"$VALUE $*\"; exec grep SigBlk /proc/self/status"

static void ends(pid_t pid) {
    int status;
    waitpid(pid, &status, 0);
    printf("ended %d\n", WEXITSTATUS(status));
}

static void *run(void *last) {
    char *list[] = {"sh", "-c", SHOW, "a", "b", "c", "d", "e", "f", "g", "h", NULL};
    char *environment[] = {"VALUE=given", "PATH=/usr/bin:/bin", NULL};
    sigset_t mask;
    pid_t pid;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    if (last) {
        execl("/nothing", "nothing", NULL);
        printf("%s\n", named(errno));
        execle("/bin/sh", "sh", "-c", SHOW, "1", "2", "3", "4", "5", "6", "7", "8", NULL, environment);
    }
    if ((pid = fork()) == 0) execl("/bin/sh", "sh", "-c", SHOW, "1", "2", "3", "4", "5", "6", "7", "8", NULL);
    ends(pid);
    if ((pid = fork()) == 0) execlp("sh", "sh", "-c", SHOW, "1", NULL);
    ends(pid);
    if ((pid = vfork()) == 0) {
        execve("/bin/sh", list, environment);
        _exit(1);
    }
    ends(pid);
    if ((pid = vfork()) == 0) {
        execvp("sh", list);
        _exit(1);
    }
    ends(pid);
    /* One that sets its mask. */
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    if ((pid = vfork()) == 0) {
        pthread_sigmask(SIG_SETMASK, &mask, NULL);
        execv("/bin/sh", list);
        _exit(1);
    }
    ends(pid);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    if (posix_spawnp(&pid, "sh", NULL, NULL, list, environment)) printf("not started\n");
    ends(pid);
    printf("system: %d\n", system("exec grep SigBlk /proc/self/status"));
    char line[100] = "";
    FILE *stream = popen("exec grep SigBlk /proc/self/status", "r");
    if (fgets(line, sizeof line, stream)) printf("popen: %s", line);
    printf("pclose: %d\n", pclose(stream));
    int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);
    if ((pid = fork()) == 0) fexecve(fd, list, environ);
    ends(pid);
    return NULL;
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, run, NULL);
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, run, "last");
    pthread_join(thread, NULL);
    printf("it has gone on\n");
}
