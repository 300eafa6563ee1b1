//! `scheduler::relay`, with `task::lease`, `scheduler::owner` and `task::state`: what a worker does from one
//! run to the next, while its core is taken and its tasks are woken.
//!
//! The workers here are what is left of the real ones without stacks, events and sleep: they take from the
//! inbox, the local queue and the global one. Whoever has the core touches its local part, and the block that a
//! worker's thread pointer is at is touched when it goes there and when it leaves. Each is a race if two do
//! it. A task that nobody runs to its end is a deadlock.
//!
//! Fails if a worker looks for who is at hand without asking whether it has kept its core; if it commits the last
//! task before it has entered the next, or before it is back at its own block; if it queues a task that was woken
//! meanwhile on a core that it has lost, or drops it.

use std::sync::{Arc, atomic};

use super::explore;
use super::machine::{self, Sent, new_header};
use crate::primitive::{Ordering, UnsafeCell};
use crate::scheduler::inbox::Inbox;
use crate::scheduler::inject::Inject;
use crate::scheduler::owner::Owner;
use crate::task::lease::Lease;
use crate::task::list::List;
use crate::task::{Header, Runnable};

/// The task that the worker has to begin with: it starts the other one, and parks until that wakes it.
const FIRST: usize = 0;
/// It yields, and ends when it has woken the first one.
const SECOND: usize = 1;

/// How a run has ended: `context::Switch`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Switch {
    Yielded,
    Parked,
    Returned,
}

struct Task {
    header: Header,
    /// The block that the thread pointer is at while it runs. It holds how many runs there were.
    block: UnsafeCell<u32>,
}

struct Core {
    owner: Owner,
    inbox: Inbox,
    /// The local queue.
    local: UnsafeCell<List>,
}

struct Scheduler {
    core: Core,
    inject: Inject,
    tasks: [Task; 2],
    /// Ends the wait of a worker that has nothing to do.
    waker: machine::Core,
    /// Tasks that have not ended. The model's own, and not one of loom's: what it orders is the end.
    n_left: atomic::AtomicU32,
}

/// Outlives the execution that loom tries, as a worker's lease outlives the worker.
fn new_lease() -> &'static Lease {
    Box::leak(Box::new(Lease::new()))
}

impl Scheduler {
    fn new() -> Arc<Sent<Self>> {
        let task = || Task { header: new_header(), block: UnsafeCell::new(0) };
        Arc::new(Sent(Self {
            core: Core {
                owner: Owner::new(),
                inbox: Inbox::new(),
                local: UnsafeCell::new(List::new()),
            },
            inject: Inject::new(),
            tasks: [task(), task()],
            waker: machine::Core::new(),
            n_left: atomic::AtomicU32::new(2),
        }))
    }

    /// The right to run a task, given once.
    fn make(&self, i: usize) -> Runnable {
        self.tasks[i].header.bottom.set(i);
        // SAFETY: made here, once.
        unsafe { Runnable::from_raw((&self.tasks[i].header).into()) }
    }

    /// `Worker::enter`, and what leaves the block again: the thread pointer is there in between.
    fn touch_block(&self, task: &Header) {
        // SAFETY: what the models are about.
        let _ = unsafe { *self.tasks[task.bottom.get()].block.get() };
    }

    /// For who has the core, between runs.
    #[expect(clippy::mut_from_ref, reason = "what the models are about")]
    fn local(&self) -> &mut List {
        // SAFETY: what the models are about.
        unsafe { &mut *self.core.local.get() }
    }

    /// Pushes to the inbox, in a run: the core may be anybody's by now.
    fn schedule(&self, task: Runnable) {
        self.core.inbox.push(task);
        self.waker.wake_poller();
    }

    /// Puts a task where every worker finds it.
    fn inject(&self, task: Runnable) {
        self.inject.push(task);
        self.waker.wake_poller();
    }

    /// Runs a task until it switches.
    fn resume(&self, task: &Header) -> Switch {
        let i = task.bottom.get();
        // SAFETY: what the models are about.
        let n_runs = unsafe {
            *self.tasks[i].block.get() += 1;
            *self.tasks[i].block.get()
        };
        match (i, n_runs) {
            (FIRST, 1) => {
                self.schedule(self.make(SECOND));
                Switch::Parked
            }
            (SECOND, 1) => Switch::Yielded,
            (FIRST, _) => {
                task.state.resume();
                Switch::Returned
            }
            (_, _) => {
                if let Some(first) = self.claim_first() {
                    self.schedule(first);
                }
                Switch::Returned
            }
        }
    }

