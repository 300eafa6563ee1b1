//! A green `poll(2)`, for code that waits for some descriptors at once.
//!
//! The kernel's `poll` is asked first, without waiting: it knows all answers, those about regular
//! files and about numbers that are no descriptors included. If it has nothing to tell, the thread waits
//! until there is news of one of the descriptors, and asks again. How it waits depends on what is asked:
//!
//! | | |
//! |---|---|
//! | a few descriptors, to read or to write | the runtime's own registrations: a waiter at each (`reactor`'s `several`) |
//! | any others | an event loop of the call's own, of which it waits for the one descriptor |
//!
//! # A few: level and edge
//!
//! The runtime's registrations are edge-triggered and shared; `poll` asks for levels. Each round looks at
//! the registrations first, asks the kernel for the levels then, and waits for an edge since the look: what
//! becomes ready after the answer is one. Whoever is woken consumes nothing, so what it was woken for it
//! leaves to those who wait at the same descriptor, in `recv` or in another `poll`; see `several`. It takes
//! no system call beside the questions, once a descriptor is registered; and not the first question, where
//! whoever has read last has left nothing (`reactor`'s `readiness`).
//!
//! A direction's edges are about reading as such. So a thread that waits for urgent data alone, say, would be
//! woken for each byte, and would swallow the wake-ups of those who read. That case goes the other way.
//!
//! # Many
//!
//! 1. Ask the kernel; return if there is an answer, or the time is up.
//! 2. Make an event loop, put the descriptors into it, *then* wait for it: what has become ready
//!    since the question makes it readable at once.
//! 3. Close it, and begin again.
//!
//! Within the nested loop the registrations are level-triggered and nobody else's. It lives as long as the
//! wait: the descriptors may be anybody's, such as a C library's, that closes them without a word. A
//! registration that outlives the call could mean another file by then. One that lasts for a wait is at worst
//! woken in vain, and the question that follows is about whatever file has the number now. (The runtime's own
//! registrations know of earlier owners: `reactor`.)
//!
//! The price is a handful of system calls, and one for each descriptor: it is for tens of descriptors, not
//! for thousands. What the kernel refuses to nest (there are no descriptors left; a chain of event loops is
//! too deep; more than 500 wait for the same file) is asked of its `poll` in a blocking section.
//!
//! # A descriptor that is closed meanwhile
//!
//! POSIX leaves open what becomes of the wait. Here the question is asked once more where the runtime hears
//! of it, of whoever has the number then.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::slice;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, Timespec};
use rustix::io::Errno;

use crate::blocking::blocking;
use crate::clock;
use crate::current;
use crate::io::{Interest, is_ready, ready, ready_interruptible};
use crate::park::{Interrupt, Wait};
use crate::reactor::several::{self, MOST, Post};
use crate::reactor::{self, Hidden};
use crate::sys::poller::Nested;
use crate::task::Header;

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
    let Some(task) = current::green() else { return Ok(ask(fds, timeout)?) };
    if timeout == Some(Duration::ZERO) {
        return ask_to_the_end(fds, timeout);
    }
    // A deadline beyond what the clock can tell is none.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let posts = Posts::of(fds.iter().copied());
    poll_green(task, posts, deadline, None, |timeout| ask_to_the_end(fds, timeout))
}

/// As [`poll`] for a question of the caller's own, such as that of `select`: waits until there is an answer,
/// until `deadline`, or until `interrupt` is raised, which is the calling thread's.
///
/// `ask` asks, waits for as long as it is told at most, and returns 0 if there is no answer. `fds` says what
/// has to happen for one: all of it, and as little beside as can be said, or the call may end up in a
/// blocking section. From an ordinary thread `ask` is called once.
///
/// # Errors
///
/// What `ask` says, and of the kind `Interrupted`.
pub fn poll_by(
    fds: impl Iterator<Item = libc::pollfd>,
    deadline: Option<Instant>,
    interrupt: Option<&Interrupt>,
    mut ask: impl FnMut(Option<Duration>) -> io::Result<usize> + Send,
) -> io::Result<usize> {
    match current::green() {
        Some(task) => poll_green(task, Posts::of(fds), deadline, interrupt, ask),
        None => ask(left_until(deadline)),
    }
}

