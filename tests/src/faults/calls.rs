//! Which calls there are, and how each may fail.

use libc::c_long;

/// How a call ends, instead of being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// With that error.
    Error(i32),
    /// With one byte read or written.
    Short,
}

impl Fault {
    /// Those of the matrix, in the order of its columns.
    pub const ALL: [Self; 7] = [
        Self::Error(libc::EINTR),
        Self::Error(libc::EAGAIN),
        Self::Error(libc::ENOMEM),
        Self::Error(libc::EMFILE),
        Self::Error(libc::ENOBUFS),
        Self::Error(libc::ECONNRESET),
        Self::Short,
    ];

    /// As manuals have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error(libc::EINTR) => "EINTR",
            Self::Error(libc::EAGAIN) => "EAGAIN",
            Self::Error(libc::ENOMEM) => "ENOMEM",
            Self::Error(libc::EMFILE) => "EMFILE",
            Self::Error(libc::ENOBUFS) => "ENOBUFS",
            Self::Error(libc::ECONNRESET) => "ECONNRESET",
            Self::Error(_) => "error",
            Self::Short => "short",
        }
    }
}

/// A kind of system call.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Its name, without the kernel's suffixes.
    pub name: &'static str,
    /// Its number here.
    pub number: c_long,
    /// How it may fail.
    pub faults: &'static [Fault],
}

const EINTR: Fault = Fault::Error(libc::EINTR);
const EAGAIN: Fault = Fault::Error(libc::EAGAIN);
const ENOMEM: Fault = Fault::Error(libc::ENOMEM);
const EMFILE: Fault = Fault::Error(libc::EMFILE);
const ENOBUFS: Fault = Fault::Error(libc::ENOBUFS);
const ECONNRESET: Fault = Fault::Error(libc::ECONNRESET);
const SHORT: Fault = Fault::Short;

