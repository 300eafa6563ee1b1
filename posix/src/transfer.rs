//! Bytes in and out: `read`, `write` and their kin, and what all calls on sockets share.
//!
//! An OS thread's call is libc's. A green thread's goes by the descriptor's kind (`kind`): it is made so that
//! the kernel does not block, and the thread parks while there is nothing; where the kernel has no such form
//! of it, it is made in a blocking section, when the kernel says that it will not block, if it says so at all.
//! No flag of the guest's file is ever changed.
//!
//! # A call that is made in parts
//!
//! A write to a stream that blocks returns when all is taken; and so does a read with `MSG_WAITALL`. So
//! what the kernel has taken of it is counted, and the call goes on with the rest, in one attempt and
//! under one timeout. What ends it after a part is not said: a timeout, a handler or an error leave the
//! part as the answer. (An error of TCP stays in place for the next call; it must not be fetched by
//! writing on. One of another stream is taken, as the call that blocks does.)
//!
//! # What a short read says
//!
//! A read of TCP that brings less than it had room for has drained the socket, and the next one parks
//! without asking. Of nothing else this can be said: see the mirror's `net::transfer`.
//!
//! # `SIGPIPE`
//!
//! is for the thread that writes, and a worker is not that thread: sockets are written with `MSG_NOSIGNAL`,
//! the signal that a pipe has sent to the worker, which blocks it, is taken from there, and the thread raises
//! its own.

