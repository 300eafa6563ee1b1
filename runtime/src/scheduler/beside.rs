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
//! | 500 µs | it blocks; or it computes, and something has come | a spare takes the core, which goes on as one that has nothing to do |
//! | 10 ms | it computes | the same, if anything waits or may come |
//!
//! The first is done also for a run that gets no further since its OS thread waits for a processor. A spare
//! would have to wait just as well. So the OS thread is asked, by its clock and its state (`sys::thread`):
//!
//! | its processor time | its state | |
//! |---|---|---|
//! | less than a quarter of the time since the last look | waits, in the kernel | it blocks |
//! | 100 µs since the run was seen to last; 500 µs after 10 ms | any other | it computes |
//! | less | any other | it waits for a processor: left alone |
//!
//! A run takes less than 500 µs that only sees to a socket or a lock, and loses its processor in the middle. And
//! it is less than the kernel's usual turn, about 3 ms: a thread that computes has used as much after its
//! first one. Where the system tells nothing the run computes.
//!
//! After 500 µs a core is not taken from a run that computes where that is of no use: while other tasks wait their
//! turn on the core, unless another core sleeps; and while as many runs go on without a core as there are
//! cores. So at most two OS threads compute for each processor. The kernel shares the processors among them as
//! among any threads, and prefers those that have slept: the cores, which attend to events.
//!
//! Where one thread blocks in a way that the runtime does not see, others of its kind often queue behind it. Each
//! holds up the rest for half a millisecond, for the monitor goes on to look while its looks are of use.
//!
//! Where nothing is done, since all processors are busy, the worker is asked to look at its event loop
//! after the run, and not after the many that it would otherwise let pass. So is each worker, every 10 ms.
//!
//! A thread that was found so has its next runs `apart` from cores: then nothing waits for them.
//!
//! Threads that have to stay on a core (the shared mode) wait for the run in any case. What was laid aside
//! there, or is in a queue, does not.
//!
//! # The event loop of a core that is somebody else's
//!
//! The monitor may look at it at any time, and so may an idle worker (`look_beside`). An event is dispatched under the
//! entry's lock, and an alarm rung under the shard's, whoever does it. What the monitor makes runnable goes to a global
//! queue. One thing is for the core alone: that somebody ends its wait. An idle worker that has found that ends the
//! core's wait, or the next one, once more. If the monitor has found it, and the same run went on
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
//!
//! To find a run that lasts while another core sleeps, and may be awake, is of use even if nothing waits for its core:
//! the next one is likely to last, too, and what that starts would wait. Slow looks alone find a program's
//! rhythm late, or never: 5 turns of 2 ms are as long as the 10 ms from one to the next, so that each of them falls into
//! the same part of a turn.

use std::time::{Duration, Instant};

use super::Scheduler;
use super::TlsMode;
use super::core::Core;
use super::limit::{self, Purpose};
use super::owner::Sighting;
use super::record;
use super::usage::Usage;
use crate::clock;
use crate::reactor::{self, Onlooker};
use crate::sys::poller::Events;
use crate::task::list::List;
use crate::timer;

/// How long a run that lasts has been going on.
const LASTS: Duration = Duration::from_micros(100);

/// How long one has that loses its core; and if it computes while other tasks wait their turn there.
const TAKEN: Duration = Duration::from_micros(500);
const TAKEN_FROM_OTHERS: Duration = Duration::from_millis(10);