/// Rounds in a row in which there was news at once, but no answer, before the kernel is to wait.
const MOST_IN_VAIN: u32 = 16;

fn poll_green(
    task: &Header,
    mut posts: Posts,
    deadline: Option<Instant>,
    interrupt: Option<&Interrupt>,
    mut ask: impl FnMut(Option<Duration>) -> io::Result<usize> + Send,
) -> io::Result<usize> {
    let mut n_in_vain = 0;
    let mut has_waited = false;
    let mut is_last = false;
    let result = loop {
        posts.look();
        // What the last reader or writer has found is the answer, until there is an edge.
        if is_last || !posts.are_empty() {
            match ask(Some(Duration::ZERO)) {
                Ok(0) if !is_last => {}
                other => break other,
            }
        }
        has_waited = true;
        match posts.wait(task, deadline, interrupt) {
            Ok(News::None) => is_last = true,
            Ok(News::Some) => n_in_vain = 0,
            Ok(News::AtOnce) if n_in_vain < MOST_IN_VAIN => n_in_vain += 1,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => break Err(error),
            Ok(News::AtOnce) | Err(_) => break blocking(|| ask(left_until(deadline))),
        }
    };
    if has_waited {
        posts.pass_on();
    }
    result
}

/// How a wait has ended.
enum News {
    /// The time is up.
    None,
    /// There may be an answer.
    Some,
    /// The same, and the thread has not waited for it.
    AtOnce,
}

fn left_until(deadline: Option<Instant>) -> Option<Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
}

/// What reading is asked for by, what writing is, and what a reader's edges tell beside.
const READS: i16 = libc::POLLIN | libc::POLLRDNORM;
const WRITES: i16 = libc::POLLOUT | libc::POLLWRNORM;
#[cfg(target_os = "linux")]
const TOLD: i16 = libc::POLLPRI | libc::POLLRDBAND | libc::POLLRDHUP;
#[cfg(not(target_os = "linux"))]
const TOLD: i16 = 0;

/// Where a call waits.
#[expect(clippy::large_enum_variant, reason = "the usual one, in the frame of who waits")]
enum Posts {
    Few([Option<Post<'static>>; MOST]),
    /// Each descriptor once, for a descriptor can be in an event loop once.
    Many(Vec<(RawFd, i16)>),
}

impl Posts {
    fn of(fds: impl Iterator<Item = libc::pollfd>) -> Self {
        let mut posts = [None; MOST];
        let mut n = 0;
        let mut many = Vec::new();
        for entry in fds.filter(|entry| entry.fd >= 0) {
            let events = entry.events & !(libc::POLLERR | libc::POLLHUP | libc::POLLNVAL);
            let (reads, writes) = (events & READS != 0, events & WRITES != 0);
            let is_plain = events & !(READS | WRITES | TOLD) == 0;
            let is_told = reads || writes && events & TOLD == 0;
            let n_wanted = usize::from(reads) + usize::from(writes);
            if many.is_empty()
                && is_plain
                && is_told
                && n + n_wanted <= MOST
                && let Some(of) = reactor::entry(entry.fd)
            {
                let wanted = [(reads, Interest::Read), (writes, Interest::Write)];
                for (_, interest) in wanted.into_iter().filter(|(is_asked, _)| *is_asked) {
                    posts[n] = Some((Post::new(borrow(entry.fd), of, interest), entry.events));
                    n += 1;
                }
                continue;
            }
            if many.is_empty() {
                let few = posts.iter().flatten();
                many.extend(few.map(|(post, events)| (post.number(), *events)));
            }
            many.push((entry.fd, entry.events));
        }
        if many.is_empty() {
            return Self::Few(posts.map(|post| post.map(|(post, _)| post)));
        }
        many.sort_unstable();
        many.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                kept.1 |= next.1;
            }
            is_same
        });
        Self::Many(many)
    }

    /// Before each question.
    fn look(&mut self) {
        if let Self::Few(posts) = self {
            posts.iter_mut().flatten().for_each(Post::look);
        }
    }

    /// Whether the kernel has nothing to tell, for all that is known.
    fn are_empty(&self) -> bool {
        match self {
            Self::Few(posts) => posts.iter().flatten().all(Post::is_empty),
            Self::Many(_) => false,
        }
    }

    /// Parks until there is news, or until `deadline`.
    fn wait(
        &self,
        task: &Header,
        deadline: Option<Instant>,
        interrupt: Option<&Interrupt>,
    ) -> io::Result<News> {
        let posts = match self {
            Self::Few(posts) => posts,
            Self::Many(wanted) => return wait_nested(wanted, deadline, interrupt),
        };
        match several::wait(task, posts, deadline.map(clock::ns), interrupt)? {
            Wait::Interrupted => Err(io::ErrorKind::Interrupted.into()),
            Wait::TimedOut => Ok(News::None),
            Wait::Changed | Wait::Woken => Ok(News::Some),
        }
    }

    /// The call ends: others wait at the same places.
    fn pass_on(&self) {
        if let Self::Few(posts) = self {
            posts.iter().flatten().for_each(Post::pass_on);
        }
    }
}

