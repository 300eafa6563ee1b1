/* Files, message queues and look-ups: results, errors, and who waits how. */
#define _GNU_SOURCE
#include "waiting.h"
#include <aio.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <mqueue.h>
#include <netdb.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>

static char folder[] = "/tmp/sylvan-files-XXXXXX";
static char path[PATH_MAX], other[PATH_MAX];

static void *answers(void *unused) {
    struct stat info;
    struct statfs space;
    char text[PATH_MAX] = "";
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    SAY(ftruncate(fd, 100));
    SAY(stat(path, &info));
    printf("%ld bytes\n", (long)info.st_size);
    SAY(truncate(path, 7));
    SAY(posix_fallocate(fd, 0, 50));
    SAY(posix_fallocate(-1, 0, 50));
    SAY(fsync(fd));
    SAY(fdatasync(fd));
    SAY(syncfs(fd));
    SAY(fsync(-1));
    SAY(stat("/nothing/at/all", &info));
    SAY(lstat(path, &info));
    SAY(fstatat(AT_FDCWD, path, &info, 0));
    printf("%ld bytes\n", (long)info.st_size);
    SAY(statfs(path, &space));
    SAY(access(path, R_OK));
    SAY(access(path, 99));
    SAY(link(path, other));
    SAY(link(path, other) == -1 && errno == EEXIST);
    SAY(unlink(other));
    SAY(unlink(other));
    SAY(symlink(path, other));
    SAY(readlink(other, text, sizeof text) == (long)strlen(path));
    SAY(strcmp(realpath(other, NULL), path));
    SAY(realpath("/nothing", text) == NULL);
    SAY(chmod(path, 0640));
    SAY(rename(other, path));
    SAY(remove(path));
    SAY(mkdir(path, 0700));
    SAY(rmdir(path));
    SAY(rmdir(path));
    DIR *here = opendir(folder);
    int n = 0;
    while (readdir(here)) n++;
    printf("%d entries, %s\n", n, named(errno));
    closedir(here);
    SAY(opendir("/nothing") == NULL);
    SAY(flock(fd, LOCK_EX));
    SAY(flock(-1, LOCK_EX));
    SAY(lockf(fd, F_LOCK, 0));
    struct aiocb job = {.aio_fildes = fd, .aio_buf = text, .aio_nbytes = 10};
    const struct aiocb *list[] = {&job};
    SAY(aio_read(&job));
    SAY(aio_suspend(list, 1, NULL));
    SAY(aio_return(&job));
    close(fd);
    /* Look-ups. */
    struct addrinfo *found = NULL, hints = {.ai_flags = AI_NUMERICHOST};
    SAY(getaddrinfo("127.0.0.1", "80", &hints, &found));
    char host[100], service[100];
    SAY(getnameinfo(found->ai_addr, found->ai_addrlen, host, 100, service, 100, NI_NUMERICHOST | NI_NUMERICSERV));
    printf("%s %s\n", host, service);
    freeaddrinfo(found);
    SAY(getaddrinfo("no host", NULL, &hints, &found) == EAI_NONAME);
    printf("%s %s\n", getpwuid(0)->pw_name, getgrgid(0)->gr_name);
    SAY(getpwnam("nobody at all") == NULL);
    struct passwd entry, *result;
    SAY(getpwnam_r("root", &entry, text, sizeof text, &result));
    SAY(getpwnam_r("root", &entry, text, 1, &result) == ERANGE);
    SAY(ntohs(getservbyname("http", "tcp")->s_port));
    return unused;
}

static mqd_t queue;

static void *queues(void *unused) {
    char text[64];
    unsigned priority;
    struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 64};
    struct timespec past = {1, 0}, bad = {0, -1}, soon;
    queue = mq_open("/sylvan-files", O_CREAT | O_RDWR, 0600, &attributes);
    mq_unlink("/sylvan-files");
    SAY(mq_send(queue, "one", 4, 3));
    SAY(mq_send(queue, "two", 4, 5));
    SAY(mq_timedsend(queue, "three", 6, 1, &past));
    SAY(mq_receive(queue, text, sizeof text, &priority));
    printf("%s, %u\n", text, priority);
    SAY(mq_receive(queue, text, 1, NULL) == -1 && errno == EMSGSIZE);
    SAY(mq_timedreceive(queue, text, sizeof text, NULL, &past));
    SAY(mq_timedreceive(queue, text, sizeof text, NULL, &bad));
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec += 1;
    double begin = now();
    SAY(mq_timedreceive(queue, text, sizeof text, NULL, &soon));
    printf("took %s\n", now() - begin > 0.9 ? "as long" : "another time");
    SAY(mq_receive(-1, text, sizeof text, NULL));
    return unused;
}

/* They wait for a message each. */
static void *receive(void *number) {
    char text[64];
    (void)number;
    return (void *)(long)(mq_receive(queue, text, sizeof text, NULL) == 2);
}

/* One of these holds a lock of a file that the others wait for, and one sends the next message. */
static int messages, semaphores;
static void *locks(void *number) {
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    struct sembuf take = {0, -1, 0}, give = {0, 1, 0};
    struct { long kind; char text[8]; } message = {1, "x"};
    long i = (long)number;
    if (i % 3 == 0) {
        if (flock(fd, LOCK_EX)) return NULL;
        usleep(2000);
        flock(fd, LOCK_UN);
    } else if (i % 3 == 1) {
        if (semop(semaphores, &take, 1)) return NULL;
        usleep(2000);
        semop(semaphores, &give, 1);
    } else {
        if (msgrcv(messages, &message, 8, 1, 0) != 8) return NULL;
        usleep(2000);
        msgsnd(messages, &message, 8, 0);
    }
    close(fd);
    return (void *)1;
}

static void *locked(void *unused) {
    struct flock all = {.l_type = F_WRLCK};
    int fd = open(path, O_RDWR);
    SAY(fcntl(fd, F_SETLKW, &all));
    close(fd);
    return unused;
}

int main(void) {
    if (!mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    in_thread(answers);
    in_thread(queues);
    pthread_t threads[CROWD];
    start(threads, CROWD, receive);
    usleep(50000);
    printf("waits well: %s\n", waits_well());
    for (int i = 0; i < CROWD; i++) mq_send(queue, "x", 2, 0);
    printf("received: %ld\n", join(threads, CROWD));
    mq_close(queue);
    messages = msgget(IPC_PRIVATE, 0600), semaphores = semget(IPC_PRIVATE, 1, 0600);
    start(threads, 30, locks);
    usleep(50000);
    struct sembuf give = {0, 1, 0};
    semop(semaphores, &give, 1);
    struct { long kind; char text[8]; } message = {1, "x"};
    msgsnd(messages, &message, 8, 0);
    printf("locked: %ld\n", join(threads, 30));
    msgctl(messages, IPC_RMID, NULL);
    semctl(semaphores, 0, IPC_RMID);
    /* A child holds the lock. */
    pid_t pid = fork();
    if (pid == 0) {
        struct flock all = {.l_type = F_WRLCK};
        int fd = open(path, O_RDWR);
        fcntl(fd, F_SETLK, &all);
        usleep(300000);
        _exit(0);
    }
    usleep(100000);
    in_thread(locked);
    waitpid(pid, NULL, 0);
    unlink(path);
    rmdir(folder);
}
