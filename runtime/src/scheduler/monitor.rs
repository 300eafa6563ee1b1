//! The monitor: an OS thread that sees what is stuck and hands its core to another worker.
//!
//! | pace | looks | until |
//! |---|---|---|
//! | fast | for blocking sections, every 20 µs to 8 ms (`sections`) | there was none for a while |
//! | slow | every 10 ms | a blocking section begins, or a look finds that all cores sleep |
//! | parked | not at all, but to give back the memory of stacks | a core has been awake for 10 ms |
//!
//! It begins slow. At the first two it looks every 10 ms for runs that go on since the last look. A core is taken from such a run if its OS thread
//! is stuck (below) and anything else waits for the core; otherwise nothing is gained, and the worker
//! keeps it. How it slows down and misses nothing is in `pace`.
//!
//! In between it serves what waits for a core whose run lasts (`beside`), and polls the event loops of
//! such cores instead of waiting at its word. It hears of a blocking section that begins meanwhile within
//! a millisecond.
//!
//! # What is stuck
//!
//! A run that goes on for long need not be a long one. Where other processes want the processors too
//! the kernel lets the worker wait for its turn, and a spare thread would have to wait just as well.
//! So the OS thread is asked, by its clock and its state (`sys::thread`):
//!
//! | its processor time since it was first asked | its state | |
//! |---|---|---|
//! | 500 µs or more | any | it computes: stuck |
//! | less | waits, in the kernel | it blocks: stuck |
//! | less | would run | it waits for a processor: left alone |
//!
//! Nearly all runs that a look finds are over by the next one. So the first look at a run asks nothing,
//! and the second one asks only whether it blocks. If it does not, the next looks are brisk (below): they
//! find out whether it computes within a millisecond or a few.
//!
//! A run that only serves a socket or a lock takes less than 500 µs. So it is not taken for one that
//! computes when it loses its processor in the middle. And 500 µs is less than the kernel's usual turn,
//! about 3 ms. A thread that computes has used as much after its first turn, and does not hold up the rest
//! for as many turns as would make up 10 ms. Where the system tells nothing the run is stuck.
//!
//! # How many may be awake
//!
//! Now and then it counts what the workers did (`census`), to say how many cores may be awake (`crowd`).
//!
//! # One after the other
//!
//! Where one thread blocks in a way that the runtime does not see, others of its kind often queue behind
//! it, and each would cost the rest another slow period or two. So after a core was taken from a run, the
//! monitor looks at runs every millisecond for a while. A run that blocks, and has hardly used the
//! processor between two looks, loses its core too. A run that computes does not. After each look that
//! finds one, the next looks come in half the time, down to 50 µs; after each look that finds none, in
//! twice the time. So thousands that queue up come within a second or two.
//!
//! # Where OS threads run short
//!
//! If a core may not be taken from its run, for want of an OS thread, the monitor asks again at the next
//! looks. In between there is a survey of the threads (`limit`). While somebody waits for one the monitor
//! is not parked.

use std::time::{Duration, Instant};

use super::Scheduler;
use super::beside::Beside;
use super::census::Census;
use super::core::Core;
use super::limit::{self, Purpose, Survey};
use super::owner::Sighting;
use super::pace::{self, Pace};
use super::sections::Sections;
use crate::clock;
use crate::primitive::AtomicU32;
use crate::stack;
use crate::sys::{barrier, futex};
use crate::task::state;
use crate::trace;

const SLOW_PERIOD: Duration = pace::WHILE;
/// The processor time of a long run that counts as computing.
pub(super) const COMPUTES: Duration = Duration::from_micros(500);

/// How long the monitor is parked before it trims all free stacks: what is used again soon is not
/// worth it.
const REST: Duration = Duration::from_millis(30);

const BRISK_PERIOD: Duration = Duration::from_millis(1);
const BRISKEST_PERIOD: Duration = Duration::from_micros(50);
/// Brisk looks after the last one that gave a reason for them.
const BRISK_LOOKS: u32 = 8;

pub(super) struct Monitor {
    pace: Pace,
}

impl Monitor {
    pub(super) fn new() -> Self {
        Self { pace: Pace::new() }
    }

    /// A blocking section has begun.
    pub(super) fn on_blocking(&self) {
        self.pace.on_blocking();
    }

    /// A core has woken up.
    pub(super) fn on_wake(&self) {
        self.pace.on_wake(|| self.call());
    }

    /// Has the monitor look in a while; at once if somebody wants a record.
    #[cold]
    fn call(&self) {
        let now_ns = clock::now_ns();
        state::now::note(now_ns);
        self.pace.call(now_ns, if trace::is_asked() { Duration::ZERO } else { pace::WHILE });
    }

