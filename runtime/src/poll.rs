//! A green `poll(2)`, for code that waits for many descriptors at once.
//!
//! The kernel's `poll` is asked first, without waiting: it knows all answers, those about regular
//! files and about numbers that are no descriptors included. If it has nothing to tell, the
//! descriptors go into an event loop of their own, which lives as long as the wait and is itself a
//! descriptor that is readable while one of those in it is ready. The thread waits for that one as
//! for any other ([`ready`]), and then asks again.
//!
//! 1. Ask the kernel; return if there is an answer, or the time is up.
//! 2. Make an event loop, put the descriptors into it, *then* wait for it: what has become ready
//!    since the question makes it readable at once.
//! 3. Close it, and begin again.
//!
//! # Why this way
//!
//! - *No second protocol.* A waiter in the lists of many descriptors would have as many wakers, and
//!   each would have to be settled with before its frame ends (`park`: the rule of wakers). Here it
//!   is one waiter of one descriptor, and the kernel does the rest.
//! - *Level and edge.* The runtime's registrations are edge-triggered and shared; `poll` asks for
//!   levels. Within the nested loop the registrations are level-triggered and nobody else's, so what
//!   another thread does to the same descriptors takes nothing away from either.
//! - *Nothing stays behind.* The descriptors may be anybody's, such as a C library's, that closes
//!   them without a word. A registration that outlives the call could mean another file by then;
//!   one that lasts for a wait is at worst woken in vain, and the question that follows is about
//!   whoever has the number now.
//!
//! The price is a handful of system calls, and one for each descriptor, where the thread has to
//! wait: as `poll` itself it is for tens of descriptors, not for thousands.
//!
//! What the kernel refuses to nest (there are no descriptors left; a chain of event loops too deep;
//! more than 500 that wait for the same file) is asked of its `poll` in a blocking section.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::blocking::blocking;
use crate::current;
use crate::io::{Interest, ready};
use crate::reactor::{self, Hidden, Origin};
use crate::sys::poller::Nested;

/// Waits until one of `fds` is ready, and returns how many are; 0 when the timeout has passed.
///
/// This is the `poll` of POSIX: each descriptor's `events` says what is waited for (`POLLIN`,
/// `POLLOUT`, `POLLPRI`, on Linux `POLLRDHUP`), its `revents` what is so. `POLLERR`, `POLLHUP` and
/// `POLLNVAL`, for what is not open, are told unasked; a negative descriptor is passed over.
/// Without a timeout the wait has no end, and with one of zero it is only a look. The descriptors
/// may be anybody's and of any kind.
///
/// Parks the calling green thread; an ordinary thread it blocks.
///
/// # Errors
///
/// What the kernel says of more descriptors than a process may have (`InvalidInput`), or when it is
/// out of memory. `Interrupted`, when a signal comes, for ordinary threads alone: a signal is not
/// for a green one.
///
/// ```
/// use std::io::Write;
/// use std::os::fd::AsRawFd;
/// use std::os::unix::net::UnixStream;
/// use std::time::Duration;
///
/// let (quiet, _open) = UnixStream::pair()?;
/// let (heard, mut speaker) = UnixStream::pair()?;
/// let waiting = sylvan::spawn(move || {
///     let wanted = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
///     let mut fds = [wanted(quiet.as_raw_fd()), wanted(heard.as_raw_fd())];
///     let n = sylvan::poll(&mut fds, Some(Duration::from_secs(10)))?;
///     std::io::Result::Ok((n, fds.map(|fd| fd.revents)))
/// });
/// speaker.write_all(b"hello")?;
/// assert_eq!(waiting.join().unwrap()?, (1, [0, libc::POLLIN]));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn poll(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    if current::green().is_none() {
        return Ok(ask(fds, timeout)?);
    }
    // A deadline beyond what the clock can tell is none.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut is_last = timeout == Some(Duration::ZERO);
    loop {
        let n = ask_to_the_end(fds, Some(Instant::now()))?;
        if n != 0 || is_last {
            return Ok(n);
        }
        match wait_for_any(fds, deadline) {
            Ok(is_ready) => is_last = !is_ready,
            Err(_) => return blocking(|| ask_to_the_end(fds, deadline)),
        }
    }
}

/// Asks the kernel, and fills in what it says.
fn ask(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> Result<usize, Errno> {
    let timeout = timeout.map(|left| Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    });
    let mut asked: Vec<PollFd<'_>> = fds
        .iter()
        .filter(|entry| entry.fd >= 0)
        .map(|entry| {
            let events = PollFlags::from_bits_retain(entry.events as _);
            PollFd::from_borrowed_fd(borrow(entry.fd), events)
        })
        .collect();
    let n = rustix::event::poll(&mut asked, timeout.as_ref())?;
    let mut answers = asked.iter();
    for entry in fds {
        let answer = if entry.fd >= 0 { answers.next() } else { None };
        entry.revents = answer.map_or(0, |answer| answer.revents().bits() as _);
    }
    Ok(n)
}

/// As `ask`, until `deadline`, whatever signals come.
fn ask_to_the_end(fds: &mut [libc::pollfd], deadline: Option<Instant>) -> io::Result<usize> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match ask(fds, left) {
            Err(Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Parks until one of `fds` may be ready: `true`; or until `deadline`: `false`.
fn wait_for_any(fds: &[libc::pollfd], deadline: Option<Instant>) -> io::Result<bool> {
    // A descriptor can be in an event loop once; it may be in `fds` more often.
    let mut wanted: Vec<(RawFd, i16)> =
        fds.iter().filter(|entry| entry.fd >= 0).map(|entry| (entry.fd, entry.events)).collect();
    wanted.sort_unstable();
    wanted.dedup_by(|next, kept| {
        let is_same = next.0 == kept.0;
        if is_same {
            kept.1 |= next.1;
        }
        is_same
    });
    let nested = Nested::new()?;
    for (fd, events) in wanted {
        if !nested.add(borrow(fd), events)? {
            return Ok(true);
        }
    }
    let watch = nested.into_fd();
    reactor::entry(watch.as_fd()).attach(watch.as_fd(), Origin::Fresh);
    let watch = Hidden::new(watch);
    ready(watch.as_fd(), Interest::Read, deadline)
}

/// The descriptor of this number, if there is one: for calls that only ask about it.
fn borrow<'a>(fd: RawFd) -> BorrowedFd<'a> {
    debug_assert!(fd >= 0, "a negative descriptor is passed over");
    // SAFETY: not -1. It goes to `poll`, which says so if it is not open, and into an event loop,
    // which refuses it; neither reads, writes or closes anything.
    unsafe { BorrowedFd::borrow_raw(fd) }
}
