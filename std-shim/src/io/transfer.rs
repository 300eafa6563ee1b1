//! Bytes through pipes and the like: descriptors whose calls have no flag that says "do not block".
//!
//! Each is one [`attempt_unflagged`]: while a green thread may wait for it, the runtime makes the
//! descriptor non-blocking if it is the process's own, and otherwise asks the kernel first. What fits
//! into `PIPE_BUF` the kernel takes whole or not at all, as it does for std.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;

use crate::bridge::calls::transfer::transmit;
use crate::bridge::calls::{Kind, Waits};
use crate::bridge::{Attempt, Interest, Mode, attempt_unflagged};
use crate::net::transfer::{MAX_BUFFERS, buffer_from};

/// Waits as [`attempt_unflagged`] does.
#[derive(Clone, Copy)]
struct Unflagged;

impl Waits for Unflagged {
    fn attempt<T: Send>(
        self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        mut op: impl FnMut(BorrowedFd<'_>, Mode) -> io::Result<Attempt<T>> + Send,
    ) -> io::Result<T> {
        attempt_unflagged(fd, interest, |fd| op(fd, Mode::NonBlocking))
    }
}

/// Reads what there is; waits for something, or for the end.
pub(crate) fn read(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    // The kernel has nothing to wait for then.
    if buf.is_empty() {
        return Ok(rustix::io::read(fd, buf)?);
    }
    attempt_unflagged(fd, Interest::Read, |fd| Ok(Attempt::Done(rustix::io::read(fd, &mut *buf)?)))
}

/// Reads into several buffers.
pub(crate) fn read_vectored(fd: BorrowedFd<'_>, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    if bufs.iter().all(|buf| buf.is_empty()) {
        return Ok(rustix::io::readv(fd, bufs)?);
    }
    attempt_unflagged(fd, Interest::Read, |fd| Ok(Attempt::Done(rustix::io::readv(fd, bufs)?)))
}

/// Writes all of `buf`, or what can be written before an error.
pub(crate) fn write(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    write_vectored(fd, &[IoSlice::new(buf)])
}

/// Writes all of `bufs`, or what can be written before an error.
pub(crate) fn write_vectored(fd: BorrowedFd<'_>, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    let bufs = &bufs[..bufs.len().min(MAX_BUFFERS)];
    let total = bufs.iter().map(|buf| buf.len()).sum();
    if total == 0 {
        return Ok(rustix::io::writev(fd, bufs)?);
    }
    transmit(
        Unflagged,
        fd,
        || Kind::Pipe,
        total,
        move |fd, _, written| {
            if written == 0 {
                return Ok(rustix::io::writev(fd, bufs)?);
            }
            let rest = buffer_from(bufs, written);
            Ok(rustix::io::write(fd, rest)?)
        },
    )
}
