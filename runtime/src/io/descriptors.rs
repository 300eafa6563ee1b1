//! What is said of descriptors: that they come in, go out, or are lent, and what is set of them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use rustix::io::ioctl_fionbio;

use crate::reactor::{self, Interest, Origin};
use crate::sys::socket;

/// Says that `fd` comes in: whatever was known of its number belongs to somebody else.
pub fn attach(fd: BorrowedFd<'_>, origin: Origin) {
    if let Some(entry) = reactor::entry_or_disowned(fd) {
        entry.attach(fd, origin);
    }
}

/// As [`attach`], for a duplicate of `original` that this process has just made.
pub fn attach_duplicate(fd: BorrowedFd<'_>, original: BorrowedFd<'_>) {
    match (reactor::entry_or_disowned(fd), reactor::entry(original)) {
        (Some(entry), Some(of)) => {
            entry.attach_duplicate(fd.as_raw_fd(), of, original.as_raw_fd());
            return;
        }
        (Some(entry), None) => entry.attach(fd, Origin::Adopted),
        // It is with somebody of whom nothing is known.
        (None, Some(of)) => of.lend(original),
        (None, None) => {}
    }
    reactor::note_stray();
}

/// As [`attach`], for a connection that was accepted at `listener` just now.
///
/// # Platform-specific behavior
///
/// On macOS a connection inherits `O_NONBLOCK`: it is taken back if it is the runtime's own.
pub fn attach_accepted(fd: BorrowedFd<'_>, listener: BorrowedFd<'_>) {
    if socket::inherits_nonblocking(fd, listener) {
        let of = reactor::entry(listener);
        if of.is_none_or(|of| of.is_nonblocking_by_program(listener).unwrap_or(true)) {
            return attach(fd, Origin::Adopted);
        }
        // Fails for a bad descriptor alone.
        let _ = ioctl_fionbio(fd, false);
    }
    if let Some(entry) = reactor::entry_or_disowned(fd) {
        entry.attach_accepted(fd, reactor::entry(listener), listener);
    }
}

/// Says that writing to `fd` was shut down. Whoever waits to write, on whatever duplicate that this
/// process has made, tries again and sees.
///
/// # Platform-specific behavior
///
/// For Unix sockets alone: of one that is full Linux has no event for this.
pub fn writing_is_over(fd: BorrowedFd<'_>) {
    let Some(entry) = reactor::entry(fd) else { return };
    entry.nudge(Interest::Write);
    for sibling in entry.siblings(fd.as_raw_fd()).into_iter().filter_map(reactor::entry) {
        sibling.nudge(Interest::Write);
    }
}

/// Says that `fd` is about to be closed. Whoever waits for its file goes on to do so, as in the kernel.
pub fn detach(fd: BorrowedFd<'_>) {
    if let Some(entry) = reactor::entry_or_disowned(fd) {
        entry.detach(fd);
    }
}

/// Says that the runtime need not know of `fd` any more, which stays open under its number. Whoever waits
/// there goes on to do so.
pub fn release(fd: BorrowedFd<'_>) {
    if let Some(entry) = reactor::entry_or_disowned(fd) {
        entry.release(fd);
    }
}

/// Says that somebody is to have `fd` who knows nothing of the runtime, beside whoever has it, or
/// instead (then [`release`] follows). It is a plain blocking descriptor from now on, unless the
/// program has made it another one, and what is set behind the runtime's back is looked at.
pub fn lend(fd: BorrowedFd<'_>) {
    if let Some(entry) = reactor::entry(fd) {
        entry.lend(fd);
    }
}

/// Sets whether calls on `fd` block, for every thread.
///
/// # Errors
///
/// What the kernel says.
pub fn set_nonblocking(fd: BorrowedFd<'_>, nonblocking: bool) -> io::Result<()> {
    match reactor::entry(fd) {
        Some(entry) => entry.set_nonblocking(fd, nonblocking),
        None => {
            ioctl_fionbio(fd, nonblocking)?;
            reactor::note_setting_of_unknown();
            Ok(())
        }
    }
}

/// Sets how long calls on the socket `fd` wait at most; `None`: for ever.
///
/// # Errors
///
/// `InvalidInput` for a timeout of zero, as std; else what the kernel says.
pub fn set_timeout(
    fd: BorrowedFd<'_>,
    interest: Interest,
    timeout: Option<Duration>,
) -> io::Result<()> {
    use rustix::net::sockopt::{Timeout, set_socket_timeout};
    if timeout == Some(Duration::ZERO) {
        let why = "cannot set a 0 duration timeout";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let which = match interest {
        Interest::Read => Timeout::Recv,
        Interest::Write => Timeout::Send,
    };
    set_socket_timeout(fd.as_fd(), which, timeout)?;
    match reactor::entry(fd) {
        Some(entry) => entry.set_timeout(fd, interest, timeout),
        None => reactor::note_setting_of_unknown(),
    }
    Ok(())
}
