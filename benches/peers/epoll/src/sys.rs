//! The system calls of the loop.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;

/// How many events one `epoll_wait` brings at most.
const BATCH: usize = 512;

/// As many connections as may wait to be accepted.
const BACKLOG: i32 = 4096;

fn check(code: i32) -> io::Result<i32> {
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(code) }
}

/// A count of bytes, or nothing where the call would have had to wait.
fn check_bytes(count: isize) -> io::Result<Option<usize>> {
    match usize::try_from(count) {
        Ok(count) => Ok(Some(count)),
        Err(_) => match io::Error::last_os_error() {
            e if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            e => Err(e),
        },
    }
}

#[derive(Debug)]
pub(crate) struct Epoll(OwnedFd);

pub(crate) struct Events(Vec<libc::epoll_event>);

impl Events {
    pub(crate) fn new() -> Events {
        Events(vec![libc::epoll_event { events: 0, u64: 0 }; BATCH])
    }
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Epoll> {
        // SAFETY: the call takes no pointer.
        let number = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        Ok(Epoll(from_number(number as u64)))
    }

    pub(crate) fn add(&self, number: RawFd, key: u64, interest: i32) -> io::Result<()> {
        let mut event = libc::epoll_event { events: (interest | libc::EPOLLET) as u32, u64: key };
        // SAFETY: `event` is alive for the call, which copies it.
        let code = unsafe {
            libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, number, &raw mut event)
        };
        check(code).map(drop)
    }

    /// Registers a connection under its number, for everything that may happen to it.
    pub(crate) fn add_stream(&self, number: RawFd) -> io::Result<()> {
        self.add(number, number as u64, libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP)
    }

    /// Waits until something is ready and returns what: its key and its readiness.
    pub(crate) fn wait<'a>(
        &self,
        events: &'a mut Events,
    ) -> io::Result<impl Iterator<Item = (u64, u32)> + use<'a>> {
        let (space, room) = (events.0.as_mut_ptr(), events.0.len() as i32);
        // SAFETY: `space` points to `room` events that live as long as `events`.
        let code = unsafe { libc::epoll_wait(self.0.as_raw_fd(), space, room, -1) };
        let count = match check(code) {
            Ok(count) => count as usize,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => 0,
            Err(e) => return Err(e),
        };
        Ok(events.0[..count].iter().map(|event| (event.u64, event.events)))
    }
}

pub(crate) fn listen_tcp() -> io::Result<(OwnedFd, String)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?.to_string();
    Ok((deepen(listener.into())?, address))
}

pub(crate) fn listen_unix(path: &str) -> io::Result<(OwnedFd, String)> {
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok((deepen(listener.into())?, path.to_owned()))
}

/// Listens again, with room for more connections than std leaves.
fn deepen(listener: OwnedFd) -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointer.
    check(unsafe { libc::listen(listener.as_raw_fd(), BACKLOG) })?;
    Ok(listener)
}

/// Accepts one connection, if one waits.
pub(crate) fn accept(listener: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let null = std::ptr::null_mut();
    // SAFETY: null pointers say that the address is not wanted.
    let code = unsafe { libc::accept4(listener.as_raw_fd(), null, null.cast(), flags) };
    let Some(number) = check_bytes(code as isize)? else { return Ok(None) };
    let stream = from_number(number as u64);
    // A Unix socket does not have the option, and does not need it.
    let _ = set_nodelay(&stream);
    Ok(Some(stream))
}

fn set_nodelay(stream: &OwnedFd) -> io::Result<()> {
    let on: i32 = 1;
    let value = (&raw const on).cast();
    // SAFETY: `value` points to an int that lives through the call, and 4 is its size.
    let code = unsafe {
        libc::setsockopt(stream.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, value, 4)
    };
    check(code).map(drop)
}

pub(crate) fn receive(stream: &OwnedFd, bytes: &mut [u8]) -> io::Result<Option<usize>> {
    let (space, room) = (bytes.as_mut_ptr().cast(), bytes.len());
    // SAFETY: `space` and `room` are those of `bytes`.
    check_bytes(unsafe { libc::recv(stream.as_raw_fd(), space, room, 0) })
}

pub(crate) fn send(stream: &OwnedFd, bytes: &[u8]) -> io::Result<Option<usize>> {
    let (start, length) = (bytes.as_ptr().cast(), bytes.len());
    // SAFETY: `start` and `length` are those of `bytes`.
    check_bytes(unsafe { libc::send(stream.as_raw_fd(), start, length, libc::MSG_NOSIGNAL) })
}

/// Gives a descriptor up to whoever holds its number.
pub(crate) fn into_number(stream: OwnedFd) -> RawFd {
    stream.into_raw_fd()
}

/// Takes over a descriptor by the number that the kernel or [`into_number`] gave.
pub(crate) fn from_number(number: u64) -> OwnedFd {
    // SAFETY: the number is a fresh one, or was given up by `into_number` to the one worker that
    // the descriptor is registered with; either way nobody else closes it.
    unsafe { OwnedFd::from_raw_fd(number as RawFd) }
}
