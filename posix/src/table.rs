//! The names: which functions of libc's this crate has, by module.
//!
//! Each macro calls another one with lines `module: name, name, …;`. Whoever gives the functions their
//! names goes by these: `sylvan-libc` for a program that links it, `sylvan-preload` for one that is
//! started with it.

/// Calls `$then!` with what is in force wherever this crate is linked: the runtime has to hear of it.
#[macro_export]
macro_rules! heard_of {
    ($then:ident) => {
        $then! {
            attributes: prctl, capset, unshare, setns, personality, setfsuid, setfsgid, sched_setaffinity, sched_setscheduler, sched_setparam, setpriority, nice, ptrace, pthread_setaffinity_np, pthread_getaffinity_np, pthread_setschedparam, pthread_getschedparam, pthread_setschedprio;
            birth: pthread_create, pthread_detach;
            clock: clock_gettime, getrusage, pthread_getcpuclockid;
            comm: pthread_setname_np, pthread_getname_np;
            descriptors: close, close_range, closefrom, dup2, dup3, fclose, fcntl, fcntl64, ioctl, setsockopt;
            signal: pthread_sigmask, sigprocmask;
            stack: pthread_getattr_np;
            syscall: syscall;
            timer: timer_create;
        }
    };
}

/// Calls `$then!` with what is in force in whole programs beside that.
#[macro_export]
macro_rules! green {
    ($then:ident) => {
        $then! {
            action: sigaction, __sigaction, signal, bsd_signal, ssignal, sysv_signal, __sysv_signal, sigset, sigignore, siginterrupt;
            altstack: sigaltstack;
            barrier: pthread_barrier_wait, pthread_barrier_destroy;
            bulk: pread, pread64, pwrite, pwrite64, preadv, preadv64, pwritev, pwritev64, preadv2, pwritev2, sendfile, sendfile64, splice, tee, copy_file_range, __pread_chk, __pread64_chk;
            cancel: pthread_cancel, pthread_testcancel, pthread_setcancelstate, pthread_setcanceltype;
            cond: pthread_cond_wait, pthread_cond_timedwait, pthread_cond_clockwait, pthread_cond_signal, pthread_cond_broadcast, pthread_cond_destroy;
            descriptors: dup;
            directed: pthread_kill, pthread_sigqueue, raise, gsignal, kill, sigqueue, tgkill;
            epoll: epoll_wait, epoll_pwait, epoll_pwait2;
            exec: execve, execv, execvp, execvpe, fexecve, execl, execlp, execle;
            files: fsync, fdatasync, syncfs, sync, sync_file_range, msync, ftruncate, ftruncate64, truncate, truncate64, fallocate, fallocate64, posix_fallocate, posix_fallocate64, tcdrain, flock, lockf, lockf64, msgsnd, msgrcv, semop, semtimedop, aio_suspend, aio_suspend64, stat, stat64, lstat, lstat64, fstatat, fstatat64, statx, statfs, statfs64, statvfs, statvfs64, access, faccessat, readlink, readlinkat, realpath, opendir, readdir, readdir64, rename, renameat, renameat2, link, linkat, symlink, symlinkat, unlink, unlinkat, remove, mkdir, mkdirat, rmdir, mknod, mkfifo, chmod, fchmod, fchmodat, chown, lchown, fchown, fchownat, utime, utimes, utimensat, futimens;
            jump: __sigsetjmp, siglongjmp, longjmp, _longjmp, __longjmp_chk;
            message_queue: mq_receive, mq_timedreceive, mq_send, mq_timedsend, mq_close;
            mutex: pthread_mutex_lock, pthread_mutex_trylock, pthread_mutex_timedlock, pthread_mutex_clocklock, pthread_mutex_unlock, __pthread_mutex_lock, __pthread_mutex_trylock, __pthread_mutex_unlock;
            numbered: sched_getaffinity, sched_getscheduler, sched_getparam, getpriority;
            once: pthread_once, call_once;
            open: open, open64, openat, openat64, __open_2, __open64_2, __openat_2, __openat64_2, creat, creat64, mkstemp, mkstemp64, mkostemp, mkostemp64, memfd_create, posix_openpt, fopen, fopen64, tmpfile, tmpfile64, freopen, freopen64, closedir, pipe, pipe2, eventfd, timerfd_create, signalfd, inotify_init, inotify_init1, epoll_create, epoll_create1;
            poll: poll, ppoll, __poll_chk, __ppoll_chk;
            process: wait, wait3, wait4, waitpid, waitid, system, posix_spawn, posix_spawnp, popen, pclose;
            resolver: getaddrinfo, getnameinfo, gethostbyname, gethostbyname2, gethostbyaddr, gethostbyname_r, gethostbyname2_r, gethostbyaddr_r, getservbyname, getservbyport, getservbyname_r, getservbyport_r, getprotobyname, getprotobyname_r, getpwnam, getpwuid, getpwnam_r, getpwuid_r, getgrnam, getgrgid, getgrnam_r, getgrgid_r, getgrouplist, initgroups, res_query, res_search, res_nquery, res_nsearch;
            rwlock: pthread_rwlock_rdlock, pthread_rwlock_wrlock, pthread_rwlock_timedrdlock, pthread_rwlock_timedwrlock, pthread_rwlock_clockrdlock, pthread_rwlock_clockwrlock, pthread_rwlock_tryrdlock, pthread_rwlock_trywrlock, pthread_rwlock_unlock, __pthread_rwlock_rdlock, __pthread_rwlock_wrlock, __pthread_rwlock_tryrdlock, __pthread_rwlock_trywrlock, __pthread_rwlock_unlock;
            select: select, pselect;
            semaphore: sem_wait, sem_timedwait, sem_clockwait, sem_post;
            signal: sigpending;
            sigwait: sigwait, sigwaitinfo, sigtimedwait, sigsuspend, __sigsuspend, pause, sigpause, __xpg_sigpause;
            socket: socket, socketpair, shutdown, accept, accept4, connect, recv, recvfrom, recvmsg, recvmmsg, send, sendto, sendmsg, sendmmsg, __recv_chk, __recvfrom_chk, __connect, __send;
            spin: pthread_spin_lock;
            thread: pthread_join, pthread_tryjoin_np, pthread_timedjoin_np, pthread_clockjoin_np, pthread_self, pthread_equal, pthread_exit, gettid, thrd_create, thrd_join, thrd_detach, thrd_current, thrd_exit, mtx_lock, mtx_trylock, mtx_timedlock, mtx_unlock, cnd_signal, cnd_broadcast, cnd_wait, cnd_timedwait, cnd_destroy;
            time: sched_yield, thrd_yield, nanosleep, clock_nanosleep, usleep, sleep, thrd_sleep;
            timer: timer_delete, timer_settime, timer_gettime, timer_getoverrun, setitimer, getitimer;
            transfer: read, write, readv, writev, __read, __write, __read_chk, eventfd_read, eventfd_write;
        }
    };
}
