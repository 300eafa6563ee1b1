//! What a worker holds its core by: a lease, which the monitor may revoke, and which the worker itself
//! releases in a blocking section that is going to last.
//!
//! ```text
//!                run                        stop (park, yield, return)
//!   SCHEDULING ------> RUNNING ------------------------------------------> SCHEDULING, kept or
//!                        |  ^                              |               without the core
//!                  begin |  | end (a blocking section)     | monitor, after 10 ms
//!                        v  |                              v
//!                      BLOCKING ------------------------> revoked
//!                                 monitor, 20 µs to 1 ms
//! ```
//!
//! The word says what the worker does, and its worker alone writes it: the state, the number of the
//! run, and that of the blocking section in the run. In SCHEDULING nobody may revoke the lease.
//! The claim says what others want: FREE, or a word that somebody has seen and asks about, or
//! REVOKED.
//!
//! # Why one of the two gets the core
//!
//! A worker leaves a word by a plain store of the next one; then it looks at the claim. A taker
//! leaves the word that it has seen in the claim; then it looks at the worker's word once more. In
//! between both pass a barrier, so that one of them at least sees the other:
//!
//! - The taker finds another word: it withdraws.
//! - The taker finds the word that it has seen. Then the worker, when it leaves that word, sees the
//!   claim. Both go for it by compare-exchange: the taker turns it into REVOKED, the worker into FREE,
//!   and the first one has the core.
//!
//! A worker that releases its core shuts out all takers first (`scheduler::owner`). So it writes
//! REVOKED itself, and needs no barrier; nor to write FREE again, if nobody can have the core, before it
//! lets takers in.
//!
//! A worker that has lost goes on to the end of the run without a core, and finds REVOKED whenever
//! it looks. What it stores meanwhile goes to its own word, not to one of the core's, where the
//! core's next worker would find it: that is why the lease belongs to the worker.
//!
//! A taker that has looked long ago asks about a word that is over. When the number of the section
//! has come round, it asks about a section as good as the one that it has seen.
//!
//! # What it costs
//!
//! Runs end millions of times a second, and cores are taken now and then. So the worker's barrier
//! is one for the compiler alone, and the taker has the kernel put the real one into every OS thread
//! that runs (`sys::barrier`).
//!
//! # What its worker wears
//!
//! The lease also says which signal mask the worker has put on (`dress`), for as long as it is the
//! worker's. While nobody has the lease that is `COVERED`, as are those who take it.
//!
//! # Memory ordering
//!
//! What the worker did to the core is released by each store to its word. It is acquired by whoever
//! looks at the word, to take the core or to have it taken. What the taker passes on goes through the
//! worker that it gives the core to.

use std::mem::offset_of;

use sylvan_sight::table;

use super::dress::Dress;
#[cfg(not(sylvan_loom))]
use crate::primitive::AtomicPtr;
use crate::primitive::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use crate::sys::barrier;
#[cfg(not(sylvan_loom))]
use crate::trace::{self, Ring};

const SCHEDULING: u64 = 0;
const RUNNING: u64 = 1;
const BLOCKING: u64 = 2;
const STATE: u64 = 3;

const SECTION: u64 = STATE + 1;
const SECTIONS: u64 = 0xffff * SECTION;
const RUN: u64 = SECTIONS + SECTION;

/// No number of a run.
const NO_RUN: u64 = u64::MAX;

const FREE: u64 = 0;
/// No word: its state is none.
const REVOKED: u64 = u64::MAX;

// Lines of their own: the worker writes at each switch.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Lease {
    word: AtomicU64,
    claim: AtomicU64,
    /// The `Dress` that its worker wears. By the worker.
    wears: AtomicU8,
    /// The OS thread that its worker is, or was last.
    worker: AtomicU32,
    /// The core that this one has taken.
    core: AtomicU32,
    /// The number of the last run that somebody has seen to be a long one.
    lasting: AtomicU64,
    /// Whether the run goes on apart from its beginning: 1 or 0. By the worker.
    apart: AtomicU8,
    /// Whether the run has a place to go on in after a section that has cost it its core: 1 or 0. By the worker.
    is_back: AtomicU8,
    /// What its worker does is recorded there; null where nothing ever was.
    #[cfg(not(sylvan_loom))]
    ring: AtomicPtr<Ring>,
}

/// What a worker did when somebody looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Doing(u64);

impl Doing {
    pub(crate) fn is_scheduling(self) -> bool {
        self.0 & STATE == SCHEDULING
    }

    pub(crate) fn is_running(self) -> bool {
        self.0 & STATE == RUNNING
    }

