//! Descriptors: try first, park on `EAGAIN`.
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// A direction of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    Read,
    Write,
}

/// How an attempt must call the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// An ordinary thread calls: block, as the descriptor's own flags and timeouts say.
    Blocking,
    /// A green thread calls: do not block (`MSG_DONTWAIT`); `WouldBlock` parks the caller.
    NonBlocking,
}

/// What a successful attempt says about what is left.
#[derive(Clone, Copy, Debug)]
pub enum Attempt<T> {
    /// There may be more.
    Done(T),
    /// The kernel's buffer is known to be drained (a short read) or full (a short write):
    /// the next attempt parks without asking.
    Drained(T),
}

/// Where a descriptor comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Made by this process just now: blocking, without timeouts, not duplicated.
    Fresh,
    /// From elsewhere (`from_raw_fd`, `OwnedFd`, `try_clone`): flags unknown, perhaps shared.
    Adopted,
}

/// A descriptor comes in: to be called when a shim type is made of it.
pub fn attach(_fd: BorrowedFd<'_>, _origin: Origin) {}
/// A descriptor goes out: before it is closed or handed to somebody (`into_raw_fd`, `OwnedFd::from`); makes it a plain one again.
pub fn detach(_fd: BorrowedFd<'_>) {}
/// A descriptor is being duplicated: both sides share flags and timeouts from now on.
pub fn share(_fd: BorrowedFd<'_>) {}

/// Calls `op`; where it says `WouldBlock` to a green thread, parks until the descriptor is ready, and again.
/// Honours `set_nonblocking` (`WouldBlock` goes to the caller) and `set_timeout` (`WouldBlock` when it expires, as std).
/// From an ordinary thread calls `op(Mode::Blocking)` once.
pub fn attempt<T>(
    _fd: BorrowedFd<'_>,
    _interest: Interest,
    mut op: impl FnMut(Mode) -> io::Result<Attempt<T>>,
) -> io::Result<T> {
    op(Mode::Blocking).map(|a| match a {
        Attempt::Done(t) | Attempt::Drained(t) => t,
    })
}

/// As `attempt`, for calls without a flag of their own (`accept`): the runtime sees to it that `op` does not block a worker.
pub fn attempt_unflagged<T>(
    _fd: BorrowedFd<'_>,
    _interest: Interest,
    mut op: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    op()
}

/// Parks until ready (`true`) or until the deadline (`false`).
pub fn ready(
    fd: BorrowedFd<'_>,
    interest: Interest,
    deadline: Option<Instant>,
) -> io::Result<bool> {
    let mut p = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: match interest {
            Interest::Read => libc::POLLIN,
            Interest::Write => libc::POLLOUT,
        },
        revents: 0,
    };
    let ms =
        deadline.map_or(-1, |d| d.saturating_duration_since(Instant::now()).as_millis() as i32);
    let r = unsafe { libc::poll(&mut p, 1, ms) };
    if r < 0 { Err(io::Error::last_os_error()) } else { Ok(r > 0) }
}

/// `O_NONBLOCK`, as `set_nonblocking` of std's sockets.
pub fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(fd, on)?)
}
/// `SO_RCVTIMEO`/`SO_SNDTIMEO`, as std's `set_read_timeout`/`set_write_timeout` (zero is `InvalidInput`, with std's message).
pub fn set_timeout(
    fd: BorrowedFd<'_>,
    interest: Interest,
    timeout: Option<Duration>,
) -> io::Result<()> {
    use rustix::net::sockopt::{Timeout, set_socket_timeout};
    if timeout == Some(Duration::ZERO) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot set a 0 duration timeout"));
    }
    let id = match interest {
        Interest::Read => Timeout::Recv,
        Interest::Write => Timeout::Send,
    };
    Ok(set_socket_timeout(fd, id, timeout)?)
}
