//! Bytes in and out: the calls that every socket type shares.
//!
//! Each is one [`attempt`], which says by which descriptor. An ordinary thread makes the call that std makes and blocks in it. A
//! green thread makes it with `MSG_DONTWAIT`, so that the descriptor itself stays a blocking one,
//! and `attempt` parks it where the call would have blocked.
//!
//! # What a short transfer says
//!
//! A read of TCP that brings less than it had room for has drained the socket, and the next one
//! may park without asking. A read of a Unix stream also stops where descriptors or credentials
//! travel with the bytes, though more follows. Linux says `MSG_CTRUNC` then, for there is no room
//! for them either: `recvmsg` tells, and `recv` does not, which is cheaper and does where a buffer
//! will be full. Nothing else tells that a socket is drained: a datagram ends where it ends, and a
//! look (`MSG_PEEK`) takes nothing away.
//!
//! A blocking write returns only when all is taken, or when an error or its timeout ends it: then
//! it returns how much was. On a green thread the loop is here, inside one `attempt` and so under
//! one timeout.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::addr::SocketAddrArg;
use rustix::net::sockopt::socket_error;
use rustix::net::{
    RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendFlags, SocketAddrAny,
    recvmsg, sendmsg,
};

use crate::bridge::{Attempt, Interest, Mode, attempt};

/// How many buffers one vectored call takes (`IOV_MAX` of Linux, macOS and FreeBSD); as std, the
/// rest waits for the next call.
pub(crate) const MAX_BUFFERS: usize = 1024;

/// Whether `recvmsg` says why a read of a Unix stream was short.
const SAYS_WHY: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// The room from which on a read of a Unix stream is expected to be a short one. It is worth `recvmsg`
/// then; smaller buffers are mostly those of a `read_exact`.
const ROOMY: usize = 512;

/// `MSG_NOSIGNAL`: where it is missing, the option `SO_NOSIGPIPE` of the socket stands in, as in std.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::empty();

/// What kind of stream a socket is; see "What a short transfer says".
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Tcp,
    Unix,
}

impl Stream {
    /// Judges a read that brought `n` bytes where there was room for `room`, and these flags, if it
    /// has asked for any.
    #[inline]
    fn read(self, n: usize, room: usize, flags: Option<ReturnFlags>) -> Attempt<usize> {
        let is_told = match self {
            Stream::Tcp => true,
            Stream::Unix => {
                SAYS_WHY && flags.is_some_and(|flags| !flags.contains(ReturnFlags::CTRUNC))
            }
        };
        if is_told && 0 < n && n < room { Attempt::Drained(n) } else { Attempt::Done(n) }
    }

    /// Whether an error ends a write half way, and deals with it as the call does that blocks.
    ///
    /// That of TCP leaves the error in place for the next call to report, so it must not be
    /// fetched by writing on: a reset stays a reset. That of a Unix stream takes it.
    fn has_failed(self, fd: BorrowedFd<'_>) -> bool {
        let failed = poll_now(fd, PollFlags::empty()).contains(PollFlags::ERR);
        if failed && self == Stream::Unix {
            let _taken = socket_error(fd);
        }
        failed
    }
}

/// Reads from a stream.
#[inline]
pub(crate) fn read(fd: BorrowedFd<'_>, stream: Stream, buf: &mut [u8]) -> io::Result<usize> {
    // The closure has what it needs by value: it lies in the frame of who waits.
    attempt(fd, Interest::Read, move |fd, mode| {
        let room = buf.len();
        let asks_why = SAYS_WHY && stream == Stream::Unix && room >= ROOMY;
        if asks_why && mode == Mode::NonBlocking {
            return receive(fd, stream, &mut [IoSliceMut::new(buf)], room, mode);
        }
        let (_, n) = rustix::net::recv(fd, &mut *buf, recv_flags(mode))?;
        Ok(stream.read(n, room, None))
    })
}

