//! The filter, and the supervisor that the kernel asks.
//!
//! While it decides, the supervisor takes no lock and no memory: the thread that waits for its word may be
//! one that holds the allocator's. So what it knows is in atomics, each for itself; an order is in
//! place before the first call that it is about, since the one who gives it makes that call, or wakes
//! who makes it. Nor does it take any from the moment on at which the filter is there: what libc and std do
//! for a thread that begins is behind it then.

use std::io;
use std::mem;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering::*};
use std::thread;
use std::time::Duration;

use libc::{c_int, c_long, c_void, seccomp_notif, seccomp_notif_resp};

use super::calls::Fault;

/// More than there are numbers of calls.
const N_NUMBERS: usize = 512;
/// More than a scene has descriptors.
const N_DESCRIPTORS: usize = 4096;

const NOTHING: i64 = -1;
const SHORT: i32 = 0;

/// The order: the call, the error or `SHORT`, and how many are to pass first.
static CALL: AtomicI64 = AtomicI64::new(NOTHING);
static FAULT: AtomicI32 = AtomicI32::new(0);
static LEFT: AtomicU32 = AtomicU32::new(0);

/// How often each call was made, by threads of this process.
static MADE: [AtomicU32; N_NUMBERS] = [const { AtomicU32::new(0) }; N_NUMBERS];

/// Of each descriptor that is in an event loop: which, and what is registered.
static WATCHED: [Watched; N_DESCRIPTORS] = [const { Watched::new() }; N_DESCRIPTORS];

struct Watched {
    epoll: AtomicI32,
    events: AtomicU32,
    data: AtomicU64,
}

impl Watched {
    const fn new() -> Self {
        Self { epoll: AtomicI32::new(-1), events: AtomicU32::new(0), data: AtomicU64::new(0) }
    }
}

/// Orders that a call fails, after `n_before` ones that do not.
pub fn arm(number: c_long, fault: Fault, n_before: u32) {
    FAULT.store(if let Fault::Error(error) = fault { error } else { SHORT }, Relaxed);
    LEFT.store(n_before, Relaxed);
    // Release pairs with the acquire in `is_due`.
    CALL.store(number, Release);
}

/// Ends the order: whether the call has failed.
pub fn disarm() -> bool {
    CALL.swap(NOTHING, AcqRel) == NOTHING
}

/// How often each call was made so far, by number.
#[must_use]
pub fn made() -> Vec<u32> {
    MADE.iter().map(|n| n.load(Relaxed)).collect()
}

/// Starts the supervisor, and puts the filter on the calling thread.
///
/// # Errors
///
/// Where the kernel has no such filters, or does not allow them.
pub fn begin() -> io::Result<()> {
    const NOBODY: i32 = -2;
    const NONE: i32 = -1;
    static LISTENER: AtomicI32 = AtomicI32::new(NOBODY);
    let moment = || thread::sleep(Duration::from_millis(1));
    thread::Builder::new().name("supervisor".to_owned()).spawn(move || {
        moment();
        LISTENER.store(NONE, Release);
        let listener = loop {
            match LISTENER.load(Acquire) {
                NONE => moment(),
                listener => break listener,
            }
        };
        supervise(listener);
    })?;
    // Acquire and release pair with those above.
    while LISTENER.load(Acquire) == NOBODY {
        moment();
    }
    // From here on the calling thread waits for the supervisor.
    LISTENER.store(put_filter()?, Release);
    Ok(())
}

/// Puts the filter on the calling thread; where the kernel's questions come.
fn put_filter() -> io::Result<c_int> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    // What ends a thread, and what cannot fail and is made often.
    let passed = [
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigprocmask,
        libc::SYS_clock_gettime,
        libc::SYS_sched_yield,
        libc::SYS_gettid,
        libc::SYS_getpid,
        libc::SYS_getuid,
        libc::SYS_set_tid_address,
    ];
    let instruction = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    // The number of the call is first in what the filter looks at.
    let mut filter = vec![instruction(LOAD, 0, 0, 0)];
    for number in passed {
        filter.push(instruction(IF_EQUAL, 0, 1, number as u32));
        filter.push(instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    }
    filter.push(instruction(RETURN, 0, 0, libc::SECCOMP_RET_USER_NOTIF));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // So that a signal does not take back a question which has been seen.
    const WAIT_KILLABLE: u64 = 1 << 5;
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE;
    // SAFETY: a flag of the calling thread; and a program that the kernel copies.
    let listener = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
    };
    if listener < 0 { Err(io::Error::last_os_error()) } else { Ok(listener as c_int) }
}

