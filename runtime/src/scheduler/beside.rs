//! What waits for a core whose run lasts is seen to beside that run.
//!
//! A worker looks at its core's event loop, deadlines and inbox between two runs. Most runs take
//! microseconds; but while one takes milliseconds, what comes there waits, however idle another processor
//! is. Nothing in a run could tell, so it is the monitor that sees to it, for these runs alone: a core
//! whose runs are short has no instruction more.
//!
//! # When a run lasts
//!
//! If two looks, 100 µs apart or more, find the same one. From there on the core is *engaged*, and each
//! thing that may come has its own way to be heard of at once:
//!
//! | what comes | who hears of it |
//! |---|---|
//! | a task to the inbox | who pushes it finds the core engaged and wakes another one (`idle`) |
//! | an event | the monitor, which polls the descriptor of the event loop |
//! | a deadline | the monitor, which waits until then at most |
//!
//! A descriptor that a thread waits for on another core moves there meanwhile (`is_unattended`).
//!
//! # What is done
//!
//! | the run has lasted for | and | |
//! |---|---|---|
//! | 100 µs | another core sleeps, and may be awake | the monitor takes what the event loop and the deadlines have to a global queue, where it stays apart from what has been waiting for a processor, and wakes it |
//! | 500 µs | it computes, or blocks | a spare takes the core, which goes on as one that has nothing to do |
//!
//! The first is done also for a run that gets no further since its OS thread waits for a processor. The
//! second takes 100 µs of a processor's time, which is more than a run takes that only sees to a socket or a
//! lock. Nor is it done where it is of no use: while other tasks wait their turn on the core, unless another
//! core sleeps; and while as many runs go on without a core as there are cores. So at most two OS threads
//! compute for each processor. The kernel shares the processors among them as among any threads, and prefers
//! those that have slept: the cores, which attend to events. Beyond that it is as `monitor` says, after 10
//! ms.
//!
//! Where neither is done, since all processors are busy, the worker is asked to look at its event loop
//! after the run, and not after the many that it would otherwise let pass.
//!
//! A thread that was found so has its next runs `apart` from cores: then nothing waits for them.
//!
//! Threads that have to stay on a core (the shared mode) wait for the run in any case. What was laid aside
//! there, or is in a queue, does not.
//!
//! # The event loop of a core that is somebody else's
//!
//! The monitor may look at it at any time. An event is dispatched under the entry's lock, and an alarm rung
//! under the shard's, whoever does it. What it makes runnable goes to a global queue. One thing is for the
//! core alone: that somebody ends its wait. If the monitor has found that, and the same run went on
//! afterwards, then the core did not wait, nor was about to, and it was for an earlier wait, which is over.
//! If that run was over, and even if no other had begun, the monitor ends the core's wait, or the next one,
//! once more. A thread that ends a wait has seen that the core is asleep, and so the monitor sees that the
//! run is over.
//!
//! # How often it looks
//!
//! At each slow look of the monitor's, and 100 µs later. After one that was of use, it goes on: ten times
//! every 100 µs, ten times every 200, and so on, until slow looks are as frequent. While a run lasts the
//! looks are a quarter of its age apart, within 100 and 500 µs: they are for runs on other cores, and for
//! the end of it.

use std::time::{Duration, Instant};

use super::Scheduler;
use super::TlsMode;
use super::core::Core;
use super::limit::Purpose;
use super::owner::Sighting;
use super::record;
use crate::clock;
use crate::reactor::{self, Onlooker};
use crate::sys::poller::Events;
use crate::task::list::List;
use crate::timer;

/// How long a run that lasts has been going on.
const LASTS: Duration = Duration::from_micros(100);

/// How long one has that loses its core.
const TAKEN: Duration = Duration::from_micros(500);

/// What it has used of a processor since it was seen to last, if it computes.
const COMPUTES: Duration = Duration::from_micros(100);

/// The longest time between two looks while a run lasts.
const PERIOD_MAX: Duration = Duration::from_micros(500);

/// Looks after which the time between two of them doubles, if none was of use; and how often.
const LOOKS: u32 = 10;
const DOUBLINGS: u32 = 6;

pub(super) struct Beside {
    runs: Vec<Option<Run>>,
    /// The event loops of the runs that are `watched`, in order.
    onlooker: Onlooker,
    /// Looks since the last one that was of use.
    n_idle: u32,
    next: Option<Instant>,
    events: Events,
}

/// A run as it was seen.
#[derive(Clone, Copy)]
struct Run {
    seen: Sighting,
    since: Instant,
    /// It lasts: what its OS thread had used of a processor when that was seen first, if the system tells.
    engaged: Option<Option<u64>>,
    /// The event loop and the deadlines have nothing, as far as is known.
    watched: bool,
}

impl Beside {
    pub(super) fn new(n_cores: usize) -> Self {
        Self {
            runs: vec![None; n_cores],
            onlooker: Onlooker::new(),
            n_idle: LOOKS * DOUBLINGS,
            next: None,
            events: Events::new(),
        }
    }

    /// When to look next, if not at the next slow look.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Whether anything is watched: `wait` is the way to wait.
    pub(super) fn watches(&self) -> bool {
        self.runs.iter().flatten().any(|run| run.watched)
    }

