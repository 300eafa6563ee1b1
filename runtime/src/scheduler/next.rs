//! What a worker runs next, and in which order it looks for that.
//!
//! | | where | by |
//! |---|---|---|
//! | 1 | the inbox: the youngest, which the last run has woken most likely; up to a limit in a row, so that two that keep waking each other do not shut out the rest; and one that each of many wakes, such as a thread that joins them, runs between them up to a limit, and then once after all that wait | `next_local` |
//! | 2 | the local queue: the oldest of those that an event has woken or of the others, in fair shares (`fairness`) | `next_local` |
//! | 3 | what was laid aside, and the core's share of the global queues | `take_share` |
//! | 4 | the local queues of other cores, and then their inboxes | `search` |
//! | 5 | the event loop of a core that is busy; its own and the deadlines, which it waits for | `look_beside`, `sleep` |
//!
//! A relay takes the first two by the same function, and goes no further (`relay`).
//!
//! Every few runs, and when the monitor asks for it, the event loop, the deadlines and the global queues come
//! first (`is_look_due`): `interval` says when.

use std::ptr;
use std::time::Duration;

use super::core::{Core, Local};
use super::fairness;
use super::queue::Queue;
use super::record;
use super::relay::Worker;
use super::{Scheduler, TlsMode};
use crate::clock::{self, Look};
use crate::reactor;
use crate::task::Runnable;
use crate::task::list::List;
use crate::task::state;
use crate::trace;

/// Runs in a row of the task that was woken last.
const STREAK_MAX: u32 = 16;

/// The same while tasks wait that an event has woken: see `fairness`.
const STREAK_MAX_BEFORE_EVENTS: u32 = 2;

/// Tasks to take from the global queue at a time.
const SHARE_MAX: usize = 128;

/// Tasks in the overflow before the next look injects them, while all cores are awake that may be. A run in
/// between may be a long one: then the monitor takes the core, and with it the tasks.
const OVERFLOW_MAX: usize = 64;

/// Whether the event loop, the deadlines and the global queues come first, before the run of this number.
#[inline(always)]
pub(super) fn is_look_due(core: &Core, local: &Local, tick: u32) -> bool {
    local.interval.is_over(tick) || core.is_asked_to_look()
}

/// Counts and records a look that has put its events there.
fn note_look(core: &Core, local: &mut Local) {
    local.counts.n_looks += 1;
    local.counts.n_events += local.events.len() as u64;
    record::record_look(core, &local.events);
}

impl Scheduler {
    /// The next task to run: the one that the last relay has found, or else waits for one if need be.
    ///
    /// # Safety
    ///
    /// As for `next`.
    #[inline(always)]
    pub(super) unsafe fn choose(
        &'static self,
        worker: &Worker,
        found: Option<Runnable>,
    ) -> Runnable {
        let core = worker.core;
        match found {
            Some(task) => {
                // SAFETY: as the caller promises.
                let local = unsafe { core.local() };
                self.inject_overflow_if_due(core, local);
                self.found(core, local, task)
            }
            // SAFETY: as the caller promises.
            None => unsafe { self.next(worker) },
        }
    }

    /// The next task to run: waits for one if need be.
    ///
    /// # Safety
    ///
    /// The calling worker has the core and is between runs.
    #[inline(always)]
    pub(super) unsafe fn next(&'static self, worker: &Worker) -> Runnable {
        let core = worker.core;
        // SAFETY: as the caller promises. What is called from here on gets the reference passed on;
        // `schedule`, which would make its own, is not among it: see `schedule_remote`.
        let local = unsafe { core.local() };
        loop {
            local.tick = local.tick.wrapping_add(1);
            let is_look_due = is_look_due(core, local, local.tick);
            let asked = is_look_due && core.take_request_to_look();
            if is_look_due {
                self.look(core, local, asked);
            }
            if (is_look_due || fairness::events_wait(core, local)) && self.idle.is_surplus() {
                self.inject_all(core, local);
            }
            if is_look_due {
                self.take_share(core, local);
                if asked && local.streak > 0 {
                    // Two that wake each other have had their time, however few their runs.
                    local.streak = STREAK_MAX;
                }
            }
            let events_wait = fairness::events_wait(core, local);
            if let Some(task) = self.next_local::<false>(core, local, events_wait) {
                return self.found(core, local, task);
            }
            if self.take_share(core, local) {
                local.counts.n_shares += 1;
                continue;
            }
            if let Some(task) = self.search(core, local) {
                return self.found(core, local, task);
            }
            // Looks at the event loop too: a call that waits costs no more than one that does not.
            self.sleep(worker, local);
        }
    }