    pub(crate) fn is_blocking(self) -> bool {
        self.0 & STATE == BLOCKING
    }

    /// The number of the run, or of the last one.
    pub(crate) fn run(self) -> u64 {
        self.0 / RUN
    }

    /// Whether both are of one run.
    pub(crate) fn is_same_run(self, other: Self) -> bool {
        self.0 / RUN == other.0 / RUN
    }
}

impl Lease {
    pub(crate) const LAYOUT: table::Lease = table::Lease {
        word: offset_of!(Self, word) as u64,
        claim: offset_of!(Self, claim) as u64,
        os_thread: offset_of!(Self, worker) as u64,
        state_bits: STATE,
        running: RUNNING,
        blocking: BLOCKING,
        size: size_of::<Self>() as u64,
    };

    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU64::new(SCHEDULING),
            claim: AtomicU64::new(FREE),
            wears: AtomicU8::new(Dress::COVERED.to_byte()),
            worker: AtomicU32::new(0),
            core: AtomicU32::new(0),
            lasting: AtomicU64::new(NO_RUN),
            apart: AtomicU8::new(0),
            is_back: AtomicU8::new(0),
            #[cfg(not(sylvan_loom))]
            ring: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// What its worker wears, for the worker and for others.
    #[inline]
    pub(crate) fn wears(&self) -> Dress {
        // Acquire, which whoever waits for it needs, pairs with the release in `set_wears`.
        Dress::from_byte(self.wears.load(Ordering::Acquire))
    }

    /// Its worker has put that on.
    #[inline]
    pub(crate) fn set_wears(&self, dress: Dress) {
        self.wears.store(dress.to_byte(), Ordering::Release);
    }

    /// The OS thread that its worker is, or was last: it orders nothing.
    pub(crate) fn worker(&self) -> u32 {
        self.worker.load(Ordering::Relaxed)
    }

    /// By a worker that has taken it, with this core.
    pub(crate) fn set_worker(&self, os_thread: u32, core: u32) {
        self.worker.store(os_thread, Ordering::Relaxed);
        self.core.store(core, Ordering::Relaxed);
        #[cfg(not(sylvan_loom))]
        if let Some(ring) = self.ring() {
            ring.set_place(os_thread, core);
        }
    }

