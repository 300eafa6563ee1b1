//! Descriptors: try first, park when there is nothing.
//!
//! The `ready` verb, and what a mirror of std's sockets needs on top of it. A green thread's call is
//! made without letting the kernel block; when it finds nothing, the thread parks until the event
//! loop says that there is something. An ordinary thread's call blocks in the kernel, as std's does.
//!
//! A call is for a file, not for a number. It is given the descriptor to use, which is another one once
//! the number has been closed, or made to mean another file, while the call waited (`reactor::heir`).
//!
//! A green thread's call is `Interrupted` if it has asked to be ([`attempt_interruptible`]), and never
//! otherwise. std's may be, where a signal has a handler without `SA_RESTART`. On the mirror a signal is for
//! an OS thread, and no green thread is one.

mod descriptors;

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;

pub use self::descriptors::*;
#[cfg(not(sylvan_loom))]
pub use crate::reactor::Hidden;
pub use crate::reactor::{Interest, Origin};

use crate::blocking::blocking;
use crate::clock;
use crate::current;
use crate::park::Interrupt;
use crate::primitive::{AtomicU32, Ordering, global};
use crate::reactor::{self, Call, Heir, Seen, block_until_ready};
use crate::scheduler;
use crate::sys::socket;
use crate::task::Header;

/// How an attempt is to call the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// An ordinary thread calls: block as the descriptor's own settings say.
    Blocking,
    /// A green thread calls: do not block (`MSG_DONTWAIT`).
    NonBlocking,
}

/// What a successful call says about what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt<T> {
    /// There may be more to read, or more room to write.
    Done(T),
    /// Nothing is left: a stream was read short. The next call would find nothing, and parks without
    /// asking.
    Drained(T),
    /// A part is done, and this is all so far. The call goes on once others have had their turn, if the
    /// descriptor still means its file: else that is `EBADF`.
    More(T),
}

impl<T> Attempt<T> {
    /// What the call has brought.
    #[inline]
    pub fn into_inner(self) -> T {
        let (Self::Done(value) | Self::Drained(value) | Self::More(value)) = self;
        value
    }
}

