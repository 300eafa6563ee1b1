//! The monitor: an OS thread that sees what is stuck and hands its core to another worker.
//!
//! | pace | looks | until |
//! |---|---|---|
//! | fast | for blocking sections, every 20 µs to 8 ms (`sections`) | there was none for a while |
//! | slow | every 10 ms | a blocking section begins, or all cores have slept since the last look |
//! | parked | not at all, but to give back the memory of stacks | a core has been awake for 500 µs |
//!
//! It begins slow. At the first two it looks every 10 ms for runs that last. How it slows down and misses nothing is
//! in `pace`.
//!
//! Once it has seen a run twice it serves what waits for its core, or has a spare take that (`beside`). It polls
//! the event loops of such cores instead of waiting at its word, and hears of a blocking section that begins
//! meanwhile within a millisecond.
//!
//! Now and then it counts what the workers did (`census`), to say how many cores may be awake (`crowd`).
//!
//! # Where OS threads run short
//!
//! If a core may not be taken from its run, for want of an OS thread, the monitor asks again at the next
//! looks. In between there is a survey of the threads (`limit`). While somebody waits for one the monitor
//! is not parked.

use std::mem;
use std::time::{Duration, Instant};

use super::Scheduler;
use super::beside::Beside;
use super::census::Census;
use super::core::Core;
use super::limit::Survey;
use super::pace;
use super::sections::Sections;
use crate::clock;
use crate::primitive::AtomicU32;
use crate::stack;
use crate::sys::{barrier, futex};
use crate::task::state;
use crate::trace;

const SLOW_PERIOD: Duration = Duration::from_millis(10);

/// How long the monitor is parked before it trims all free stacks: what is used again soon is not
/// worth it.
const REST: Duration = Duration::from_millis(30);

/// Stacks to trim at each slow look: some thousands in a second.
const TRIM_A_LOOK: usize = 64;

/// A word that nobody changes, to wait at for a time.
static FOREVER: AtomicU32 = AtomicU32::new(0);

impl Scheduler {
    /// A core has woken up while the monitor is parked: it is to look in a while; at once if somebody wants a record.
    #[cold]
    pub(super) fn call_monitor(&self) {
        let now_ns = clock::now_ns();
        state::now::note(now_ns);
        self.pace.call(now_ns, if trace::is_asked() { Duration::ZERO } else { pace::WHILE });
    }

    /// A core is about to sleep, and the monitor was called since all have slept: it need not look if they do again,
    /// and there is nothing else to see.
    #[cold]
    pub(super) fn withdraw_call(&self) {
        let may_rest = self.idle.all_sleep()
            && self.watch.is_none()
            && !self.spares.is_short()
            && stack::is_trimmed();
        if may_rest {
            state::now::rest();
            self.pace.withdraw(|| self.idle.all_sleep());
        }
    }

    /// What the monitor's OS thread does.
    pub(super) fn monitor(&'static self) {
        // The kernel may round a wait up by this much; the default is more than the period.
        #[cfg(target_os = "linux")]
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1_000));
        self.pace.begin();
        let mut sections = Sections::new(self.cores.len());
        let mut n_runs = 0;
        let mut survey = Survey::new();
        let mut next_slow = Instant::now();
        // `None` while sections tell.
        let mut next_fast = None;
        let (mut parks, mut n_trimmed) = (false, 0);
        let mut census = Census::new(self);
        let mut beside = Beside::new(self.cores.len());
        loop {
            let now = Instant::now();
            state::now::note(clock::ns(now));
            trace::attend(|| self.leases.provide_rings());
            if next_fast.is_some_and(|time| now >= time) {
                next_fast = sections.look(self, now).map(|left| now + left);
            }
            if now >= next_slow {
                let all_sleep = self.idle.all_sleep();
                next_slow = now + SLOW_PERIOD;
                self.survey(&mut survey, now);
                self.attend_apart(now);
                if all_sleep {
                    beside.rest();
                } else {
                    census.look(self, now);
                    self.wake_for_stranded();
                    beside.look(self, now, true);
                }
                // A run that has lost its core goes on while all sleep, and is still watched.
                let watched = self.watch.as_ref().is_some_and(|watch| watch.look(now));
                n_trimmed = stack::trim(TRIM_A_LOOK);
                let n_runs_before = mem::replace(&mut n_runs, self.count_runs());
                parks = all_sleep && !watched && n_runs == n_runs_before && !self.spares.is_short();
                if parks {
                    next_fast = None;
                } else if next_fast.is_none() && self.any_blocks() {
                    // Nobody has told: the kernel has refused a barrier, or a taker has withdrawn.
                    next_fast = Some(now);
                }
            }
            if beside.next().is_some_and(|time| now >= time) {
                beside.look(self, now, false);
            }
            let next =
                [next_fast, beside.next()].into_iter().flatten().fold(next_slow, Instant::min);
            if beside.watches() {
                beside.wait(next);
                if next_fast.is_none() && self.pace.is_fast() && self.any_blocks() {
                    next_fast = Some(Instant::now() + sections.told());
                }
            } else if next_fast.is_some() {
                futex::wait(&FOREVER, 0, Some(next.saturating_duration_since(now)));
            } else if parks {
                census.interrupt();
                state::now::rest();
                let mut rest = (n_trimmed > 0).then_some(REST);
                let stay_awake = || !self.idle.all_sleep() || self.spares.is_short();
                while !self.pace.park(rest, stay_awake) {
                    rest = (stack::trim(usize::MAX) > 0).then_some(REST);
                }
                parks = false;
                next_slow = Instant::now();
                next_fast = self.pace.is_fast().then_some(now);
            } else {
                let left = next.saturating_duration_since(now);
                let told = self.pace.slow_down(Some(left), || {
                    // Pairs with the barrier of a section that begins. Without it one may be
                    // missed until the next slow look.
                    let _ = barrier::heavy();
                    self.any_blocks()
                });
                if told {
                    next_fast = Some(now + sections.told());
                }
            }
        }
    }

    /// Whether there is a blocking section that has its core.
    fn any_blocks(&self) -> bool {
        self.cores.iter().any(|core| core.owner.blocks())
    }

    /// A number that changes when a core runs something.
    fn count_runs(&self) -> u64 {
        let runs = |core: &Core| core.owner.look().map_or(0, |seen| seen.doing.run());
        self.cores.iter().map(runs).fold(0, u64::wrapping_add)
    }
}