    /// The next of the core's own tasks: from its inbox, or else from its local queue. `events_wait` says
    /// whether there are tasks that an event has woken.
    ///
    /// In a relay it wakes nobody, nor injects anything.
    #[inline(always)]
    pub(super) fn next_local<const IN_RELAY: bool>(
        &self,
        core: &Core,
        local: &mut Local,
        events_wait: bool,
    ) -> Option<Runnable> {
        let youngest = self.collect(core, local, events_wait);
        if !IN_RELAY {
            self.inject_overflow_if_due(core, local);
        }
        if youngest.is_some() {
            return youngest;
        }
        local.streak = 0;
        if !IN_RELAY && self.idle.any_sleeps() && core.has_several() {
            // Before this one takes any: the kernel may put the other OS thread in its place.
            self.wake_one();
        }
        Self::pop::<IN_RELAY>(core, local, events_wait)
    }

    /// Bookkeeping when there is something to run: whoever searched has found, and others may find
    /// more.
    #[inline(always)]
    fn found(&self, core: &Core, local: &mut Local, task: Runnable) -> Runnable {
        let mut spread = false;
        if std::mem::take(&mut local.searching) {
            // While this core searched, others relied on it and woke nobody. Now it has its task,
            // so it looks once more on their behalf, as it does before it sleeps.
            spread = self.idle.found(|| self.is_there_work(core));
        }
        if self.idle.any_sleeps() && (spread || core.has_queued()) {
            self.wake_one();
        }
        task
    }

    /// Queues what an event or a deadline has woken.
    pub(super) fn enqueue_woken(&self, core: &Core, local: &mut Local, tasks: List) {
        if trace::is_on() {
            record::record_woken(core, &tasks);
        }
        for task in tasks {
            if task.pinned.get() && !ptr::eq(self.core_of(&task), core) {
                // It waited for a descriptor that this core watches, together with others.
                self.send_home(task);
            } else {
                fairness::enqueue_woken(core, local, task);
            }
        }
    }

    /// Queues what the last run or anybody else has woken; the last one is to run at once if it is its
    /// turn. `events_wait` as for `next_local`.
    #[inline(always)]
    fn collect(&self, core: &Core, local: &mut Local, events_wait: bool) -> Option<Runnable> {
        let (youngest, older) = core.inbox.take_all();
        if !older.is_empty() {
            self.enqueue_all(core, local, older);
        }
        let youngest = youngest?;
        let streak_max = if events_wait { STREAK_MAX_BEFORE_EVENTS } else { STREAK_MAX };
        if local.streak < streak_max && local.is_favoured(&youngest) {
            local.streak += 1;
            if events_wait {
                local.fairness.go_before(clock::now_ns());
            }
            return Some(youngest);
        }
        self.enqueue(core, local, youngest);
        None
    }

    fn enqueue_all(&self, core: &Core, local: &mut Local, mut tasks: List) {
        while let Some(task) = tasks.pop_front() {
            let taken = self.enqueue(core, local, task);
            if !taken && self.tls_mode == TlsMode::Own {
                // Nor will it take any of the others: all at once, without a look at each.
                local.overflow.append(&mut tasks);
            }
        }
    }

