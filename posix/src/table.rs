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
        }
    };
}

/// Calls `$then!` with what is in force in whole programs beside that.
#[macro_export]
macro_rules! green {
    ($then:ident) => {
        $then! {
            time: sched_yield;
        }
    };
}
