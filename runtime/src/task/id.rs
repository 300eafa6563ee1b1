//! Who a thread is, for as long as the process lives.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// A thread's identity, never used twice in a process.
///
/// This corresponds to [`std::thread::ThreadId`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ThreadId(NonZeroU64);

/// The main thread is 1, as in std; others count from here.
pub(crate) static NEXT: AtomicU64 = AtomicU64::new(2);

/// The first number of this life of the runtime.
pub(crate) static FIRST: AtomicU64 = AtomicU64::new(2);

/// How many of the numbers of this life are of OS threads, or of green ones that have ended without a core.
/// Of the others each core counts those that have ended there (`Counts`): so who looks knows how many there are
/// (`sight`).
pub(crate) static N_OTHERS: AtomicU64 = AtomicU64::new(0);

/// In a child of a fork: those who have a number are their parent's.
#[cfg(not(sylvan_loom))]
pub(crate) fn begin_anew() {
    FIRST.store(NEXT.load(Ordering::Relaxed), Ordering::Relaxed);
    N_OTHERS.store(0, Ordering::Relaxed);
}

/// There is one more number that no core counts.
pub(crate) fn count_other() {
    N_OTHERS.fetch_add(1, Ordering::Relaxed);
}

impl ThreadId {
    pub(crate) const MAIN: Self = Self(NonZeroU64::MIN);

    pub(crate) fn next() -> Self {
        // A counter: nothing is published by it.
        Self(NonZeroU64::new(NEXT.fetch_add(1, Ordering::Relaxed)).expect("2^64 threads"))
    }

    /// The number: 1 for the main thread, above that for the others.
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Debug for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ThreadId").field(&self.0).finish()
    }
}
