//! Sockets: made, accepted, connected, shut down, and what is received and sent by them alone.
//!
//! How a call waits is said in `transfer`.
//!
//! # `accept`
//!
//! has no flag that says not to block. A green thread asks first (`poll`), and accepts in a blocking section,
//! for another process may be faster.
//!
//! # `connect`
//!
//! A TCP connection takes as long as the peer's answer. The one way to begin it and not wait is `O_NONBLOCK`,
//! which belongs to the guest's file: another thread, or process, would see its reads and writes fail. So the
//! wait is made short instead. For the time of the call the socket has a send timeout of one tick of the
//! kernel's, and the call ends with `EINPROGRESS` if the peer does not answer by then. The thread parks until
//! the socket can be written, under the timeout that the program has set. Nobody can be sending by a socket
//! that is not connected, so that nobody notices; but who asks for the option, or sets it, at that very
//! moment. A connection on the same machine is there at once.
//!
//! Others are made in a blocking section: a Unix socket's takes time only where the listener's queue is full.
//!
//! # What comes in
//!
//! Whoever makes a socket here, or receives one (`SCM_RIGHTS`), tells the runtime: what was known of its
//! number is of an earlier file.

use std::ffi::{c_int, c_long, c_uint, c_void};
use std::io;
use std::mem;
use std::time::{Duration, Instant};

use libc::{mmsghdr, msghdr, size_t, sockaddr, socklen_t, ssize_t, timespec, timeval};
use sylvan::contract::io::{Attempt, Interest, Mode};
use sylvan::contract::numbers;
use sylvan::is_green;

use crate::calls::socket as calls;
use crate::cancel::around;
use crate::errno::{fails, number_of};
use crate::kernel::enter;
use crate::kind::Kind;
use crate::next::libcs;
use crate::poll::to_timespec;
use crate::transfer::{
    Buffers, answer, attempt, check, flags_in, on, receive, result, send_rest, there, transmit,
    when_ready,
};
use crate::wait::{Restart, section};

libcs! {
    socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    socketpair(domain: c_int, kind: c_int, protocol: c_int, pair: *mut c_int) -> c_int;
    shutdown(fd: c_int, how: c_int) -> c_int;
    accept4(fd: c_int, name: *mut sockaddr, len: *mut socklen_t, flags: c_int) -> c_int;
    connect(fd: c_int, name: *const sockaddr, len: socklen_t) -> c_int;
    recv(fd: c_int, to: *mut c_void, room: size_t, flags: c_int) -> ssize_t;
    recvfrom(
        fd: c_int, to: *mut c_void, room: size_t, flags: c_int, name: *mut sockaddr, len: *mut socklen_t
    ) -> ssize_t;
    recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t;
    recvmmsg(
        fd: c_int, messages: *mut mmsghdr, n: c_uint, flags: c_int, timeout: *mut timespec
    ) -> c_int;
    send(fd: c_int, from: *const c_void, len: size_t, flags: c_int) -> ssize_t;
    sendto(
        fd: c_int, from: *const c_void, len: size_t, flags: c_int, name: *const sockaddr, name_len: socklen_t
    ) -> ssize_t;
    sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t;
    sendmmsg(fd: c_int, messages: *mut mmsghdr, n: c_uint, flags: c_int) -> c_int;
}

/// The kind of the socket that a green thread calls; `None` for any other caller, or what is no socket.
#[inline]
fn green(fd: c_int) -> Option<Kind> {
    if is_green() { Kind::of(fd).filter(|kind| kind.is_socket()) } else { None }
}

/// The buffers of a message.
///
/// # Safety
///
/// It is there.
unsafe fn buffers_of(message: *const msghdr) -> Buffers {
    // SAFETY: as the caller promises.
    unsafe { Buffers::new((*message).msg_iov, (*message).msg_iovlen) }
}

