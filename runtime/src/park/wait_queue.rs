//! The waiters of the process, in queues by address.
//!
//! A fixed table of buckets, each a lock and a circular list of waiters, oldest first; addresses
//! that hash to the same bucket share its list. There are enough buckets that a million threads,
//! each parked at a word of its own, make lists of some sixteen; the table is zero pages until it
//! is touched.
//!
//! A waiter lies on the waiting thread's stack. It is in a list, or it is marked woken: both change
//! under the bucket's lock.

use std::ptr::{self, NonNull};

use crate::lock::Lock;
use crate::primitive::{AtomicU32, Ordering};
use crate::ring::{Linked, Links, Ring};
use crate::sys::futex;
#[cfg(not(loom))]
use crate::sys::memory;
use crate::task::list::List;
use crate::task::{Header, Runnable};

/// 65,536 buckets of 16 bytes: a megabyte of address space. In a model all addresses meet in one.
const N_BUCKETS_LOG2: u32 = if cfg!(loom) { 0 } else { 16 };
const N_BUCKETS: usize = 1 << N_BUCKETS_LOG2;

pub(super) const WAITING: u32 = 0;
const WOKEN: u32 = 1;

/// A thread that waits at an address.
pub(crate) struct Waiter {
    address: usize,
    /// The task to claim; null for an OS thread, which waits at `state`.
    task: *const Header,
    state: AtomicU32,
    links: Links<Waiter>,
}

impl Linked for Waiter {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl Waiter {
    pub(super) fn green(word: *const AtomicU32, task: &Header) -> Self {
        Self::new(word, task)
    }

    pub(super) fn os_thread(word: *const AtomicU32) -> Self {
        Self::new(word, ptr::null())
    }

    fn new(word: *const AtomicU32, task: *const Header) -> Self {
        Self { address: word.addr(), task, state: AtomicU32::new(WAITING), links: Links::new() }
    }

    /// Whether a waker has taken this waiter out.
    pub(super) fn is_woken(&self) -> bool {
        // Acquire pairs with the release in `Table::wake`.
        self.state.load(Ordering::Acquire) == WOKEN
    }

    /// Where an OS thread waits to be woken.
    pub(super) fn os_word(&self) -> &AtomicU32 {
        &self.state
    }
}

/// Every queue.
pub(crate) struct Table {
    buckets: [Lock<Ring<Waiter>>; N_BUCKETS],
}

impl Table {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self { buckets: [const { Lock::new(Ring::new()) }; N_BUCKETS] }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self { buckets: std::array::from_fn(|_| Lock::new(Ring::new())) }
    }

    /// In a child of a fork: nobody waits, and nobody has a lock.
    ///
    /// # Safety
    ///
    /// The process has one thread, which is in no function of this table.
    #[cfg(not(loom))]
    pub(super) unsafe fn forget(&self) {
        let start = NonNull::from(&self.buckets);
        // SAFETY: a bucket of zeros is a free lock around an empty ring, as `new` makes it; and nobody
        // looks, as the caller promises.
        unsafe { memory::wipe(start.cast(), size_of_val(&self.buckets)) };
    }

    fn bucket(&self, address: usize) -> &Lock<Ring<Waiter>> {
        /// 2^64 divided by the golden ratio: spreads addresses that differ in few bits.
        const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
        let hash = (address as u64).wrapping_mul(SPREAD);
        &self.buckets[hash.rotate_left(N_BUCKETS_LOG2) as usize % N_BUCKETS]
    }

    /// Queues `waiter` if `still` holds, looked at under the lock; whether it is queued now.
    ///
    /// The caller keeps the waiter in place until it is woken or `dequeue` has returned.
    pub(super) fn enqueue(&self, waiter: &Waiter, still: impl FnOnce() -> bool) -> bool {
        let mut queue = self.bucket(waiter.address).lock();
        let still = still();
        if still {
            // SAFETY: the waiter is new, and the caller keeps it in place.
            unsafe { queue.push_back(waiter) };
        }
        still
    }

    /// Takes `waiter` out unless a waker already has; whether it was still queued. Either way no
    /// waker touches it, or its task on its behalf, any more.
    pub(super) fn dequeue(&self, waiter: &Waiter) -> bool {
        let mut queue = self.bucket(waiter.address).lock();
        let queued = waiter.state.load(Ordering::Relaxed) == WAITING;
        if queued {
            // SAFETY: not woken yet, hence still in the ring that it was pushed to.
            unsafe { queue.remove(waiter) };
        }
        queued
    }

    pub(super) fn wake(&self, word: *const AtomicU32, n: usize) -> usize {
        /// OS threads are woken after unlocking, this many at a time.
        const BATCH: usize = 32;
        let mut tasks = List::new();
        let mut n_woken = 0;
        loop {
            let mut os_words = [ptr::null::<AtomicU32>(); BATCH];
            let mut n_os = 0;
            let mut queue = self.bucket(word.addr()).lock();
            while n_woken < n && n_os < BATCH {
                let Some(waiter) = pop(&mut queue, word.addr()) else { break };
                n_woken += 1;
                // SAFETY: the waiter's frame lasts until it has seen the mark below or has taken
                // this lock.
                let waiter = unsafe { waiter.as_ref() };
                let task = NonNull::new(waiter.task.cast_mut());
                if task.is_none() {
                    os_words[n_os] = &raw const waiter.state;
                    n_os += 1;
                }
                // Release pairs with the acquire in `is_woken`. An OS thread may be gone after
                // this; a task runs again no sooner than it is scheduled.
                waiter.state.store(WOKEN, Ordering::Release);
                if let Some(task) = task {
                    // SAFETY: the task waits here, so it is alive until this lock is released; the
                    // claim says whether the right to run it is ours.
                    unsafe {
                        if task.as_ref().state.claim() {
                            tasks.push_back(Runnable::from_raw(task));
                        }
                    }
                }
            }
            drop(queue);
            for os_word in &os_words[..n_os] {
                futex::wake(*os_word, 1);
            }
            if n_os < BATCH {
                break;
            }
        }
        for task in tasks {
            task.schedule();
        }
        n_woken
    }
}

/// Takes out the oldest waiter at `address`.
fn pop(queue: &mut Ring<Waiter>, address: usize) -> Option<NonNull<Waiter>> {
    let mut at = queue.first();
    while let Some(waiter) = at {
        // SAFETY: waiters in the ring are alive while its lock is held.
        let waiter_ref = unsafe { waiter.as_ref() };
        if waiter_ref.address == address {
            // SAFETY: found in this ring.
            unsafe { queue.remove(waiter_ref) };
            return Some(waiter);
        }
        at = queue.after(waiter_ref);
    }
    None
}