use std::ffi::{c_int, c_long, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{iovec, size_t, ssize_t};
use sylvan::contract::io::{Attempt, Interest, Mode};
use sylvan::is_green;

use crate::cancel::around;
use crate::errno::{number_of, set_errno};
use crate::kernel::enter;
use crate::kind::{Kind, option};
use crate::next::libcs;
use crate::wait::{self, Restart, section};

libcs! {
    read(fd: c_int, to: *mut c_void, room: size_t) -> ssize_t;
    write(fd: c_int, from: *const c_void, len: size_t) -> ssize_t;
    readv(fd: c_int, to: *const iovec, n: c_int) -> ssize_t;
    writev(fd: c_int, from: *const iovec, n: c_int) -> ssize_t;
    __chk_fail() -> ();
}

/// The result of a system call.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "an error is small")]
#[expect(clippy::cast_sign_loss, reason = "it is not negative")]
pub(crate) fn result(of: c_long) -> io::Result<usize> {
    if of < 0 { Err(io::Error::from_raw_os_error(-of as c_int)) } else { Ok(of as usize) }
}

/// What libc's function returns.
#[inline]
#[expect(clippy::cast_possible_wrap, reason = "no call transfers more than that")]
pub(crate) fn answer(result: io::Result<usize>) -> ssize_t {
    match result {
        Ok(n) => n as ssize_t,
        Err(error) => {
            set_errno(number_of(&error));
            -1
        }
    }
}

/// A system call on a descriptor, with up to four arguments more.
///
/// # Safety
///
/// What the call asks for.
#[inline]
pub(crate) unsafe fn on(number: c_long, fd: c_int, [a, b, c, d]: [c_long; 4]) -> c_long {
    // SAFETY: as the caller promises.
    unsafe { enter(number, [fd.into(), a, b, c, d, 0]) }
}

/// An attempt of a green thread, with what its caller has passed: see [`wait::attempt`].
#[inline]
pub(crate) fn attempt<T: Send>(
    fd: c_int,
    interest: Interest,
    op: impl FnMut(c_int, Mode) -> io::Result<Attempt<T>>,
) -> io::Result<T> {
    struct Callers<F>(F);
    // SAFETY: the caller waits for it, and has promised that what it has passed may be used until it returns.
    unsafe impl<F> Send for Callers<F> {}
    impl<T, F: FnMut(c_int, Mode) -> io::Result<Attempt<T>>> Callers<F> {
        #[inline]
        fn make(&mut self, fd: BorrowedFd<'_>, mode: Mode) -> io::Result<Attempt<T>> {
            (self.0)(fd.as_raw_fd(), mode)
        }
    }
    let mut op = Callers(op);
    // SAFETY: something is open under it. If that is closed meanwhile the runtime hears of it.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    wait::attempt(fd, interest, Restart::AsAsked, move |fd, mode| op.make(fd, mode))
}

/// `fd` with the flag for a call that is not to block.
#[inline]
pub(crate) fn flags_in(mode: Mode, flags: c_int) -> c_int {
    match mode {
        Mode::Blocking => flags,
        Mode::NonBlocking => flags | libc::MSG_DONTWAIT,
    }
}

/// Receives by a socket: `receive` with a descriptor, flags, and how much there is already. There is room for
/// `room` bytes.
#[inline]
pub(crate) fn receive(
    fd: c_int,
    kind: Kind,
    flags: c_int,
    room: usize,
    receive: impl Fn(c_int, c_int, usize) -> c_long,
) -> io::Result<usize> {
    const LOOKS: c_int = libc::MSG_PEEK;
    const AT_ONCE: c_int = libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE | libc::MSG_OOB;
    if flags & AT_ONCE != 0 {
        return result(receive(fd, flags, 0));
    }
    let takes_all = flags & libc::MSG_WAITALL != 0 && kind.is_stream();
    if takes_all && flags & LOOKS != 0 {
        // Until there is as much, which no event tells.
        return result(section(|| receive(fd, flags, 0)));
    }
    let (mut done, mut has_asked) = (0, false);
    let received = attempt(fd, Interest::Read, |fd, mode| {
        loop {
            let n = match result(receive(fd, flags_in(mode, flags), done)) {
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && is_over(fd, &mut has_asked) =>
                {
                    0
                }
                received => received?,
            };
            done += n;
            if n == 0 || !takes_all || done >= room {
                let is_drained = kind == Kind::Tcp && flags & LOOKS == 0 && 0 < n && done < room;
                return Ok(if is_drained { Attempt::Drained(done) } else { Attempt::Done(done) });
            }
        }
    });
    if received.is_err() && done > 0 { Ok(done) } else { received }
}

/// Whether an `EAGAIN` stands for "reading was shut down": see the mirror's `net::transfer`. Only who was
/// woken and finds nothing needs to look.
#[cold]
pub(crate) fn is_over(fd: c_int, has_asked: &mut bool) -> bool {
    std::mem::replace(has_asked, true) && poll_now(fd, libc::POLLRDHUP) & libc::POLLRDHUP != 0
}

/// What `poll` says of a descriptor now.
pub(crate) fn poll_now(fd: c_int, events: i16) -> i16 {
    let mut one = libc::pollfd { fd, events, revents: 0 };
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let [one_at, time] = [(&raw mut one) as c_long, (&raw const at_once) as c_long];
    // SAFETY: the kernel writes the answer there.
    unsafe { enter(libc::SYS_ppoll, [one_at, 1, time, 0, 0, 0]) };
    one.revents
}

/// Whether a call would not block now.
pub(crate) fn is_ready(fd: c_int, interest: Interest) -> bool {
    let events = match interest {
        Interest::Read => libc::POLLIN | libc::POLLRDHUP,
        Interest::Write => libc::POLLOUT,
    };
    poll_now(fd, events) != 0
}

/// Sends by a socket: `send` with a descriptor, flags, and how much is sent already. There are `total` bytes.
#[inline]
pub(crate) fn transmit(
    fd: c_int,
    kind: Kind,
    flags: c_int,
    total: usize,
    send: impl Fn(c_int, c_int, usize) -> c_long,
) -> io::Result<usize> {
    let mut done = 0;
    let at_once = |fd| result(send(fd, flags | libc::MSG_NOSIGNAL, 0));
    let sent = if flags & libc::MSG_DONTWAIT != 0 {
        at_once(fd)
    } else {
        attempt(fd, Interest::Write, |fd, mode| {
            if done > 0 && has_failed(fd, kind) {
                return Ok(Attempt::Done(done));
            }
            done += result(send(fd, flags_in(mode, flags | libc::MSG_NOSIGNAL), done))?;
            let is_full = kind.is_stream() && done < total && mode == Mode::NonBlocking;
            if is_full { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(Attempt::Done(done)) }
        })
    };
    match sent {
        Err(_) if done > 0 => Ok(done),
        Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {
            if kind.is_stream() && flags & libc::MSG_NOSIGNAL == 0 {
                // SAFETY: the thread's own signal.
                unsafe { libc::raise(libc::SIGPIPE) };
            }
            Err(error)
        }
        sent => sent,
    }
}

/// Whether an error ends a write half way; see "A call that is made in parts".
#[cold]
fn has_failed(fd: c_int, kind: Kind) -> bool {
    let has_failed = poll_now(fd, 0) & libc::POLLERR != 0;
    if has_failed && kind != Kind::Tcp {
        let _taken = option(fd, libc::SO_ERROR);
    }
    has_failed
}

/// The buffers of a call.
#[derive(Clone, Copy)]
pub(crate) struct Buffers {
    first: *const iovec,
    n: usize,
}

impl Buffers {
    /// How many a call takes at most.
    const MAX: usize = 1024;

    pub(crate) fn new(first: *const iovec, n: usize) -> Self {
        Self { first, n }
    }

    /// Their lengths together; `None` where the kernel refuses them.
    ///
    /// # Safety
    ///
    /// The buffers are there, if there are no more than the kernel takes.
    pub(crate) unsafe fn total(self) -> Option<usize> {
        if self.n > Self::MAX || self.first.is_null() && self.n > 0 {
            return None;
        }
        // SAFETY: as the caller promises.
        (0..self.n)
            .try_fold(0_usize, |sum, at| sum.checked_add(unsafe { *self.first.add(at) }.iov_len))
    }

    /// The rest of the one that a part of the call has ended in.
    ///
    /// # Safety
    ///
    /// There are more bytes than that.
    pub(crate) unsafe fn rest(self, mut done: usize) -> (c_long, c_long) {
        for at in 0..self.n {
            // SAFETY: as the caller promises.
            let buffer = unsafe { *self.first.add(at) };
            if done < buffer.iov_len {
                let rest = buffer.iov_base.wrapping_byte_add(done);
                return (rest as c_long, (buffer.iov_len - done) as c_long);
            }
            done -= buffer.iov_len;
        }
        (0, 0)
    }

    fn header(self) -> libc::msghdr {
        // SAFETY: a header without a name and without more.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_iov = self.first.cast_mut();
        header.msg_iovlen = self.n as _;
        header
    }
}

/// What a green thread's `readv` does, which has `room`.
///
/// # Safety
///
/// As for `readv`.
unsafe fn read_into(fd: c_int, to: Buffers, room: usize) -> io::Result<usize> {
    // SAFETY: as the caller promises, here and below.
    let plain = |fd| unsafe { on(libc::SYS_readv, fd, [to.first as c_long, to.n as c_long, 0, 0]) };
    let Some(kind) = Kind::of(fd) else { return result(plain(fd)) };
    match kind {
        // Nothing needs no waiting.
        _ if room == 0 => result(plain(fd)),
        Kind::Tcp | Kind::Stream | Kind::Message => {
            let received = receive(fd, kind, 0, room, |fd, flags, _| {
                let mut header = to.header();
                // SAFETY: as above.
                unsafe {
                    on(libc::SYS_recvmsg, fd, [(&raw mut header) as c_long, flags.into(), 0, 0])
                }
            });
            match received {
                // SAFETY: as above.
                Err(error) if changed(fd, &error) => unsafe { read_into(fd, to, room) },
                received => received,
            }
        }
        Kind::Pipe | Kind::Counter => {
            let mut kind = kind;
            attempt(fd, Interest::Read, |fd, _| {
                if kind != Kind::Polled {
                    match result(without_waiting(libc::SYS_preadv2, fd, to)) {
                        Err(error) if refuses(&error) => kind = Kind::Polled.is_known_of(fd),
                        read => return read.map(Attempt::Done),
                    }
                }
                when_ready(fd, Interest::Read, plain)
            })
        }
        Kind::Polled => attempt(fd, Interest::Read, |fd, _| when_ready(fd, Interest::Read, plain)),
        Kind::File => result(section(|| plain(fd))),
    }
}

/// What a green thread's `writev` does.
///
/// # Safety
///
/// As for `writev`.
unsafe fn write_from(fd: c_int, from: Buffers, total: usize) -> io::Result<usize> {
    let plain =
        // SAFETY: as the caller promises, here and below.
        |fd| unsafe { on(libc::SYS_writev, fd, [from.first as c_long, from.n as c_long, 0, 0]) };
    let Some(kind) = Kind::of(fd) else { return result(plain(fd)) };
    match kind {
        Kind::Tcp | Kind::Stream | Kind::Message => {
            if total == 0 && kind != Kind::Message {
                return result(plain(fd));
            }
            let sent = transmit(fd, kind, 0, total, |fd, flags, done| {
                // SAFETY: as above.
                unsafe { send_rest(fd, &from.header(), from, flags, done) }
            });
            match sent {
                // SAFETY: as above.
                Err(error) if changed(fd, &error) => unsafe { write_from(fd, from, total) },
                sent => sent,
            }
        }
        _ if total == 0 => result(plain(fd)),
        Kind::Pipe => {
            let (mut done, mut kind) = (0, kind);
            let written = attempt(fd, Interest::Write, |fd, _| {
                if kind == Kind::Pipe {
                    let one;
                    let mut rest = from;
                    if done > 0 {
                        // SAFETY: there is more.
                        let (at, len) = unsafe { from.rest(done) };
                        one = iovec { iov_base: at as *mut c_void, iov_len: len as usize };
                        rest = Buffers::new(&raw const one, 1);
                    }
                    match result(without_waiting(libc::SYS_pwritev2, fd, rest)) {
                        Err(error) if refuses(&error) => kind = Kind::Counter.is_known_of(fd),
                        Err(error) if error.raw_os_error() == Some(libc::EPIPE) && done > 0 => {
                            take_pipe_signal();
                            return Ok(Attempt::Done(done));
                        }
                        Err(error) => return Err(error),
                        Ok(n) => {
                            done += n;
                            let is_full = done < total;
                            return if is_full {
                                Err(io::ErrorKind::WouldBlock.into())
                            } else {
                                Ok(Attempt::Done(done))
                            };
                        }
                    }
                }
                when_ready(fd, Interest::Write, plain)
            });
            if written.is_err() && done > 0 { Ok(done) } else { said_of_pipe(written) }
        }
        Kind::Counter | Kind::Polled => said_of_pipe(attempt(fd, Interest::Write, |fd, _| {
            when_ready(fd, Interest::Write, plain)
        })),
        Kind::File => result(section(|| plain(fd))),
    }
}

/// The signal of a pipe that nobody reads is the calling thread's.
fn said_of_pipe(written: io::Result<usize>) -> io::Result<usize> {
    if let Err(error) = &written
        && error.raw_os_error() == Some(libc::EPIPE)
        && take_pipe_signal()
    {
        // SAFETY: the thread's own signal.
        unsafe { libc::raise(libc::SIGPIPE) };
    }
    written
}

/// Takes the signal away that the kernel has left for this OS thread just now: whether there is one.
#[cold]
fn take_pipe_signal() -> bool {
    let set: u64 = 1 << (libc::SIGPIPE - 1);
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let [set, at_once] = [(&raw const set) as c_long, (&raw const at_once) as c_long];
    // SAFETY: takes one signal of the set, if one is pending; it says nothing more.
    unsafe { enter(libc::SYS_rt_sigtimedwait, [set, 0, at_once, 8, 0, 0]) == libc::SIGPIPE.into() }
}

/// A call on buffers that may not block, at the file's own place.
fn without_waiting(number: c_long, fd: c_int, buffers: Buffers) -> c_long {
    const NOWAIT: c_long = 8;
    let own_place = -1;
    let arguments =
        [fd.into(), buffers.first as c_long, buffers.n as c_long, own_place, own_place, NOWAIT];
    // SAFETY: the buffers are the caller's.
    unsafe { enter(number, arguments) }
}

/// Whether a file knows no such calls.
fn refuses(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS))
}

