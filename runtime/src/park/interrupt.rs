//! An interrupt: somebody who is none of a wait's wakers ends it.
//!
//! Whoever waits *interruptibly* names its [`Interrupt`], which is one thread's; others raise it, for a
//! signal or a cancellation. A wait that names none has nothing to do with any of this.
//!
//! It is two words. The thread says in `waits`, by plain stores, whether it is in such a wait, and with which
//! task. Others say in `asked` that they want it to look (RAISED), and how many of them are about to claim the
//! task (CLAIMER, each).
//!
//! ```text
//!   the thread                                who raises
//!     waits = task      (open)                  asked: RAISED, and one CLAIMER more
//!     -- light --                               -- heavy --
//!     RAISED? it does not park                  is a task in waits? claim it
//!     park, and again                           one CLAIMER less
//!     waits = nobody    (close)                 schedule it, if the claim got the right to
//!     -- light --
//!     until there is no CLAIMER: wait
//!     settle
//! ```
//!
//! - Each side stores before it looks, with a barrier in between (`sys::barrier`), of which the one who raises pays
//!   for both. So a thread that parks although somebody has raised is found in `waits`; and one that still finds
//!   it there after it has closed is found as a CLAIMER. A wait that nobody interrupts takes no atomic
//!   read-modify-write for any of this.
//! - The thread opens when its other wakers know of it already: so a claim never meets a wait that has one
//!   waker, which would take it for that one's.
//! - A second one who raises finds RAISED and leaves it at that: the thread has been woken, or is about to be.
//! - The thread closes when it has looked why it runs. While there is a CLAIMER somebody may still touch the
//!   task, so it waits for that, as it takes the locks of its other wakers (`park`: the rule of wakers);
//!   then it settles. The CLAIMER may be one who has raised before this wait: claimers are counted, and `take` leaves
//!   them.
//! - RAISED stays until the thread takes it. All that changes `asked` are steps on what is there, so what was written
//!   before RAISED was set is seen by whoever takes it: a signal that is left for a thread is found, whenever it
//!   comes.
//!
//! An OS thread in [`wait_interruptible`](super::wait_interruptible) does the same with its waiter in the task's place, and
//! OS_THREAD beside it. Whoever raises changes the word that the waiter sleeps at (`wait_queue`), and wakes it. Besides, a
//! signal's handler ends its wait, and that alone ends its others: there it neither opens nor looks.

use std::ptr::{self, NonNull};
use std::time::Duration;

use super::wait_queue::Waiter;
use crate::primitive::{AtomicPtr, AtomicU32, Ordering};
use crate::sys::{barrier, futex};
use crate::task::{Header, Runnable};

/// Somebody wants the thread to look.
const RAISED: u32 = 1;
/// One more is about to claim the task.
const CLAIMER: u32 = 2;

/// What is in `waits` is the waiter of an OS thread.
const OS_THREAD: usize = 1;

const _: () = assert!(align_of::<Header>() > OS_THREAD && align_of::<Waiter>() > OS_THREAD);

/// What ends the interruptible waits of one thread. See [`wait_interruptible`](super::wait_interruptible).
///
/// It outlives the thread's waits, and each call of [`raise`](Self::raise).
#[derive(Debug)]
pub struct Interrupt {
    /// Who is in such a wait; null while the thread is in none. By the thread alone.
    waits: AtomicPtr<Header>,
    asked: AtomicU32,
}

impl Interrupt {
    /// One that nobody has raised.
    #[cfg(not(sylvan_loom))]
    #[must_use]
    pub const fn new() -> Self {
        Self { waits: AtomicPtr::new(ptr::null_mut()), asked: AtomicU32::new(0) }
    }

    #[cfg(sylvan_loom)]
    pub(crate) fn new() -> Self {
        Self { waits: AtomicPtr::new(ptr::null_mut()), asked: AtomicU32::new(0) }
    }

    /// Ends the thread's interruptible wait, or the next one before it begins. What the caller has written
    /// is seen by the thread when it [takes](Self::take) this. Whether it was in such a wait: else it runs, or
    /// waits otherwise, or was woken before.
    pub fn raise(&self) -> bool {
        if !self.ask() {
            return false;
        }
        // Pairs with the ones in `open_at` and `close`.
        if !barrier::heavy() {
            // There was none: what the thread was about to store arrives meanwhile.
            futex::wait(&AtomicU32::new(0), 0, Some(PAUSE));
        }
        // Acquire pairs with the release in `open_at`.
        let waits = self.waits.load(Ordering::Acquire);
        let mut runnable = None;
        if waits.addr() & OS_THREAD != 0 {
            let waiter = waits.map_addr(|at| at & !OS_THREAD).cast::<Waiter>();
            // SAFETY: the waiter is in its wait as long as there is this CLAIMER.
            unsafe { (*waiter).nudge() };
        } else if let Some(task) = NonNull::new(waits) {
            // SAFETY: the task is in its wait as long as there is this CLAIMER, so it is alive; the claim says
            // whether the right to run it is ours.
            runnable = unsafe { task.as_ref().state.claim().then(|| Runnable::from_raw(task)) };
        }
        // The release pairs with the acquire in `close`.
        self.asked.fetch_sub(CLAIMER, Ordering::AcqRel);
        if let Some(runnable) = runnable {
            runnable.schedule();
        }
        !waits.is_null()
    }

