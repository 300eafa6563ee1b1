//! A relay: runs that follow each other at once, while the next task is at hand.
//!
//! In the own mode each task runs with the thread pointer at its own block, and what a worker does between
//! two runs may need the worker's. To move the pointer takes as long as the rest of a switch, or longer. So
//! as long as the next task has started, and comes from the core's own queues, the pointer goes from the one
//! block to the next, and the worker's block is left out.
//!
//! # Whose block it is
//!
//! ```text
//!   enter first --> run --> at_hand? -- no --> enter the worker's own --> let go of the last
//!                    ^         | yes
//!                    |         v
//!                    +-- let go of the last <-- enter next
//! ```
//!
//! - When a run has ended, the pointer is that of its task, and nobody else has that task: it is in no
//!   queue, and its state does not say PARKED.
//! - `at_hand` finds the next one, which by that is this worker's alone.
//! - The pointer moves to the block of the next one, and only then the worker lets go of the last one: it
//!   queues it, or commits it as parked. From there on another worker may run it.
//!
//! So the block that the pointer is at belongs to this worker at each moment, also for a handler of a
//! signal that comes in between.
//!
//! # What is done in a relay
//!
//! By the one rule of `context` nothing that touches a thread-local: queues of the core, state words, the
//! clock. For all else the worker goes back to its own block: for a task that starts or has ended (stacks,
//! the heap), goes `apart`, or wears something else (`wardrobe`); for a look at the event loop or at the global queue; to
//! wake another core; for the list of `watch`; and when it has lost the core. The functions that do these
//! things are not inlined here.
//!
//! # Runs that are seen
//!
//! While runs are recorded (`record`), or watched, the loop is another one, compiled from the same lines: so
//! the loop that most runs are in has nothing to ask. What it records touches no thread-local either.
//!
//! # The order of tasks
//!
//! It is that of `next`, by the same function, but for two things. A task that yields is queued behind those that its run has
//! woken, and not before them; where there is no other it goes on. And a task that is woken while its
//! worker parks it, after `at_hand` has looked whether it is, runs after the next one.
//!
//! While tasks wait that an event has woken, turns are counted (`fairness`), and a task that yields ends the
//! relay: its run is to count. One that is ready counts as such a task, and goes on if it is the only one and
//! their turn.

use super::Scheduler;
use super::apart;
use super::core::Core;
use super::fairness;
use super::next::is_look_due;
use crate::context::{Switch, ThreadPointer};
use crate::current::Place;
use crate::primitive::Ordering;
use crate::sys::thread;
use crate::task::lease::Lease;
use crate::task::{Header, Runnable};
use crate::trace;

/// A worker and the core that it has. Nothing in it changes, so that a relay need not look twice.
pub(super) struct Worker {
    pub(super) core: &'static Core,
    pub(super) lease: &'static Lease,
    pub(super) pointer: ThreadPointer,
    /// Where it says who runs, in the shared mode.
    pub(super) place: Option<Place>,
}

/// Who is next.
enum Next {
    /// The one that has just run.
    Same,
    Other(Runnable),
    /// This one, and before that there is more to do than a relay may.
    Later(Runnable),
    /// Whoever the worker finds.
    Unknown,
}

impl Scheduler {
    /// Runs one task after the other until the core is taken; `first` to begin with, which has started.
    ///
    /// # Safety
    ///
    /// The caller is that worker, on its own stack and with its own thread pointer, has the core, and is
    /// between runs.
    pub(super) unsafe fn relay(&'static self, worker: &Worker, first: Runnable) {
        let mut next = Some(first);
        while let Some(task) = next {
            // SAFETY: as the caller promises; and a task that is returned has started.
            next = unsafe {
                if trace::are_runs_seen() {
                    self.relay_while::<true>(worker, task)
                } else {
                    self.relay_while::<false>(worker, task)
                }
            };
        }
    }

