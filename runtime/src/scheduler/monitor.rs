//! The monitor: an OS thread that sees what is stuck and hands its core to another worker.
//!
//! | pace | looks | until |
//! |---|---|---|
//! | fast | every 20 µs | no blocking section was seen for a millisecond |
//! | slow | every 10 ms | a blocking section begins, or all cores have slept for a while |
//! | parked | not at all | a core wakes up |
//!
//! At either pace it looks every 10 ms for runs that go on since the last look. A core is taken from
//! such a run if anything else waits for the core; otherwise nothing is gained, and the worker
//! keeps it. It is taken from a blocking section that was seen twice in a row at the fast pace if
//! anything waits, and after a millisecond in any case, so that the monitor may slow down.
//!
//! # Changing pace
//!
//! The pace is a word that the monitor waits at. It writes the slower pace and then looks at the
//! cores once more; who begins a blocking section (or wakes up) changes the core's state first and
//! looks at the pace afterwards. All four are sequentially consistent, so one of them sees the
//! other: the monitor stays awake, or it is nudged.

use std::time::{Duration, Instant};

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
        let n_cores = scheduler.cores().len();
        let mut sections = vec![Section::default(); n_cores];
        let mut runs: Vec<Option<Sighting>> = vec![None; n_cores];
        let (mut n_quiet, mut n_sleepy) = (0, 0);
        let mut next_slow = Instant::now();
        loop {
            n_quiet = if look_at_sections(scheduler, &mut sections) { 0 } else { n_quiet + 1 };
            let now = Instant::now();
            if now >= next_slow {
                next_slow = now + SLOW_PERIOD;
                look_at_runs(scheduler, &mut runs);
                scheduler.wake_for_stranded();
                n_sleepy = if scheduler.all_sleep() { n_sleepy + 1 } else { 0 };
                stack::trim(if n_sleepy < SLEEPY_LOOKS { TRIM_A_LOOK } else { usize::MAX });
            }
            if n_quiet < FAST_LOOKS {
                futex::wait(&FOREVER, 0, Some(FAST_PERIOD));
            } else {
                let parks = n_sleepy >= SLEEPY_LOOKS;
                if parks {
                    n_sleepy = 0;
                }
                let nudged = self.slow_down(scheduler, if parks { PARKED } else { SLOW });
                n_quiet = if nudged { 0 } else { FAST_LOOKS };
            }
        }
    }

    /// Waits at a slower pace; whether a nudge has ended that.
    fn slow_down(&self, scheduler: &'static Scheduler, pace: u32) -> bool {
        self.pace.store(pace, Ordering::SeqCst);
        let blocking = || scheduler.cores().iter().any(|core| core.owner.look().is_blocking());
        let stay_awake = if pace == SLOW { blocking() } else { !scheduler.all_sleep() };
        if !stay_awake {
            futex::wait(&self.pace, pace, (pace == SLOW).then_some(SLOW_PERIOD));
        }
        self.pace.swap(FAST, Ordering::SeqCst) == FAST || stay_awake
    }
}

/// A blocking section as the monitor knows it.
#[derive(Clone, Copy, Default)]
struct Section {
    seen: Option<Sighting>,
    n_looks: u32,
}

/// Takes the cores whose blocking sections last; whether there is any section.
fn look_at_sections(scheduler: &'static Scheduler, sections: &mut [Section]) -> bool {
    let mut any = false;
    for (core, section) in scheduler.cores().iter().zip(sections) {
        let now = core.owner.look();
        if !now.is_blocking() {
            section.seen = None;
            continue;
        }
        any = true;
        if section.seen.is_some_and(|seen| seen.is_same_section(now)) {
            section.n_looks += 1;
            if section.n_looks >= FAST_LOOKS || scheduler.is_awaited(core) {
                scheduler.take_from(core, now);
            }
        } else {
            *section = Section { seen: Some(now), n_looks: 0 };
        }
    }
    any
}

/// Takes the cores whose runs last, and has those that are busy look at their event loops.
fn look_at_runs(scheduler: &'static Scheduler, runs: &mut [Option<Sighting>]) {
    for (core, run) in scheduler.cores().iter().zip(runs) {
        core.ask_to_look();
        let now = core.owner.look();
        if !now.is_running() {
            *run = None;
            continue;
        }
        if run.is_some_and(|run| run.is_same_run(now)) && scheduler.is_awaited(core) {
            scheduler.take_from(core, now);
        }
        *run = Some(now);
    }
}

/// Stacks to trim at each slow look: some thousands in a second.
const TRIM_A_LOOK: usize = 64;

/// A word that nobody changes, to wait at for a time.
static FOREVER: AtomicU32 = AtomicU32::new(0);
