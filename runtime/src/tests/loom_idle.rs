//! `scheduler::idle`, with `inject` and `inbox`: who sleeps is woken when there is something to do.
//!
//! The workers here are what is left of the real ones without green threads, event loops and
//! stealing: they take from the global queue and from their inbox, search, and sleep. A task that is
//! queued while all sleep is a deadlock.

use std::sync::Arc;
use std::sync::atomic;

use super::loom_queue::{Tasks, taken};
use super::machine::{CORE, Core, Sent, clock, spawn_green};
use super::{DEADLINE_NS, explore, ring_at};
use crate::park::sleep_until;
use crate::primitive::{AtomicU32, Ordering};
use crate::scheduler::idle::{Duty, Idle};
use crate::scheduler::inbox::Inbox;
use crate::scheduler::inject::Inject;
use crate::scheduler::owner::Owner;
use crate::sys::futex;
use crate::task::Runnable;
use crate::task::lease::Lease;
use crate::timer;

struct Scheduler {
    idle: Idle,
    inject: Inject,
    cores: Vec<(Core, Inbox)>,
    /// What was laid aside on the first core.
    aside: Inbox,
    /// Tasks that have not run yet. The model's own, and not one of loom's: what it orders is the end.
    n_left: atomic::AtomicU32,
    /// A task ends only when all run.
    together: bool,
    all_run: AtomicU32,
    tasks: Tasks,
}

impl Scheduler {
    fn new(n_cores: usize, n_tasks: usize) -> Arc<Sent<Self>> {
        Self::with(n_cores, n_tasks, false)
    }

    fn with(n_cores: usize, n_tasks: usize, together: bool) -> Arc<Sent<Self>> {
        Arc::new(Sent(Self {
            idle: Idle::new(n_cores),
            inject: Inject::new(),
            cores: (0..n_cores).map(|_| (Core::new(), Inbox::new())).collect(),
            aside: Inbox::new(),
            n_left: atomic::AtomicU32::new(n_tasks as u32),
            together,
            all_run: AtomicU32::new(0),
            tasks: Tasks::new(n_tasks),
        }))
    }

    fn wake_one(&self) {
        if let Some(core) = self.idle.pick() {
            self.cores[core].0.wake();
        }
    }

    /// From outside.
    fn inject(&self, i: usize) {
        self.inject.push(self.tasks.make(i));
        self.wake_one();
    }

    /// From a green thread that runs, or ran, on `core`.
    fn push(&self, core: usize, i: usize) {
        let (core, inbox) = &self.cores[core];
        let first = inbox.push(self.tasks.make(i));
        core.wake();
        if !first {
            self.wake_one();
        }
    }

    fn run(&self, task: Runnable) {
        taken(task);
        let n_left = self.n_left.fetch_sub(1, Ordering::AcqRel) - 1;
        if self.together && n_left == 0 {
            self.all_run.store(1, Ordering::Release);
            futex::wake(&self.all_run, u32::MAX);
        }
        while self.together && self.all_run.load(Ordering::Acquire) == 0 {
            futex::wait(&self.all_run, 0, None);
        }
        if n_left == 0 {
            // The last one: everybody may go home.
            self.cores.iter().for_each(|(core, _)| core.wake_poller());
        }
    }

    /// An event loop has made a task runnable; by the core's worker.
    fn wake_by_event(&self, i: usize) {
        let task = self.tasks.make(i);
        if self.idle.is_surplus() {
            self.inject.push(task);
        } else {
            self.run(task);
        }
    }

    /// `Scheduler::next`, until every task has run.
    fn work(&self, index: usize, mut searching: bool) {
        let (core, inbox) = &self.cores[index];
        while self.n_left.load(Ordering::Acquire) != 0 {
            let is_surplus = self.idle.is_surplus();
            let (youngest, older) = inbox.take_all();
            let mut found: Vec<_> = youngest.into_iter().chain(older).collect();
            if is_surplus {
                // `Scheduler::inject_all`.
                found.drain(..).for_each(|task| self.inject.push(task));
            }
            if index == 0 {
                found.extend(self.aside.take_all().0);
            }
            if !is_surplus {
                found.extend(self.inject.take_share(self.cores.len(), 1));
            }
            if !found.is_empty() {
                if std::mem::take(&mut searching) && self.idle.found(|| !self.inject.is_empty()) {
                    self.wake_one();
                }
                found.into_iter().for_each(|task| self.run(task));
                continue;
            }
            if !searching && !is_surplus {
                searching = self.idle.start_searching();
            }
            let is_there_work = |duty| {
                !inbox.is_empty()
                    || index == 0 && !self.aside.is_empty()
                    || duty == Duty::All && !self.inject.is_empty()
            };
            let wait = || core.poll();
            searching = self.idle.sleep(index, &core.asleep, searching, is_there_work, wait);
        }
    }
}

