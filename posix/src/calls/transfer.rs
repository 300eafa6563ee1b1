//! Bytes through sockets and pipes.
//!
//! Each call is one attempt ([`Waits::attempt`]). A green thread asks a socket with `MSG_DONTWAIT`, so that the
//! descriptor itself stays a blocking one.
//!
//! # What a short transfer says
//!
//! A read of TCP that brings less than it had room for has drained the socket, and the next one
//! may park without asking. A read of a Unix stream also stops where descriptors or credentials
//! travel with the bytes, though more follows. Linux says `MSG_CTRUNC` then, if there is no room
//! for them either: `recvmsg` tells, and `recv` does not, which is cheaper and does where a buffer
//! will be full. Nothing else tells that a socket is drained: a datagram ends where it ends, and a
//! look (`MSG_PEEK`) takes nothing away.
//!
//! A short write says nothing. Most often it has filled the buffer. But it may also have lacked memory, or
//! the file may be one that takes what it likes, and no edge follows if the buffer was never full.
//!
//! # A call that is made in parts
//!
//! A write that blocks returns when all is taken. So what the kernel has taken of it is counted, and the call
//! goes on with the rest, in one attempt and under one timeout. Each part is a try of its own
//! ([`Attempt::More`]). `poll` says whether there is room for more. If there is none an edge will tell: then,
//! and only then, the call waits. What ends it after a part is not said: after a timeout, a handler or an
//! error the part is the answer. (An error of TCP stays in place for the next call; it must not be fetched by
//! writing on. One of another socket is taken, as the call that blocks does.)
//!
//! `POLLERR` alone is no error: it also stands for what a program may fetch with `MSG_ERRQUEUE`, such as the
//! times at which it has sent. TCP says `POLLHUP` as well when an error has ended it; other sockets are asked.

use std::ffi::c_int;
use std::io;
use std::mem;
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::net::sockopt::socket_error;
use sylvan::contract::io::{Attempt, Interest, Mode};

use super::{Kind, Waits};

/// Whether `recvmsg` says why a read of a Unix stream was short.
const SAYS_WHY: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// The room from which on a read of a Unix stream is expected to be a short one. It is worth `recvmsg`
/// then; smaller buffers are mostly those of who reads until they are full.
const ROOMY: usize = 512;

impl Kind {
    /// Whether a read with so much room is to ask by `recvmsg`, which has no room for more than bytes.
    #[inline]
    #[must_use]
    pub fn asks_why(self, room: usize) -> bool {
        SAYS_WHY && self == Self::Unix && room >= ROOMY
    }

    /// Judges a read that brought `n` bytes where there was room for `room`, and these flags, if it
    /// [asked for them](Self::asks_why).
    #[inline]
    #[must_use]
    pub fn brought(self, n: usize, room: usize, flags: Option<c_int>) -> Attempt<usize> {
        let is_told = match self {
            Self::Tcp => true,
            Self::Unix => SAYS_WHY && flags.is_some_and(|flags| flags & libc::MSG_CTRUNC == 0),
            _ => false,
        };
        if is_told && 0 < n && n < room { Attempt::Drained(n) } else { Attempt::Done(n) }
    }
}