/// What it has used of a processor by then since it was seen to last, if it computes: after `TAKEN`, and after
/// `TAKEN_FROM_OTHERS`.
const COMPUTES: Duration = Duration::from_micros(100);
pub(super) const COMPUTES_FOR_LONG: Duration = Duration::from_micros(500);

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
    /// It lasts: what its OS thread had used of a processor when that was seen first, and at the last look.
    engaged: Option<(Usage, Usage)>,
    /// Since when it has hardly used one.
    quiet_since: Instant,
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
        let (mut of_use, mut any_is_long) = (false, false);
        let mut age = None;
        let mut nth = 0;
        for core in &scheduler.cores {
            if slow {
                core.ask_to_look();
            }
            let known = &mut self.runs[core.index];
            let was_watched = known.is_some_and(|run| run.watched);
            let has_events = was_watched && self.onlooker.is_ready(nth);
            nth += usize::from(was_watched);
            let seen = core.owner.running();
            let same = known.zip(seen).filter(|(run, seen)| run.seen.is_same_run(*seen));
            let Some((mut run, seen)) = same else {
                if known.is_some_and(|run| run.engaged.is_some()) {
                    core.asleep.disengage();
                }
                *known = seen.map(|seen| Run::new(seen, now));
                continue;
            };
            // Sections may have been in it since: it is asked about as it is now.
            run.seen = seen;
            let lasted = now - run.since;
            if lasted >= LASTS {
                of_use |= run.attend(scheduler, core, has_events, now, &mut self.events);
                any_is_long |= lasted >= TAKEN_FROM_OTHERS;
                age = Some(age.map_or(lasted, |age: Duration| age.min(lasted)));
                *known = Some(run);
            }
        }
        scheduler.press(any_is_long);
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
    fn new(seen: Sighting, now: Instant) -> Self {
        Self { seen, since: now, engaged: None, quiet_since: now, watched: false }
    }

    /// It lasts: sees to what waits for its core. Whether that was of use.
    fn attend(
        &mut self,
        scheduler: &'static Scheduler,
        core: &'static Core,
        has_events: bool,
        now: Instant,
        events: &mut Events,
    ) -> bool {
        let own = scheduler.tls_mode() == TlsMode::Own;
        self.ask(core, now);
        // Before the look at the inbox: see `idle`.
        core.asleep.engage();
        let may_wake = scheduler.idle.may_wake_another();
        let of_use = scheduler.inject_aside(core) || may_wake;
        if may_wake && (core.has_queued() || own && !core.inbox.is_empty()) {
            scheduler.wake_one();
        }
        let deadline_ns = timer::shard(core.index).next_ns();
        let is_due = has_events
            || !core.woken.is_empty()
            || !core.inbox.is_empty()
            || scheduler.any_global()
            || deadline_ns.is_some_and(|deadline| deadline <= clock::now_ns());
        self.watched = true;
        if own
            && let Some(purpose) = self.loses_core(scheduler, core, is_due, may_wake, now)
            && scheduler.spares.preempt(core, self.seen, purpose)
        {
            // There may be no spare yet: the next look sees.
            self.watched = false;
            return true;
        }
        if !is_due {
            return of_use;
        }
        if own && may_wake {
            self.relieve(scheduler, core, events);
            return true;
        }
        core.ask_to_look();
        self.watched = false;
        of_use
    }

    /// Asks what its OS thread has used of a processor.
    fn ask(&mut self, core: &Core, now: Instant) {
        let usage = Usage::of(core.worker(), now);
        let (first, last) = self.engaged.unwrap_or((usage, usage));
        self.engaged = Some((first, usage));
        if !usage.is_quiet_since(last) {
            self.quiet_since = now;
        }
    }

    /// Whether it has used a processor for so long since it was seen to last.
    fn has_used(&self, enough: Duration) -> bool {
        let used = self.engaged.and_then(|(first, last)| last.since(first));
        used.is_none_or(|used| used >= enough)
    }

    /// What it does, if not wait for a processor.
    fn doing(&self, core: &Core, now: Instant) -> Option<Purpose> {
        let quiet = now - self.quiet_since;
        // The question that costs most comes last.
        if !quiet.is_zero() && core.worker_waits().unwrap_or(true) {
            let is_long = quiet >= limit::LONG;
            return Some(if is_long { Purpose::BlocksForLong } else { Purpose::Blocks });
        }
        self.has_used(COMPUTES).then_some(Purpose::Computes)
    }

    /// Whether its core is to be taken, and what the OS thread is wanted for that takes it. `is_due`: there is
    /// something that should not have to wait.
    fn loses_core(
        &self,
        scheduler: &Scheduler,
        core: &Core,
        is_due: bool,
        may_wake: bool,
        now: Instant,
    ) -> Option<Purpose> {
        let lasted = now - self.since;
        let others_wait = !core.queue.is_empty() || core.has_overflow();
        let is_long = lasted >= TAKEN_FROM_OTHERS && scheduler.is_awaited(core);
        if lasted < TAKEN || !(is_due || others_wait || is_long) {
            return None;
        }
        let purpose = self.doing(core, now)?;
        if purpose != Purpose::Computes || is_long && self.has_used(COMPUTES_FOR_LONG) {
            return Some(purpose);
        }
        if is_due {
            self.seen.note_lasting();
            core.ask_to_look();
        }
        let may_stray = (may_wake || !others_wait) && scheduler.n_strays() < scheduler.cores.len();
        (is_due && may_stray).then_some(purpose)
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