    /// Where its worker records what it does, if it has anything to record to. For the worker.
    #[cfg(not(sylvan_loom))]
    #[inline]
    pub(crate) fn ring(&self) -> Option<&'static Ring> {
        // Acquire pairs with the release in `provide_ring`.
        // SAFETY: null, or a ring, which lasts.
        unsafe { self.ring.load(Ordering::Acquire).as_ref() }
    }

    /// Sees to it that there is such a ring. By one at a time.
    #[cfg(not(sylvan_loom))]
    pub(crate) fn provide_ring(&self) {
        if self.ring().is_none()
            && let Some(ring) = trace::new_ring()
        {
            ring.set_place(self.worker(), self.core.load(Ordering::Relaxed));
            // Release pairs with the acquire in `ring`.
            self.ring.store(std::ptr::from_ref(ring).cast_mut(), Ordering::Release);
        }
    }

    /// What the worker does, for others.
    pub(crate) fn look(&self) -> Doing {
        // Acquire pairs with the release in `set`.
        Doing(self.word.load(Ordering::Acquire))
    }

    /// The worker's own word, for itself.
    #[inline]
    fn word(&self) -> u64 {
        self.word.load(Ordering::Relaxed)
    }

    #[inline]
    fn set(&self, word: u64) {
        // Release pairs with the acquire in `look`.
        self.word.store(word, Ordering::Release);
    }

    /// A run begins. By the worker, here and below.
    #[inline]
    pub(crate) fn run(&self) {
        let run = self.word() / RUN + 1;
        self.set(run * RUN + RUNNING);
    }

    /// A run begins that has no core to lose (`scheduler::apart`): nobody else has the lease in sight.
    pub(crate) fn run_apart(&self) {
        // Orders nothing: who counts runs without a core may be late.
        self.claim.store(REVOKED, Ordering::Relaxed);
        self.apart.store(1, Ordering::Relaxed);
        self.run();
    }

    /// For the worker, in a run: whether it has begun so.
    pub(crate) fn is_apart(&self) -> bool {
        self.apart.load(Ordering::Relaxed) != 0
    }

    /// For the worker, in a run that has lost its core to a section: it has a place to go on in.
    pub(crate) fn take_place(&self) {
        self.is_back.store(1, Ordering::Relaxed);
    }

    /// For the worker: it has none any more; whether it had.
    pub(crate) fn leave_place(&self) -> bool {
        let had = self.is_back.load(Ordering::Relaxed) != 0;
        if had {
            self.is_back.store(0, Ordering::Relaxed);
        }
        had
    }

    /// That run is a long one: by whoever has seen it. A hint, which orders nothing, here and below.
    pub(crate) fn note_lasting(&self, seen: Doing) {
        self.lasting.store(seen.run(), Ordering::Relaxed);
    }

    /// For the worker, after a run: whether somebody has seen that it was a long one.
    #[inline]
    pub(crate) fn has_lasted(&self) -> bool {
        self.lasting.load(Ordering::Relaxed) == self.word() / RUN
    }

    /// The run ends; `false` if the core was taken in the meantime. Then the lease is as new.
    #[inline]
    #[must_use]
    pub(crate) fn stop(&self) -> bool {
        // Also from BLOCKING: a run may end inside a section whose function parks.
        self.set(self.word() & !STATE | SCHEDULING);
        let kept = self.is_kept();
        if !kept {
            self.claim.store(FREE, Ordering::Relaxed);
            self.apart.store(0, Ordering::Relaxed);
        }
        kept
    }

    /// A blocking section begins in this run, whether it has a core to lose: that may have been taken earlier
    /// in the run; `None` if the run is in a section already.
    #[inline]
    #[must_use]
    pub(crate) fn begin_section(&self) -> Option<bool> {
        let word = self.word();
        if word & STATE != RUNNING {
            return None;
        }
        let section = (word + SECTION) & SECTIONS;
        self.set(word & !(SECTIONS | STATE) | section | BLOCKING);
        Some(self.is_kept())
    }

    /// The blocking section ends; `false` if the core was taken in the meantime.
    #[inline]
    #[must_use]
    pub(crate) fn end_section(&self) -> bool {
        let word = self.word();
        if word & STATE != BLOCKING {
            // Its function has parked: the section has ended with that run.
            return true;
        }
        self.set(word & !STATE | RUNNING);
        self.is_kept()
    }

    /// Whether the word that was just left was left with the core.
    #[inline]
    fn is_kept(&self) -> bool {
        // Pairs with the one in `revoke`.
        barrier::light();
        self.claim.load(Ordering::Relaxed) == FREE || self.refuse()
    }

    /// Refuses what is claimed; `false` if it was granted before.
    #[cold]
    fn refuse(&self) -> bool {
        loop {
            match self.claim.load(Ordering::Relaxed) {
                FREE => return true,
                REVOKED => return false,
                asked => {
                    // Orders nothing, like all that is done to the claim: it decides, and what the
                    // core holds comes with the word.
                    let refused = self.claim.compare_exchange(
                        asked,
                        FREE,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                    if refused.is_ok() {
                        return true;
                    }
                }
            }
        }
    }

    /// The worker releases its core, in a blocking section; nobody else claims it.
    pub(crate) fn release(&self) {
        debug_assert!(self.look().is_blocking());
        debug_assert_eq!(self.claim.load(Ordering::Relaxed), FREE);
        // Orders nothing: it is the worker that finds it.
        self.claim.store(REVOKED, Ordering::Relaxed);
    }

    /// The worker takes back the core that it has released: nobody has got it.
    pub(crate) fn take_back(&self) {
        debug_assert!(self.is_revoked());
        // Orders nothing, as above.
        self.claim.store(FREE, Ordering::Relaxed);
    }

    /// For the worker, in a run: whether its core is gone.
    pub(crate) fn is_revoked(&self) -> bool {
        // Orders nothing: what the core holds is no longer this worker's.
        self.claim.load(Ordering::Relaxed) == REVOKED
    }

    /// For others: whether a run goes on that has lost its core.
    pub(crate) fn is_stray(&self) -> bool {
        self.is_revoked() && self.look().is_running()
    }

    /// For others: revokes the lease of a worker that does what was seen; `false` if it does something
    /// else by now.
    #[must_use]
    pub(crate) fn revoke(&self, seen: Doing) -> bool {
        debug_assert!(seen.is_running() || seen.is_blocking());
        let Doing(seen) = seen;
        let change = |from, to| {
            self.claim.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        if !change(FREE, seen) {
            return false;
        }
        // Pairs with the one in `is_kept`.
        let passed = barrier::heavy();
        // Whoever has seen the word has acquired what came with it, in `look`.
        if passed && self.word.load(Ordering::Relaxed) == seen {
            change(seen, REVOKED)
        } else {
            // Unless the worker has refused.
            let _ = change(seen, FREE);
            false
        }
    }
}