/// Receives by a socket of this kind: a function, so that one that is known where the call is compiled is
/// not looked at when it is made. `ask` says what has come, and whether that was all; the default of it stands for
/// the end of a socket whose reading was shut down.
///
/// # Errors
///
/// What `ask` says, and as [`sylvan::contract::io::attempt`].
#[inline]
pub fn receive<T: Send + Default>(
    by: impl Waits,
    fd: BorrowedFd<'_>,
    kind: impl Fn() -> Kind + Send,
    mut ask: impl FnMut(BorrowedFd<'_>, Mode) -> io::Result<Attempt<T>> + Send,
) -> io::Result<T> {
    let mut has_asked = false;
    // The closure has what it needs by value: it lies in the frame of who waits.
    by.attempt(fd, Interest::Read, move |fd, mode| match ask(fd, mode) {
        Err(error)
            if kind() == Kind::Message
                && error.kind() == io::ErrorKind::WouldBlock
                && is_over(fd, &mut has_asked) =>
        {
            Ok(Attempt::Done(T::default()))
        }
        answer => answer,
    })
}

/// Judges an `EAGAIN`: whether it stands for "reading was shut down".
///
/// Of datagram sockets and Unix listeners Linux tells this end only to calls that block, and to
/// `poll`. The end wakes who is parked for it, so only who was woken and finds nothing (`has_asked`
/// before, in the same attempt) needs to look.
#[cold]
pub fn is_over(fd: BorrowedFd<'_>, has_asked: &mut bool) -> bool {
    #[cfg(target_os = "linux")]
    const OVER: PollFlags = PollFlags::RDHUP;
    #[cfg(not(target_os = "linux"))]
    const OVER: PollFlags = PollFlags::empty();
    mem::replace(has_asked, true) && poll_now(fd, OVER).is_ok_and(|found| found.intersects(OVER))
}

/// What `poll` says of a descriptor now; asked for or not, `ERR` is among it.
///
/// # Errors
///
/// What the kernel says, but for signals.
pub(crate) fn poll_now(fd: BorrowedFd<'_>, wanted: PollFlags) -> io::Result<PollFlags> {
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut entry = [PollFd::from_borrowed_fd(fd, wanted)];
    retry_on_intr(|| poll(&mut entry, Some(&AT_ONCE)))?;
    Ok(entry[0].revents())
}

/// Sends all of `total` bytes, or what can be sent before an error. `ask` gets how many are sent, and gives
/// the kernel some of the rest: it says how many were taken.
///
/// # Errors
///
/// What `ask` says before any is sent, and as [`sylvan::contract::io::attempt`].
#[inline]
pub fn transmit(
    by: impl Waits,
    fd: BorrowedFd<'_>,
    kind: impl Fn() -> Kind + Send,
    total: usize,
    mut ask: impl FnMut(BorrowedFd<'_>, Mode, usize) -> io::Result<usize> + Send,
) -> io::Result<usize> {
    let mut n_sent = 0;
    let sent = &mut n_sent;
    let mut has_tried = false;
    // As above.
    let result = by.attempt(fd, Interest::Write, move |fd, mode| {
        if *sent > 0 {
            let has_tried = mem::take(&mut has_tried);
            match after_part(fd, kind()) {
                Next::End => return Ok(Attempt::Done(*sent)),
                // Of a Unix socket that is full and shut down `poll` says nothing: there the kernel is asked
                // by a try. So does who was woken, of any.
                Next::Wait if has_tried && kind() != Kind::Unix => {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Next::Wait | Next::Try => {}
            }
        }
        let n = ask(fd, mode, *sent)?;
        *sent += n;
        if n == 0 || *sent >= total || kind() == Kind::Message || mode == Mode::Blocking {
            return Ok(Attempt::Done(*sent));
        }
        has_tried = true;
        Ok(Attempt::More(*sent))
    });
    match result {
        Err(_) if n_sent > 0 => Ok(n_sent),
        result => result,
    }
}

/// How a write that is half way goes on.
enum Next {
    Try,
    /// There is no room, and an edge tells when there is.
    Wait,
    /// An error has ended it; see "A call that is made in parts".
    End,
}

#[cold]
fn after_part(fd: BorrowedFd<'_>, kind: Kind) -> Next {
    // Where `poll` does not know, the write does.
    let Ok(mut found) = poll_now(fd, PollFlags::OUT) else { return Next::Try };
    if found.contains(PollFlags::ERR) && kind.is_socket() {
        if has_ended(fd, kind, found) {
            return Next::End;
        }
        found.remove(PollFlags::ERR);
    }
    if found.is_empty() { Next::Wait } else { Next::Try }
}

/// Whether `POLLERR`, among what was found of a socket, stands for an error.
fn has_ended(fd: BorrowedFd<'_>, kind: Kind, found: PollFlags) -> bool {
    if kind == Kind::Tcp {
        found.contains(PollFlags::HUP)
    } else {
        !matches!(socket_error(fd), Ok(Ok(())))
    }
}