    /// The oldest task of the kind whose turn it is. `events_wait` as for `next_local`.
    #[inline(always)]
    fn pop<const IN_RELAY: bool>(
        core: &Core,
        local: &mut Local,
        events_wait: bool,
    ) -> Option<Runnable> {
        if !events_wait {
            local.fairness.alone();
            return fairness::pop_other(core, local);
        }
        if core.queue.is_empty() && local.pinned.is_empty() {
            local.fairness.alone();
            return fairness::pop_woken(core, local);
        }
        fairness::pop_fairly::<IN_RELAY>(core, local)
    }

    /// Takes what was laid aside, or trades with the global queue: the overflow against this
    /// core's share. Whether there was any.
    fn take_share(&self, core: &Core, local: &mut Local) -> bool {
        self.inject_overflow(core, local);
        if let (Some(task), _) = core.aside.take_all() {
            self.enqueue(core, local, task);
            return true;
        }
        if self.idle.is_surplus() {
            return false;
        }
        let any_woken = !self.woken.is_empty() && self.take_woken(core, local);
        if self.inject.is_empty() {
            return any_woken;
        }
        let share = self.inject.take_share(self.cores.len(), SHARE_MAX.min(core.queue.room()));
        let any = any_woken || !share.is_empty();
        for task in share {
            // SAFETY: this worker has the core.
            let pushed = unsafe { core.queue.push(task) };
            assert!(pushed.is_ok(), "there was room, and this worker alone fills it");
        }
        any
    }

    /// Takes a share of what events have woken for cores whose runs last. Whether there was any.
    #[cold]
    fn take_woken(&self, core: &Core, local: &mut Local) -> bool {
        let share = self.woken.take_share(self.cores.len(), SHARE_MAX);
        let any = !share.is_empty();
        self.enqueue_woken(core, local, share);
        any
    }

    /// Injects all that this core has, for those that are to do it.
    #[cold]
    fn inject_all(&self, core: &Core, local: &mut Local) {
        let mut all = List::new();
        for queue in [&core.woken, &core.queue] {
            // SAFETY: this worker has the core.
            while let Some(task) = unsafe { queue.pop() } {
                all.push_back(task);
            }
        }
        let (youngest, mut older) = core.inbox.take_all();
        all.append(&mut older);
        all.append(&mut local.overflow);
        core.set_has_overflow(false);
        if let Some(task) = youngest {
            all.push_back(task);
        }
        self.inject.push_all(&mut all);
    }

    /// Looks at the event loop and at the deadlines, unless it has just done so and nobody asks for it.
    fn look(&self, core: &Core, local: &mut Local, asked: bool) {
        let mut look = Look::now();
        state::now::note(look.ns);
        if !local.interval.end(local.tick, look.ns) && !asked {
            return;
        }
        let mut woken = List::new();
        let polls = asked || !local.interval.has_enough(fairness::n_woken(core, local));
        if polls {
            let now = Some(Duration::ZERO);
            look = reactor::poll(core.index, now, &mut local.events, &mut woken);
            note_look(core, local);
        }
        reactor::ring(core.index, look, &mut woken);
        self.enqueue_woken(core, local, woken);
        if polls {
            local.interval.set_ahead(fairness::n_woken(core, local));
        }
    }

    /// Takes what there is in the event loop of another core whose worker is awake, and so has something to run: it
    /// may be long until that looks. Of one core, for each look is a system call.
    pub(super) fn look_beside(&self, core: &Core, local: &mut Local, woken: &mut List) {
        if self.tls_mode == TlsMode::Shared || self.idle.is_crowded() {
            return;
        }
        let n_cores = self.cores.len();
        local.victim = local.victim.wrapping_add(1);
        let others = (0..n_cores).map(|i| &self.cores[(local.victim + i) % n_cores]);
        let busy = others
            .filter(|other| other.index != core.index)
            .find(|other| !other.asleep.is_asleep() && reactor::has_registrations(other.index));
        if let Some(busy) = busy {
            reactor::poll_beside(busy.index, &mut local.events, woken);
            note_look(core, local);
        }
    }