fn workers(scheduler: &Arc<Sent<Scheduler>>, n: usize) -> impl FnOnce() {
    let workers: Vec<_> = (0..n)
        .map(|core| {
            let scheduler = Arc::clone(scheduler);
            loom::thread::spawn(move || scheduler.0.work(core, false))
        })
        .collect();
    let scheduler = Arc::clone(scheduler);
    move || {
        for worker in workers {
            worker.join().unwrap();
        }
        scheduler.0.tasks.assert_each_was_taken_once();
    }
}

#[test]
fn a_task_from_outside_wakes_the_one_core() {
    explore(5, || {
        let scheduler = Scheduler::new(1, 2);
        let join = workers(&scheduler, 1);
        scheduler.0.inject(0);
        scheduler.0.inject(1);
        join();
    });
}

#[test]
fn tasks_from_outside_wake_one_of_two_cores() {
    explore(3, || {
        let scheduler = Scheduler::new(2, 2);
        let join = workers(&scheduler, 2);
        scheduler.0.inject(0);
        scheduler.0.inject(1);
        join();
    });
}

#[test]
fn a_core_that_leaves_the_list_by_itself_is_not_taken_for_a_searcher() {
    explore(5, || {
        let scheduler = Scheduler::new(1, 1);
        let theirs = Arc::clone(&scheduler);
        let worker = loom::thread::spawn(move || {
            let scheduler = &theirs.0;
            // Woken by an event of its own.
            let asleep = &scheduler.cores[0].0.asleep;
            let searching = scheduler.idle.sleep(0, asleep, false, |_| false, || ());
            scheduler.work(0, searching);
        });
        let theirs = Arc::clone(&scheduler);
        // For a task that has been taken in the meantime.
        let pusher = loom::thread::spawn(move || theirs.0.wake_one());
        scheduler.0.inject(0);
        pusher.join().unwrap();
        worker.join().unwrap();
    });
}

#[test]
fn a_green_thread_that_has_lost_its_core_wakes_it() {
    explore(5, || {
        let scheduler = Scheduler::new(1, 2);
        let join = workers(&scheduler, 1);
        scheduler.0.push(0, 0);
        scheduler.0.push(0, 1);
        join();
    });
}

#[test]
fn tasks_that_need_each_other_run_on_two_cores() {
    explore(3, || {
        let scheduler = Scheduler::with(2, 2, true);
        let join = workers(&scheduler, 2);
        scheduler.0.inject(0);
        scheduler.0.inject(1);
        join();
    });
}

#[test]
fn where_one_core_may_be_awake_tasks_from_outside_find_one() {
    explore(4, || {
        let scheduler = Scheduler::new(2, 2);
        scheduler.0.idle.allow(1);
        let join = workers(&scheduler, 2);
        scheduler.0.inject(0);
        scheduler.0.inject(1);
        join();
    });
}

#[test]
fn what_a_surplus_core_hands_over_is_run() {
    explore(4, || {
        let scheduler = Scheduler::new(2, 2);
        scheduler.0.idle.allow(1);
        let theirs = Arc::clone(&scheduler);
        let other = loom::thread::spawn(move || {
            theirs.0.wake_by_event(0);
            theirs.0.work(1, false);
        });
        scheduler.0.wake_by_event(1);
        scheduler.0.work(0, false);
        other.join().unwrap();
        scheduler.0.tasks.assert_each_was_taken_once();
    });
}

/// The monitor looks at the event loop of a core whose run it has seen (`beside`).
#[test]
fn a_wake_up_that_the_monitor_takes_is_given_back_after_the_run() {
    explore(5, || {
        let scheduler = Scheduler::new(1, 1);
        // Outlives the execution, as a worker's lease outlives the worker.
        let lease: &Lease = Box::leak(Box::new(Lease::new()));
        let owner = Arc::new(Owner::new());
        owner.adopt(lease);
        lease.run();
        let seen = owner.running().expect("it has just begun");
        let theirs = Arc::clone(&scheduler);
        let worker = loom::thread::spawn(move || {
            assert!(lease.stop(), "nobody takes the core");
            theirs.0.work(0, false);
        });
        let theirs = Arc::clone(&scheduler);
        let monitor = loom::thread::spawn(move || {
            let core = &theirs.0.cores[0].0;
            if core.look() && !owner.is_in(seen) {
                core.wake_poller();
            }
        });
        scheduler.0.push(0, 0);
        monitor.join().unwrap();
        worker.join().unwrap();
    });
}