/// Calls `op` until it says something other than `WouldBlock`, and parks in between.
///
/// `op` gets the descriptor that it is to use, and how. A green thread's gets [`Mode::NonBlocking`]; if
/// the descriptor was set non-blocking by the program its `WouldBlock` is the answer, and so it is when
/// the descriptor's timeout ([`set_timeout`]) has passed, as in std. An ordinary thread's `op` gets
/// [`Mode::Blocking`], once; and so does that of a green one, in a [`blocking`] section, where the
/// program has asked a stream's reads to wait for more than a byte (`SO_RCVLOWAT`).
///
/// Of some sockets that are shut down the kernel tells the end to `poll` alone. An `op` that finds
/// nothing twice in a row may ask it.
///
/// # Errors
///
/// What `op` says; what the kernel says if it does not watch such a descriptor; `EBADF` if the number
/// was closed meanwhile, and the process could have no other one for the file; `ENOMEM` if there is nothing,
/// and no memory to wait in.
#[inline]
pub fn attempt<T: Send>(
    fd: BorrowedFd<'_>,
    interest: Interest,
    mut op: impl FnMut(BorrowedFd<'_>, Mode) -> io::Result<Attempt<T>> + Send,
) -> io::Result<T> {
    match current::green() {
        Some(task) => attempt_by(task, fd, interest, Call::new(), op),
        None => op(fd, Mode::Blocking).map(Attempt::into_inner),
    }
}

/// As [`attempt`], until `interrupt` is raised: it is the calling thread's. That of an ordinary thread is not
/// looked at, for the kernel ends its call.
///
/// # Errors
///
/// As [`attempt`], and of the kind `Interrupted`.
pub fn attempt_interruptible<T: Send>(
    fd: BorrowedFd<'_>,
    interest: Interest,
    interrupt: &Interrupt,
    mut op: impl FnMut(BorrowedFd<'_>, Mode) -> io::Result<Attempt<T>> + Send,
) -> io::Result<T> {
    match current::green() {
        Some(task) => attempt_by(task, fd, interest, Call::new().unless(interrupt), op),
        None => op(fd, Mode::Blocking).map(Attempt::into_inner),
    }
}

/// For a call that was made past the runtime and that the kernel was asked not to block: it had no need to wait, as a
/// call of [`attempt`] that succeeds at once. A green thread that makes many of these lets others run in between.
#[inline]
pub fn note_call(interest: Interest) {
    if let Some(task) = current::green() {
        scheduler::yield_if_due(task, Some(interest));
    }
}

/// The attempt of a green thread.
#[inline(always)]
fn attempt_by<T: Send>(
    task: &Header,
    fd: BorrowedFd<'_>,
    interest: Interest,
    mut call: Call<'_>,
    mut op: impl FnMut(BorrowedFd<'_>, Mode) -> io::Result<Attempt<T>> + Send,
) -> io::Result<T> {
    match attempt_at(task, fd, interest, &mut call, &mut op) {
        Ok(value) => Ok(value),
        Err(Stopped::Op(error)) => Err(error),
        // By value: what `op` has need not be in memory until then.
        Err(stopped) => go_on(task, fd, interest, call, stopped, op),
    }
}

/// Why an attempt has ended without success.
enum Stopped {
    /// `op` has said so.
    Op(io::Error),
    /// It cannot, or may not, wait.
    Wait(io::Error),
    /// The kernel is to wait.
    Marked,
    /// There is no memory for the entry.
    NoEntry,
}

/// The attempt by one descriptor.
#[inline(always)]
fn attempt_at<T: Send>(
    task: &Header,
    fd: BorrowedFd<'_>,
    interest: Interest,
    call: &mut Call<'_>,
    op: &mut (impl FnMut(BorrowedFd<'_>, Mode) -> io::Result<Attempt<T>> + Send),
) -> Result<T, Stopped> {
    let entry = reactor::entry(fd).ok_or(Stopped::NoEntry)?;
    loop {
        let seen = entry.look(interest);
        if !seen.is_empty() {
            if seen.is_marked() {
                return Err(Stopped::Marked);
            }
            match op(fd, Mode::NonBlocking) {
                Ok(Attempt::Done(value)) => {
                    entry.pass_on(interest);
                    scheduler::yield_if_due(task, Some(interest));
                    return Ok(value);
                }
                Ok(Attempt::Drained(value)) => {
                    entry.note_empty(interest, seen);
                    return Ok(value);
                }
                Ok(Attempt::More(_)) => {
                    scheduler::yield_if_due(task, Some(interest));
                    if entry.is_still(interest, seen) {
                        continue;
                    }
                    return Err(Stopped::Wait(Errno::BADF.into()));
                }
                Err(error) if is_would_block(&error) => {
                    entry.note_empty(interest, seen);
                    // The kernel's is a number, with nothing to drop.
                    if error.raw_os_error().is_some() {
                        std::mem::forget(error);
                    }
                }
                // A signal is for the OS thread.
                Err(error)
                    if error.kind() == io::ErrorKind::Interrupted && !call.is_interruptible() =>
                {
                    continue;
                }
                Err(error) => {
                    entry.pass_on(interest);
                    return Err(Stopped::Op(error));
                }
            }
        }
        entry.wait(task, fd, interest, seen, call).map_err(Stopped::Wait)?;
    }
}

/// Whether an error is of the kind `WouldBlock`: the kernel's is known by its number, without a call.
#[inline]
fn is_would_block(error: &io::Error) -> bool {
    error
        .raw_os_error()
        .map_or_else(|| error.kind() == io::ErrorKind::WouldBlock, |number| number == libc::EAGAIN)
}

/// Goes on with a call that could not wait: by the other descriptors of its file, if there are any; or
/// as one that waits for as much as the program has asked for, which the kernel alone can do.
#[cold]
#[inline(never)]
fn go_on<T: Send>(
    task: &Header,
    fd: BorrowedFd<'_>,
    interest: Interest,
    mut call: Call<'_>,
    mut stopped: Stopped,
    mut op: impl FnMut(BorrowedFd<'_>, Mode) -> io::Result<Attempt<T>> + Send,
) -> io::Result<T> {
    let mut heir: Option<Heir> = None;
    loop {
        let fd = heir.as_ref().map_or(fd, Heir::as_fd);
        stopped = match stopped {
            Stopped::Op(error) => return Err(error),
            Stopped::NoEntry if interest == Interest::Read && socket::has_mark(fd) => {
                Stopped::Marked
            }
            Stopped::NoEntry => match op(fd, Mode::NonBlocking) {
                Err(error) if is_would_block(&error) => return Err(refusal(fd)),
                Err(error)
                    if error.kind() == io::ErrorKind::Interrupted && !call.is_interruptible() =>
                {
                    Stopped::NoEntry
                }
                result => return result.map(Attempt::into_inner),
            },
            Stopped::Marked => match blocking(|| op(fd, Mode::Blocking)) {
                Err(error)
                    if error.kind() == io::ErrorKind::Interrupted && !call.is_interruptible() =>
                {
                    Stopped::Marked
                }
                result => {
                    if let Some(entry) = reactor::entry(fd) {
                        entry.pass_on(interest);
                    }
                    return result.map(Attempt::into_inner);
                }
            },
            Stopped::Wait(error) => {
                let Some(next) = call.take_heir() else { return Err(error) };
                let next = heir.insert(next);
                match attempt_at(task, next.as_fd(), interest, &mut call, &mut op) {
                    Ok(value) => return Ok(value),
                    Err(stopped) => stopped,
                }
            }
        };
    }
}

/// Why a call does not wait that has no entry to wait in: for want of memory, unless the program has asked not to
/// wait.
#[cold]
fn refusal(fd: BorrowedFd<'_>) -> io::Error {
    let asked = fcntl_getfl(fd).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK));
    if asked { Errno::AGAIN.into() } else { Errno::NOMEM.into() }
}

/// As [`attempt`], for calls that have no flag of their own to tell the kernel not to block, such as
/// `accept`.
///
/// # Platform-specific behavior
///
/// A descriptor whose file is known to the runtime alone is made non-blocking, until somebody else
/// is to have it ([`lend`]). Another one stays as it is: the call is made when the kernel says that
/// it will not block, as a blocking section, since another process may be faster.
///
/// # Errors
///
/// As [`attempt`].
pub fn attempt_unflagged<T: Send>(
    fd: BorrowedFd<'_>,
    interest: Interest,
    op: impl FnMut(BorrowedFd<'_>) -> io::Result<Attempt<T>> + Send,
) -> io::Result<T> {
    match current::green() {
        Some(task) => attempt_green(task, fd, interest, op),
        None => attempt_outside(fd, interest, false, op),
    }
}

/// As [`attempt_unflagged`], for a call that accepts a connection at the listener `fd`.
///
/// # Platform-specific behavior
///
/// While nobody is busy an ordinary thread blocks in the kernel, as std's does. Beside workers that run
/// it has an event loop wake it, which they look at in between, for a millisecond at most: where the
/// kernel would switch to it and back for each connection, it finds several of them.
///
/// # Errors
///
/// As [`attempt`].
pub fn attempt_accept<T: Send>(
    listener: BorrowedFd<'_>,
    mut op: impl FnMut(BorrowedFd<'_>) -> io::Result<T> + Send,
) -> io::Result<T> {
    let op = move |fd: BorrowedFd<'_>| op(fd).map(Attempt::Done);
    match current::green() {
        Some(task) => attempt_green(task, listener, Interest::Read, op),
        None => attempt_outside(listener, Interest::Read, true, op),
    }
}

/// How long an ordinary thread leaves it to the event loop to wake it, before it waits in the kernel;
/// and how many calls wait there at once after one for which that was too short.
const PATIENCE: Duration = Duration::from_millis(1);
const IMPATIENT: u32 = 32;

global! {
    /// Calls that are to wait in the kernel. A hint: it orders nothing.
    static N_IMPATIENT: AtomicU32 = AtomicU32::new(0);
}

/// Has an event loop wake an ordinary thread; `false` if there is nobody to do so.
fn wait_outside(listener: BorrowedFd<'_>, seen: Seen, call: &mut Call<'_>) -> bool {
    let n_impatient = N_IMPATIENT.load(Ordering::Relaxed);
    if n_impatient > 0 {
        N_IMPATIENT.store(n_impatient - 1, Ordering::Relaxed);
        return false;
    }
    let Some(entry) = reactor::entry(listener) else { return false };
    let attendant = scheduler::attendant;
    let heard = entry.wait_outside(listener, Interest::Read, seen, call, attendant, PATIENCE);
    if heard == Some(false) {
        N_IMPATIENT.store(IMPATIENT, Ordering::Relaxed);
    }
    heard == Some(true)
}

/// Makes a call by `fd`, and by the other descriptors of its file as long as it is told of one.
#[inline]
fn by_its_descriptors<T>(
    fd: BorrowedFd<'_>,
    mut call: Call<'_>,
    mut at: impl FnMut(BorrowedFd<'_>, &mut Call<'_>) -> T,
) -> T {
    let mut result = at(fd, &mut call);
    while let Some(heir) = call.take_heir() {
        result = at(heir.as_fd(), &mut call);
    }
    result
}

/// The calls of an ordinary thread: they block, unless the descriptor was made non-blocking for green
/// ones; or, when it `accepts`, is so that an event loop may wake the thread.
fn attempt_outside<T>(
    fd: BorrowedFd<'_>,
    interest: Interest,
    accepts: bool,
    mut op: impl FnMut(BorrowedFd<'_>) -> io::Result<Attempt<T>> + Send,
) -> io::Result<T> {
    let call = Call::new();
    by_its_descriptors(fd, call, |fd, call| {
        attempt_outside_at(fd, interest, accepts, call, &mut op)
    })
}

/// The same by one descriptor.
fn attempt_outside_at<T>(
    fd: BorrowedFd<'_>,
    interest: Interest,
    accepts: bool,
    call: &mut Call<'_>,
    op: &mut (impl FnMut(BorrowedFd<'_>) -> io::Result<Attempt<T>> + Send),
) -> io::Result<T> {
    // Of what has none the runtime has set nothing.
    let Some(entry) = reactor::entry(fd) else { return op(fd).map(Attempt::into_inner) };
    let mut seen = entry.look(interest);
    loop {
        let is_ours = if accepts && scheduler::attendant(None).is_some() {
            entry.is_made_nonblocking(fd)?
        } else {
            entry.is_nonblocking_by_us()
        };
        match op(fd) {
            // The flag is, or was, the runtime's own: wait in its place. A green thread may have set it
            // since the look above, or given it up since the call.
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock
                    && (is_ours || entry.is_nonblocking_by_us()) =>
            {
                if !accepts || !wait_outside(fd, seen, call) {
                    match block_until_ready(fd, interest, None) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        other => drop(other?),
                    }
                }
            }
            Ok(Attempt::More(_)) => {}
            other => {
                entry.pass_on(interest);
                return other.map(Attempt::into_inner);
            }
        }
        if !entry.is_still(interest, seen) {
            return Err(Errno::BADF.into());
        }
        seen = entry.look(interest);
    }
}

/// The calls of a green thread.
fn attempt_green<T: Send>(
    task: &Header,
    fd: BorrowedFd<'_>,
    interest: Interest,
    mut op: impl FnMut(BorrowedFd<'_>) -> io::Result<Attempt<T>> + Send,
) -> io::Result<T> {
    let call = Call::new();
    by_its_descriptors(fd, call, |fd, call| attempt_green_at(task, fd, interest, call, &mut op))
}

/// The same by one descriptor.
fn attempt_green_at<T: Send>(
    task: &Header,
    fd: BorrowedFd<'_>,
    interest: Interest,
    call: &mut Call<'_>,
    op: &mut (impl FnMut(BorrowedFd<'_>) -> io::Result<Attempt<T>> + Send),
) -> io::Result<T> {
    let Some(entry) = reactor::entry(fd) else {
        return attempt_once(fd, interest, op);
    };
    loop {
        let seen = entry.look(interest);
        if !seen.is_empty() {
            let result = if entry.make_nonblocking(fd)? {
                op(fd)
            } else if is_ready(fd, interest)? {
                blocking(|| op(fd))
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    entry.note_empty(interest, seen);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(Attempt::More(_)) => {
                    scheduler::yield_if_due(task, Some(interest));
                    if entry.is_still(interest, seen) {
                        continue;
                    }
                    return Err(Errno::BADF.into());
                }
                other => {
                    entry.pass_on(interest);
                    scheduler::yield_if_due(task, Some(interest));
                    return other.map(Attempt::into_inner);
                }
            }
        }
        entry.wait(task, fd, interest, seen, call)?;
    }
}

/// The same where there is no memory for the entry.
#[cold]
fn attempt_once<T: Send>(
    fd: BorrowedFd<'_>,
    interest: Interest,
    op: &mut (impl FnMut(BorrowedFd<'_>) -> io::Result<Attempt<T>> + Send),
) -> io::Result<T> {
    while is_ready(fd, interest)? {
        match blocking(|| op(fd)) {
            // Another one was faster, or a signal has come.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            result => return result.map(Attempt::into_inner),
        }
    }
    Err(refusal(fd))
}

/// Whether a call would not block now.
///
/// # Errors
///
/// What the kernel says of the descriptor.
pub fn is_ready(fd: BorrowedFd<'_>, interest: Interest) -> io::Result<bool> {
    loop {
        match block_until_ready(fd, interest, Some(Duration::ZERO)) {
            // A signal interrupts even a look.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Parks the calling thread until `fd` is ready: `true`; or until `deadline`: `false`.
///
/// Whatever the descriptor's own settings are. Ready means that a call would not block: an error or
/// an end of file is ready, too. From an ordinary thread, blocks it.
///
/// # Errors
///
/// What the kernel says if it does not watch such a descriptor.
///
/// ```
/// use std::net::UdpSocket;
/// use std::os::fd::AsFd;
/// use std::time::{Duration, Instant};
/// use sylvan::{Interest, ready};
///
/// let socket = UdpSocket::bind("127.0.0.1:0")?;
/// let soon = Some(Instant::now() + Duration::from_millis(5));
/// assert!(ready(socket.as_fd(), Interest::Write, None)?);
/// assert!(!ready(socket.as_fd(), Interest::Read, soon)?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn ready(
    fd: BorrowedFd<'_>,
    interest: Interest,
    deadline: Option<Instant>,
) -> io::Result<bool> {
    let Some(task) = current::green() else {
        loop {
            match block_until(fd, interest, deadline) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    };
    ready_by(task, fd, interest, Call::until(deadline.map(clock::ns)))
}

/// As [`ready`], until `interrupt` is raised: it is the calling thread's. An ordinary thread's wait is ended
/// by each handler of a signal.
///
/// # Errors
///
/// As [`ready`], and of the kind `Interrupted`.
pub fn ready_interruptible(
    fd: BorrowedFd<'_>,
    interest: Interest,
    deadline: Option<Instant>,
    interrupt: &Interrupt,
) -> io::Result<bool> {
    match current::green() {
        Some(task) => {
            let call = Call::until(deadline.map(clock::ns)).unless(interrupt);
            ready_by(task, fd, interest, call)
        }
        None => block_until(fd, interest, deadline),
    }
}

/// Blocks an ordinary thread until `fd` is ready, until `deadline`, or until a signal comes.
fn block_until(
    fd: BorrowedFd<'_>,
    interest: Interest,
    deadline: Option<Instant>,
) -> io::Result<bool> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    block_until_ready(fd, interest, left)
}

/// The wait of a green thread.
fn ready_by(
    task: &Header,
    fd: BorrowedFd<'_>,
    interest: Interest,
    call: Call<'_>,
) -> io::Result<bool> {
    by_its_descriptors(fd, call, |fd, call| ready_at(task, fd, interest, call))
}

/// The same for a green thread, by one descriptor.
fn ready_at(
    task: &Header,
    fd: BorrowedFd<'_>,
    interest: Interest,
    call: &mut Call<'_>,
) -> io::Result<bool> {
    let Some(entry) = reactor::entry(fd) else {
        return match is_ready(fd, interest)? {
            false if !call.is_due() => Err(Errno::NOMEM.into()),
            is_ready => Ok(is_ready),
        };
    };
    loop {
        let seen = entry.look(interest);
        if is_ready(fd, interest)? {
            // The caller may leave something, or everything, to those that wait behind it.
            entry.pass_on(interest);
            return Ok(true);
        }
        match entry.wait_until(task, fd, interest, seen, call) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            other => other?,
        }
    }
}

/// Calls `op` until it finds something, and parks in between: until `deadline` (`None`), or until
/// `interrupt` is raised, which is the calling thread's. For what is there for all who look, until somebody
/// sees to it, such as what an event loop of the program's has to tell.
///
/// `op` gets the descriptor that it is to use, and does not block. While one call of it is under way
/// another one may find nothing, wrongly: whoever has found something says so to all others. Whatever the
/// descriptor's own settings are, they do not count. From an ordinary thread `op` is called once.
///
/// # Errors
///
/// As [`attempt`], and of the kind `Interrupted`.
pub fn attempt_shared<T: Send>(
    fd: BorrowedFd<'_>,
    interest: Interest,
    deadline: Option<Instant>,
    interrupt: Option<&Interrupt>,
    mut op: impl FnMut(BorrowedFd<'_>) -> io::Result<Option<T>> + Send,
) -> io::Result<Option<T>> {
    let Some(task) = current::green() else { return op(fd) };
    let mut call = Call::until(deadline.map(clock::ns));
    if let Some(interrupt) = interrupt {
        call = call.unless(interrupt);
    }
    by_its_descriptors(fd, call, |fd, call| attempt_shared_at(task, fd, interest, call, &mut op))
}

/// The same by one descriptor.
fn attempt_shared_at<T: Send>(
    task: &Header,
    fd: BorrowedFd<'_>,
    interest: Interest,
    call: &mut Call<'_>,
    op: &mut (impl FnMut(BorrowedFd<'_>) -> io::Result<Option<T>> + Send),
) -> io::Result<Option<T>> {
    let Some(entry) = reactor::entry(fd) else {
        return match op(fd)? {
            None if !call.is_due() => Err(Errno::NOMEM.into()),
            found => Ok(found),
        };
    };
    loop {
        let seen = entry.look(interest);
        match op(fd) {
            Ok(None) => {}
            found => {
                entry.share(interest);
                scheduler::yield_if_due(task, Some(interest));
                return found;
            }
        }
        match entry.wait_until(task, fd, interest, seen, call) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            other => other?,
        }
    }
}
