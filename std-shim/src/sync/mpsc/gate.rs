//! The gate of a bounded channel: it lets senders in as long as there is room.
//!
//! `free` counts the room that is left. A sender takes one off before it enters, the receiver puts
//! one back for each message that it takes out. Below zero, `free` counts the senders that found no
//! room. The receiver that puts one back then owes one of them an admission, and `admissions`
//! counts those that are owed and not used yet. Senders that found no room park until there is one.
//!
//! ```text
//!   enter:  free -= 1;  was > 0? in.       else: wait until admissions > 0, admissions -= 1, in.
//!   leave:  free += 1;  was < 0? admissions += 1, wake one.
//! ```
//!
//! Each decision is made by one read-modify-write of one word, so no wake-up can get lost between
//! two. Room that has been put back for a waiting sender is that sender's: those that come later
//! find `free` at zero or below, and queue up.
//!
//! When the receiver is gone the gate is opened wide: everybody gets in, to find the inbox closed.
//!
//! # Memory ordering
//!
//! Putting back releases and getting in acquires, by `free` or by `admissions`. So what the
//! receiver did before it took a message out is visible to the sender that gets in for it.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::primitive::{AtomicIsize, AtomicU32, WaitReason, wait, wake};

/// More room than there can be senders; twice as much is still a valid count.
const WIDE: isize = isize::MAX / 2;

/// More admissions than there can be senders.
const ALL: u32 = u32::MAX / 2;

/// Lets in as many as there is room for.
pub(super) struct Gate {
    free: AtomicIsize,
    admissions: AtomicU32,
}

impl Gate {
    /// A gate to `room` places. More than can ever be taken count as what can.
    pub(super) fn new(room: usize) -> Self {
        let free = isize::try_from(room).unwrap_or(WIDE).min(WIDE);
        Self { free: AtomicIsize::new(free), admissions: AtomicU32::new(0) }
    }

    /// Takes a place, waiting for one if need be.
    pub(super) fn enter(&self) {
        // Acquires what the `leave` that made the room released.
        if self.free.fetch_sub(1, Acquire) <= 0 {
            self.enter_slow();
        }
    }

    #[cold]
    fn enter_slow(&self) {
        loop {
            if self.take_admission() {
                return;
            }
            wait(&self.admissions, 0, None, WaitReason::Send);
        }
    }

    fn take_admission(&self) -> bool {
        let mut owed = self.admissions.load(Relaxed);
        while owed > 0 {
            // Acquires what the `leave` that owed it released.
            match self.admissions.compare_exchange_weak(owed, owed - 1, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => owed = now,
            }
        }
        false
    }

    /// Takes a place if there is one.
    pub(super) fn try_enter(&self) -> bool {
        let mut free = self.free.load(Relaxed);
        while free > 0 {
            // Acquires what the `leave` that made the room released.
            match self.free.compare_exchange_weak(free, free - 1, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => free = now,
            }
        }
        false
    }

    /// Gives a place back. The receiver's.
    pub(super) fn leave(&self) {
        // Releases to the sender that gets the place, if one comes later.
        if self.free.fetch_add(1, Release) < 0 {
            // Releases to the sender that gets the place, if one waits.
            self.admissions.fetch_add(1, Release);
            wake(&self.admissions, 1);
        }
    }

    /// Lets everybody in from now on. The receiver's, after its last `leave`.
    pub(super) fn open(&self) {
        self.free.fetch_add(WIDE, Release);
        self.admissions.store(ALL, Release);
        wake(&self.admissions, usize::MAX);
    }
}