/// Asks the kernel, which fills in what it says.
fn ask(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> Result<usize, Errno> {
    const {
        assert!(size_of::<PollFd<'_>>() == size_of::<libc::pollfd>());
        assert!(align_of::<PollFd<'_>>() == align_of::<libc::pollfd>());
    }
    let timeout = timeout.map(|left| Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    });
    // SAFETY: the type is the kernel's `pollfd`, as the other one is. It does not say that a descriptor is
    // open: see `borrow`; the kernel passes over negative ones.
    let asked = unsafe { slice::from_raw_parts_mut(fds.as_mut_ptr().cast(), fds.len()) };
    rustix::event::poll(asked, timeout.as_ref())
}

/// As `ask`, whatever signals come.
fn ask_to_the_end(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut left = timeout;
    loop {
        match ask(fds, left) {
            Err(Errno::INTR) => left = left_until(deadline),
            other => return Ok(other?),
        }
    }
}

/// As `Posts::wait`, by an event loop of the call's own.
fn wait_nested(
    wanted: &[(RawFd, i16)],
    deadline: Option<Instant>,
    interrupt: Option<&Interrupt>,
) -> io::Result<News> {
    let nested = Nested::new()?;
    for (fd, events) in wanted {
        if !nested.add(borrow(*fd), *events)? {
            return Ok(News::AtOnce);
        }
    }
    let watch = nested.into_fd();
    if is_ready(watch.as_fd(), Interest::Read)? {
        return Ok(News::AtOnce);
    }
    let watch = Hidden::new(watch).ok_or(Errno::NOMEM)?;
    let is_ready = match interrupt {
        Some(interrupt) => ready_interruptible(watch.as_fd(), Interest::Read, deadline, interrupt)?,
        None => ready(watch.as_fd(), Interest::Read, deadline)?,
    };
    Ok(if is_ready { News::Some } else { News::None })
}

/// The descriptor of this number, if there is one: for calls that only ask about it.
fn borrow<'a>(fd: RawFd) -> BorrowedFd<'a> {
    debug_assert!(fd >= 0, "a negative descriptor is passed over");
    // SAFETY: not -1. It goes to `poll`, which says so if it is not open, and into an event loop,
    // which refuses it; neither reads, writes or closes anything.
    unsafe { BorrowedFd::borrow_raw(fd) }
}