/// Whether a number that was a socket is none any more; it is looked at again.
#[cold]
pub(crate) fn changed(fd: c_int, error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOTSOCK)
        && Kind::learn(fd).is_some_and(|it| !it.is_socket())
}

/// Makes a call that may block, if the kernel says that it will not.
pub(crate) fn when_ready(
    fd: c_int,
    interest: Interest,
    plain: impl Fn(c_int) -> c_long,
) -> io::Result<Attempt<usize>> {
    if !is_ready(fd, interest) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    result(section(|| plain(fd))).map(Attempt::Done)
}

/// Sends what is left of a message.
///
/// # Safety
///
/// As for `sendmsg`; the buffers are the message's, and there is more than `done`.
pub(crate) unsafe fn send_rest(
    fd: c_int,
    header: *const libc::msghdr,
    buffers: Buffers,
    flags: c_int,
    done: usize,
) -> c_long {
    if done == 0 {
        // SAFETY: as the caller promises, here and below.
        return unsafe { on(libc::SYS_sendmsg, fd, [header as c_long, flags.into(), 0, 0]) };
    }
    // SAFETY: as above.
    let (at, len) = unsafe { buffers.rest(done) };
    // SAFETY: as above.
    unsafe { on(libc::SYS_sendto, fd, [at, len, flags.into(), 0]) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn read(fd: c_int, to: *mut c_void, room: size_t) -> ssize_t {
    around(|| {
        if !is_green() {
            // SAFETY: as the caller promises, here and below.
            return unsafe { libcs::read(fd, to, room) };
        }
        if room > 0
            && let Some(kind) = Kind::of(fd).filter(|kind| kind.is_socket())
        {
            let received = receive(fd, kind, 0, room, |fd, flags, _| {
                let arguments = [fd.into(), to as c_long, room as c_long, flags.into(), 0, 0];
                // SAFETY: as above.
                unsafe { enter(libc::SYS_recvfrom, arguments) }
            });
            match received {
                Err(error) if changed(fd, &error) => {}
                received => return answer(received),
            }
        }
        let one = iovec { iov_base: to, iov_len: room };
        // SAFETY: as above.
        answer(unsafe { read_into(fd, Buffers::new(&raw const one, 1), room) })
    })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn write(fd: c_int, from: *const c_void, len: size_t) -> ssize_t {
    around(|| {
        if !is_green() {
            // SAFETY: as the caller promises, here and below.
            return unsafe { libcs::write(fd, from, len) };
        }
        if len > 0
            && let Some(kind) = Kind::of(fd).filter(|kind| kind.is_socket())
        {
            let sent = transmit(fd, kind, 0, len, |fd, flags, done| {
                let from = from.wrapping_byte_add(done) as c_long;
                // SAFETY: as above.
                unsafe {
                    enter(
                        libc::SYS_sendto,
                        [fd.into(), from, (len - done) as c_long, flags.into(), 0, 0],
                    )
                }
            });
            match sent {
                Err(error) if changed(fd, &error) => {}
                sent => return answer(sent),
            }
        }
        let one = iovec { iov_base: from.cast_mut(), iov_len: len };
        // SAFETY: as above.
        answer(unsafe { write_from(fd, Buffers::new(&raw const one, 1), len) })
    })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn readv(fd: c_int, to: *const iovec, n: c_int) -> ssize_t {
    around(|| {
        let buffers = Buffers::new(to, usize::try_from(n).unwrap_or(usize::MAX));
        // SAFETY: as the caller promises, here and below.
        match is_green().then(|| unsafe { buffers.total() }).flatten() {
            // SAFETY: as above.
            Some(room) => answer(unsafe { read_into(fd, buffers, room) }),
            // SAFETY: as above.
            None => unsafe { libcs::readv(fd, to, n) },
        }
    })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn writev(fd: c_int, from: *const iovec, n: c_int) -> ssize_t {
    around(|| {
        let buffers = Buffers::new(from, usize::try_from(n).unwrap_or(usize::MAX));
        // SAFETY: as the caller promises, here and below.
        match is_green().then(|| unsafe { buffers.total() }).flatten() {
            // SAFETY: as above.
            Some(total) => answer(unsafe { write_from(fd, buffers, total) }),
            // SAFETY: as above.
            None => unsafe { libcs::writev(fd, from, n) },
        }
    })
}

/// Ends the process where a buffer is known to be too small, as libc does.
///
/// # Safety
///
/// Always.
pub(crate) unsafe fn check(len: size_t, room: size_t) {
    if len > room {
        // SAFETY: takes nothing, and does not return.
        unsafe { libcs::__chk_fail() };
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn __read_chk(
    fd: c_int,
    to: *mut c_void,
    len: size_t,
    room: size_t,
) -> ssize_t {
    // SAFETY: as the caller promises.
    unsafe {
        check(len, room);
        read(fd, to, len)
    }
}

pub use {read as __read, write as __write};

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn eventfd_read(fd: c_int, to: *mut u64) -> c_int {
    // SAFETY: as the caller promises; there is as much room.
    let n = unsafe { read(fd, to.cast(), size_of::<u64>()) };
    if n == size_of::<u64>().cast_signed() { 0 } else { -1 }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn eventfd_write(fd: c_int, value: u64) -> c_int {
    // SAFETY: there is as much.
    let n = unsafe { write(fd, (&raw const value).cast(), size_of::<u64>()) };
    if n == size_of::<u64>().cast_signed() { 0 } else { -1 }
}
