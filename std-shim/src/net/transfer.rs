//! Bytes in and out: what the kernel is asked by the calls that every socket type shares.
//!
//! The calls themselves are [`calls::transfer`](crate::bridge::calls). An ordinary thread makes the
//! system call that std makes and blocks in it.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;

use rustix::net::addr::SocketAddrArg;
use rustix::net::{
    RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrAny, recvmsg, sendmsg,
};

use crate::bridge::calls::transfer::{receive, transmit};
use crate::bridge::calls::{Kind, Plainly};
use crate::bridge::{Attempt, Mode};

/// How many buffers one vectored call takes (`IOV_MAX` of Linux, macOS and FreeBSD); as std, the
/// rest waits for the next call.
pub(crate) const MAX_BUFFERS: usize = 1024;

/// `MSG_NOSIGNAL`: where it is missing, the option `SO_NOSIGPIPE` of the socket stands in, as in std.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::empty();

/// The kind of a socket, known where its type is.
pub(crate) trait Known: Fn() -> Kind + Copy + Send {}
impl<K: Fn() -> Kind + Copy + Send> Known for K {}

/// Reads from a stream.
#[inline]
pub(crate) fn read(fd: BorrowedFd<'_>, kind: impl Known, buf: &mut [u8]) -> io::Result<usize> {
    receive(Plainly, fd, kind, move |fd, mode| {
        let room = buf.len();
        if kind().asks_why(room) && mode == Mode::NonBlocking {
            return receive_parts(fd, kind(), &mut [IoSliceMut::new(buf)], room, mode);
        }
        let (_, n) = rustix::net::recv(fd, &mut *buf, recv_flags(mode))?;
        Ok(kind().brought(n, room, None))
    })
}

/// Reads from a stream into several buffers.
pub(crate) fn read_vectored(
    fd: BorrowedFd<'_>,
    kind: impl Known,
    bufs: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    let n_bufs = bufs.len().min(MAX_BUFFERS);
    let bufs = &mut bufs[..n_bufs];
    let room = bufs.iter().map(|buf| buf.len()).sum();
    // As `readv`, which asks the socket for nothing then; `recvmsg` would wait for data.
    if room == 0 {
        return Ok(0);
    }
    receive(Plainly, fd, kind, move |fd, mode| receive_parts(fd, kind(), bufs, room, mode))
}

/// Reads into several buffers, which have this much room, and learns whether that was all.
fn receive_parts(
    fd: BorrowedFd<'_>,
    kind: Kind,
    bufs: &mut [IoSliceMut<'_>],
    room: usize,
    mode: Mode,
) -> io::Result<Attempt<usize>> {
    let message = recvmsg(fd, bufs, &mut RecvAncillaryBuffer::default(), recv_flags(mode))?;
    Ok(kind.brought(message.bytes, room, Some(message.flags.bits().cast_signed())))
}

/// Writes to a stream.
#[inline]
pub(crate) fn write(fd: BorrowedFd<'_>, kind: impl Known, buf: &[u8]) -> io::Result<usize> {
    let send = move |fd: BorrowedFd<'_>, flags, from| {
        let rest = buf.get(from..).unwrap_or_default();
        Ok(rustix::net::send(fd, rest, flags | NO_SIGNAL)?)
    };
    // Nothing needs no room, even of a socket that is full.
    if buf.is_empty() {
        return send(fd, SendFlags::empty(), 0);
    }
    transmit(Plainly, fd, kind, buf.len(), move |fd, mode, sent| send(fd, send_flags(mode), sent))
}

/// Writes to a stream from several buffers.
///
/// As std's, which is a `writev`, the call does not suppress `SIGPIPE`; after a part it does, for the call
/// that blocks would just return that part.
pub(crate) fn write_vectored(
    fd: BorrowedFd<'_>,
    kind: impl Known,
    bufs: &[IoSlice<'_>],
) -> io::Result<usize> {
    let bufs = &bufs[..bufs.len().min(MAX_BUFFERS)];
    let total = bufs.iter().map(|buf| buf.len()).sum();
    // As `writev`, which does not ask the socket then.
    if total == 0 {
        return Ok(0);
    }
    transmit(Plainly, fd, kind, total, move |fd, mode, sent| {
        let flags = send_flags(mode);
        if sent == 0 {
            return Ok(sendmsg(fd, bufs, &mut SendAncillaryBuffer::default(), flags)?);
        }
        let rest = buffer_from(bufs, sent);
        Ok(rustix::net::send(fd, rest, flags | NO_SIGNAL)?)
    })
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
    receive(
        Plainly,
        fd,
        || Kind::Message,
        move |fd, mode| {
            Ok(Attempt::Done(rustix::net::recv(fd, &mut *buf, flags | recv_flags(mode))?.1))
        },
    )
}

/// Receives one datagram, or looks at it, with the address of its sender (if that has one).
pub(crate) fn recv_from(
    fd: BorrowedFd<'_>,
    buf: &mut [u8],
    flags: RecvFlags,
) -> io::Result<(usize, Option<SocketAddrAny>)> {
    receive(
        Plainly,
        fd,
        || Kind::Message,
        move |fd, mode| {
            let (_, n, from) = rustix::net::recvfrom(fd, &mut *buf, flags | recv_flags(mode))?;
            Ok(Attempt::Done((n, from)))
        },
    )
}

/// Sends one datagram to the peer.
#[inline]
pub(crate) fn send(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    transmit(
        Plainly,
        fd,
        || Kind::Message,
        buf.len(),
        move |fd, mode, _| Ok(rustix::net::send(fd, buf, send_flags(mode) | NO_SIGNAL)?),
    )
}

/// Sends one datagram to an address.
pub(crate) fn send_to(
    fd: BorrowedFd<'_>,
    buf: &[u8],
    to: &(impl SocketAddrArg + Sync),
) -> io::Result<usize> {
    transmit(
        Plainly,
        fd,
        || Kind::Message,
        buf.len(),
        move |fd, mode, _| Ok(rustix::net::sendto(fd, buf, send_flags(mode) | NO_SIGNAL, to)?),
    )
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