    /// A core is about to sleep.
    pub(super) fn on_sleep(&self, scheduler: &Scheduler) {
        self.pace.on_sleep(|| self.withdraw(scheduler));
    }

    /// Has the monitor not look, if all sleep and there is nothing else to see.
    #[cold]
    fn withdraw(&self, scheduler: &Scheduler) {
        let may_rest = scheduler.all_sleep()
            && scheduler.watch.is_none()
            && !scheduler.spares.is_short()
            && stack::is_trimmed();
        if may_rest {
            state::now::rest();
            self.pace.withdraw(|| scheduler.all_sleep());
        }
    }

    /// What the monitor's OS thread does.
    pub(super) fn main(&self, scheduler: &'static Scheduler) {
        // The kernel may round a wait up by this much; the default is more than the period.
        #[cfg(target_os = "linux")]
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1_000));
        self.pace.begin();
        let n_cores = scheduler.cores().len();
        let mut sections = Sections::new(n_cores);
        let mut runs: Vec<Option<Run>> = vec![None; n_cores];
        let (mut n_brisk, mut brisk_period) = (0, BRISK_PERIOD);
        let mut survey = Survey::new();
        let mut next_slow = Instant::now();
        // `None` while sections tell.
        let mut next_fast = None;
        let (mut parks, mut n_trimmed) = (false, 0);
        let mut census = Census::new(scheduler);
        let mut beside = Beside::new(n_cores);
        loop {
            let now = Instant::now();
            state::now::note(clock::ns(now));
            trace::attend(|| scheduler.leases.provide_rings());
            if next_fast.is_some_and(|time| now >= time) {
                next_fast = sections.look(scheduler, now).map(|left| now + left);
            }
            if now >= next_slow {
                let all_sleep = scheduler.all_sleep();
                let found = if all_sleep {
                    Finding::Fine
                } else {
                    look_at_runs(scheduler, &mut runs, n_brisk > 0, now)
                };
                brisk_period = match found {
                    Finding::Stuck(Purpose::Blocks) if n_brisk > 0 => brisk_period / 2,
                    _ => brisk_period * 2,
                };
                brisk_period = brisk_period.clamp(BRISKEST_PERIOD, BRISK_PERIOD);
                let again_soon = !matches!(found, Finding::Fine);
                n_brisk = if again_soon { BRISK_LOOKS } else { n_brisk.saturating_sub(1) };
                next_slow = now + if n_brisk > 0 { brisk_period } else { SLOW_PERIOD };
                scheduler.survey(&mut survey, now);
                scheduler.attend_apart(now);
                if all_sleep {
                    beside.rest();
                } else {
                    census.look(scheduler, now);
                    scheduler.wake_for_stranded();
                    beside.look(scheduler, now, true);
                }
                // A run that has lost its core goes on while all sleep, and is still watched.
                let watched = scheduler.watch.as_ref().is_some_and(|watch| watch.look(now));
                n_trimmed = stack::trim(TRIM_A_LOOK);
                parks = all_sleep && !watched && !scheduler.spares.is_short();
                if parks {
                    next_fast = None;
                } else if next_fast.is_none() && any_blocks(scheduler) {
                    // Nobody has told: the kernel has refused a barrier, or a taker has withdrawn.
                    next_fast = Some(now);
                }
            }
            if beside.next().is_some_and(|time| now >= time) {
                beside.look(scheduler, now, false);
            }
            let next =
                [next_fast, beside.next()].into_iter().flatten().fold(next_slow, Instant::min);
            if beside.watches() {
                beside.wait(next);
                if next_fast.is_none() && self.pace.is_fast() && any_blocks(scheduler) {
                    next_fast = Some(Instant::now() + sections.told());
                }
            } else if next_fast.is_some() {
                futex::wait(&FOREVER, 0, Some(next.saturating_duration_since(now)));
            } else if parks {
                state::now::rest();
                let mut rest = (n_trimmed > 0).then_some(REST);
                let stay_awake = || !scheduler.all_sleep() || scheduler.spares.is_short();
                while !self.pace.park(rest, stay_awake) {
                    rest = (stack::trim(usize::MAX) > 0).then_some(REST);
                }
                parks = false;
                next_slow = Instant::now();
                if next_slow - now > REST {
                    census.interrupt();
                }
                next_fast = self.pace.is_fast().then_some(now);
            } else {
                let left = next.saturating_duration_since(now);
                let told = self.pace.slow_down(Some(left), || {
                    // Pairs with the barrier of a section that begins. Without it one may be
                    // missed until the next slow look.
                    let _ = barrier::heavy();
                    any_blocks(scheduler)
                });
                if told {
                    next_fast = Some(now + sections.told());
                }
            }
        }
    }
}

