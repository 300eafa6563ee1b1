//! What the kernel knows of a socket.

use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;

/// Whether `fd` is a socket whose bytes are a stream.
pub(crate) fn is_stream(fd: BorrowedFd<'_>) -> bool {
    socket_type(fd) == Ok(SocketType::STREAM)
}

/// How long calls on `fd` wait at most, to read and to write; what is no socket has no timeouts.
///
/// Asked for by libc, under the number that std uses, too: `rustix` has another one, for which
/// emulators of user space give no more than a part of the answer.
pub(crate) fn timeouts(fd: BorrowedFd<'_>) -> [Option<Duration>; 2] {
    [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO].map(|option| {
        let mut time = libc::timeval { tv_sec: 0, tv_usec: 0 };
        let mut len = mem::size_of_val(&time) as libc::socklen_t;
        // SAFETY: the kernel writes at most that many bytes, and any of them make a time.
        let asked = unsafe {
            let value = ptr::from_mut(&mut time).cast();
            libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, option, value, &raw mut len)
        };
        let seconds = u64::try_from(time.tv_sec).ok().filter(|_| asked == 0)?;
        let micros = u64::try_from(time.tv_usec).ok()?;
        let timeout = Duration::from_secs(seconds) + Duration::from_micros(micros);
        (timeout != Duration::ZERO).then_some(timeout)
    })
}
