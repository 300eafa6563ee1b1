//! The monitor: an OS thread that sees what is stuck and hands its core to another worker.
//!
//! | pace | looks | until |
//! |---|---|---|
//! | fast | every 20 µs | no blocking section was seen for a millisecond |
//! | slow | every 10 ms | a blocking section begins, or all cores have slept for a while |
//! | parked | not at all | a core wakes up |
//!
//! A core is taken from a run that was seen twice in a row at the slow pace, or from a blocking
//! section that was seen twice in a row at the fast one, if anything else waits for the core.
//! Otherwise nothing is gained, and the worker keeps it.
//!
//! # Changing pace
//!
//! The pace is a word that the monitor waits at. It writes the slower pace and then looks at the
//! cores once more; who begins a blocking section (or wakes up) changes the core's state first and
//! looks at the pace afterwards. All four are sequentially consistent, so one of them sees the
//! other: the monitor stays awake, or it is nudged.

use std::time::Duration;

use super::Scheduler;
use super::owner::Sighting;
use crate::primitive::{AtomicU32, Ordering};
use crate::stack;
use crate::sys::futex;

const FAST: u32 = 0;
const SLOW: u32 = 1;
const PARKED: u32 = 2;

const FAST_PERIOD: Duration = Duration::from_micros(20);
const SLOW_PERIOD: Duration = Duration::from_millis(10);
/// Fast looks without a blocking section before the pace slows down.
const FAST_LOOKS: u32 = 50;
/// Slow looks at sleeping cores before the monitor parks.
const SLEEPY_LOOKS: u32 = 4;

pub(super) struct Monitor {
    pace: AtomicU32,
}

impl Monitor {
    pub(super) fn new() -> Self {
        Self { pace: AtomicU32::new(FAST) }
    }

    /// A blocking section has begun.
    pub(super) fn on_blocking(&self) {
        if self.pace.load(Ordering::SeqCst) != FAST {
            self.nudge();
        }
    }

    /// A core has woken up.
    pub(super) fn on_wake(&self) {
        if self.pace.load(Ordering::SeqCst) == PARKED {
            self.nudge();
        }
    }

    #[cold]
    fn nudge(&self) {
        if self.pace.swap(FAST, Ordering::SeqCst) != FAST {
            futex::wake(&self.pace, 1);
        }
    }

    /// What the monitor's OS thread does.
    pub(super) fn main(&self, scheduler: &'static Scheduler) {
        // The kernel may round a wait up by this much; the default is more than the period.
        #[cfg(target_os = "linux")]
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1_000));
        let mut seen_fast: Vec<Option<Sighting>> = vec![None; scheduler.cores().len()];
        let mut seen_slow = seen_fast.clone();
        let (mut n_quiet, mut n_sleepy) = (0, 0);
        loop {
            if self.look(scheduler, &mut seen_fast, Sighting::is_blocking) {
                n_quiet = 0;
            } else {
                n_quiet += 1;
            }
            if n_quiet < FAST_LOOKS {
                futex::wait(&FOREVER, 0, Some(FAST_PERIOD));
                continue;
            }
            self.look(scheduler, &mut seen_slow, Sighting::is_running);
            scheduler.wake_for_stranded();
            n_sleepy = if scheduler.all_sleep() { n_sleepy + 1 } else { 0 };
            let pace = if n_sleepy < SLEEPY_LOOKS { SLOW } else { PARKED };
            stack::trim(if pace == PARKED { usize::MAX } else { TRIM_A_LOOK });
            self.pace.store(pace, Ordering::SeqCst);
            let stay_awake = match pace {
                SLOW => scheduler.cores().iter().any(|core| core.owner.look().is_blocking()),
                _ => !scheduler.all_sleep(),
            };
            if !stay_awake {
                futex::wait(&self.pace, pace, (pace == SLOW).then_some(SLOW_PERIOD));
            }
            // Nudged at the slow pace: a blocking section, so look closely for a while.
            if self.pace.swap(FAST, Ordering::SeqCst) == FAST || stay_awake {
                n_quiet = 0;
            }
            if pace == PARKED {
                n_sleepy = 0;
            }
        }
    }

    /// Looks at every core for what `stuck` says, and takes those that were seen in the same state
    /// the last time. Whether there was any.
    fn look(
        &self,
        scheduler: &'static Scheduler,
        seen: &mut [Option<Sighting>],
        stuck: fn(Sighting) -> bool,
    ) -> bool {
        let mut any = false;
        for (core, seen) in scheduler.cores().iter().zip(seen) {
            let now = core.owner.look();
            if !stuck(now) {
                *seen = None;
                continue;
            }
            any = true;
            if *seen == Some(now) && scheduler.is_awaited(core) {
                scheduler.take_from(core, now);
            }
            *seen = Some(now);
        }
        any
    }
}

/// Stacks to trim at each slow look: some thousands in a second.
const TRIM_A_LOOK: usize = 64;

/// A word that nobody changes, to wait at for a time.
static FOREVER: AtomicU32 = AtomicU32::new(0);
