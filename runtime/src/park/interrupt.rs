//! An interrupt: somebody who is none of a wait's wakers ends it.
//!
//! Whoever waits *interruptibly* names its [`Interrupt`], which is one thread's; others raise it, for a
//! signal or a cancellation. A wait that names none has nothing to do with any of this.
//!
//! The word holds the task while it is in such a wait, and two bits:
//!
//! ```text
//!              open                          raise
//!   CLOSED -------------> OPEN (the task) ---------> OPEN, RAISED, CLAIMING
//!     ^ |                   | close                       | the claim is done
//!     | | raise             v                             v
//!     | +---> RAISED     CLOSED               close    OPEN, RAISED
//!     |         |              RAISED <-------------------+
//!     +---------+
//!        take
//! ```
//!
//! - The thread opens when its other wakers know of it already: so a claim never meets a wait that has one
//!   waker, which would take it for that one's. Where RAISED is set it does not open, and does not park.
//! - Whoever raises sets RAISED, and where a task is there CLAIMING with it, in one step. Then it claims the
//!   task (`task::state`), takes CLAIMING back, and schedules the task if it has got the right to. A second
//!   one finds RAISED and leaves it at that: the thread has been woken, or is about to be.
//! - The thread closes when it has looked why it runs. While CLAIMING is set somebody may still touch the
//!   task, so it waits for that, as it takes the locks of its other wakers (`park`: the rule of wakers);
//!   then it settles.
//! - RAISED stays until the thread takes it. Both are steps on one word, so what was written before RAISED
//!   was set is seen by whoever takes it: a signal that is left for a thread is found, whenever it comes.
//!
//! An OS thread in [`wait_interruptible`](super::wait_interruptible) does the same with its waiter in the task's place, and
//! OS_THREAD beside it. Whoever raises changes the word that the waiter sleeps at (`wait_queue`), and wakes it. Besides, a
//! signal's handler ends its wait, and that alone ends its others: there it neither opens nor looks.

use std::ptr::{self, NonNull};

use super::wait_queue::Waiter;
use crate::primitive::{AtomicPtr, Ordering};
use crate::task::{Header, Runnable};

/// Somebody wants the thread to look.
const RAISED: usize = 1;
/// Somebody is about to claim the task.
const CLAIMING: usize = 2;
/// What is there is the waiter of an OS thread.
const OS_THREAD: usize = 4;

const _: () = assert!(align_of::<Header>() > OS_THREAD && align_of::<Waiter>() > OS_THREAD);

/// What ends the interruptible waits of one thread. See [`wait_interruptible`](super::wait_interruptible).
///
/// It outlives the thread's waits, and each call of [`raise`](Self::raise).
#[derive(Debug)]
pub struct Interrupt(AtomicPtr<Header>);

impl Interrupt {
    /// One that nobody has raised.
    #[cfg(not(sylvan_loom))]
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[cfg(sylvan_loom)]
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Ends the thread's interruptible wait, or the next one before it begins. What the caller has written
    /// is seen by the thread when it [takes](Self::take) this. Whether it was in such a wait: else it runs, or
    /// waits otherwise, or was woken before.
    pub fn raise(&self) -> bool {
        // The release in `change` pairs with the acquire in `take` and `is_raised`, also where the word stays
        // as it is; the acquire with the release in `open`.
        let before = self.change(|word| match word & (RAISED | CLAIMING) {
            0 if word != 0 => word | RAISED | CLAIMING,
            _ => word | RAISED,
        });
        if before.addr() & (RAISED | CLAIMING) != 0 {
            return false;
        }
        let Some(task) = NonNull::new(before) else { return false };
        if before.addr() & OS_THREAD != 0 {
            let waiter = before.map_addr(|at| at & !OS_THREAD).cast::<Waiter>();
            // SAFETY: the waiter is in its wait until CLAIMING is gone.
            unsafe { (*waiter).nudge() };
            // As below.
            self.change(|word| word & !CLAIMING);
            return true;
        }
        // SAFETY: the task is in its wait until CLAIMING is gone, so it is alive; the claim says whether the
        // right to run it is ours.
        let runnable = unsafe { task.as_ref().state.claim().then(|| Runnable::from_raw(task)) };
        // The release pairs with the acquire in `close_raised`.
        self.change(|word| word & !CLAIMING);
        if let Some(runnable) = runnable {
            runnable.schedule();
        }
        true
    }

    /// Changes the word; what it was.
    fn change(&self, to: impl Fn(usize) -> usize) -> *mut Header {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let next = seen.map_addr(&to);
            match self.0.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(before) => return before,
                Err(now) => seen = now,
            }
        }
    }

    /// Whether it has been raised since it was last taken, as far as the thread can tell.
    #[inline]
    pub fn is_raised(&self) -> bool {
        // Acquire pairs with the release in `raise`.
        self.0.load(Ordering::Acquire).addr() & RAISED != 0
    }

    /// For the thread, outside its waits: whether it was raised. From now on it is not.
    #[inline]
    pub fn take(&self) -> bool {
        // Who is about to raise it is found by the next wait.
        // Acquire, of the swap, pairs with the release in `raise`.
        !self.0.load(Ordering::Relaxed).is_null()
            && !self.0.swap(ptr::null_mut(), Ordering::AcqRel).is_null()
    }

    /// The thread is about to park, and its other wakers know of it; `false` if it must not.
    #[must_use]
    pub(crate) fn open(&self, task: &Header) -> bool {
        self.open_at(ptr::from_ref(task).cast_mut())
    }

    /// The same of an OS thread, whose waiter others know of.
    #[must_use]
    pub(super) fn open_os_thread(&self, waiter: &Waiter) -> bool {
        self.open_at(marked(waiter))
    }

    fn open_at(&self, what: *mut Header) -> bool {
        // Release pairs with the acquire in `raise`.
        self.0.compare_exchange(ptr::null_mut(), what, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// The thread runs again, and goes on: nobody touches it for this wait's sake any more.
    pub(crate) fn close(&self, task: &Header) {
        self.close_at(ptr::from_ref(task).cast_mut());
    }

    /// The same of an OS thread.
    pub(super) fn close_os_thread(&self, waiter: &Waiter) {
        self.close_at(marked(waiter));
    }

    fn close_at(&self, what: *mut Header) {
        // Orders nothing: nobody has been there.
        let closed =
            self.0.compare_exchange(what, ptr::null_mut(), Ordering::Relaxed, Ordering::Relaxed);
        if closed.is_err() {
            self.close_raised();
        }
    }

    #[cold]
    fn close_raised(&self) {
        let mut n_looks = 0;
        // Acquire pairs with the release where CLAIMING is taken back.
        while self.0.load(Ordering::Acquire).addr() & CLAIMING != 0 {
            super::pause(&mut n_looks);
        }
        // A step on what is there, so that whoever takes it sees what all have written who raised it.
        self.change(|word| word & RAISED);
    }
}

/// What stands for an OS thread.
fn marked(waiter: &Waiter) -> *mut Header {
    ptr::from_ref(waiter).cast_mut().cast::<Header>().map_addr(|at| at | OS_THREAD)
}

impl Default for Interrupt {
    fn default() -> Self {
        Self::new()
    }
}