/// How a call is to end.
enum Answer {
    /// It is made.
    Make,
    /// It is not, and this is its result: negative, an error.
    Result(i64),
}

fn supervise(listener: c_int) {
    // SAFETY: no arguments.
    let process = unsafe { libc::getpid() };
    loop {
        // SAFETY: plain numbers, which have to be zero.
        let mut asked: seccomp_notif = unsafe { mem::zeroed() };
        if !control(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, (&raw mut asked).cast()) {
            // Whoever has asked is not there any more.
            continue;
        }
        // SAFETY: sends nothing; says whether it is a thread of this process.
        let is_ours = unsafe { libc::syscall(libc::SYS_tgkill, process, asked.pid, 0) } == 0;
        let answer = if is_ours { decide(&asked) } else { Answer::Make };
        let (val, error, flags) = match answer {
            Answer::Make => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
            Answer::Result(result) if result < 0 => (0, result as i32, 0),
            Answer::Result(result) => (result, 0, 0),
        };
        let mut answer = seccomp_notif_resp { id: asked.id, val, error, flags };
        control(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, (&raw mut answer).cast());
        if flags == 0 && says_that_nothing_is_left(asked.data.nr, val, error) {
            touch(asked.data.args[0] as usize);
        }
    }
}

fn control(listener: c_int, request: libc::Ioctl, about: *mut c_void) -> bool {
    // SAFETY: a structure that the request is about.
    unsafe { libc::ioctl(listener, request, about) == 0 }
}

fn decide(asked: &seccomp_notif) -> Answer {
    let (number, [a, b, c, d, ..]) = (asked.data.nr, asked.data.args);
    if let Some(made) = MADE.get(number as usize) {
        made.fetch_add(1, Relaxed);
    }
    if c_long::from(number) == libc::SYS_epoll_ctl {
        note_registration(a as i32, b as i32, c as usize, d as *const libc::epoll_event);
    }
    if !is_due(number) {
        return Answer::Make;
    }
    let answer = match FAULT.load(Relaxed) {
        SHORT => shorten(asked),
        libc::EAGAIN if waits_for_descriptor(number) && may_block(number, asked) => Answer::Make,
        _ if !may_fail(number.into(), b as i32) => Answer::Make,
        error => Answer::Result(-i64::from(error)),
    };
    if matches!(answer, Answer::Result(_)) {
        CALL.store(NOTHING, Release);
    }
    answer
}

/// Whether the order is about this call.
fn is_due(number: c_int) -> bool {
    // Acquire pairs with the release in `arm`.
    if CALL.load(Acquire) != i64::from(number) {
        return false;
    }
    LEFT.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err()
}

/// Whether this one of several calls in one can fail.
fn may_fail(number: c_long, operation: c_int) -> bool {
    match number {
        libc::SYS_fcntl => matches!(operation, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC),
        libc::SYS_futex => {
            let operation = operation & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
            matches!(operation, libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET)
        }
        _ => true,
    }
}

/// The calls of which `EAGAIN` says that there is nothing yet.
fn waits_for_descriptor(number: c_int) -> bool {
    [
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_accept4,
        libc::SYS_connect,
        libc::SYS_splice,
        libc::SYS_sendfile,
    ]
    .contains(&number.into())
}

/// Whether a call that was told so may expect an edge: it found nothing, or read less than it had room
/// for. After a short write none follows.
fn says_that_nothing_is_left(number: c_int, result: i64, error: i32) -> bool {
    match error {
        0 => result >= 0 && reads(number.into()),
        _ => error == -libc::EAGAIN && waits_for_descriptor(number),
    }
}

/// The calls that read a stream.
fn reads(number: c_long) -> bool {
    [libc::SYS_read, libc::SYS_readv, libc::SYS_recvfrom, libc::SYS_recvmsg, libc::SYS_pread64]
        .contains(&number)
}

