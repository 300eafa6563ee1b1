//! Sockets: connecting.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use sylvan::contract::io::Interest;

use super::Waits;

/// Connects `fd`: `begin` asks the kernel to, and does not wait for the peer's answer. The thread parks until
/// the socket can be written; then it has its peer, or an error.
///
/// # Errors
///
/// What `begin` says; where that is that the connection is under way, and `deadline` has passed, the same.
pub fn connect(
    by: impl Waits,
    fd: BorrowedFd<'_>,
    deadline: Option<Instant>,
    begin: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    match begin() {
        Err(error) if is_under_way(&error) => {
            if !by.ready(fd, Interest::Write, deadline)? {
                return Err(error);
            }
            Ok(socket_error(fd)??)
        }
        connected => connected,
    }
}

/// Whether a connection has begun, but has not come about.
#[must_use]
pub fn is_under_way(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INPROGRESS | Errno::ALREADY))
}