/// Reads from a stream into several buffers.
pub(crate) fn read_vectored(
    fd: BorrowedFd<'_>,
    stream: Stream,
    bufs: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    let n_bufs = bufs.len().min(MAX_BUFFERS);
    let bufs = &mut bufs[..n_bufs];
    let room = bufs.iter().map(|buf| buf.len()).sum();
    // As `readv`, which asks the socket for nothing then; `recvmsg` would wait for data.
    if room == 0 {
        return Ok(0);
    }
    attempt(fd, Interest::Read, |fd, mode| receive(fd, stream, bufs, room, mode))
}

/// Reads into several buffers, which have this much room, and learns whether that was all.
fn receive(
    fd: BorrowedFd<'_>,
    stream: Stream,
    bufs: &mut [IoSliceMut<'_>],
    room: usize,
    mode: Mode,
) -> io::Result<Attempt<usize>> {
    let message = recvmsg(fd, bufs, &mut RecvAncillaryBuffer::default(), recv_flags(mode))?;
    Ok(stream.read(message.bytes, room, Some(message.flags)))
}

/// Writes to a stream.
#[inline]
pub(crate) fn write(fd: BorrowedFd<'_>, stream: Stream, buf: &[u8]) -> io::Result<usize> {
    let send = |fd: BorrowedFd<'_>, flags| Ok(rustix::net::send(fd, buf, flags | NO_SIGNAL)?);
    // Nothing needs no room, even of a socket that is full.
    if buf.is_empty() {
        return send(fd, SendFlags::empty());
    }
    write_all(fd, stream, &[IoSlice::new(buf)], buf.len(), send)
}

/// Writes to a stream from several buffers.
///
/// As std's, which is a `writev`, the call does not suppress `SIGPIPE`.
pub(crate) fn write_vectored(
    fd: BorrowedFd<'_>,
    stream: Stream,
    bufs: &[IoSlice<'_>],
) -> io::Result<usize> {
    let bufs = &bufs[..bufs.len().min(MAX_BUFFERS)];
    let total = bufs.iter().map(|buf| buf.len()).sum();
    // As `writev`, which does not ask the socket then.
    if total == 0 {
        return Ok(0);
    }
    write_all(fd, stream, bufs, total, |fd, flags| {
        Ok(sendmsg(fd, bufs, &mut SendAncillaryBuffer::default(), flags)?)
    })
}

/// Writes all of `bufs`, which are `total` bytes, beginning with the call `first`.
#[inline]
fn write_all(
    fd: BorrowedFd<'_>,
    stream: Stream,
    bufs: &[IoSlice<'_>],
    total: usize,
    first: impl Fn(BorrowedFd<'_>, SendFlags) -> io::Result<usize> + Sync,
) -> io::Result<usize> {
    let mut sent = 0;
    let result = attempt(fd, Interest::Write, |fd, mode| {
        if mode == Mode::Blocking {
            return first(fd, SendFlags::empty()).map(Attempt::Done);
        }
        let full = if sent == 0 {
            sent = first(fd, SendFlags::DONTWAIT)?;
            sent < total
        } else {
            write_rest(fd, stream, bufs, total, &mut sent)?
        };
        if full { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(Attempt::Done(sent)) }
    });
    match result {
        Err(_) if sent > 0 => Ok(sent),
        result => result,
    }
}

/// Goes on with a write that has been parked; returns whether the socket is full again.
#[cold]
fn write_rest(
    fd: BorrowedFd<'_>,
    stream: Stream,
    bufs: &[IoSlice<'_>],
    total: usize,
    sent: &mut usize,
) -> io::Result<bool> {
    if stream.has_failed(fd) {
        return Ok(false);
    }
    while *sent < total {
        let rest = buffer_from(bufs, *sent);
        // Never a signal: with a part sent, the blocking call too would just return that part.
        let n = rustix::net::send(fd, rest, SendFlags::DONTWAIT | NO_SIGNAL)?;
        *sent += n;
        if n < rest.len() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is left, after the first `skip` bytes of `bufs`, of the buffer where these end.
pub(crate) fn buffer_from<'a>(bufs: &'a [IoSlice<'_>], mut skip: usize) -> &'a [u8] {
    for buf in bufs {
        if skip < buf.len() {
            return &buf[skip..];
        }
        skip -= buf.len();
    }
    &[]
}

/// Receives one datagram, or looks at what the next read will bring.
#[inline]
pub(crate) fn recv(fd: BorrowedFd<'_>, buf: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    let mut asked = false;
    attempt(fd, Interest::Read, |fd, mode| {
        match rustix::net::recv(fd, &mut *buf, flags | recv_flags(mode)) {
            Err(Errno::AGAIN) if is_over(fd, &mut asked) => Ok(Attempt::Done(0)),
            received => Ok(Attempt::Done(received?.1)),
        }
    })
}

/// Receives one datagram, or looks at it, with the address of its sender (if that has one).
pub(crate) fn recv_from(
    fd: BorrowedFd<'_>,
    buf: &mut [u8],
    flags: RecvFlags,
) -> io::Result<(usize, Option<SocketAddrAny>)> {
    let mut asked = false;
    attempt(fd, Interest::Read, |fd, mode| {
        match rustix::net::recvfrom(fd, &mut *buf, flags | recv_flags(mode)) {
            Err(Errno::AGAIN) if is_over(fd, &mut asked) => Ok(Attempt::Done((0, None))),
            received => received.map(|(_, n, from)| Attempt::Done((n, from))).map_err(Into::into),
        }
    })
}

/// Judges an `EAGAIN`: whether it stands for "reading was shut down".
///
/// Of datagram sockets and Unix listeners Linux tells this end only to calls that block, and to
/// `poll`. The end wakes who is parked for it, so only who was woken and finds nothing (`asked`
/// before, in the same attempt) needs to look.
pub(crate) fn is_over(fd: BorrowedFd<'_>, asked: &mut bool) -> bool {
    #[cfg(target_os = "linux")]
    const OVER: PollFlags = PollFlags::RDHUP;
    #[cfg(not(target_os = "linux"))]
    const OVER: PollFlags = PollFlags::empty();
    std::mem::replace(asked, true) && poll_now(fd, OVER).intersects(OVER)
}

/// What `poll` says of a descriptor now; asked for or not, `ERR` is among it.
fn poll_now(fd: BorrowedFd<'_>, wanted: PollFlags) -> PollFlags {
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut entry = [PollFd::from_borrowed_fd(fd, wanted)];
    match poll(&mut entry, Some(&AT_ONCE)) {
        Ok(_) => entry[0].revents(),
        Err(_) => PollFlags::empty(),
    }
}

/// Sends one datagram to the peer.
#[inline]
pub(crate) fn send(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    attempt(fd, Interest::Write, |fd, mode| {
        let n = rustix::net::send(fd, buf, send_flags(mode) | NO_SIGNAL)?;
        Ok(Attempt::Done(n))
    })
}

/// Sends one datagram to an address.
pub(crate) fn send_to(
    fd: BorrowedFd<'_>,
    buf: &[u8],
    to: &(impl SocketAddrArg + Sync),
) -> io::Result<usize> {
    attempt(fd, Interest::Write, |fd, mode| {
        let n = rustix::net::sendto(fd, buf, send_flags(mode) | NO_SIGNAL, to)?;
        Ok(Attempt::Done(n))
    })
}

#[inline]
fn recv_flags(mode: Mode) -> RecvFlags {
    match mode {
        Mode::Blocking => RecvFlags::empty(),
        Mode::NonBlocking => RecvFlags::DONTWAIT,
    }
}

#[inline]
fn send_flags(mode: Mode) -> SendFlags {
    match mode {
        Mode::Blocking => SendFlags::empty(),
        Mode::NonBlocking => SendFlags::DONTWAIT,
    }
}
