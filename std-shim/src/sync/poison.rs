//! Poisoning: a lock remembers that a thread panicked while it had the data in hand.
//!
//! A [`Flag`] lives in the lock, a [`Guard`] in the lock's guard. The guard notes whether its
//! thread was panicking already when it took the lock. If it is panicking at the end and was not
//! at the beginning, the panic happened in between, and the flag goes up.
//!
//! # Memory ordering
//!
//! The flag is written and read relaxed. Who asks it under the lock is ordered by the lock: the
//! store comes before the unlock that releases, the load after the lock that acquires. Who asks
//! without the lock (`is_poisoned`) gets a snapshot that may be out of date, as with std.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::{LockResult, PoisonError};
use crate::thread;

/// Whether a thread has panicked with the lock's data in hand.
pub(super) struct Flag(AtomicBool);

/// What a guard that may poison its lock remembers.
pub(super) struct Guard {
    was_panicking: bool,
}

impl Guard {
    /// To be called with the lock just taken.
    #[inline]
    pub(super) fn new() -> Self {
        Self { was_panicking: thread::panicking() }
    }
}

impl Flag {
    pub(super) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Raises the flag if the thread has begun to panic since `guard` was made.
    ///
    /// To be called with the lock still held.
    #[inline]
    pub(super) fn done(&self, guard: &Guard) {
        // In this order, for hardly any thread panics.
        if thread::panicking() && !guard.was_panicking {
            self.0.store(true, Relaxed);
        }
    }

    #[inline]
    pub(super) fn get(&self) -> bool {
        self.0.load(Relaxed)
    }

    #[inline]
    pub(super) fn clear(&self) {
        self.0.store(false, Relaxed);
    }

    /// `value` as the result of an access to the data: an error if the flag is up.
    #[inline]
    pub(super) fn wrap<T>(&self, value: T) -> LockResult<T> {
        if self.get() { Err(PoisonError::new(value)) } else { Ok(value) }
    }
}
