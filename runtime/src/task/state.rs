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
//! # Since when
//!
//! PARKED and NOTIFIED are many words, each with the time of the transition (`sylvan_sight::state_word`), for
//! those who look from outside. A transition takes its word from the ones of [`now`], which whoever looks at the
//! clock anyway keeps up with it: workers at their event loops and after a sleep, and the monitor, every 10 ms
//! while anything runs. While all sleep NOTIFIED has no time; nobody parks then.
//!
//! RUNNING has no time, so of a thread that has yielded it is not known.
//!
//! # After a fork
//!
//! In a child of a fork PARKED begins above any word with which a thread of its parents has parked, and what is
//! below that is not PARKED. So nobody who comes upon a thread of its parent (by its handle, or as the receiver
//! of a channel) gets the right to run it. It is not there any more.
//!
//! That is why the time of PARKED never goes back, and a fork takes it one unit further, 134 ms. A child whose
//! parents have forked faster than that is ahead of the clock: until that catches up, it makes waits shorter than
//! they are. It would take nine years, or 2^31 forks each in the child of the one before, until there is no higher
//! word. Then a child no longer knows its parent's threads for what they are.
//!
//! # Memory ordering
//!
//! `claim` releases what the waker has written, and `resume` acquires it, through the chain of
//! read-modify-writes on the word. The commit releases the saved context to the claimer.
//!
//! With one waker a claim is followed by nothing but the run that it causes. Either a commit that fails
//! acquires it, or the task comes to its worker through a queue, from the claimer. So that run may begin
//! with a plain store, `resume_claimed`.
//!
//! The words of `now` order nothing. A life's first ones are there before its other threads are, so each of
//! these finds that life's.

use sylvan_sight::state_word::{PARKED, RUNNING};

use crate::primitive::{AtomicU32, Ordering};

/// What PARKED and NOTIFIED are at the moment.
#[cfg(not(sylvan_loom))]
pub(crate) mod now {
    use sylvan_sight::state_word::{self, NOTIFIED, PARKED};

    use crate::clock;
    use crate::primitive::{AtomicU32, Ordering};

    /// PARKED: it never falls.
    static HIGHEST: AtomicU32 = AtomicU32::new(PARKED);
    static WOKEN: AtomicU32 = AtomicU32::new(NOTIFIED);
    /// The lowest word that is PARKED in this life.
    pub(crate) static PARKED_FROM: AtomicU32 = AtomicU32::new(PARKED);

    #[inline(always)]
    pub(super) fn parked() -> u32 {
        HIGHEST.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn notified() -> u32 {
        WOKEN.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn parked_from() -> u32 {
        PARKED_FROM.load(Ordering::Relaxed)
    }

    /// Somebody has looked at the clock.
    #[inline]
    pub(crate) fn note(now_ns: u64) {
        let notified = state_word::notified(now_ns);
        if notified != WOKEN.load(Ordering::Relaxed) {
            renew(notified, state_word::parked(now_ns));
        }
    }

    /// Most looks are within the same millisecond as the one before.
    #[cold]
    fn renew(notified: u32, parked: u32) {
        // Whoever has looked long ago puts this back for a moment, until the next look.
        WOKEN.store(notified, Ordering::Relaxed);
        HIGHEST.fetch_max(parked, Ordering::Relaxed);
    }

    /// All sleep, and nobody looks at the clock any more.
    pub(crate) fn rest() {
        WOKEN.store(NOTIFIED, Ordering::Relaxed);
    }

    /// In a child of a fork: a new life begins.
    pub(crate) fn begin_anew() {
        // Any time that a thread of the parent has noted until the fork is over by now. What that has written is
        // not all there: the kernel copies one page after the other.
        let until = clock::seen_ns().map_or(PARKED, state_word::parked);
        // What is there of it counts, in case the child's clock is behind (a namespace of times).
        let first = until.max(parked_from()).max(parked()).saturating_add(1);
        PARKED_FROM.store(first, Ordering::Relaxed);
        HIGHEST.store(first, Ordering::Relaxed);
        rest();
    }
}

/// What they are: models have no time.
#[cfg(sylvan_loom)]
mod now {
    use sylvan_sight::state_word::{NOTIFIED, PARKED};

    pub(super) fn parked() -> u32 {
        PARKED
    }

    pub(super) fn notified() -> u32 {
        NOTIFIED
    }

    pub(super) fn parked_from() -> u32 {
        PARKED
    }
}

/// Whether the word is NOTIFIED.
#[inline(always)]
fn is_notified(word: u32) -> bool {
    RUNNING < word && word < PARKED
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
        self.0.swap(now::notified(), Ordering::AcqRel) >= now::parked_from()
    }

    /// Parks the task that has switched off; `false` if somebody has woken it in the meantime: then
    /// the caller still has the right to run it.
    #[must_use]
    pub(crate) fn commit(&self) -> bool {
        // Release pairs with the acquire in `claim`; acquire, of the claim that came first, with
        // the release there.
        self.0
            .compare_exchange(RUNNING, now::parked(), Ordering::Release, Ordering::Acquire)
            .is_ok()
    }

    /// Whether it runs or is about to, as far as one can tell.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_runnable(&self) -> bool {
        // A hint: it orders nothing.
        let word = self.0.load(Ordering::Relaxed);
        word == RUNNING || is_notified(word)
    }

    /// Whether somebody has woken the task already, as far as one can tell: if so a commit fails.
    #[inline]
    pub(crate) fn is_claimed(&self) -> bool {
        // A hint: it orders nothing, and the commit decides.
        is_notified(self.0.load(Ordering::Relaxed))
    }

    /// The task runs again after the one claim of a wait with one waker.
    #[inline]
    pub(crate) fn resume_claimed(&self) {
        debug_assert!(self.is_claimed());
        // Nobody else claims until the next wait is published. What the claimer wrote is visible:
        // the claimer's side of the right to run released it, or the commit that failed acquired it.
        self.0.store(RUNNING, Ordering::Relaxed);
    }

    /// The task runs again and takes note of every wake-up so far.
    #[inline]
    pub(crate) fn resume(&self) {
        // Acquire pairs with the release in `claim`. A plain store would not do: it would overwrite
        // a wake-up whose cause this thread need not see yet.
        self.0.swap(RUNNING, Ordering::AcqRel);
    }
}
