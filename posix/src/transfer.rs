//! Bytes in and out: `read`, `write` and their kin, and what all calls on sockets share.
//!
//! An OS thread's call is libc's. A green thread's goes by the descriptor's kind (`kind`). It is made in a
//! form in which the kernel does not block, and the thread parks while there is nothing. Where the kernel has
//! no such form, it is made in a blocking section: when the kernel says that it will not block, if it says so
//! at all. No flag of the guest's file is ever changed. What a call is beside that, a short answer and a call
//! in parts, is said in [`calls::transfer`](crate::calls::transfer).
//!
//! # `SIGPIPE`
//!
//! is for the thread that writes, and a worker is not that thread. So sockets are written with
//! `MSG_NOSIGNAL`. A pipe sends the signal to the worker, which blocks it; it is taken from there. In both
//! cases the thread raises its own. Where nobody is left to read after a part, a pipe has the signal sent
//! beside the part, and a socket does not: Linux does so. Nor does a Unix socket where the write has waited
//! for room.

use std::ffi::{c_int, c_long, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{iovec, size_t, ssize_t};
use rustix::event::PollFlags;
use sylvan::contract::io::{Attempt, Interest, Mode, note_call};
use sylvan::is_green;

use crate::calls::Waits;
use crate::calls::transfer as calls;
use crate::cancel::around;
use crate::errno::{number_of, set_errno};
use crate::kernel::enter;
use crate::kind::Kind;
use crate::next::libcs;
use crate::signal::own::own;
use crate::wait::{Callers, Restart, section};

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

/// A descriptor of the caller's.
#[inline]
pub(crate) fn there<'a>(fd: c_int) -> BorrowedFd<'a> {
    // SAFETY: something is open under it. If that is closed meanwhile the runtime hears of it.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// An attempt of a green thread, with what its caller has passed: see [`Waits::attempt`].
#[inline]
pub(crate) fn attempt<T: Send>(
    fd: c_int,
    interest: Interest,
    op: impl FnMut(c_int, Mode) -> io::Result<Attempt<T>>,
) -> io::Result<T> {
    let mut op = Callers(op);
    Restart::AsAsked.attempt(there(fd), interest, move |fd, mode| op.get()(fd.as_raw_fd(), mode))
}

/// The flags of a call, with the one for a call that is not to block.
#[inline]
pub(crate) fn flags_in(mode: Mode, flags: c_int) -> c_int {
    match mode {
        Mode::Blocking => flags,
        Mode::NonBlocking => flags | libc::MSG_DONTWAIT,
    }
}

/// The result of a call that its caller has asked not to wait. Where there are many, others run in between; not in
/// a handler, which is through before they do.
#[inline]
fn at_once(interest: Interest, result: io::Result<usize>) -> io::Result<usize> {
    if result.is_ok() && own().is_none_or(|signals| signals.depth.get() == 0) {
        note_call(interest);
    }
    result
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
        return at_once(Interest::Read, result(receive(fd, flags, 0)));
    }
    if flags & libc::MSG_WAITALL != 0 && kind.is_stream() {
        return if flags & LOOKS != 0 {
            // Until there is as much, which no event tells.
            result(section(|| receive(fd, flags, 0)))
        } else {
            receive_all(fd, flags, room, receive)
        };
    }
    let mut receive = Callers(receive);
    calls::receive(
        Restart::AsAsked,
        there(fd),
        move || kind,
        move |fd, mode| {
            let n = result(receive.get()(fd.as_raw_fd(), flags_in(mode, flags), 0))?;
            Ok(if flags & LOOKS == 0 { kind.brought(n, room, None) } else { Attempt::Done(n) })
        },
    )
}

/// Receives until there is no more room, as a call that is made in parts.
fn receive_all(
    fd: c_int,
    flags: c_int,
    room: usize,
    receive: impl Fn(c_int, c_int, usize) -> c_long,
) -> io::Result<usize> {
    let mut done = 0;
    let received = attempt(fd, Interest::Read, |fd, mode| {
        let n = result(receive(fd, flags_in(mode, flags), done))?;
        done += n;
        let is_all = n == 0 || done >= room || mode == Mode::Blocking;
        Ok(if is_all { Attempt::Done(done) } else { Attempt::More(done) })
    });
    if received.is_err() && done > 0 { Ok(done) } else { received }
}

/// Whether a call would not block now.
pub(crate) fn is_ready(fd: c_int, interest: Interest) -> bool {
    let events = match interest {
        Interest::Read => PollFlags::IN | PollFlags::RDHUP,
        Interest::Write => PollFlags::OUT,
    };
    calls::poll_now(there(fd), events).map_or(true, |found| !found.is_empty())
}

/// Sends by a socket: `send` with a descriptor, flags, and how much is sent already, says how much was
/// taken. There are `total` bytes.
#[inline]
pub(crate) fn transmit(
    fd: c_int,
    kind: Kind,
    flags: c_int,
    total: usize,
    send: impl Fn(c_int, c_int, usize) -> io::Result<usize>,
) -> io::Result<usize> {
    let (quietly, mut send) = (flags | libc::MSG_NOSIGNAL, Callers(send));
    let mut was_full = false;
    let full = &mut was_full;
    let sent = if flags & libc::MSG_DONTWAIT != 0 {
        at_once(Interest::Write, send.get()(fd, quietly, 0))
    } else {
        calls::transmit(
            Restart::AsAsked,
            there(fd),
            move || kind,
            total,
            move |fd, mode, done| {
                let sent = send.get()(fd.as_raw_fd(), flags_in(mode, quietly), done);
                if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                    *full = true;
                }
                sent
            },
        )
    };
    if let Err(error) = &sent
        && error.raw_os_error() == Some(libc::EPIPE)
        && kind.is_stream()
        && flags & libc::MSG_NOSIGNAL == 0
        && !(kind == Kind::Unix && was_full)
    {
        // SAFETY: the thread's own signal.
        unsafe { libc::raise(libc::SIGPIPE) };
    }
    sent
}