    /// A waker comes upon the first task; the right to run it, if it was parked.
    fn claim_first(&self) -> Option<Runnable> {
        let first = &self.tasks[FIRST].header;
        // SAFETY: the claim says so.
        first.state.claim().then(|| unsafe { Runnable::from_raw(first.into()) })
    }

    /// `Scheduler::park_or_requeue`.
    fn park_or_requeue(&self, kept: bool, task: Runnable, switch: Switch) {
        if switch == Switch::Parked && task.state.commit() {
            let _ = task.into_raw();
        } else if kept {
            self.local().push_back(task);
        } else {
            self.inject(task);
        }
    }

    /// `Scheduler::next_local`.
    fn next_local(&self) -> Option<Runnable> {
        let (youngest, mut older) = self.core.inbox.take_all();
        let local = self.local();
        local.append(&mut older);
        youngest.or_else(|| local.pop_front())
    }

    /// `Scheduler::relay`, and what a worker does around it, from the first task on, until it loses the core or
    /// both have ended.
    fn work(&self, lease: &'static Lease, mut first: Option<Runnable>) {
        self.core.owner.adopt(lease);
        while self.n_left.load(Ordering::Acquire) != 0 {
            let share = || self.inject.take_share(1, 1).pop_front();
            let Some(task) = first.take().or_else(|| self.next_local()).or_else(share) else {
                self.waker.poll();
                continue;
            };
            if !self.relay(lease, task) {
                return;
            }
        }
    }

    /// `Scheduler::relay_while`; whether the worker has kept the core.
    fn relay(&self, lease: &Lease, mut task: Runnable) -> bool {
        self.touch_block(&task);
        loop {
            lease.run();
            let switch = self.resume(&task);
            let kept = lease.stop();
            let may_go_on = match switch {
                Switch::Yielded => true,
                Switch::Parked => !task.state.is_claimed(),
                Switch::Returned => false,
            };
            if kept && may_go_on {
                if let Some(next) = self.next_local() {
                    // From the one block to the other, and only then it lets go of the last.
                    self.touch_block(&task);
                    self.touch_block(&next);
                    let last = std::mem::replace(&mut task, next);
                    self.park_or_requeue(true, last, switch);
                    continue;
                }
                if switch == Switch::Yielded {
                    continue;
                }
            }
            // Back to its own block: `Scheduler::between_runs`.
            self.touch_block(&task);
            if switch == Switch::Returned {
                self.end(task);
            } else {
                self.park_or_requeue(kept, task, switch);
            }
            return kept;
        }
    }

    fn end(&self, task: Runnable) {
        let _ = task.into_raw();
        if self.n_left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.waker.wake_poller();
        }
    }

    /// On another core: wakes the first task, and runs it there.
    fn wake_elsewhere(&self) {
        if let Some(first) = self.claim_first() {
            self.touch_block(&first);
            assert!(self.resume(&first) == Switch::Returned);
            self.touch_block(&first);
            self.end(first);
        }
    }

    /// Looks until it has taken the core from a run, or for so many times, and goes on with it as a worker.
    fn preempt(&self, n_looks: usize) {
        for _ in 0..n_looks {
            if let Some(seen) = self.core.owner.running()
                && self.core.owner.revoke(seen)
            {
                return self.work(new_lease(), None);
            }
        }
    }
}

fn explored(preemptions: usize, beside: fn(&Scheduler)) {
    explore(preemptions, move || {
        let scheduler = Scheduler::new();
        let first = scheduler.0.make(FIRST);
        let theirs = Arc::clone(&scheduler);
        let worker = loom::thread::spawn(move || theirs.0.work(new_lease(), Some(first)));
        beside(&scheduler.0);
        worker.join().unwrap();
        let n_runs = scheduler.0.tasks.each_ref().map(|task| {
            // SAFETY: nobody else is there.
            unsafe { *task.block.get() }
        });
        assert_eq!(n_runs, [2, 2]);
    });
}

#[test]
fn tasks_go_on_whenever_the_core_is_taken_from_a_relay() {
    explored(3, |scheduler| scheduler.preempt(2));
}

#[test]
fn a_task_that_is_woken_while_it_is_let_go_runs_once_more() {
    explored(3, Scheduler::wake_elsewhere);
}
