//! How often the monitor looks: a word that says so to those who may have something for it.
//!
//! ```text
//!                 none begins any more            all sleep, and nothing has run
//!        FAST -------------------------> SLOW -------------------------------> PARKED <-----+
//!          ^                              |  ^                                   |          |
//!          |  a blocking section begins   |  |  500 µs later                     |          | all sleep again
//!          +------------------------------+  +----------- CALLED or BRIEFLY <----+          |
//!          +-- the same, from these and from PARKED               |       a core wakes up   |
//!                                                                 +-------------------------+
//! ```
//!
//! While it is SLOW it waits at the word. While it is PARKED it waits for an [`Alert`]. A core that wakes up raises one
//! for 500 µs later: a run that is over by then need not be looked at. If all cores sleep again before, the last
//! one withdraws it. So a process that serves a request now and then does not wake its monitor; and one that computes
//! for milliseconds after it has slept is seen to from the first time on (`beside`).
//!
//! Raising and withdrawing are a system call each, and a look of the monitor's costs as much as a dozen. So where cores
//! wake up all the time it is left to come (CALLED). Only so many may be withdrawn (BRIEFLY): one for every 2.5 ms,
//! and four in a row.
//!
//! # Why nothing is missed
//!
//! The monitor writes the slower pace and then looks at the cores once more; who begins a blocking
//! section (or wakes up) changes the core's state first and looks at the pace afterwards. So one of
//! them sees the other: the monitor stays awake, or it is nudged. Between the two steps of a section
//! and of the monitor is a barrier each (`sys::barrier`); those of a wake-up are sequentially
//! consistent. The word keeps the pace until somebody nudges, while the monitor looks as well as while
//! it waits, so that a barrier is passed when a pace begins, not at each look.
//!
//! Who withdraws an alert does it first, writes PARKED, and then looks whether all still sleep, in the place of the
//! monitor. If one does not, that one has seen the alert, and so it is raised again; also if the word was not
//! BRIEFLY any more: then it was another alert.
//!
//! From CALLED or BRIEFLY to SLOW there is no barrier. The word was PARKED when all cores slept, and each has looked
//! at it since, as it woke up. Whoever begins a section on a core looks at it later, and so sees that the monitor is
//! not fast.

use std::time::Duration;

use crate::primitive::{AtomicU32, AtomicU64, Ordering};
use crate::sys::alert::Alert;
use crate::sys::futex;

const FAST: u32 = 0;
/// Waits for a blocking section, or for its next look.
const SLOW: u32 = 1;
/// Waits for a core to wake up.
const PARKED: u32 = 2;
/// Waits until one has been awake for a while.
const CALLED: u32 = 3;
/// The same, unless all sleep before.
const BRIEFLY: u32 = 4;

/// For how long a core is awake before the monitor looks: more than a run takes that only sees to a request.
pub(crate) const WHILE: Duration = Duration::from_micros(500);

/// For each of these one alert may be withdrawn; and how many in a row.
const APART_NS: u64 = 2_500_000;
const IN_A_ROW: u64 = 4;

pub(crate) struct Pace {
    word: AtomicU32,
    alert: Alert,
    /// When those that may be withdrawn would have come, had they been `APART_NS` from each other.
    brief_ns: AtomicU64,
}

impl Pace {
    pub(crate) fn new() -> Self {
        let (word, brief_ns) = (AtomicU32::new(FAST), AtomicU64::new(0));
        Self { word, alert: Alert::new(), brief_ns }
    }

    /// A blocking section has begun.
    #[inline]
    pub(crate) fn on_blocking(&self) {
        if self.word.load(Ordering::SeqCst) != FAST {
            self.nudge();
        }
    }

    #[cold]
    fn nudge(&self) {
        match self.word.swap(FAST, Ordering::SeqCst) {
            FAST => {}
            SLOW => futex::wake(&raw const self.word, 1),
            _ => self.alert.raise(Duration::ZERO),
        }
    }

    /// A core has woken up. `call` is told if the monitor is parked, and calls it.
    #[inline]
    pub(crate) fn on_wake(&self, call: impl FnOnce()) {
        if self.word.load(Ordering::SeqCst) == PARKED {
            call();
        }
    }

    /// Calls the monitor that is parked, for after that time. It is `now_ns`.
    pub(crate) fn call(&self, now_ns: u64, after: Duration) {
        let brief_ns = self.brief_ns.load(Ordering::Relaxed).max(now_ns) + APART_NS;
        let is_brief = brief_ns - now_ns <= IN_A_ROW * APART_NS;
        if is_brief {
            self.brief_ns.store(brief_ns, Ordering::Relaxed);
        }
        let called = if is_brief { BRIEFLY } else { CALLED };
        if self.replace(PARKED, called) {
            self.alert.raise(after);
        }
    }

    /// A core is about to sleep, and counts as one that does. `withdraw` is told if the monitor was called briefly.
    #[inline]
    pub(crate) fn on_sleep(&self, withdraw: impl FnOnce()) {
        if self.word.load(Ordering::Relaxed) == BRIEFLY {
            withdraw();
        }
    }

    /// Parks the monitor again, if all sleep.
    pub(crate) fn withdraw(&self, all_sleep: impl Fn() -> bool) {
        self.alert.withdraw();
        let is_parked = self.replace(BRIEFLY, PARKED);
        if !is_parked || !all_sleep() && self.replace(PARKED, CALLED) {
            self.alert.raise(WHILE);
        }
    }

    fn replace(&self, from: u32, to: u32) -> bool {
        self.word.compare_exchange(from, to, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// For the monitor, before its first look.
    pub(crate) fn begin(&self) {
        self.alert.open();
    }

    /// The monitor's own: whether somebody has nudged since it began to be slow.
    pub(crate) fn is_fast(&self) -> bool {
        self.word.load(Ordering::SeqCst) == FAST
    }

    /// The monitor's own: waits for a blocking section, for at most `timeout`. Whether there is one: then the pace
    /// is fast. `any_blocks` says whether there was one before this pace began, behind a barrier.
    pub(crate) fn slow_down(
        &self,
        timeout: Option<Duration>,
        any_blocks: impl FnOnce() -> bool,
    ) -> bool {
        // Where the word says so already, since the last look, nobody can have missed it.
        if self.word.load(Ordering::SeqCst) != SLOW {
            self.word.store(SLOW, Ordering::SeqCst);
            if any_blocks() {
                self.word.store(FAST, Ordering::SeqCst);
                return true;
            }
        }
        futex::wait(&self.word, SLOW, timeout);
        self.is_fast()
    }

    /// The monitor's own: waits until a core has been awake for a while, or a blocking section has begun; whether
    /// that is so. For at most `timeout`. `stay_awake` says whether it was so before this pace began: then the pace is
    /// fast.
    pub(crate) fn park(
        &self,
        timeout: Option<Duration>,
        stay_awake: impl FnOnce() -> bool,
    ) -> bool {
        if self.word.load(Ordering::SeqCst) != PARKED {
            self.word.store(PARKED, Ordering::SeqCst);
            if stay_awake() {
                self.word.store(FAST, Ordering::SeqCst);
                return true;
            }
        }
        self.alert.wait(timeout);
        loop {
            match self.word.load(Ordering::SeqCst) {
                PARKED => return false,
                called @ (CALLED | BRIEFLY) if !self.replace(called, SLOW) => {}
                _ => return true,
            }
        }
    }
}