/// Whether there is a blocking section that has its core.
fn any_blocks(scheduler: &Scheduler) -> bool {
    scheduler.cores().iter().any(|core| core.owner.blocks())
}

/// A run as the monitor knows it.
#[derive(Clone, Copy)]
struct Run {
    seen: Sighting,
    /// When it was first seen.
    since: Instant,
    /// Since when it has hardly used the processor.
    quiet_since: Instant,
    /// What its OS thread said the first time and the last time that it was asked.
    asked: Option<(Usage, Usage)>,
}

/// What an OS thread had used of a processor, and when.
#[derive(Clone, Copy)]
struct Usage {
    at: Instant,
    /// `None` where the system does not tell.
    processor_ns: Option<u64>,
}

impl Usage {
    fn of(core: &Core, now: Instant) -> Self {
        Self { at: now, processor_ns: core.processor_time_ns() }
    }

    /// For how long the OS thread has used a processor since `before`.
    fn since(self, before: Self) -> Option<Duration> {
        let used_ns = self.processor_ns?.saturating_sub(before.processor_ns?);
        Some(Duration::from_nanos(used_ns))
    }
}

/// What a look at a run, or at all of them, has found out, in the order of what matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
enum Finding {
    /// It has not lasted, nobody waits for its core, or it waits for a processor.
    Fine,
    /// It goes on for long, and was asked for the first time.
    Unknown,
    /// In what an OS thread is needed for, to take over.
    Stuck(Purpose),
}

impl Run {
    fn new(core: &Core, seen: Sighting, asks: bool, now: Instant) -> Self {
        let usage = asks.then(|| Usage::of(core, now));
        Self { seen, since: now, quiet_since: now, asked: usage.map(|usage| (usage, usage)) }
    }

    /// Looks at it once more.
    fn look(&mut self, scheduler: &Scheduler, core: &Core, now: Instant) -> Finding {
        let usage = Usage::of(core, now);
        let is_new = self.asked.is_none();
        let (first, last) = self.asked.unwrap_or((usage, usage));
        self.asked = Some((first, usage));
        let lasts = now - self.since >= SLOW_PERIOD;
        let idles = usage.since(last).is_some_and(|used| 4 * used < usage.at - last.at);
        if !idles {
            self.quiet_since = now;
        }
        if !(lasts || idles) || !scheduler.is_awaited(core) {
            return Finding::Fine;
        }
        let computes = usage.since(first).is_none_or(|used| used >= COMPUTES);
        // The question that costs most comes last.
        if computes && !idles {
            Finding::Stuck(Purpose::Computes)
        } else if core.worker_waits().unwrap_or(true) {
            let is_long = now - self.quiet_since >= limit::LONG;
            Finding::Stuck(if is_long { Purpose::BlocksForLong } else { Purpose::Blocks })
        } else if computes {
            Finding::Stuck(Purpose::Computes)
        } else if is_new {
            Finding::Unknown
        } else {
            Finding::Fine
        }
    }
}

/// Takes the cores whose runs last, or block behind one that did, and has those that are busy look
/// at their event loops. What it has found that is a reason to look again soon.
fn look_at_runs(
    scheduler: &'static Scheduler,
    runs: &mut [Option<Run>],
    is_brisk: bool,
    now: Instant,
) -> Finding {
    let (mut found, mut any_lasts) = (Finding::Fine, false);
    for (core, known) in scheduler.cores().iter().zip(runs) {
        core.ask_to_look();
        let Some(seen) = core.owner.look().filter(|seen| seen.doing.is_running()) else {
            *known = None;
            continue;
        };
        let Some(run) = known.as_mut().filter(|run| run.seen.is_same_run(seen)) else {
            *known = Some(Run::new(core, seen, is_brisk, now));
            continue;
        };
        any_lasts = true;
        let mut finding = run.look(scheduler, core, now);
        if let Finding::Stuck(purpose) = finding
            && !scheduler.spares.preempt(core, seen, purpose)
            && purpose == Purpose::Computes
        {
            // It keeps its core until somebody comes back.
            finding = Finding::Fine;
        }
        found = found.max(finding);
    }
    scheduler.press(any_lasts);
    found
}

/// Stacks to trim at each slow look: some thousands in a second.
const TRIM_A_LOOK: usize = 64;

/// A word that nobody changes, to wait at for a time.
static FOREVER: AtomicU32 = AtomicU32::new(0);
