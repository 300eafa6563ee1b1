//! Spare OS threads: they wait for a core that was taken from a stuck worker, or for a job that
//! blocks, whichever the mode calls for.
//!
//! An idle spare is used before a new one is made, the last to become idle first, so that those
//! that are not needed stay idle long enough to end. A thread that is through with its work says so
//! before anybody can hear of the result, so that what comes next waits for it instead of starting
//! another one. At the limit jobs queue up, and cores stay
//! with their stuck workers: things still progress, and a warning says so once.

use std::collections::VecDeque;
use std::io;
use std::ptr;
use std::time::Duration;

use super::core::Core;
use super::owner::Sighting;
use crate::lock::Lock;
use crate::primitive::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use crate::report;
use crate::sys::futex;
use crate::task::lease::Lease;

/// How long a spare stays idle before it ends.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// What a spare is given to do.
pub(super) enum Assignment {
    /// To run tasks with this core until it is taken.
    Core(&'static Core),
    /// To take this core from the run that was seen, and then the same.
    Take(&'static Core, Sighting),
    /// To run a function that blocks.
    Job(Job),
}

/// What a spare does with an assignment; whether it is one still, which asks for another.
pub(super) type Work = fn(Assignment) -> bool;

/// A function to run on a spare thread; whoever waits for it keeps it alive.
pub(super) struct Job {
    pub(super) run: unsafe fn(*mut ()),
    /// Tells who waits that it has run.
    pub(super) finish: unsafe fn(*mut ()),
    pub(super) data: *mut (),
}

// SAFETY: a job is made to be run by another thread; `blocking` sees to what it points to.
unsafe impl Send for Job {}

/// An OS thread that is idle, on its own stack.
struct Seat {
    assignment: Lock<Option<Assignment>>,
    assigned: AtomicU32,
}

struct State {
    idle: Vec<*const Seat>,
    /// Jobs for which there was no thread.
    jobs: VecDeque<Job>,
    /// Threads that are through with their work and will be idle in a moment.
    n_returning: usize,
}

// SAFETY: seats are reached under the lock, and leave the list before their frame ends.
unsafe impl Send for State {}

pub(super) struct Spares {
    state: Lock<State>,
    n_threads: AtomicUsize,
    n_threads_max: usize,
    /// A thread is being started that is to take a core.
    starting: AtomicBool,
    /// A section has looked for an idle one in vain. A hint, which orders nothing.
    wanted: AtomicBool,
    warned: AtomicBool,
}

impl Spares {
    /// `n_threads` are there already and count.
    pub(super) fn new(n_threads: usize, n_threads_max: usize) -> Self {
        Self {
            state: Lock::new(State { idle: Vec::new(), jobs: VecDeque::new(), n_returning: 0 }),
            n_threads: AtomicUsize::new(n_threads),
            n_threads_max,
            starting: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            warned: AtomicBool::new(false),
        }
    }

    /// Runs `job` on a spare, now or when one becomes free.
    pub(super) fn run_job(&'static self, job: Job, work: Work) {
        let mut state = self.state.lock();
        if let Some(seat) = state.idle.pop() {
            // SAFETY: out of the list, the seat waits for this assignment.
            unsafe { (*seat).assign(Assignment::Job(job)) };
            return;
        }
        if state.n_returning > state.jobs.len() {
            state.jobs.push_back(job);
            return;
        }
        if self.n_threads.load(Ordering::Relaxed) < self.n_threads_max {
            drop(state);
            match self.start(Some(Assignment::Job(job)), work) {
                Ok(()) => return,
                Err((_, Some(Assignment::Job(job)))) => self.state.lock().jobs.push_back(job),
                Err(_) => unreachable!("what could not be started comes back"),
            }
        } else {
            state.jobs.push_back(job);
        }
        self.warn();
    }

    /// Has a spare take `core` from the run that was seen, if that is still going on.
    pub(super) fn hand_over(&'static self, core: &'static Core, seen: Sighting, work: Work) {
        let n_returning = match self.pop_idle() {
            Ok(seat) => {
                self.hand_to(seat, core, || core.owner.take(seen));
                return;
            }
            Err(n_returning) => n_returning,
        };
        // The monitor will look again. It does so before a new thread has begun to run, too: one at a
        // time.
        if n_returning > 0 || self.starting.swap(true, Ordering::Relaxed) {
            return;
        }
        // A core without a worker must not be: the new thread takes it when it is there.
        let start = || self.start(Some(Assignment::Take(core, seen)), work).is_ok();
        if self.n_threads.load(Ordering::Relaxed) >= self.n_threads_max || !start() {
            self.starting.store(false, Ordering::Relaxed);
            self.warn();
        }
    }

    /// For a section that is going to last: gives up its core to an idle spare; whether it has. Else
    /// it is left to the monitor, which sees to it that one is idle the next time (`provide`).
    pub(super) fn hand_on(&self, core: &'static Core, lease: &Lease) -> bool {
        let Ok(seat) = self.pop_idle() else {
            self.wanted.store(true, Ordering::Relaxed);
            return false;
        };
        self.hand_to(seat, core, || core.owner.give_up(lease))
    }

    /// For a worker that leaves (`bound`): gives its core to an idle spare, or to one that is started
    /// for it; `false` if somebody is about to take the core, or has. The limit does not count: there
    /// are as many threads afterwards as before.
    pub(super) fn replace(
        &'static self,
        core: &'static Core,
        lease: &'static Lease,
        work: Work,
    ) -> io::Result<bool> {
        if let Ok(seat) = self.pop_idle() {
            return Ok(self.hand_to(seat, core, || core.owner.give_up(lease)));
        }
        if !core.owner.give_up(lease) {
            return Ok(false);
        }
        self.start(Some(Assignment::Core(core)), work).map(|()| true).map_err(|(error, _)| {
            core.owner.take_back(lease);
            error
        })
    }

    /// The calling OS thread is no longer one of these.
    pub(super) fn leave(&self) {
        self.n_threads.fetch_sub(1, Ordering::Relaxed);
    }

    /// Starts the spare that a section has looked for in vain.
    pub(super) fn provide(&'static self, work: Work) {
        if !self.wanted.load(Ordering::Relaxed) {
            return;
        }
        self.wanted.store(false, Ordering::Relaxed);
        let mut state = self.state.lock();
        let is_one_there = !state.idle.is_empty() || state.n_returning > 0;
        if is_one_there || self.n_threads.load(Ordering::Relaxed) >= self.n_threads_max {
            return;
        }
        state.n_returning += 1;
        drop(state);
        if self.start(None, work).is_err() {
            self.state.lock().n_returning -= 1;
        }
    }

    /// The spare that has become idle last; or how many are about to, if none is.
    fn pop_idle(&self) -> Result<*const Seat, usize> {
        let mut state = self.state.lock();
        state.idle.pop().ok_or(state.n_returning)
    }

    /// Gives a spare out of the list `core`, if `take` has got it from its worker; whether it has.
    fn hand_to(&self, seat: *const Seat, core: &'static Core, take: impl FnOnce() -> bool) -> bool {
        let taken = take();
        if taken {
            // SAFETY: out of the list, the seat waits for an assignment.
            unsafe { (*seat).assign(Assignment::Core(core)) };
        } else {
            self.state.lock().idle.push(seat);
        }
        taken
    }

    /// Starts an OS thread; gives the assignment back if that fails.
    fn start(
        &'static self,
        first: Option<Assignment>,
        work: Work,
    ) -> Result<(), (io::Error, Option<Assignment>)> {
        let n = self.n_threads.fetch_add(1, Ordering::Relaxed);
        let first = std::sync::Arc::new(Lock::new(first));
        let handed = std::sync::Arc::clone(&first);
        let main = move || {
            let first = handed.lock().take();
            drop(handed);
            if let Some(assignment) = first {
                if matches!(assignment, Assignment::Take(..)) {
                    self.starting.store(false, Ordering::Relaxed);
                }
                if !work(assignment) {
                    return;
                }
            }
            while self.next().is_some_and(work) {}
        };
        super::start_os_thread(format!("sylvan-spare-{n}"), main).map_err(|error| {
            self.n_threads.fetch_sub(1, Ordering::Relaxed);
            (error, first.lock().take())
        })
    }

    /// The calling thread is through with its work, and about to ask for more. Once per assignment.
    pub(super) fn announce_return(&self) {
        self.state.lock().n_returning += 1;
    }

    /// What to do next; `None` after too long a time without anything.
    pub(super) fn next(&'static self) -> Option<Assignment> {
        let seat = Seat { assignment: Lock::new(None), assigned: AtomicU32::new(0) };
        let mut state = self.state.lock();
        state.n_returning -= 1;
        if let Some(job) = state.jobs.pop_front() {
            return Some(Assignment::Job(job));
        }
        state.idle.push(&seat);
        drop(state);
        loop {
            futex::wait(&seat.assigned, 0, Some(IDLE_MAX));
            // Acquire pairs with the release in `assign`.
            if seat.assigned.load(Ordering::Acquire) != 0 {
                return seat.assignment.lock().take();
            }
            let mut state = self.state.lock();
            if let Some(at) = state.idle.iter().position(|idle| ptr::eq(*idle, &raw const seat)) {
                state.idle.remove(at);
                // Under the lock, as is the look at the number when a job finds no thread: it is
                // left to this one, or sees one less.
                let job = state.jobs.pop_front();
                if job.is_none() {
                    self.n_threads.fetch_sub(1, Ordering::Relaxed);
                }
                return job.map(Assignment::Job);
            }
            // Somebody has taken the seat out and is about to assign.
        }
    }

    fn warn(&self) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            report::say(format_args!(
                "sylvan: no further OS thread for blocking calls ({} in use; see SYLVAN_MAX_THREADS): they wait for each other now\n",
                self.n_threads.load(Ordering::Relaxed)
            ));
        }
    }
}

impl Seat {
    fn assign(&self, assignment: Assignment) {
        *self.assignment.lock() = Some(assignment);
        let word = &raw const self.assigned;
        // Release pairs with the acquire in `next`. The frame may end right after it.
        self.assigned.store(1, Ordering::Release);
        futex::wake(word, 1);
    }
}