/// The buffers of a call.
#[derive(Clone, Copy)]
pub(crate) struct Buffers {
    first: *const iovec,
    n: usize,
}

// SAFETY: the caller waits for the call, and has promised that they may be used until it returns.
unsafe impl Send for Buffers {}

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

    /// `readv`, or `writev`, as it is.
    ///
    /// # Safety
    ///
    /// As for that.
    unsafe fn call(self, number: c_long, fd: c_int) -> c_long {
        // SAFETY: as the caller promises.
        unsafe { on(number, fd, [self.first as c_long, self.n as c_long, 0, 0]) }
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
    let plain = move |fd| unsafe { to.call(libc::SYS_readv, fd) };
    let Some(kind) = Kind::of(fd) else { return result(plain(fd)) };
    match kind {
        // Nothing needs no waiting.
        _ if room == 0 => result(plain(fd)),
        Kind::Tcp | Kind::Unix | Kind::Stream | Kind::Message => {
            let received = calls::receive(
                Restart::AsAsked,
                there(fd),
                move || kind,
                move |fd, mode| {
                    let mut header = to.header();
                    let arguments = [(&raw mut header) as c_long, flags_in(mode, 0).into(), 0, 0];
                    // SAFETY: as above.
                    let n = result(unsafe { on(libc::SYS_recvmsg, fd.as_raw_fd(), arguments) })?;
                    Ok(kind.brought(n, room, Some(header.msg_flags)))
                },
            );
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
    // SAFETY: as the caller promises, here and below.
    let plain = move |fd| unsafe { from.call(libc::SYS_writev, fd) };
    let Some(kind) = Kind::of(fd) else { return result(plain(fd)) };
    match kind {
        Kind::Tcp | Kind::Unix | Kind::Stream | Kind::Message => {
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
            let (mut kind, mut is_signalled) = (kind, false);
            let signalled = &mut is_signalled;
            let written = calls::transmit(
                Restart::AsAsked,
                there(fd),
                || Kind::Pipe,
                total,
                move |fd, _, done| {
                    let fd = fd.as_raw_fd();
                    let one;
                    let mut rest = from;
                    if done > 0 {
                        // SAFETY: there is more.
                        let (at, len) = unsafe { from.rest(done) };
                        one = iovec { iov_base: at as *mut c_void, iov_len: len as usize };
                        rest = Buffers::new(&raw const one, 1);
                    }
                    if kind == Kind::Pipe {
                        match result(without_waiting(libc::SYS_pwritev2, fd, rest)) {
                            Err(error) if refuses(&error) => kind = Kind::Counter.is_known_of(fd),
                            written => return said_of_pipe(written, signalled),
                        }
                    }
                    // SAFETY: as above.
                    let plain = |fd| unsafe { rest.call(libc::SYS_writev, fd) };
                    let written = when_ready(fd, Interest::Write, plain);
                    said_of_pipe(written.map(Attempt::into_inner), signalled)
                },
            );
            signal_pipe(is_signalled);
            written
        }
        Kind::Counter | Kind::Polled => {
            let mut is_signalled = false;
            let written = attempt(fd, Interest::Write, |fd, _| {
                said_of_pipe(when_ready(fd, Interest::Write, plain), &mut is_signalled)
            });
            signal_pipe(is_signalled);
            written
        }
        Kind::File => result(section(|| plain(fd))),
    }
}

/// Takes note of the signal of a pipe that nobody reads: it is the calling thread's.
fn said_of_pipe<T>(written: io::Result<T>, is_signalled: &mut bool) -> io::Result<T> {
    if let Err(error) = &written
        && error.raw_os_error() == Some(libc::EPIPE)
    {
        *is_signalled |= take_pipe_signal();
    }
    written
}

/// Raises the signal that was taken note of.
fn signal_pipe(is_signalled: bool) {
    if is_signalled {
        // SAFETY: the thread's own signal.
        unsafe { libc::raise(libc::SIGPIPE) };
    }
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

/// Sends what is left of a message, and says how much of it was taken.
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
) -> io::Result<usize> {
    if done == 0 {
        let arguments = [header as c_long, flags.into(), 0, 0];
        // SAFETY: as the caller promises, here and below.
        return result(unsafe { on(libc::SYS_sendmsg, fd, arguments) });
    }
    // SAFETY: as above.
    let (at, len) = unsafe { buffers.rest(done) };
    // SAFETY: as above.
    result(unsafe { on(libc::SYS_sendto, fd, [at, len, flags.into(), 0]) })
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
            && let Some(kind) = Kind::of(fd).filter(|kind| kind.is_socket() && !kind.asks_why(room))
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
                let left = len - done;
                let arguments = [fd.into(), from, left as c_long, flags.into(), 0, 0];
                // SAFETY: as above.
                result(unsafe { enter(libc::SYS_sendto, arguments) })
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
