//! `Barrier`: a count of arrivals under a lock, and a number for each round.
//!
//! The last thread of a round sets the count back, moves the round on, and wakes the others, which
//! park on the round's number. They do not come back to the lock: their round is over for good, and
//! the lock is free for the next one.
//!
//! # Memory ordering
//!
//! All that was done before a thread's arrival is visible to the last one through the lock. The
//! last one's store of the round releases it, together with its own, to the others' loads.

use std::cell::UnsafeCell;
use std::fmt;
use std::mem::offset_of;
use std::panic::RefUnwindSafe;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::mutex::RawMutex;
use crate::bridge::{self, WaitReason, shown};

/// Lets several threads wait until all of them have arrived at the same point.
///
/// This corresponds to [`std::sync::Barrier`].
///
/// # Examples
///
/// ```
/// use std_shim::sync::{Arc, Barrier};
/// use std_shim::thread;
///
/// let barrier = Arc::new(Barrier::new(3));
/// let others: Vec<_> = (0..2)
///     .map(|_| {
///         let barrier = Arc::clone(&barrier);
///         thread::spawn(move || barrier.wait().is_leader())
///     })
///     .collect();
/// let mut leaders = usize::from(barrier.wait().is_leader());
/// for other in others {
///     leaders += usize::from(other.join().unwrap());
/// }
/// assert_eq!(leaders, 1);
/// ```
#[repr(C)]
pub struct Barrier {
    /// How many threads of this round have arrived; guarded by `lock`.
    arrived: UnsafeCell<u32>,
    round: AtomicU32,
    /// There are never more threads than this can say.
    n_threads: u32,
    lock: RawMutex,
}

// What those count upon who look at it from outside.
const _: () = assert!(offset_of!(Barrier, arrived) == offset_of!(shown::Barrier, arrived));
const _: () = assert!(offset_of!(Barrier, round) == offset_of!(shown::Barrier, round));
const _: () = assert!(offset_of!(Barrier, n_threads) == offset_of!(shown::Barrier, n_threads));

// SAFETY: `arrived` is used with `lock` held only; the other fields are `Sync`.
unsafe impl Sync for Barrier {}
impl RefUnwindSafe for Barrier {}

/// Tells one of the threads that met at a [`Barrier`] from the others.
///
/// This corresponds to [`std::sync::BarrierWaitResult`].
pub struct BarrierWaitResult(bool);

impl Barrier {
    /// Creates a barrier at which `n` threads meet; 0 is the same as 1.
    ///
    /// This corresponds to [`std::sync::Barrier::new`].
    #[must_use]
    #[inline]
    pub const fn new(n: usize) -> Barrier {
        Barrier {
            arrived: UnsafeCell::new(0),
            round: AtomicU32::new(0),
            n_threads: if n < u32::MAX as usize { n as u32 } else { u32::MAX },
            lock: RawMutex::new(),
        }
    }

    /// Waits until all threads of the barrier have arrived, parking the calling green thread
    /// (blocking an ordinary one).
    ///
    /// The last one to arrive does not wait, and is the leader. The barrier is then ready for the
    /// next round.
    ///
    /// This corresponds to [`std::sync::Barrier::wait`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::Barrier;
    /// use std_shim::thread;
    ///
    /// let barrier = Barrier::new(10);
    /// let n_leaders = thread::scope(|scope| {
    ///     let waits: Vec<_> = (0..10).map(|_| scope.spawn(|| barrier.wait().is_leader())).collect();
    ///     waits.into_iter().filter_map(|wait| wait.join().unwrap().then_some(())).count()
    /// });
    /// assert_eq!(n_leaders, 1);
    /// ```
    pub fn wait(&self) -> BarrierWaitResult {
        self.lock.lock();
        // The round is moved on with the lock held, so this is the round that we arrive in.
        let round = self.round.load(Relaxed);
        let is_leader = self.arrive();
        if is_leader {
            // Pairs with the load in the loop below.
            self.round.store(round.wrapping_add(1), Release);
        }
        // SAFETY: we have the lock, from the first line.
        unsafe { self.lock.unlock() };

        if is_leader {
            bridge::wake(&self.round, usize::MAX);
        } else {
            while self.round.load(Acquire) == round {
                bridge::wait(&self.round, round, None, WaitReason::Barrier);
            }
        }
        BarrierWaitResult(is_leader)
    }

    /// Counts the caller, who has the lock; says whether it is the last one of the round.
    fn arrive(&self) -> bool {
        // SAFETY: the caller has the lock, so nobody else refers to the count.
        let arrived = unsafe { &mut *self.arrived.get() };
        *arrived += 1;
        let is_last = *arrived >= self.n_threads;
        if is_last {
            *arrived = 0;
        }
        is_last
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").finish_non_exhaustive()
    }
}

impl BarrierWaitResult {
    /// Returns whether this thread is the one leader of its round.
    ///
    /// This corresponds to [`std::sync::BarrierWaitResult::is_leader`].
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl fmt::Debug for BarrierWaitResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWaitResult").field("is_leader", &self.is_leader()).finish()
    }
}
