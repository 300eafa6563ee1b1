//! The runtime's own lock, for short critical sections below everything that is green.
//!
//! A futex lock in three states, so that an uncontended lock or unlock is one atomic operation:
//!
//! | state | meaning |
//! |---|---|
//! | 0 | free |
//! | 1 | held |
//! | 2 | held, and somebody may be blocked on it |
//!
//! A holder never parks as a green thread and never runs user code. So a thread that waits here
//! waits for a few instructions: it spins a little and then blocks its OS thread.

use std::mem::offset_of;
use std::ops::{Deref, DerefMut};

use crate::primitive::{AtomicU32, Ordering, UnsafeCell, hint};
use crate::sys::futex;

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// How often to look at a held lock before blocking: the sections are some ten instructions long.
/// Loom tries every interleaving: few.
const SPINS: u32 = if cfg!(sylvan_loom) { 1 } else { 64 };

/// A value that one thread at a time may reach.
pub(crate) struct Lock<T> {
    state: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the state admits one thread to the value at a time, so sharing the lock moves the value
// between threads at most.
unsafe impl<T: Send> Sync for Lock<T> {}
// SAFETY: owning the lock is owning the value.
unsafe impl<T: Send> Send for Lock<T> {}

/// The right to the value; given back when dropped.
pub(crate) struct Guard<'a, T>(&'a Lock<T>);

impl<T> Lock<T> {
    /// Where the value is.
    pub(crate) const VALUE_AT: usize = offset_of!(Self, value);

    #[cfg(not(sylvan_loom))]
    pub(crate) const fn new(value: T) -> Self {
        Self { state: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    #[cfg(sylvan_loom)]
    pub(crate) fn new(value: T) -> Self {
        Self { state: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        // Acquire pairs with the release in `Guard::drop`.
        if self.state.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.lock_contended();
        }
        Guard(self)
    }

    /// In a child of a fork: whether nobody was inside at the fork, so that the value is whole.
    pub(crate) fn is_free(&self) -> bool {
        self.state.load(Ordering::Relaxed) == FREE
    }

    /// In a child of a fork: a new lock, whoever was inside at the fork. The value of before is left as
    /// it is, for it may be in any state.
    ///
    /// # Safety
    ///
    /// No thread of this process is inside, or comes there meanwhile.
    #[cfg(not(sylvan_loom))]
    pub(crate) unsafe fn renew(&self, value: T) {
        // SAFETY: nobody else is there, as the caller promises.
        unsafe { self.value.get().write(value) };
        self.state.store(FREE, Ordering::Relaxed);
    }

    #[cold]
    fn lock_contended(&self) {
        for _ in 0..SPINS {
            if self.state.load(Ordering::Relaxed) == FREE
                && self
                    .state
                    .compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                return;
            }
            hint::spin_loop();
        }
        // Whoever gets the lock here marks it contended, since others may be blocked too.
        // Acquire pairs with the release in `Guard::drop`.
        while self.state.swap(CONTENDED, Ordering::Acquire) != FREE {
            futex::wait(&self.state, CONTENDED, None);
        }
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this guard exists, so its thread alone reaches the value.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; the guard is borrowed uniquely.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Release pairs with the acquires in `lock` and `lock_contended`.
        if self.0.state.swap(FREE, Ordering::Release) == CONTENDED {
            futex::wake(&self.0.state, 1);
        }
    }
}

#[cfg(all(test, not(sylvan_loom)))]
mod tests {
    use super::*;

    #[test]
    fn no_increment_is_lost_between_contending_threads() {
        let lock = Lock::new(0_u32);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        *lock.lock() += 1;
                    }
                });
            }
        });
        assert_eq!(*lock.lock(), 40_000);
    }
}