/// Whether such a call would wait in the kernel.
fn may_block(number: c_int, asked: &seccomp_notif) -> bool {
    let args = asked.data.args;
    let flags = match number.into() {
        libc::SYS_recvfrom | libc::SYS_sendto => args[3] as i32,
        libc::SYS_recvmsg | libc::SYS_sendmsg => args[2] as i32,
        _ => 0,
    };
    // SAFETY: asks about a descriptor.
    let set = unsafe { libc::fcntl(args[0] as i32, libc::F_GETFL) };
    flags & libc::MSG_DONTWAIT == 0 && set & libc::O_NONBLOCK == 0
}

/// Makes a call with room for one byte; lets it be made as it is where that is no stream, or not ready.
fn shorten(asked: &seccomp_notif) -> Answer {
    let number = c_long::from(asked.data.nr);
    let mut args = asked.data.args;
    let fd = args[0] as i32;
    let events = if reads(number) { libc::POLLIN } else { libc::POLLOUT };
    if !is_stream(fd) || !is_ready(fd, events) {
        return Answer::Make;
    }
    let (mut iovec, mut message);
    match number {
        libc::SYS_readv | libc::SYS_writev => {
            let Some(first) = shortened(args[1] as *const libc::iovec, args[2] as usize) else {
                return Answer::Make;
            };
            iovec = first;
            (args[1], args[2]) = ((&raw mut iovec).addr() as u64, 1);
        }
        libc::SYS_recvmsg | libc::SYS_sendmsg => {
            // SAFETY: a message of the caller's, who waits.
            message = unsafe { *(args[1] as *const libc::msghdr) };
            let Some(first) = shortened(message.msg_iov, message.msg_iovlen) else {
                return Answer::Make;
            };
            iovec = first;
            (message.msg_iov, message.msg_iovlen) = (&raw mut iovec, 1);
            args[1] = (&raw mut message).addr() as u64;
        }
        _ if args[2] > 1 => args[2] = 1,
        _ => return Answer::Make,
    }
    // SAFETY: the caller's own call with less room, while the caller waits.
    let result =
        unsafe { libc::syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]) };
    if result < 0 { Answer::Make } else { Answer::Result(result) }
}

/// The first byte of what there is room for, if there is more.
fn shortened(iovecs: *const libc::iovec, n: usize) -> Option<libc::iovec> {
    for nth in 0..n {
        // SAFETY: an array of the caller's, who waits.
        let iovec = unsafe { *iovecs.add(nth) };
        if iovec.iov_len > 0 {
            return (iovec.iov_len > 1 || nth + 1 < n)
                .then_some(libc::iovec { iov_len: 1, ..iovec });
        }
    }
    None
}

fn is_stream(fd: c_int) -> bool {
    let (mut kind, mut len) = (0, size_of::<c_int>() as u32);
    // SAFETY: asks about a descriptor, and has room for the answer.
    let asked = unsafe {
        let (kind, len) = ((&raw mut kind).cast(), &raw mut len);
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_TYPE, kind, len)
    };
    // What is no socket is a file or a pipe.
    asked != 0 || kind == libc::SOCK_STREAM
}

fn is_ready(fd: c_int, events: i16) -> bool {
    let mut asked = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one descriptor, without a wait.
    unsafe { libc::poll(&raw mut asked, 1, 0) == 1 && asked.revents & events != 0 }
}

/// A registration is about to be made, or taken back.
fn note_registration(epoll: c_int, op: c_int, fd: usize, event: *const libc::epoll_event) {
    let Some(watched) = WATCHED.get(fd) else { return };
    if op == libc::EPOLL_CTL_DEL {
        // One that moves is in the next event loop before it is out of the last one.
        let _ = watched.epoll.compare_exchange(epoll, -1, Relaxed, Relaxed);
        return;
    }
    // SAFETY: an event of the caller's, who waits.
    let event = unsafe { event.read_unaligned() };
    watched.events.store(event.events, Relaxed);
    watched.data.store(event.u64, Relaxed);
    watched.epoll.store(epoll, Relaxed);
}

/// A call by `fd` was told that there is nothing yet, or nothing more: there is an edge if there is
/// something.
fn touch(fd: usize) {
    let Some(watched) = WATCHED.get(fd) else { return };
    let epoll = watched.epoll.load(Relaxed);
    let (events, u64) = (watched.events.load(Relaxed), watched.data.load(Relaxed));
    if epoll >= 0 {
        let mut event = libc::epoll_event { events, u64 };
        // SAFETY: what is registered already; fails where it is not any more.
        unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_MOD, fd as i32, &raw mut event) };
    }
}
