//! A worker: an OS thread that runs the tasks of the core it has.

use std::cell::Cell;
use std::io;
use std::ptr;
use std::time::Duration;

use super::core::{Core, Local};
use super::fairness;
use super::idle::Duty;
use super::record;
use super::relay::Worker;
use super::spare::Assignment;
use super::wardrobe;
use super::{Scheduler, TlsMode};
use crate::attributes;
use crate::clock;
use crate::context::{Context, Switch, ThreadPointer};
use crate::current::Place;
use crate::reactor;
use crate::report;
use crate::stack;
use crate::task::id;
use crate::task::list::List;
use crate::task::state;
use crate::task::{Header, Runnable};
use crate::timer;
use crate::trace;

thread_local! {
    /// The core that the calling worker has and schedules for; null everywhere else.
    static CORE: Cell<*const Core> = const { Cell::new(ptr::null()) };
    /// A thread that has ended had taken the calling OS thread for itself (`bound`).
    static TAKEN: Cell<bool> = const { Cell::new(false) };
}

/// The core that the calling worker has, between runs; `None` on other OS threads. Not for green threads.
pub(super) fn core() -> Option<&'static Core> {
    // SAFETY: set from a `&'static`.
    unsafe { CORE.get().as_ref() }
}

/// In a child of a fork: the calling OS thread has no core, nor had, if it was a worker.
pub(super) fn forget() {
    CORE.set(ptr::null());
}

impl Scheduler {
    /// What a spare thread does with an assignment; whether it is one still.
    pub(super) fn work(&'static self, assignment: Assignment) -> bool {
        match assignment {
            Assignment::Core(core) => return self.run(core),
            Assignment::Apart(task) => {
                self.run_apart(task);
                if TAKEN.get() {
                    return false;
                }
                self.spares.end_apart();
            }
            Assignment::Take(core, seen) => {
                if core.owner.revoke(seen) {
                    return self.run(core);
                }
                self.spares.announce_return();
            }
            Assignment::Job(job) => {
                // SAFETY: whoever made the job keeps its data alive until it has finished, once.
                wardrobe::in_the_name_of(job.mask, || unsafe { (job.run)(job.data) });
                if self.is_over() {
                    let why = "the child of a fork has come to the end of a blocking section, on a helper of its parent's";
                    report::fatal(format_args!("{why}"));
                }
                // What it has changed of the OS thread's attributes is not for the next one.
                let is_as_before = !attributes::differ();
                if is_as_before {
                    self.spares.announce_return();
                } else {
                    self.spares.deregister();
                }
                // SAFETY: as above.
                unsafe { (job.finish)(job.data) };
                return is_as_before;
            }
        }
        true
    }

    /// Runs the tasks of `core` until it is taken; `false` if the OS thread is to end (`bound`).
    fn run(&'static self, core: &'static Core) -> bool {
        let lease = self.leases.take();
        core.owner.adopt(lease);
        core.set_worker();
        lease.set_worker(core.worker(), core.index as u32);
        CORE.set(core);
        let pointer = ThreadPointer::own();
        let place = (self.tls_mode == TlsMode::Shared).then(Place::here);
        let worker = Worker { core, lease, pointer, place };
        worker.record_core(trace::Kind::Take);
        // SAFETY: this worker has the core, and this is between runs, on its own stack.
        unsafe {
            core.local().counts.n_takes += 1;
            let first = self.make_ready(&worker, None);
            self.relay(&worker, first);
        }
        wardrobe::cover(lease);
        worker.record_core(trace::Kind::Leave);
        self.leases.give_back(lease);
        !TAKEN.get()
    }

    /// Parks, requeues or reaps the last task, whose run has ended so, and makes the next one ready, which is
    /// `found` if there is that; `None` if the core was taken.
    ///
    /// # Safety
    ///
    /// The caller is that worker, between runs, with its own thread pointer, and no reference to what
    /// is local to the core is in use. `kept` says whether the worker still has the core.
    // Never inlined: see the one rule of `context`.
    #[inline(never)]
    pub(super) unsafe fn between_runs(
        &'static self,
        worker: &Worker,
        last: Runnable,
        switch: Switch,
        kept: bool,
        found: Option<Runnable>,
    ) -> Option<Runnable> {
        if let Some(place) = worker.place {
            place.set_green(ptr::null());
        }
        if !kept {
            // All others may have slept while the run went on.
            state::now::note(clock::now_ns());
            CORE.set(ptr::null());
            TAKEN.set(last.lease.get().is_none());
            self.leave_place(worker.lease);
            if !TAKEN.get() {
                self.spares.announce_return();
            }
        }
        let core = worker.core;
        if switch == Switch::Returned {
            self.reap(core, last, kept);
        } else {
            wardrobe::end_run(worker.lease, &last, found.as_deref());
            if worker.lease.has_lasted() {
                last.dress.set(last.dress.get().lasting());
            }
            // SAFETY: as the caller promises, if it was kept.
            let local = kept.then(|| unsafe { core.local() });
            self.park_or_requeue(core, local, last, switch);
        }
        if !kept && !core.inbox.is_empty() {
            // What the run has woken is not at hand for this worker, and the core may have enough to do.
            self.wake_one();
        }
        // SAFETY: as the caller promises, if it was kept.
        kept.then(|| unsafe { self.make_ready(worker, found) })
    }