    /// The same, until runs are `SEEN` or not, which is looked at when there is more to do than a relay may:
    /// then the next task. `None` if the core was taken.
    ///
    /// # Safety
    ///
    /// As above.
    #[inline(never)]
    unsafe fn relay_while<const SEEN: bool>(
        &'static self,
        worker: &Worker,
        first: Runnable,
    ) -> Option<Runnable> {
        let core = worker.core;
        let mut task = first;
        let mut at_ns = if SEEN { trace::now_ns() } else { 0 };
        // SAFETY: the worker alone has the task, and up to `pointer.restore` no thread-local is touched.
        unsafe { worker.enter(&mut task) };
        loop {
            if SEEN {
                worker.record_run(&task, at_ns);
            }
            core.begin_run();
            worker.lease.run();
            // SAFETY: it is the one that was entered last, and so it has started.
            let switch = unsafe { task.context().resume() };
            if SEEN {
                at_ns = worker.record_stop(&task, switch);
                if let Some(watch) = &self.watch {
                    // While the core may be taken: whom it tells may be slow.
                    // SAFETY: this is the worker; and so the relay is over.
                    unsafe { worker.pointer.restore() };
                    watch.end(&task);
                }
            }
            let kept = worker.lease.stop();
            if SEEN && !kept {
                worker.record_loss(&task, at_ns);
            }
            let next = if kept && !(SEEN && self.watch.is_some()) {
                // SAFETY: the core was kept, and this is between runs again.
                unsafe { self.at_hand(core, &task, switch) }
            } else {
                Next::Unknown
            };
            let found = match next {
                Next::Same => continue,
                Next::Other(mut next) => {
                    // SAFETY: as at the first one; it has come from the core's inbox or a queue.
                    unsafe { worker.enter(&mut next) };
                    let last = std::mem::replace(&mut task, next);
                    // SAFETY: kept, between runs, and `at_hand` has returned.
                    let local = unsafe { core.local() };
                    self.park_or_requeue(core, Some(local), last, switch);
                    if self.idle.may_wake_another() && core.has_queued() {
                        // SAFETY: this is the worker.
                        unsafe { worker.pointer.restore() };
                        self.wake_one();
                        // SAFETY: as at the first one.
                        unsafe { worker.enter(&mut task) };
                    }
                    continue;
                }
                Next::Later(next) => Some(next),
                Next::Unknown => None,
            };
            // SAFETY: this is the worker.
            unsafe { worker.pointer.restore() };
            // SAFETY: it has its own thread pointer again, and `kept` and `found` are true.
            let next = unsafe { self.between_runs(worker, task, switch, kept, found) }?;
            if trace::are_runs_seen() != SEEN {
                return Some(next);
            }
            if SEEN {
                at_ns = trace::now_ns();
            }
            task = next;
            // SAFETY: as at the first one.
            unsafe { worker.enter(&mut task) };
        }
    }

    /// Runs a task that has started, once, `apart`: the worker has no core to lose.
    ///
    /// # Safety
    ///
    /// The caller is on its own stack, with its own thread pointer, and has the lease for itself.
    #[inline(never)]
    pub(super) unsafe fn run_one(&'static self, worker: &Worker, mut task: Runnable) {
        let before_ns = thread::own_processor_time_ns();
        let seen = trace::are_runs_seen();
        // SAFETY: the worker alone has the task, and up to `pointer.restore` no thread-local is touched.
        unsafe { worker.enter(&mut task) };
        if seen {
            worker.record_run(&task, trace::now_ns());
        }
        worker.lease.run_apart();
        // SAFETY: it was just entered, and so it has started.
        let switch = unsafe { task.context().resume() };
        if seen {
            worker.record_stop(&task, switch);
        }
        // SAFETY: this is the worker.
        unsafe { worker.pointer.restore() };
        if let Some(watch) = &self.watch {
            watch.end(&task);
        }
        if thread::own_processor_time_ns().saturating_sub(before_ns) >= apart::LASTS_NS {
            worker.lease.note_lasting(worker.lease.look());
        }
        let kept = worker.lease.stop();
        // SAFETY: it has its own thread pointer again; there is no core, and so no reference to one.
        unsafe { self.between_runs(worker, task, switch, kept, None) };
    }

    /// Who is next after a run of `last` that has ended so.
    ///
    /// # Safety
    ///
    /// The calling worker has the core and is between runs, and no other reference to what is local
    /// there is in use.
    #[inline(always)]
    unsafe fn at_hand(&self, core: &Core, last: &Header, switch: Switch) -> Next {
        // SAFETY: as the caller promises; the reference is not used beyond this call.
        let local = unsafe { core.local() };
        // One that is ready is itself among those that an event has woken.
        let events_wait = switch == Switch::Ready || fairness::events_wait(core, local);
        let goes_on = match switch {
            Switch::Yielded if events_wait => return Next::Unknown,
            Switch::Yielded => true,
            Switch::Ready => {
                local.interval.count_request();
                true
            }
            Switch::Parked if last.state.is_claimed() => return Next::Unknown,
            Switch::Parked => false,
            Switch::Returned => return Next::Unknown,
        };
        let tick = local.tick.wrapping_add(1);
        if is_look_due(core, local, tick) {
            return Next::Unknown;
        }
        let next = self.next_local::<true>(core, local, events_wait);
        let is_overflow_due = self.is_overflow_due(local);
        if next.is_none() && (!goes_on || is_overflow_due) {
            return Next::Unknown;
        }
        local.tick = tick;
        let Some(next) = next else { return Next::Same };
        // It has started, too, does not go apart, and neither is attended.
        let is_ready = next.dress.get() == last.dress.get();
        if is_overflow_due || !is_ready { Next::Later(next) } else { Next::Other(next) }
    }
}

impl Worker {
    /// Makes ready for the run of a task.
    ///
    /// # Safety
    ///
    /// The task has started, and this worker has it. As for `Context::enter`.
    #[inline(always)]
    unsafe fn enter(&self, task: &mut Runnable) {
        task.core.store(self.core.index as u32, Ordering::Relaxed);
        task.lease.set(Some(self.lease));
        if let Some(place) = self.place {
            place.set_green(&**task);
        }
        // SAFETY: as the caller promises, and so it has a context.
        unsafe { task.context().enter() };
    }
}
