//! The state word of a task: is it parked, and has somebody woken it?
//!
//! ```text
//!              commit                     claim
//!   RUNNING ------------> PARKED ----------------------> NOTIFIED: queued, or about to be
//!      | claim              (the claimer gets the Runnable)   |
//!      v                                                      | resume
//!   NOTIFIED: the next commit fails, the task runs on  ------>+--> RUNNING
//! ```
//!
//! A task parks in two steps. On its own stack it publishes itself to its wakers and switches off; then its
//! worker *commits*, on the worker's stack, with the registers saved. A waker *claims*. Whichever comes
//! second sees the other. A claim before the commit leaves NOTIFIED behind, and the commit fails. A claim
//! after it finds PARKED, and may hand the task to any worker at once.
//!
//! Several wakers may claim; one of them at most finds PARKED.
//!
//! # After a fork
//!
//! PARKED is the number of the runtime's life, another one in each. So in a child of a fork nobody who comes
//! upon a thread of its parent (by its handle, or as the receiver of a channel) gets the right to run it. It
//! is not there any more.
//!
//! # Memory ordering
//!
//! `claim` releases what the waker has written, and `resume` acquires it, through the chain of
//! read-modify-writes on the word. The commit releases the saved context to the claimer.
//!
//! With one waker a claim is followed by nothing but the run that it causes. Either a commit that fails
//! acquires it, or the task comes to its worker through a queue, from the claimer. So that run may begin
//! with a plain store, `resume_claimed`.

use crate::life;
use crate::primitive::{AtomicU32, Ordering};

const RUNNING: u32 = 0;
const NOTIFIED: u32 = 1;

/// PARKED.
#[inline(always)]
fn parked() -> u32 {
    const { assert!(life::FIRST > NOTIFIED) };
    life::number()
}

#[derive(Debug)]
pub(crate) struct State(AtomicU32);

impl State {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(RUNNING))
    }

    /// Wakes the task; `true` if it was parked: then the caller has the right to run it.
    #[inline]
    #[must_use]
    pub(crate) fn claim(&self) -> bool {
        // Release pairs with the acquire in `resume`; acquire pairs with the release in `commit`.
        self.0.swap(NOTIFIED, Ordering::AcqRel) == parked()
    }

    /// Parks the task that has switched off; `false` if somebody has woken it in the meantime: then
    /// the caller still has the right to run it.
    #[must_use]
    pub(crate) fn commit(&self) -> bool {
        // Release pairs with the acquire in `claim`; acquire, of the claim that came first, with
        // the release there.
        self.0.compare_exchange(RUNNING, parked(), Ordering::Release, Ordering::Acquire).is_ok()
    }

    /// Whether somebody has woken the task already, as far as one can tell: if so a commit fails.
    #[inline]
    pub(crate) fn is_claimed(&self) -> bool {
        // A hint: it orders nothing, and the commit decides.
        self.0.load(Ordering::Relaxed) == NOTIFIED
    }

    /// The task runs again after the one claim of a wait with one waker.
    #[inline]
    pub(crate) fn resume_claimed(&self) {
        debug_assert_eq!(self.0.load(Ordering::Relaxed), NOTIFIED);
        // Nobody else claims until the next wait is published. What the claimer wrote is visible:
        // the claimer's side of the right to run released it, or the commit that failed acquired it.
        self.0.store(RUNNING, Ordering::Relaxed);
    }

    /// The task runs again and takes note of every wake-up so far.
    pub(crate) fn resume(&self) {
        // Acquire pairs with the release in `claim`. A plain store would not do: it would overwrite
        // a wake-up whose cause this thread need not see yet.
        self.0.swap(RUNNING, Ordering::AcqRel);
    }
}