/// A socket has come in that this process has just made.
fn made(fd: c_int, kind: Kind, flags: c_int) {
    numbers::made(fd, kind as u32);
    if flags & libc::SOCK_NONBLOCK != 0 {
        numbers::flag_was_set(fd);
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    // SAFETY: as the caller promises.
    let fd = unsafe { libcs::socket(domain, kind, protocol) };
    if fd >= 0 {
        made(fd, Kind::of_socket(domain, kind), kind);
    }
    fd
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn socketpair(
    domain: c_int,
    kind: c_int,
    protocol: c_int,
    pair: *mut c_int,
) -> c_int {
    // SAFETY: as the caller promises, here and below.
    let result = unsafe { libcs::socketpair(domain, kind, protocol, pair) };
    if result == 0 {
        // SAFETY: as above.
        for fd in unsafe { [*pair, *pair.add(1)] } {
            made(fd, Kind::of_socket(domain, kind), kind);
        }
    }
    result
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn shutdown(fd: c_int, how: c_int) -> c_int {
    // SAFETY: as the caller promises.
    let result = unsafe { libcs::shutdown(fd, how) };
    if result == 0 && how != libc::SHUT_RD && numbers::kind(fd) == Kind::Unix as u32 {
        sylvan::contract::io::writing_is_over(there(fd));
    }
    result
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn accept(
    fd: c_int,
    name: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { accept4(fd, name, len, 0) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
#[expect(clippy::cast_possible_truncation, reason = "a descriptor's number")]
pub unsafe extern "C-unwind" fn accept4(
    fd: c_int,
    name: *mut sockaddr,
    len: *mut socklen_t,
    flags: c_int,
) -> c_int {
    around(|| {
        let kind = Kind::of(fd).filter(|kind| kind.is_socket());
        let accepted = if is_green() && kind.is_some() {
            let rest = [name as c_long, len as c_long, flags.into(), 0];
            let accepted = attempt(fd, Interest::Read, |fd, _| {
                // SAFETY: as the caller promises, here and below.
                when_ready(fd, Interest::Read, |fd| unsafe { on(libc::SYS_accept4, fd, rest) })
            });
            answer(accepted) as c_int
        } else {
            // SAFETY: as above.
            unsafe { libcs::accept4(fd, name, len, flags) }
        };
        if accepted < 0 {
            return accepted;
        }
        numbers::accepted(accepted, fd, kind.map_or(0, |kind| kind as u32));
        if flags & libc::SOCK_NONBLOCK != 0 {
            numbers::flag_was_set(accepted);
        }
        accepted
    })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn connect(fd: c_int, name: *const sockaddr, len: socklen_t) -> c_int {
    around(|| {
        // SAFETY: as the caller promises, here and below.
        let plain = || unsafe { libcs::connect(fd, name, len) };
        match green(fd) {
            None | Some(Kind::Message) => plain(),
            Some(_) if is_nonblocking(fd) => plain(),
            Some(Kind::Tcp) => {
                // SAFETY: as above.
                match unsafe { connect_tcp(fd, name, len) } {
                    Ok(()) => 0,
                    Err(error) => fails(number_of(&error)),
                }
            }
            Some(_) => section(plain),
        }
    })
}

/// Whether the program has set `O_NONBLOCK`.
fn is_nonblocking(fd: c_int) -> bool {
    // SAFETY: asks for a number.
    let flags = unsafe { on(libc::SYS_fcntl, fd, [libc::F_GETFL.into(), 0, 0, 0]) };
    flags >= 0 && flags & c_long::from(libc::O_NONBLOCK) != 0
}

/// Connects, as the header says.
///
/// # Safety
///
/// As for `connect`.
unsafe fn connect_tcp(fd: c_int, name: *const sockaddr, len: socklen_t) -> io::Result<()> {
    const A_TICK: timeval = timeval { tv_sec: 0, tv_usec: 1 };
    let programs = timeout(fd, Interest::Write);
    let deadline = as_duration(programs).and_then(|left| Instant::now().checked_add(left));
    let restart = if deadline.is_some() { Restart::Never } else { Restart::AsAsked };
    calls::connect(restart, there(fd), deadline, || {
        let begun = section(|| {
            set_timeout(fd, A_TICK);
            // SAFETY: as the caller promises.
            let begun = unsafe { on(libc::SYS_connect, fd, [name as c_long, len.into(), 0, 0]) };
            set_timeout(fd, programs);
            begun
        });
        result(begun).map(drop)
    })
}

const fn timeout_option(interest: Interest) -> c_int {
    match interest {
        Interest::Read => libc::SO_RCVTIMEO,
        Interest::Write => libc::SO_SNDTIMEO,
    }
}

/// Whether calls on a descriptor wait for some time at most.
pub(crate) fn has_timeout(fd: c_int, interest: Interest) -> bool {
    as_duration(timeout(fd, interest)).is_some()
}

/// How long calls on a socket wait; zero for ever.
fn timeout(fd: c_int, interest: Interest) -> timeval {
    let mut time = timeval { tv_sec: 0, tv_usec: 0 };
    let mut len = mem::size_of_val(&time) as socklen_t;
    let [time_at, len_at] = [(&raw mut time) as c_long, (&raw mut len) as c_long];
    let rest = [libc::SOL_SOCKET.into(), timeout_option(interest).into(), time_at, len_at, 0];
    let [level, option, time_at, len_at, none] = rest;
    // SAFETY: the kernel writes a time and its length.
    unsafe { enter(libc::SYS_getsockopt, [fd.into(), level, option, time_at, len_at, none]) };
    time
}

fn set_timeout(fd: c_int, time: timeval) {
    let [level, option] = [libc::SOL_SOCKET.into(), libc::SO_SNDTIMEO.into()];
    let (at, len) = ((&raw const time) as c_long, mem::size_of_val(&time) as c_long);
    // SAFETY: the kernel reads a time.
    unsafe { enter(libc::SYS_setsockopt, [fd.into(), level, option, at, len, 0]) };
}

fn as_duration(time: timeval) -> Option<Duration> {
    let (seconds, micros) = (u64::try_from(time.tv_sec).ok()?, u64::try_from(time.tv_usec).ok()?);
    Some(Duration::from_secs(seconds) + Duration::from_micros(micros)).filter(|it| !it.is_zero())
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn recv(
    fd: c_int,
    to: *mut c_void,
    room: size_t,
    flags: c_int,
) -> ssize_t {
    around(|| {
        let Some(kind) = green(fd) else {
            // SAFETY: as the caller promises, here and below.
            return unsafe { libcs::recv(fd, to, room, flags) };
        };
        answer(receive(fd, kind, flags, room, |fd, flags, done| {
            let to = to.wrapping_byte_add(done) as c_long;
            // SAFETY: as above.
            unsafe {
                enter(
                    libc::SYS_recvfrom,
                    [fd.into(), to, (room - done) as c_long, flags.into(), 0, 0],
                )
            }
        }))
    })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn recvfrom(
    fd: c_int,
    to: *mut c_void,
    room: size_t,
    flags: c_int,
    name: *mut sockaddr,
    len: *mut socklen_t,
) -> ssize_t {
    around(|| {
        let Some(kind) = green(fd) else {
            // SAFETY: as the caller promises, here and below.
            return unsafe { libcs::recvfrom(fd, to, room, flags, name, len) };
        };
        answer(receive(fd, kind, flags, room, |fd, flags, done| {
            let to = to.wrapping_byte_add(done) as c_long;
            let (left, name, len) = ((room - done) as c_long, name as c_long, len as c_long);
            // SAFETY: as above.
            unsafe { enter(libc::SYS_recvfrom, [fd.into(), to, left, flags.into(), name, len]) }
        }))
    })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
    around(|| {
        let received = if let Some(kind) = green(fd) {
            // SAFETY: as the caller promises, here and below.
            let buffers = unsafe { buffers_of(message) };
            // SAFETY: as above.
            let room = unsafe { buffers.total() }.unwrap_or(0);
            answer(receive(fd, kind, flags, room, |fd, flags, done| {
                if done == 0 {
                    // SAFETY: as above.
                    return unsafe {
                        on(libc::SYS_recvmsg, fd, [message as c_long, flags.into(), 0, 0])
                    };
                }
                // SAFETY: as above; there is more.
                let (to, left) = unsafe { buffers.rest(done) };
                // SAFETY: as above.
                unsafe { enter(libc::SYS_recvfrom, [fd.into(), to, left, flags.into(), 0, 0]) }
            }))
        } else {
            // SAFETY: as above.
            unsafe { libcs::recvmsg(fd, message, flags) }
        };
        if received >= 0 {
            // SAFETY: as above; the kernel has filled it in.
            unsafe { each_right(message, numbers::opened) };
        }
        received
    })
}

/// Tells the runtime of each descriptor that a message brings, or takes along: another process may set up
/// the file of such a one.
///
/// # Safety
///
/// The message is one of the kernel's, or one that the caller of `sendmsg` has passed.
unsafe fn each_right(message: *const msghdr, tell: impl Fn(c_int)) {
    // SAFETY: as the caller promises, here and below.
    unsafe {
        if (*message).msg_control.is_null() || (*message).msg_controllen == 0 {
            return;
        }
        let mut part = libc::CMSG_FIRSTHDR(message);
        while !part.is_null() {
            if (*part).cmsg_level == libc::SOL_SOCKET && (*part).cmsg_type == libc::SCM_RIGHTS {
                let len = ((*part).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
                let first = libc::CMSG_DATA(part).cast::<c_int>();
                for at in 0..len / mem::size_of::<c_int>() {
                    tell(first.add(at).read_unaligned());
                }
            }
            part = libc::CMSG_NXTHDR(message, part);
        }
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
#[expect(clippy::cast_possible_truncation, reason = "a number of messages")]
pub unsafe extern "C-unwind" fn recvmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    n: c_uint,
    flags: c_int,
    timeout: *mut timespec,
) -> c_int {
    around(|| {
        const AT_ONCE: c_int = libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE | libc::MSG_OOB;
        let is_green = green(fd).is_some() && flags & AT_ONCE == 0 && n > 0;
        let received = if is_green {
            // SAFETY: as the caller promises, here and below.
            let left = unsafe { timeout.as_ref() }.map(|it| {
                Duration::new(it.tv_sec.try_into().unwrap_or(0), it.tv_nsec.try_into().unwrap_or(0))
            });
            let deadline = left.and_then(|left| Instant::now().checked_add(left));
            let is_up = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
            let mut done: c_uint = 0;
            let received = attempt(fd, Interest::Read, |fd, mode| {
                let at = messages.wrapping_add(done as usize) as c_long;
                // SAFETY: as above.
                let more = unsafe {
                    on(
                        libc::SYS_recvmmsg,
                        fd,
                        [at, (n - done).into(), flags_in(mode, flags).into(), 0],
                    )
                };
                done += result(more)? as c_uint;
                // As the kernel, which looks at the time when a message has come.
                if done == n
                    || flags & libc::MSG_WAITFORONE != 0
                    || is_up()
                    || mode == Mode::Blocking
                {
                    return Ok(Attempt::Done(done as usize));
                }
                Ok(Attempt::More(done as usize))
            });
            let result = if done > 0 { done as c_int } else { answer(received) as c_int };
            // As the kernel, which leaves it as it was where nothing has come.
            if let Some(deadline) = deadline.filter(|_| result > 0) {
                let left = deadline.saturating_duration_since(Instant::now());
                // SAFETY: as above.
                unsafe { timeout.write(to_timespec(left)) };
            }
            result
        } else {
            // SAFETY: as above.
            unsafe { libcs::recvmmsg(fd, messages, n, flags, timeout) }
        };
        for at in 0..usize::try_from(received).unwrap_or(0) {
            // SAFETY: the kernel has received that many.
            unsafe { each_right(&raw const (*messages.add(at)).msg_hdr, numbers::opened) };
        }
        received
    })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn send(
    fd: c_int,
    from: *const c_void,
    len: size_t,
    flags: c_int,
) -> ssize_t {
    around(|| {
        let Some(kind) = green(fd) else {
            // SAFETY: as the caller promises, here and below.
            return unsafe { libcs::send(fd, from, len, flags) };
        };
        answer(transmit(fd, kind, flags, len, |fd, flags, done| {
            let (from, left) = (from.wrapping_byte_add(done) as c_long, len - done);
            let arguments = [fd.into(), from, left as c_long, flags.into(), 0, 0];
            // SAFETY: as above.
            result(unsafe { enter(libc::SYS_sendto, arguments) })
        }))
    })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn sendto(
    fd: c_int,
    from: *const c_void,
    len: size_t,
    flags: c_int,
    name: *const sockaddr,
    name_len: socklen_t,
) -> ssize_t {
    around(|| {
        let Some(kind) = green(fd) else {
            // SAFETY: as the caller promises, here and below.
            return unsafe { libcs::sendto(fd, from, len, flags, name, name_len) };
        };
        answer(transmit(fd, kind, flags, len, |fd, flags, done| {
            let (from, left) = (from.wrapping_byte_add(done) as c_long, len - done);
            let arguments =
                [fd.into(), from, left as c_long, flags.into(), name as c_long, name_len.into()];
            // SAFETY: as above.
            result(unsafe { enter(libc::SYS_sendto, arguments) })
        }))
    })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn sendmsg(
    fd: c_int,
    message: *const msghdr,
    flags: c_int,
) -> ssize_t {
    around(|| {
        let Some(kind) = green(fd) else {
            // SAFETY: as the caller promises, here and below.
            return unsafe { libcs::sendmsg(fd, message, flags) };
        };
        // SAFETY: as above.
        let buffers = unsafe { buffers_of(message) };
        // SAFETY: as above.
        unsafe { each_right(message, numbers::flag_was_set) };
        // SAFETY: as above. The kernel refuses too many of them.
        let total = unsafe { buffers.total() }.unwrap_or(0);
        answer(transmit(fd, kind, flags, total, |fd, flags, done| {
            // SAFETY: as above.
            unsafe { send_rest(fd, message, buffers, flags, done) }
        }))
    })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
#[expect(clippy::cast_possible_truncation, reason = "a number of messages")]
#[expect(clippy::cast_sign_loss, reason = "it is not negative")]
pub unsafe extern "C-unwind" fn sendmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    n: c_uint,
    flags: c_int,
) -> c_int {
    around(|| {
        if green(fd).is_none() {
            // SAFETY: as the caller promises, here and below.
            return unsafe { libcs::sendmmsg(fd, messages, n, flags) };
        }
        let mut done: c_int = 0;
        for at in 0..n.min(1024) as usize {
            // SAFETY: as above.
            let message = unsafe { &mut *messages.add(at) };
            // SAFETY: as above.
            let total = unsafe { buffers_of(&raw const message.msg_hdr).total() }.unwrap_or(0);
            // SAFETY: as above.
            let sent = unsafe { sendmsg(fd, &raw const message.msg_hdr, flags) };
            if sent < 0 {
                return if done > 0 { done } else { -1 };
            }
            message.msg_len = sent as c_uint;
            done += 1;
            // As the kernel, which goes on behind a whole message alone.
            if (sent as usize) < total {
                break;
            }
        }
        done
    })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn __recv_chk(
    fd: c_int,
    to: *mut c_void,
    len: size_t,
    room: size_t,
    flags: c_int,
) -> ssize_t {
    // SAFETY: as the caller promises.
    unsafe {
        check(len, room);
        recv(fd, to, len, flags)
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn __recvfrom_chk(
    fd: c_int,
    to: *mut c_void,
    len: size_t,
    room: size_t,
    flags: c_int,
    name: *mut sockaddr,
    name_len: *mut socklen_t,
) -> ssize_t {
    // SAFETY: as the caller promises.
    unsafe {
        check(len, room);
        recvfrom(fd, to, len, flags, name, name_len)
    }
}

pub use {connect as __connect, send as __send};
