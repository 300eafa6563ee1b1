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

/// Whether reads from the stream `fd` are to wait for more than a byte (`SO_RCVLOWAT`).
pub(crate) fn has_mark(fd: BorrowedFd<'_>) -> bool {
    // The same in all kernels: 1 unless it was set.
    ask(fd, libc::SO_RCVLOWAT, 1).is_some_and(|mark| mark > 1)
}

/// How long calls on `fd` wait at most, to read and to write; what is no socket has no timeouts.
///
/// Asked for under the number that std uses, too: `rustix` has another one, for which emulators of user
/// space give no more than a part of the answer.
pub(crate) fn timeouts(fd: BorrowedFd<'_>) -> [Option<Duration>; 2] {
    [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO].map(|option| {
        let time = ask(fd, option, libc::timeval { tv_sec: 0, tv_usec: 0 })?;
        let seconds = u64::try_from(time.tv_sec).ok()?;
        let micros = u64::try_from(time.tv_usec).ok()?;
        let timeout = Duration::from_secs(seconds) + Duration::from_micros(micros);
        (timeout != Duration::ZERO).then_some(timeout)
    })
}

/// The processor on which bytes for `fd` came in last: where the peer has sent them, if it is on this machine. `None`
/// if nobody can tell.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn received_on(fd: BorrowedFd<'_>) -> Option<usize> {
    usize::try_from(ask(fd, libc::SO_INCOMING_CPU, -1)?).ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn received_on(_: BorrowedFd<'_>) -> Option<usize> {
    None
}

/// Whether they came from a network card, or may have.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_from_card(fd: BorrowedFd<'_>) -> bool {
    // The number of the card's queue, 0 where there is none, as with the loopback.
    ask(fd, libc::SO_INCOMING_NAPI_ID, 1) != Some(0)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn is_from_card(_: BorrowedFd<'_>) -> bool {
    true
}

/// Whether `fd`, which std has just accepted at `listener`, has that one's `O_NONBLOCK`. It has by `accept`, as
/// std does on Apple's systems, and has not by `accept4`.
#[cfg(not(sylvan_kqueue))]
pub(crate) fn inherits_nonblocking(_: BorrowedFd<'_>, _listener: BorrowedFd<'_>) -> bool {
    cfg!(target_vendor = "apple")
}

#[cfg(sylvan_kqueue)]
pub(crate) use super::kqueue_model::inherits_nonblocking;

/// An option of a socket; `None` where there is no such thing.
fn ask<T: Plain>(fd: BorrowedFd<'_>, option: libc::c_int, mut value: T) -> Option<T> {
    let mut len = mem::size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel writes at most that many bytes, and any of them make a value.
    let asked = unsafe { getsockopt(fd, option, (&raw mut value).cast(), &mut len) };
    asked.then_some(value)
}

/// Whether the kernel has such an option.
///
/// # Safety
///
/// It writes as many bytes as `len` says at most, to `to`.
#[cfg(any(target_os = "linux", target_os = "android"))]
unsafe fn getsockopt(
    fd: BorrowedFd<'_>,
    option: libc::c_int,
    to: *mut libc::c_void,
    len: &mut libc::socklen_t,
) -> bool {
    let (fd, level, option) = (fd.as_raw_fd() as usize, libc::SOL_SOCKET as usize, option as usize);
    let len = ptr::from_mut(len).expose_provenance();
    let what = [fd, level, option, to.expose_provenance(), len, 0];
    // SAFETY: as the caller promises.
    unsafe { super::kernel::call(libc::SYS_getsockopt, what).is_ok() }
}

/// Whether the kernel has such an option.
///
/// # Safety
///
/// It writes as many bytes as `len` says at most, to `to`.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
unsafe fn getsockopt(
    fd: BorrowedFd<'_>,
    option: libc::c_int,
    to: *mut libc::c_void,
    len: &mut libc::socklen_t,
) -> bool {
    // SAFETY: as the caller promises.
    unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, option, to, ptr::from_mut(len)) == 0
    }
}

/// What any bytes make a value of.
trait Plain {}

impl Plain for libc::c_int {}
impl Plain for libc::timeval {}

#[cfg(all(test, target_os = "linux", not(sylvan_loom)))]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    use super::*;

    #[test]
    fn bytes_by_the_loopback_come_in_on_the_processor_of_who_has_sent_them() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let usable = sched_getaffinity(None).unwrap();
        for processor in (0..CpuSet::MAX_CPU).filter(|&processor| usable.is_set(processor)) {
            let mut alone = CpuSet::new();
            alone.set(processor);
            // This test's own OS thread.
            sched_setaffinity(None, &alone).unwrap();
            client.write_all(b"a").unwrap();
            server.read_exact(&mut [0]).unwrap();
            assert_eq!(received_on(server.as_fd()), Some(processor));
            assert_eq!(super::super::thread::processor(), Some(processor));
        }
        assert!(!is_from_card(server.as_fd()));
    }

    #[test]
    fn nobody_can_tell_where_the_bytes_of_a_pipe_come_from() {
        let (reader, _writer) = std::io::pipe().unwrap();
        assert_eq!(received_on(reader.as_fd()), None);
        assert!(is_from_card(reader.as_fd()));
    }
}
