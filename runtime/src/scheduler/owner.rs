//! Who has a core: one word that its worker and the monitor agree on.
//!
//! ```text
//!                 resume                       park/yield/return
//!   SCHEDULING(e) ----> RUNNING(e+1) --------------------------------> SCHEDULING(e+1)
//!                         |     ^ end                   |
//!                   begin |     | (a blocking section)  | monitor, after 10 ms
//!                         v     |                       v
//!                       BLOCKING(e+1) --------------> TAKEN(e+1) ---> SCHEDULING(e+1): given to
//!                                   monitor, ~20 µs                   another worker
//! ```
//!
//! Each arrow out of RUNNING and BLOCKING is a compare-exchange of the whole word, epoch included,
//! so of a worker and a monitor that reach for the same run exactly one succeeds: the worker keeps
//! the core, or it finds that it has lost it and goes on without one. A monitor that has looked
//! long ago names an epoch that is over and fails. In SCHEDULING the word is its worker's alone.
//!
//! # Memory ordering
//!
//! What the worker did to the core before `run` is released by it and acquired by a taker; what the
//! taker hands on goes through the worker that it gives the core to.

use crate::primitive::{AtomicU32, AtomicU64, Ordering};

const SCHEDULING: u64 = 0;
const RUNNING: u64 = 1;
const BLOCKING: u64 = 2;
const TAKEN: u64 = 3;
const STATE_BITS: u32 = 2;
const STATE: u64 = (1 << STATE_BITS) - 1;

#[derive(Debug)]
pub(crate) struct Owner {
    word: AtomicU64,
    /// Blocking sections so far: tells apart two of the same run.
    n_sections: AtomicU32,
}

/// What the monitor saw of a core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    word: u64,
    n_sections: u32,
}

impl Sighting {
    pub(crate) fn is_scheduling(self) -> bool {
        self.word & STATE == SCHEDULING
    }

    pub(crate) fn is_running(self) -> bool {
        self.word & STATE == RUNNING
    }

    pub(crate) fn is_blocking(self) -> bool {
        self.word & STATE == BLOCKING
    }

    /// Whether both are of one run.
    pub(crate) fn is_same_run(self, other: Self) -> bool {
        self.word >> STATE_BITS == other.word >> STATE_BITS
    }

    /// Whether both are of one blocking section.
    pub(crate) fn is_same_section(self, other: Self) -> bool {
        self.word == other.word && self.n_sections == other.n_sections
    }
}

impl Owner {
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(SCHEDULING), n_sections: AtomicU32::new(0) }
    }

    /// A run begins. By the worker that has the core; returns the run's epoch.
    pub(crate) fn run(&self) -> u64 {
        let epoch = (self.word.load(Ordering::Relaxed) >> STATE_BITS) + 1;
        // Release pairs with the acquire in `take`.
        self.word.store(epoch << STATE_BITS | RUNNING, Ordering::Release);
        epoch
    }

    /// The run ends; `false` if the core was taken in the meantime.
    #[must_use]
    pub(crate) fn stop(&self, epoch: u64) -> bool {
        // A run may end inside a blocking section whose function parks: its worker is here again.
        self.change(epoch, RUNNING, SCHEDULING) || self.change(epoch, BLOCKING, SCHEDULING)
    }

    /// A blocking section begins in this run; `false` if the core was taken before.
    #[must_use]
    pub(crate) fn begin_blocking(&self, epoch: u64) -> bool {
        let n = self.n_sections.load(Ordering::Relaxed);
        // Only the run that has the core counts; it may be one that has just lost it, which does no
        // harm.
        self.n_sections.store(n.wrapping_add(1), Ordering::Relaxed);
        self.change(epoch, RUNNING, BLOCKING)
    }

    /// The blocking section ends; `false` if the core was taken in the meantime.
    #[must_use]
    pub(crate) fn end_blocking(&self, epoch: u64) -> bool {
        self.change(epoch, BLOCKING, RUNNING)
    }

    pub(crate) fn look(&self) -> Sighting {
        Sighting {
            word: self.word.load(Ordering::SeqCst),
            n_sections: self.n_sections.load(Ordering::Relaxed),
        }
    }

    /// Takes the core from the run that was seen; `false` if that run is over.
    #[must_use]
    pub(crate) fn take(&self, seen: Sighting) -> bool {
        debug_assert!(seen.is_running() || seen.is_blocking());
        let taken = seen.word & !STATE | TAKEN;
        // Acquire pairs with the release in `run`.
        self.word.compare_exchange(seen.word, taken, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// The worker that was given the core after `take` begins to schedule.
    pub(crate) fn adopt(&self) {
        let epoch = self.word.load(Ordering::Relaxed) >> STATE_BITS;
        self.word.store(epoch << STATE_BITS | SCHEDULING, Ordering::Relaxed);
    }

    fn change(&self, epoch: u64, from: u64, to: u64) -> bool {
        let word = epoch << STATE_BITS;
        // Acquire and release: the worker goes on with the core, or leaves it to a taker.
        // Sequentially consistent for `begin_blocking`: see `pace`.
        self.word
            .compare_exchange(word | from, word | to, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }
}