macro_rules! calls {
    ($($(#[$meta:meta])* $name:ident: $number:ident [$($fault:ident)*];)+) => {
        &[$($(#[$meta])* Call {
            name: stringify!($name),
            number: libc::$number,
            faults: &[$($fault),*],
        }),+]
    };
}

/// Each call that may be made, and how the manuals say that it may fail. The last ones do not.
const CALLS: &[Call] = calls! {
    read: SYS_read [EINTR EAGAIN ENOMEM ECONNRESET SHORT];
    readv: SYS_readv [EINTR EAGAIN ENOMEM ECONNRESET SHORT];
    recvfrom: SYS_recvfrom [EINTR EAGAIN ENOMEM ECONNRESET SHORT];
    recvmsg: SYS_recvmsg [EINTR EAGAIN ENOMEM ECONNRESET SHORT];
    write: SYS_write [EINTR EAGAIN ENOMEM ENOBUFS ECONNRESET SHORT];
    writev: SYS_writev [EINTR EAGAIN ENOMEM ENOBUFS ECONNRESET SHORT];
    sendto: SYS_sendto [EINTR EAGAIN ENOMEM ENOBUFS ECONNRESET SHORT];
    sendmsg: SYS_sendmsg [EINTR EAGAIN ENOMEM ENOBUFS ECONNRESET SHORT];
    pread: SYS_pread64 [EINTR ENOMEM SHORT];
    pwrite: SYS_pwrite64 [EINTR ENOMEM SHORT];
    sendfile: SYS_sendfile [EAGAIN ENOMEM];
    splice: SYS_splice [EAGAIN ENOMEM];
    copy_file_range: SYS_copy_file_range [ENOMEM];

    accept: SYS_accept4 [EINTR EAGAIN ENOMEM EMFILE ENOBUFS];
    connect: SYS_connect [EINTR EAGAIN ENOMEM ENOBUFS ECONNRESET];
    socket: SYS_socket [ENOMEM EMFILE ENOBUFS];
    socketpair: SYS_socketpair [ENOMEM EMFILE ENOBUFS];
    bind: SYS_bind [ENOMEM ENOBUFS];
    listen: SYS_listen [ENOMEM ENOBUFS];
    shutdown: SYS_shutdown [ENOBUFS];
    setsockopt: SYS_setsockopt [ENOMEM ENOBUFS];
    getsockopt: SYS_getsockopt [ENOMEM ENOBUFS];
    getsockname: SYS_getsockname [ENOBUFS];
    getpeername: SYS_getpeername [ENOBUFS];

    pipe: SYS_pipe2 [ENOMEM EMFILE];
    dup: SYS_dup [EMFILE];
    fcntl: SYS_fcntl [ENOMEM EMFILE];
    ioctl: SYS_ioctl [ENOMEM];
    openat: SYS_openat [EINTR ENOMEM EMFILE];
    #[cfg(target_arch = "x86_64")]
    open: SYS_open [EINTR ENOMEM EMFILE];
    eventfd: SYS_eventfd2 [ENOMEM EMFILE];
    epoll_create: SYS_epoll_create1 [ENOMEM EMFILE];
    epoll_ctl: SYS_epoll_ctl [ENOMEM];
    epoll_wait: SYS_epoll_pwait2 [EINTR];
    epoll_pwait: SYS_epoll_pwait [EINTR];
    #[cfg(target_arch = "x86_64")]
    poll: SYS_poll [EINTR ENOMEM];
    ppoll: SYS_ppoll [EINTR ENOMEM];
    pidfd_open: SYS_pidfd_open [ENOMEM EMFILE];
    pidfd_signal: SYS_pidfd_send_signal [ENOMEM];

    futex: SYS_futex [EINTR EAGAIN];
    membarrier: SYS_membarrier [ENOMEM];
    nanosleep: SYS_nanosleep [EINTR];
    clock_nanosleep: SYS_clock_nanosleep [EINTR];
    timer_create: SYS_timer_create [EAGAIN ENOMEM];
    sigtimedwait: SYS_rt_sigtimedwait [EINTR EAGAIN];
    wait4: SYS_wait4 [EINTR];
    waitid: SYS_waitid [EINTR];

    mmap: SYS_mmap [EAGAIN ENOMEM];
    mprotect: SYS_mprotect [ENOMEM];
    madvise: SYS_madvise [EAGAIN ENOMEM];
    process_madvise: SYS_process_madvise [EAGAIN ENOMEM];
    munmap: SYS_munmap [ENOMEM];
    mremap: SYS_mremap [EAGAIN ENOMEM];
    mlock2: SYS_mlock2 [EAGAIN ENOMEM];
    clone: SYS_clone [EAGAIN ENOMEM];
    clone3: SYS_clone3 [EAGAIN ENOMEM];
    #[cfg(target_arch = "x86_64")]
    vfork: SYS_vfork [EAGAIN ENOMEM];
    sigaltstack: SYS_sigaltstack [ENOMEM];

    stat: SYS_newfstatat [ENOMEM];
    fstat: SYS_fstat [ENOMEM];
    statx: SYS_statx [EINTR ENOMEM];
    getdents: SYS_getdents64 [ENOMEM];
    #[cfg(target_arch = "x86_64")]
    readlink: SYS_readlink [ENOMEM];
    readlinkat: SYS_readlinkat [ENOMEM];
    #[cfg(target_arch = "x86_64")]
    rename: SYS_rename [ENOMEM];
    renameat: SYS_renameat [ENOMEM];
    #[cfg(target_arch = "x86_64")]
    mkdir: SYS_mkdir [ENOMEM];
    mkdirat: SYS_mkdirat [ENOMEM];
    #[cfg(target_arch = "x86_64")]
    unlink: SYS_unlink [ENOMEM];
    #[cfg(target_arch = "x86_64")]
    rmdir: SYS_rmdir [ENOMEM];
    unlinkat: SYS_unlinkat [ENOMEM];
    fchmod: SYS_fchmod [EINTR ENOMEM];
    ftruncate: SYS_ftruncate [EINTR];
    fsync: SYS_fsync [EINTR];
    getrandom: SYS_getrandom [EINTR EAGAIN];
    brk: SYS_brk [];
    rt_sigaction: SYS_rt_sigaction [];
    prctl: SYS_prctl [];
    sched_getaffinity: SYS_sched_getaffinity [];
    uname: SYS_uname [];
    lseek: SYS_lseek [];
    close: SYS_close [];
    close_range: SYS_close_range [];
    kill: SYS_kill [];
    tgkill: SYS_tgkill [];
    prlimit: SYS_prlimit64 [];
    getcpu: SYS_getcpu [];
    rseq: SYS_rseq [];
    set_robust_list: SYS_set_robust_list [];
    timer_settime: SYS_timer_settime [];
};

/// Each call that may be made.
#[must_use]
pub fn calls() -> &'static [Call] {
    CALLS
}

/// The call of that name.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn called(name: &str) -> &'static Call {
    CALLS.iter().find(|call| call.name == name).expect("a call of the table")
}