    /// Waits until there is something to see, or until then.
    pub(super) fn wait(&mut self, until: Instant) {
        let watched =
            self.runs.iter().enumerate().filter(|(_, run)| run.is_some_and(|it| it.watched));
        let mut deadline_ns = u64::MAX;
        self.onlooker.clear();
        for (core, _) in watched {
            self.onlooker.add(core);
            deadline_ns = timer::shard(core).next_ns().unwrap_or(u64::MAX).min(deadline_ns);
        }
        let left = until.saturating_duration_since(Instant::now());
        let found = self.onlooker.wait(left.min(clock::left(deadline_ns, clock::now_ns())));
        if found || deadline_ns <= clock::now_ns() {
            self.next = Some(Instant::now());
        }
    }

    /// Looks at all runs. `slow`: this is a slow look of the monitor's.
    pub(super) fn look(&mut self, scheduler: &'static Scheduler, now: Instant, slow: bool) {
        let mut of_use = false;
        let mut age = None;
        let mut nth = 0;
        for core in scheduler.cores() {
            let known = &mut self.runs[core.index];
            let was_watched = known.is_some_and(|run| run.watched);
            let has_events = was_watched && self.onlooker.is_ready(nth);
            nth += usize::from(was_watched);
            let seen = core.owner.running();
            let same = known.filter(|run| seen.is_some_and(|seen| run.seen.is_same_run(seen)));
            let Some(mut run) = same else {
                if known.is_some_and(|run| run.engaged.is_some()) {
                    core.asleep.disengage();
                }
                *known = seen.map(|seen| Run { seen, since: now, engaged: None, watched: false });
                continue;
            };
            let lasted = now - run.since;
            if lasted >= LASTS {
                of_use |= run.attend(scheduler, core, has_events, lasted, &mut self.events);
                age = Some(age.map_or(lasted, |age: Duration| age.min(lasted)));
                *known = Some(run);
            }
        }
        self.onlooker.clear();
        self.n_idle = if of_use { 0 } else { self.n_idle.saturating_add(1) };
        let doublings = self.n_idle / LOOKS;
        let brisk = (doublings < DOUBLINGS).then(|| LASTS * (1 << doublings));
        let lasting = age.map(|age| (age / 4).clamp(LASTS, PERIOD_MAX));
        let probe = slow.then_some(LASTS);
        self.next = lasting.or(brisk).or(probe).map(|period| now + period);
    }

    /// All cores sleep.
    pub(super) fn rest(&mut self) {
        self.runs.fill(None);
        self.next = None;
    }
}

impl Run {
    /// It lasts: sees to what waits for its core. Whether that was of use.
    fn attend(
        &mut self,
        scheduler: &'static Scheduler,
        core: &'static Core,
        has_events: bool,
        lasted: Duration,
        events: &mut Events,
    ) -> bool {
        let own = scheduler.tls_mode() == TlsMode::Own;
        let first_ns = *self.engaged.get_or_insert_with(|| core.processor_time_ns());
        // Before the look at the inbox: see `idle`.
        core.asleep.engage();
        let may_wake = scheduler.idle.may_wake_another();
        let mut of_use = scheduler.inject_aside(core);
        if may_wake && (core.has_queued() || own && !core.inbox.is_empty()) {
            scheduler.wake_one();
            of_use = true;
        }
        let deadline_ns = timer::shard(core.index).next_ns();
        let is_due = has_events
            || !core.woken.is_empty()
            || !core.inbox.is_empty()
            || scheduler.any_global()
            || deadline_ns.is_some_and(|deadline| deadline <= clock::now_ns());
        self.watched = true;
        if !is_due {
            return of_use;
        }
        let purpose =
            if own && lasted >= TAKEN { self.is_stuck(core, first_ns, lasted) } else { None };
        if purpose == Some(Purpose::Computes) {
            self.seen.note_lasting();
            core.ask_to_look();
        }
        if let Some(purpose) = purpose
            && scheduler.may_stray(core, purpose, may_wake)
            && scheduler.spares.preempt(core, self.seen, purpose)
        {
            // There may be no spare yet: the next look sees.
            self.watched = false;
            return true;
        }
        if own && may_wake {
            self.relieve(scheduler, core, events);
            return true;
        }
        core.ask_to_look();
        self.watched = false;
        of_use
    }

    /// What an OS thread would be wanted for, to take over.
    fn is_stuck(&self, core: &Core, first_ns: Option<u64>, lasted: Duration) -> Option<Purpose> {
        let used_ns =
            core.processor_time_ns().zip(first_ns).map(|(now, first)| now.saturating_sub(first));
        let used = used_ns.map_or(lasted, Duration::from_nanos);
        if used >= COMPUTES {
            Some(Purpose::Computes)
        } else {
            let waits = 4 * used < lasted && core.worker_waits().unwrap_or(false);
            waits.then_some(Purpose::Blocks)
        }
    }

    /// Takes what the event loop and the deadlines have to where all cores find it, and wakes one.
    fn relieve(&self, scheduler: &'static Scheduler, core: &Core, events: &mut Events) {
        let mut ready = List::new();
        let look = reactor::poll(core.index, Some(Duration::ZERO), events, &mut ready);
        if events.any_wake() && !core.owner.is_in(self.seen) {
            reactor::wake(core.index);
        }
        reactor::ring_beside(core.index, look.ns, &mut ready);
        if !ready.is_empty() {
            record::record_woken_beside(&ready);
            scheduler.woken.push_all(&mut ready);
            scheduler.wake_one();
        }
    }
}

impl Scheduler {
    /// Whether one more run may go on without its core.
    fn may_stray(&self, core: &Core, purpose: Purpose, may_wake: bool) -> bool {
        let others_wait = !core.queue.is_empty() || core.has_overflow();
        (may_wake || !others_wait)
            && (purpose != Purpose::Computes || self.n_strays() < self.cores.len())
    }
}