#[test]
fn what_is_laid_aside_is_run_there_or_after_the_monitor_came_by() {
    for allowed in [1, 2] {
        explore(2, move || {
            let scheduler = Scheduler::new(2, 1);
            scheduler.0.idle.allow(allowed);
            let theirs = Arc::clone(&scheduler);
            let other = loom::thread::spawn(move || theirs.0.work(1, false));
            let theirs = Arc::clone(&scheduler);
            let monitor = loom::thread::spawn(move || {
                if let (Some(task), _) = theirs.0.aside.take_all() {
                    theirs.0.inject.push(task);
                    theirs.0.wake_one();
                }
            });
            // By a run on the first core, which ends then.
            scheduler.0.aside.push(scheduler.0.tasks.make(0));
            scheduler.0.work(0, false);
            other.join().unwrap();
            monitor.join().unwrap();
            scheduler.0.tasks.assert_each_was_taken_once();
        });
    }
}

#[test]
fn while_the_number_that_may_be_awake_changes_no_task_is_lost() {
    explore(2, || {
        let scheduler = Scheduler::new(2, 1);
        let theirs = Arc::clone(&scheduler);
        let monitor = loom::thread::spawn(move || {
            theirs.0.idle.allow(1);
            theirs.0.idle.allow(2);
        });
        let join = workers(&scheduler, 2);
        scheduler.0.inject(0);
        join();
        monitor.join().unwrap();
    });
}

#[test]
fn an_alarm_that_is_set_while_its_core_falls_asleep_rings() {
    explore(4, || {
        timer::begin(1);
        let idle = Idle::new(1);
        let rung = Arc::new(AtomicU32::new(0));
        let theirs = Arc::clone(&rung);
        let sleeper = spawn_green(move || {
            sleep_until(clock::at(DEADLINE_NS));
            theirs.store(1, Ordering::SeqCst);
            CORE.wake();
        });
        let has_rung = || rung.load(Ordering::SeqCst) != 0;
        while !has_rung() {
            let mut now_ns = 0;
            let wait = || match timer::shard(0).sleep() {
                Some(until) => now_ns = until.ns,
                None => CORE.poll(),
            };
            let _ = idle.sleep(0, &CORE.asleep, false, |_| has_rung(), wait);
            ring_at(now_ns);
        }
        sleeper.join().unwrap();
    });
}

#[test]
fn what_a_run_that_lasts_has_woken_wakes_a_core_that_sleeps() {
    explore(4, || {
        let scheduler = Scheduler::new(2, 1);
        let sleeps = Arc::new(AtomicU32::new(0));
        let (theirs, says) = (Arc::clone(&scheduler), Arc::clone(&sleeps));
        // It takes from the inbox of a core that is in a run only if it was woken to search.
        let worker = loom::thread::spawn(move || {
            let scheduler = &theirs.0;
            let (core, _) = &scheduler.cores[1];
            let wait = || {
                says.store(1, Ordering::Release);
                futex::wake(&raw const *says, 2);
                core.poll();
            };
            assert!(scheduler.idle.sleep(1, &core.asleep, false, |_| false, wait));
            let (_, inbox) = &scheduler.cores[0];
            scheduler.run(inbox.take_all().0.expect("a task"));
        });
        let until_it_sleeps = |sleeps: &AtomicU32| {
            while sleeps.load(Ordering::Acquire) == 0 {
                futex::wait(sleeps, 0, None);
            }
        };
        let (theirs, said) = (Arc::clone(&scheduler), Arc::clone(&sleeps));
        let monitor = loom::thread::spawn(move || {
            until_it_sleeps(&said);
            let (core, inbox) = &theirs.0.cores[0];
            // `Run::attend`.
            core.asleep.engage();
            if !inbox.is_empty() {
                theirs.0.wake_one();
            }
        });
        until_it_sleeps(&sleeps);
        let (core, inbox) = &scheduler.0.cores[0];
        // `Scheduler::schedule`.
        let first = inbox.push(scheduler.0.tasks.make(0));
        if !core.asleep.attends() || !first {
            core.wake();
            if !first || core.asleep.is_engaged() {
                scheduler.0.wake_one();
            }
        }
        worker.join().unwrap();
        monitor.join().unwrap();
        scheduler.0.tasks.assert_each_was_taken_once();
    });
}