    /// Sets RAISED; if it was not, also counts the caller as a CLAIMER, which `true` says.
    fn ask(&self) -> bool {
        let mut seen = self.asked.load(Ordering::Relaxed);
        loop {
            let next = if seen & RAISED == 0 { (seen | RAISED) + CLAIMER } else { seen };
            // The release pairs with the acquire in `take` and `is_raised`, also where the word stays as it is.
            match self.asked.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return next != seen,
                Err(now) => seen = now,
            }
        }
    }

    /// Whether it has been raised since it was last taken, as far as the thread can tell.
    #[inline]
    pub fn is_raised(&self) -> bool {
        // Acquire pairs with the release in `ask`.
        self.asked.load(Ordering::Acquire) & RAISED != 0
    }

    /// For the thread, outside its waits: whether it was raised. From now on it is not.
    #[inline]
    pub fn take(&self) -> bool {
        // Who is about to raise it is found by the next wait.
        // A handler that runs in between, on an OS thread, may take it back itself. Acquire pairs with the
        // release in `ask`.
        self.asked.load(Ordering::Relaxed) & RAISED != 0
            && self.asked.fetch_and(!RAISED, Ordering::AcqRel) & RAISED != 0
    }

    /// The thread is about to park, and its other wakers know of it. It does not if this is
    /// [raised](Self::is_raised), at which it looks from now on.
    #[inline]
    pub(crate) fn open(&self, task: &Header) {
        self.open_at(ptr::from_ref(task).cast_mut());
    }

    /// The same of an OS thread, whose waiter others know of; what to close with. It may be in such a wait already, and
    /// in the handler of a signal on top of that.
    #[must_use]
    pub(super) fn open_os_thread(&self, waiter: &Waiter) -> Outer {
        let outer = Outer(self.waits.load(Ordering::Relaxed));
        let waiter = ptr::from_ref(waiter).cast_mut().cast::<Header>();
        self.open_at(waiter.map_addr(|at| at | OS_THREAD));
        outer
    }

    #[inline]
    fn open_at(&self, what: *mut Header) {
        // Release pairs with the acquire in `raise`.
        self.waits.store(what, Ordering::Release);
        // Pairs with the one in `raise`.
        barrier::light();
    }

    /// The thread runs again, and goes on: nobody touches it for this wait's sake any more.
    #[inline]
    pub(crate) fn close(&self) {
        self.close_to(ptr::null_mut());
    }

    /// The same of an OS thread: as it was when it was opened.
    pub(super) fn close_os_thread(&self, Outer(outer): Outer) {
        self.close_to(outer);
    }

    #[inline]
    fn close_to(&self, outer: *mut Header) {
        // Release pairs with the acquire in `raise`, for the outer one.
        self.waits.store(outer, Ordering::Release);
        // Pairs with the one in `raise`.
        barrier::light();
        if self.has_claimer() {
            self.wait_for_claimers();
        }
    }

    #[inline]
    fn has_claimer(&self) -> bool {
        // Acquire pairs with the release at the end of `raise`.
        self.asked.load(Ordering::Acquire) >= CLAIMER
    }

    /// In a child of a fork, for the thread that is there: who was about to claim it is not.
    #[cfg(not(sylvan_loom))]
    pub fn forget_others(&self) {
        let is_raised = self.asked.load(Ordering::Relaxed) & RAISED;
        self.asked.store(is_raised, Ordering::Relaxed);
    }

    #[cold]
    fn wait_for_claimers(&self) {
        let mut n_looks = 0;
        while self.has_claimer() {
            super::pause(&mut n_looks);
        }
    }
}

/// The wait that an OS thread was in when it began another.
pub(super) struct Outer(*mut Header);

/// Longer than it takes a store to arrive.
const PAUSE: Duration = Duration::from_micros(50);

impl Default for Interrupt {
    fn default() -> Self {
        Self::new()
    }
}