    /// Looks for something to steal.
    #[inline(always)]
    fn search(&self, core: &Core, local: &mut Local) -> Option<Runnable> {
        if self.idle.is_surplus() || !local.searching && !self.idle.start_searching() {
            return None;
        }
        local.searching = true;
        let n_cores = self.cores.len();
        local.victim = local.victim.wrapping_add(1);
        // The last task that a run woke is about to run where its data is: leave it there unless
        // there is nothing else.
        for with_inbox in [false, true] {
            for i in 0..n_cores {
                let victim = &self.cores[(local.victim + i) % n_cores];
                if victim.index == core.index {
                    continue;
                }
                // SAFETY: this worker has the core, and its queues are empty: that is why it searches.
                let woken = unsafe { victim.woken.steal_into(&core.woken) };
                // SAFETY: as above.
                let stolen = woken.or_else(|| unsafe { victim.queue.steal_into(&core.queue) });
                if stolen.is_some() {
                    local.counts.n_steals += 1;
                    if trace::is_on() {
                        record::record_on(core, trace::Kind::Steal, victim.index as u32);
                    }
                    return stolen;
                }
                if with_inbox && self.tls_mode == TlsMode::Own {
                    let (youngest, older) = victim.inbox.take_all();
                    // To where others find them: the youngest may run for long.
                    for task in older {
                        self.enqueue(core, local, task);
                    }
                    self.inject_overflow(core, local);
                    if youngest.is_some() {
                        local.counts.n_steals += 1;
                        return youngest;
                    }
                }
            }
        }
        None
    }

    /// Appends a task to the core's queue, or spills it to the overflow; whether the core has taken
    /// it.
    ///
    /// What is in the global queue has waited longer than this task. So, while there is anything,
    /// half of the core's queue is kept free for it: else a queue full of tasks that wake each other
    /// would never let others in.
    #[inline]
    pub(super) fn enqueue(&self, core: &Core, local: &mut Local, task: Runnable) -> bool {
        if task.pinned.get() {
            local.pinned.push_back(task);
            return true;
        }
        // SAFETY: this worker has the core.
        match unsafe { core.queue.push_below(Queue::CAPACITY / 2, task) } {
            Ok(()) => true,
            Err(task) => self.enqueue_beyond(core, local, task),
        }
    }

    /// `enqueue` for the other half of the core's queue.
    #[cold]
    fn enqueue_beyond(&self, core: &Core, local: &mut Local, task: Runnable) -> bool {
        let others_wait = !local.overflow.is_empty() || !self.inject.is_empty();
        let task = if others_wait {
            task
        } else {
            // SAFETY: this worker has the core.
            match unsafe { core.queue.push(task) } {
                Ok(()) => return true,
                Err(task) => task,
            }
        };
        fairness::spill(core, local, task);
        false
    }

    /// Whether the overflow is to be injected now.
    pub(super) fn is_overflow_due(&self, local: &Local) -> bool {
        let n_overflow = local.overflow.len();
        n_overflow > 0 && (n_overflow >= OVERFLOW_MAX || self.idle.may_wake_another())
    }

    fn inject_overflow_if_due(&self, core: &Core, local: &mut Local) {
        if self.is_overflow_due(local) {
            self.inject_overflow(core, local);
        }
    }

    /// Injects the overflow, all at once.
    fn inject_overflow(&self, core: &Core, local: &mut Local) {
        if !local.overflow.is_empty() {
            self.inject.push_all(&mut local.overflow);
            core.set_has_overflow(false);
            self.wake_one();
        }
    }

    /// The last look before sleeping: at every queue that this core may take from.
    ///
    /// But not at the inbox of a core that is in a run: what is there is to run right after it, where
    /// its data is, and two that wake each other keep it filled most of the time; a core that took
    /// it for work would never sleep. If the run goes on instead of parking the monitor sees that (`beside`).
    pub(super) fn is_there_work(&self, core: &Core) -> bool {
        let own = self.tls_mode == TlsMode::Own;
        self.any_global()
            || core.has_inbound()
            || self.cores.iter().any(|other| {
                other.has_queued() || (own && other.owner.schedules() && !other.inbox.is_empty())
            })
    }
}
