//! Waiting, for the calls of this crate: the runtime's verbs, ended by what interrupts a thread.
//!
//! Every green wait of this crate goes through here, so that a signal for the thread, or its cancellation,
//! ends any of them.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use sylvan::io::{Attempt, Interest, Mode};
use sylvan::{Wait, WaitReason};

/// A handler has run, and the call is to end with `EINTR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interrupted;

/// Whether a call goes on after a handler has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restart {
    /// As the handler's `SA_RESTART` says: reading, writing, `waitpid`, a mutex's kin with a deadline.
    AsAsked,
    /// It never does: sleeping, `poll`, `select`, `epoll_wait`, and sockets with a timeout.
    Never,
    /// It always does: a mutex, a condition, a join.
    Always,
}

/// Parks while `*word == expected`: see [`sylvan::wait`].
pub(crate) fn futex(
    word: &std::sync::atomic::AtomicU32,
    expected: u32,
    deadline: Option<Instant>,
    reason: WaitReason,
    _restart: Restart,
) -> Result<Wait, Interrupted> {
    Ok(sylvan::wait(word, expected, deadline, reason))
}

/// Calls `op` until it finds something: see [`sylvan::io::attempt`].
pub(crate) fn attempt<T: Send>(
    fd: BorrowedFd<'_>,
    interest: Interest,
    _restart: Restart,
    op: impl FnMut(BorrowedFd<'_>, Mode) -> io::Result<Attempt<T>> + Send,
) -> io::Result<T> {
    sylvan::io::attempt(fd, interest, op)
}

/// Parks until `fd` is ready or until `deadline`: see [`sylvan::io::ready`].
pub(crate) fn ready(
    fd: BorrowedFd<'_>,
    interest: Interest,
    deadline: Option<Instant>,
    _restart: Restart,
) -> io::Result<bool> {
    sylvan::io::ready(fd, interest, deadline)
}

/// Parks until `deadline`.
pub(crate) fn sleep_until(deadline: Instant) -> Result<(), Interrupted> {
    sylvan::sleep_until(deadline);
    Ok(())
}
