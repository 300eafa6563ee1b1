//! The lock without the data: one word in three states.
//!
//! | word | meaning |
//! |---|---|
//! | `FREE` | nobody has it |
//! | `HELD` | somebody has it and nobody is parked: the unlock has nobody to wake |
//! | `AWAITED` | somebody has it and others may be parked: the unlock wakes one |
//!
//! ```text
//!            lock                 lock_slow
//!   FREE ------------> HELD ------------------> AWAITED
//!     ^                  |                          |
//!     +------------------+--------------------------+   unlock; from AWAITED it also wakes one
//! ```
//!
//! A thread that parks leaves `AWAITED` behind, and having been woken it can only take the lock as
//! `AWAITED` too, since it cannot know whether others are parked still. So as long as anybody is
//! parked, whoever unlocks next wakes one of them; at worst one wake too many is made at the end.
//!
//! The one who is woken has no claim on the lock: a thread that comes by at the right moment gets
//! it first. That is unfair and fast, and what std's does.
//!
//! # Memory ordering
//!
//! Each way to take the lock acquires on the word, `unlock` releases on it. Nothing else is needed:
//! `wait` compares the word under the lock of its queue and `wake` takes the same lock, so a thread
//! that is about to park either sees the word changed or is found.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::super::spin;
use crate::bridge::{self, WaitReason};

const FREE: u32 = 0;
const HELD: u32 = 1;
const AWAITED: u32 = 2;

/// A lock that knows neither its data nor poison.
pub(in crate::sync) struct RawMutex {
    word: AtomicU32,
}

impl RawMutex {
    pub(in crate::sync) const fn new() -> Self {
        Self { word: AtomicU32::new(FREE) }
    }

    #[inline]
    pub(in crate::sync) fn try_lock(&self) -> bool {
        // Acquires what the last `unlock` released.
        self.word.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok()
    }

    #[inline]
    pub(in crate::sync) fn lock(&self) {
        if !self.try_lock() {
            self.lock_slow();
        }
    }

    #[cold]
    fn lock_slow(&self) {
        // Others parked already: no use to look on, whoever unlocks wakes one of them.
        let mut seen = spin::until(&self.word, |word| word != HELD);
        if seen == FREE {
            match self.word.compare_exchange(FREE, HELD, Acquire, Relaxed) {
                Ok(_) => return,
                Err(word) => seen = word,
            }
        }
        loop {
            // Acquires what the last `unlock` released, if that left the word `FREE`.
            if seen != AWAITED && self.word.swap(AWAITED, Acquire) == FREE {
                return;
            }
            bridge::wait(&self.word, AWAITED, None, WaitReason::Mutex);
            seen = spin::until(&self.word, |word| word != HELD);
        }
    }

    /// Gives the lock up.
    ///
    /// # Safety
    ///
    /// The caller has the lock, by `lock` or by a `try_lock` that succeeded, and gives it up once.
    #[inline]
    pub(in crate::sync) unsafe fn unlock(&self) {
        // Releases to whoever takes the lock next.
        if self.word.swap(FREE, Release) == AWAITED {
            self.wake_one();
        }
    }

    #[cold]
    fn wake_one(&self) {
        bridge::wake(&self.word, 1);
    }
}
