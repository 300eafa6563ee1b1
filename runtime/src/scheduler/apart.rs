//! Runs that last, or come back from a blocking section, go on apart from cores.
//!
//! # Runs that last
//!
//! A thread that computes for milliseconds at a time is likely to do so the next time, too. While it does, what
//! else there is on its core waits: for the monitor, which has to see that the run lasts (`beside`), and
//! then moves one thing after the other. So the next run of such a thread is left to an OS thread that has no
//! core: no core is busy, and each event is seen to at once. The kernel shares the processors among the
//! workers, which mostly sleep, and those that compute, as it does among threads of any kind.
//!
//! ```text
//!              the monitor sees a run compute for 500 us, while others wait for its core
//!        PLAIN --------------------------------------------------------------------> LASTS
//!          ^                                                                           |
//!          | its run has used less than 100 us                                         | its next turn
//!          +-------------------------- APART, once <-- a spare takes it -- in the list of `spare`
//!                                        |
//!                                        +--> LASTS: its run was a long one
//! ```
//!
//! - *LASTS* is a bit of what the thread wears (`dress`), so that a relay, which compares that anyway, leaves it
//!   to `between_runs`. Who has the `Runnable` writes it, between runs.
//! - *Apart* the run is one that has lost its core, from its beginning: its lease is revoked, what it wakes goes to
//!   an inbox, and when it has ended the task goes on to where all cores find it. Nothing else is new.
//! - As many go on so as there are cores, in the order in which they came. The next one takes the OS thread
//!   of the last one, without a system call.
//! - One that blocks in the kernel keeps its place. If none has begun for 50 ms while others wait, there is
//!   a place more, for as long as the others are held.
//! - Where no spare is idle the task runs at once, with the core, and the monitor starts a spare. So does one that
//!   has waited in vain.
//!
//! # Back from a blocking section
//!
//! A thread whose section has cost it its core is on an OS thread of its own, and often has little to do until it waits
//! again: to wake others that wait for what it has written, or to answer. In a queue it would come behind all that the
//! workers have to do, and so would those others. So it goes on there as it is to the end of its run, and there are as
//! many places for that as cores; who finds none queues. A further section in the same run has no core to hand off,
//! and costs no more than the call; meanwhile the place is others'.
//!
//! In the shared mode a thread stays with its worker, and there is nothing of this.

use std::time::Instant;

use super::relay::Worker;
use super::{Scheduler, wardrobe};
use crate::context::{Switch, ThreadPointer};
use crate::sys;
use crate::task::lease::Lease;
use crate::task::{Header, Runnable};

/// A run that uses a processor for less is no reason for an OS thread of its own.
pub(super) const LASTS_NS: u64 = 100_000;

impl Scheduler {
    /// Leaves the next run of this task to a spare, and so with those that come after it: the first one that the
    /// worker is to run itself, be it that there is no spare.
    ///
    /// # Safety
    ///
    /// As for `next`.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn pass_lasting(
        &'static self,
        worker: &Worker,
        mut task: Runnable,
    ) -> Runnable {
        while task.dress.get().lasts() {
            if wardrobe::any_changed() {
                // It may have put on what this task wears, which is somebody else's now.
                wardrobe::cover(worker.lease);
            }
            task.dress.set(task.dress.get().running());
            task = match self.spares.run_apart(task) {
                Some(task) => return task,
                // SAFETY: as the caller promises.
                None => unsafe { self.next(worker) },
            };
        }
        task
    }

    /// A spare runs that task, once.
    pub(super) fn run_apart(&'static self, task: Runnable) {
        let lease = self.leases.take();
        let core = self.core_of(&task);
        lease.set_worker(sys::thread::id(), core.index as u32);
        let worker = Worker { core, lease, pointer: ThreadPointer::own(), place: None };
        if task.dress.get() != lease.wears() {
            wardrobe::put_on(lease, &task);
        }
        if let Some(watch) = &self.watch {
            watch.begin(&task, sys::thread::id());
        }
        // SAFETY: this is a spare, on its own stack, and the lease is nobody else's.
        unsafe { self.run_one(&worker, task) };
        wardrobe::cover(lease);
        self.leases.give_back(lease);
    }

    /// For a green thread back from a section, without a core: goes on if there is a place, and else queues.
    pub(super) fn go_on(&self, task: &Header) {
        if super::is_vfork_child() {
            // It has the memory of a thread that is to go on where it called.
        } else if self.spares.take_place() {
            task.lease.get().expect("a green thread is in a run").take_place();
        } else {
            // To the back of the global queue, until a worker with a core takes it on.
            task.suspend(Switch::Yielded);
        }
    }

    /// Gives up the place of this worker's run; whether it had one.
    pub(super) fn leave_place(&self, lease: &Lease) -> bool {
        let had = lease.leave_place();
        if had {
            self.spares.leave_place();
        }
        had
    }

    /// For the monitor, at each slow look.
    pub(super) fn attend_apart(&'static self, now: Instant) {
        if let Some(task) = self.spares.attend_apart(now) {
            self.inject(task);
        }
        self.spares.provide();
    }
}