    /// The next task, ready to run.
    ///
    /// # Safety
    ///
    /// The caller is that worker, has the core, and is between runs; no reference to what is local to
    /// the core is in use.
    #[inline(always)]
    unsafe fn make_ready(&'static self, worker: &Worker, found: Option<Runnable>) -> Runnable {
        let core = worker.core;
        // SAFETY: as the caller promises.
        let mut task = unsafe { self.choose(worker, found) };
        loop {
            while !task.has_started() {
                if let Err(error) = self.prepare(core, &mut task) {
                    self.put_off(task, &error);
                    // SAFETY: as the caller promises.
                    task = unsafe { self.choose(worker, None) };
                    continue;
                }
                task.dress.set(task.dress.get().running());
                if worker.place.is_some() {
                    task.pinned.set(true);
                    core.set_n_pinned(core.n_pinned() + 1);
                }
            }
            if task.dress.get() == worker.lease.wears() {
                break;
            }
            if !task.dress.get().lasts() {
                wardrobe::put_on(worker.lease, &task);
                break;
            }
            // SAFETY: as the caller promises.
            task = unsafe { self.pass_lasting(worker, task) };
        }
        if let Some(watch) = &self.watch {
            watch.begin(&task, core.worker());
        }
        task
    }

    /// What a worker does that has lost its core.
    pub(super) fn serve_as_spare(&'static self) {
        while self.spares.next().is_some_and(|assignment| self.work(assignment)) {}
    }

    /// Commits a task as parked, or queues it if it has yielded or was woken meanwhile; `local` is there if the
    /// worker has kept its core.
    #[inline(always)]
    pub(super) fn park_or_requeue(
        &self,
        core: &Core,
        local: Option<&mut Local>,
        task: Runnable,
        switch: Switch,
    ) {
        if switch == Switch::Parked && task.state.commit() {
            // It belongs to its wakers now, and may be running elsewhere already.
            let _ = task.into_raw();
            return;
        }
        match local {
            Some(local) if switch == Switch::Yielded => {
                self.enqueue(core, local, task);
            }
            // What it waits for, or would have waited for, has happened.
            Some(local) => fairness::enqueue_woken(core, local, task),
            None => self.schedule_remote(task),
        }
    }

    /// Gives a task that starts a stack; an error if there is no memory for one at the moment.
    fn prepare(&self, core: &Core, task: &mut Runnable) -> io::Result<()> {
        let class = task.class.expect("a green thread has a class of stacks");
        // SAFETY: this worker has the core, between runs, and there is no other reference.
        let local = unsafe { core.local() };
        let fits = local.next_class() == Some(class);
        let mut stack = match local.pop_stack() {
            Some(stack) if fits => {
                // It brings its own reservation, so that of the task is left over.
                local.add_left_over(class);
                stack
            }
            Some(other) => {
                stack::release(other);
                stack::take(class)?
            }
            None => stack::take(class)?,
        };
        task.bottom.set(stack.bottom());
        let header = ptr::from_ref(&**task);
        if self.tls_mode == TlsMode::Shared {
            stack.set_owner(header.cast());
        }
        *task.context_mut() = Some(Context::new(stack, run_task, header.cast()));
        Ok(())
    }

    /// Takes back what a task that has ended held.
    fn reap(&self, core: &Core, mut task: Runnable, kept: bool) {
        let stack = task.context_mut().take().expect("it has just run").into_stack();
        let left = if kept {
            // SAFETY: this worker has the core, between runs, and there is no other reference.
            let local = unsafe { core.local() };
            local.counts.n_ends += 1;
            local.push_stack(stack).err()
        } else {
            id::count_other();
            Some(stack)
        };
        if let Some(stack) = left {
            stack::release(stack);
        }
        if task.pinned.get() {
            core.set_n_pinned(core.n_pinned() - 1);
        }
        // Who looks from outside takes the word in the stack for an old one from here on.
        task.bottom.set(0);
        task.end();
    }

    /// Waits until there is something to do; see `idle`.
    // Out of line, so that `next`, which seldom comes to it, keeps its registers.
    #[inline(never)]
    pub(super) fn sleep(&self, worker: &Worker, local: &mut Local) {
        let core = worker.core;
        let deadlines = timer::shard(core.index);
        local.counts.n_sleeps += 1;
        if wardrobe::any_changed() {
            wardrobe::cover(worker.lease);
        }
        local.trim_stacks();
        let is_there_work = |duty| match duty {
            Duty::Own => core.has_inbound(),
            Duty::All => self.is_there_work(core),
        };
        let mut woken = List::new();
        let searching = local.searching;
        let wait = || {
            self.pace.on_sleep(|| self.withdraw_call());
            self.look_beside(core, local, &mut woken);
            let timeout = if woken.is_empty() {
                deadlines.sleep().map(|until| reactor::left(core.index, until))
            } else {
                Some(Duration::ZERO)
            };
            if trace::is_on() {
                record::record_on(core, trace::Kind::Sleep, 0);
            }
            let look = reactor::poll(core.index, timeout, &mut local.events, &mut woken);
            if trace::is_on() {
                record::record_on(core, trace::Kind::Awake, 0);
                record::record_look(core, &local.events);
            }
            local.counts.n_events += local.events.len() as u64;
            local.interval.restart(local.tick);
            reactor::ring(core.index, look, &mut woken);
        };
        local.searching = self.idle.sleep(core.index, &core.asleep, searching, is_there_work, wait);
        self.enqueue_woken(core, local, woken);
        local.interval.set_ahead(fairness::n_woken(core, local));
        self.pace.on_wake(|| self.call_monitor());
    }
}

/// What a task's context calls: its life, at whose end the worker goes on for good.
///
/// # Safety
///
/// By a context, which is that of the task whose header this is.
unsafe extern "C" fn run_task(header: *const ()) -> ! {
    // SAFETY: the task lives until it has returned, and this is the first thing on its stack.
    unsafe {
        let header = &*header.cast::<Header>();
        header.context().begin();
        header.live();
        header.context().leave()
    }
}
