//! How often the monitor looks: a word that it waits at when it does not look fast.
//!
//! The monitor writes the slower pace and then looks at the cores once more; who begins a blocking
//! section (or wakes up) changes the core's state first and looks at the pace afterwards. So one of
//! them sees the other: the monitor stays awake, or it is nudged. Between the two steps of a section
//! and of the monitor is a barrier each (`sys::barrier`); those of a wake-up are sequentially
//! consistent. The word keeps the pace until somebody nudges, while the monitor looks as well as while
//! it waits, so that a barrier is passed when a pace begins, not at each look.

use std::time::Duration;

use crate::primitive::{AtomicU32, Ordering};
use crate::sys::futex;

const FAST: u32 = 0;
const SLOW: u32 = 1;
const PARKED: u32 = 2;

pub(crate) struct Pace(AtomicU32);

/// The slower paces.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slow {
    /// Waits for a blocking section.
    Slow,
    /// Waits for a core to wake up.
    Parked,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(FAST))
    }

    /// A blocking section has begun.
    #[inline]
    pub(crate) fn on_blocking(&self) {
        if self.0.load(Ordering::SeqCst) != FAST {
            self.nudge();
        }
    }

    /// A core has woken up.
    #[inline]
    pub(crate) fn on_wake(&self) {
        if self.0.load(Ordering::SeqCst) == PARKED {
            self.nudge();
        }
    }

    #[cold]
    fn nudge(&self) {
        if self.0.swap(FAST, Ordering::SeqCst) != FAST {
            futex::wake(&self.0, 1);
        }
    }

    /// The monitor's own: whether somebody has nudged since it began to be slow.
    pub(crate) fn is_fast(&self) -> bool {
        self.0.load(Ordering::SeqCst) == FAST
    }

    /// The monitor's own: waits, for at most `timeout`. Whether there is something to see: then the pace
    /// is to be fast. `stay_awake` says whether there was before this pace began.
    pub(crate) fn slow_down(
        &self,
        slow: Slow,
        timeout: Option<Duration>,
        stay_awake: impl FnOnce() -> bool,
    ) -> bool {
        let pace = match slow {
            Slow::Slow => SLOW,
            Slow::Parked => PARKED,
        };
        // Where the word says so already, since the last look, nobody can have missed it.
        if self.0.load(Ordering::SeqCst) != pace {
            self.0.store(pace, Ordering::SeqCst);
            if stay_awake() {
                self.0.store(FAST, Ordering::SeqCst);
                return true;
            }
        }
        futex::wait(&self.0, pace, timeout);
        self.0.load(Ordering::SeqCst) != pace
    }
}
