//! Spare OS threads: they wait for a core that was taken from a stuck worker, for a task that is to run
//! without a core (`apart`), or for a job that blocks, whichever the mode calls for.
//!
//! ```text
//!            start                   assign
//!   nothing ------> at work  <---------------------- idle ----> ended
//!                      |                              ^    10 s, or a tenth of a second
//!                      | announce_return              |    above the limit
//!                      v                              |
//!                  returning --- next, no job waits --+
//! ```
//!
//! An idle spare is used before a new one is made, the last to become idle first, so that those
//! that are not needed stay idle long enough to end. A thread that is through with its work says so
//! before anybody can hear of the result, so that what comes next waits for it instead of starting
//! another one. A thread that a green one takes for itself is none of these any more (`bound`).
//!
//! None ends while a child lives that it has started: that may have asked for a signal at the end of its
//! parent (`PR_SET_PDEATHSIG`), which to the kernel is the OS thread.
//!
//! # Where no new one may be made
//!
//! `limit` says when that is, and who may have one all the same. A core then stays with its worker,
//! and the monitor asks again; jobs queue up, and the monitor starts threads for them when there is
//! room. So what blocks for long never has the last of the OS threads:
//!
//! - *Own mode.* A core that nobody else may have is held by a run that computes, or by something
//!   that has blocked for less than 20 ms.
//! - *Shared mode.* A job at the head of the queue waits for threads that compute in jobs, or have
//!   blocked for less than 20 ms.
//!
//! # Where the kernel refuses one
//!
//! A warning says so. In the own mode a core stays where it is, until one that blocks comes back: it is
//! an OS thread that is missing, and nothing can run without one. In the shared mode the workers are
//! there. A job that would wait for threads of which there are none, or none has come back since the
//! last survey, is *declined*, one after the other, and its thread makes the call itself.

use std::collections::VecDeque;
use std::io;
use std::mem::{self, offset_of};
use std::ptr;
use std::time::{Duration, Instant};

use super::core::Core;
use super::limit::{Limit, Purpose};
use super::owner::Sighting;
use crate::lock::{Guard, Lock};
use crate::primitive::{AtomicBool, AtomicU32, Ordering};
use crate::report;
use crate::sys::{futex, thread};
use crate::task::Runnable;
use crate::task::lease::Lease;
use crate::task::list::List;

/// How long a spare stays idle before it ends; and above the limit.
const IDLE_MAX: Duration = Duration::from_secs(10);
const IDLE_MAX_ABOVE: Duration = Duration::from_millis(100);

/// After so long without one that begins, one more run may go on without a core.
const PATIENCE_APART: Duration = Duration::from_millis(50);

/// Jobs that may wait before there has to be more memory for them.
const JOBS: usize = 64;

/// What a spare is given to do.
pub(super) enum Assignment {
    /// To run tasks with this core until it is taken.
    Core(&'static Core),
    /// To take this core from the run that was seen, and then the same.
    Take(&'static Core, Sighting),
    /// To run this task, once, without a core.
    Apart(Runnable),
    /// To run a function that blocks.
    Job(Job),
}

/// A function to run on a spare thread; whoever waits for it keeps it alive.
pub(super) struct Job {
    pub(super) run: unsafe fn(*mut ()),
    /// Tells who waits that it has run, or that nobody is going to run it.
    pub(super) finish: unsafe fn(*mut ()),
    pub(super) data: *mut (),
    /// The signal mask of the thread that it is a part of.
    pub(super) mask: u64,
}

// SAFETY: a job is made to be run by another thread; `blocking` sees to what it points to.
unsafe impl Send for Job {}

/// What has become of a job.
pub(super) enum Fate {
    /// A spare runs it, or is about to.
    Assigned,
    /// It waits for a spare: the monitor is to see to it.
    Queued,
    /// There is no spare, nor will the kernel start one.
    Declined,
}

/// An OS thread that is idle, on its own stack.
struct Seat {
    assignment: Lock<Option<Assignment>>,
    assigned: AtomicU32,
}

struct State {
    idle: Vec<*const Seat>,
    /// Jobs for which there was no thread.
    jobs: VecDeque<Job>,
    /// Tasks whose next run is to go apart, in the order in which they came.
    apart: List,
    /// How many do, and may do.
    n_apart: usize,
    n_apart_max: usize,
    /// How many go on without a core after a section.
    n_back: usize,
    /// Since when any waits while none has begun, as the monitor has seen it.
    waits_apart_since: Option<Instant>,
    /// Threads that are through with their work and will be idle in a moment.
    n_returning: usize,
    /// There was one since the last survey.
    any_returned: bool,
    /// A thread is being started that is to take a core.
    starting: bool,
    limit: Limit,
    /// All threads that have begun, as `sys::thread` numbers them.
    threads: Vec<u32>,
}

// SAFETY: seats are reached under the lock, and leave the list before their frame ends.
unsafe impl Send for State {}

pub(super) struct Spares {
    state: Lock<State>,
    /// The threads that were there before the first spare.
    n_workers: usize,
    /// A section, or a run that is to go apart, has looked for an idle one in vain. A hint, which orders
    /// nothing.
    wanted: AtomicBool,
    warned_of_limit: AtomicBool,
    warned_of_kernel: AtomicBool,
}

impl Spares {
    /// Where the list of tasks is whose next run is to go apart.
    pub(super) const APART_AT: usize =
        offset_of!(Self, state) + Lock::<State>::VALUE_AT + offset_of!(State, apart);

    /// `n_workers` threads are there already and count.
    pub(super) fn new(n_workers: usize, n_threads_max: usize) -> Self {
        Self {
            state: Lock::new(State {
                idle: Vec::new(),
                // Under the lock no memory is to be asked for: the allocator is the program's, and may wait.
                jobs: VecDeque::with_capacity(JOBS),
                apart: List::new(),
                n_apart: 0,
                n_apart_max: n_workers,
                n_back: 0,
                waits_apart_since: None,
                n_returning: 0,
                any_returned: false,
                starting: false,
                limit: Limit::new(n_workers, n_threads_max),
                threads: Vec::new(),
            }),
            n_workers,
            wanted: AtomicBool::new(false),
            warned_of_limit: AtomicBool::new(false),
            warned_of_kernel: AtomicBool::new(false),
        }
    }

    /// Has a spare run `job`, now or when one becomes free.
    pub(super) fn run_job(&'static self, job: Job) -> Fate {
        let mut state = self.state.lock();
        let Some(job) = state.assign(job) else { return Fate::Assigned };
        if state.n_returning > state.jobs.len() {
            state.jobs.push_back(job);
            return Fate::Assigned;
        }
        if !state.limit.admit(Purpose::Blocks) {
            return self.queue(state, job);
        }
        drop(state);
        match self.start(Some(Assignment::Job(job))) {
            Err((_, Some(Assignment::Job(job)))) => {
                let mut state = self.state.lock();
                match state.assign(job) {
                    Some(job) => self.queue(state, job),
                    None => Fate::Assigned,
                }
            }
            _ => Fate::Assigned,
        }
    }

    /// Leaves a job for which there is no thread to whoever comes back.
    fn queue(&self, mut state: Guard<'_, State>, job: Job) -> Fate {
        if state.limit.n_threads() == self.n_workers {
            return Fate::Declined;
        }
        state.jobs.push_back(job);
        self.warn_of_limit(state);
        Fate::Queued
    }

    /// For the monitor: has a spare take `core` from the run that was seen, if that is still going on. `false`
    /// if no OS thread is to be had for it.
    pub(super) fn preempt(
        &'static self,
        core: &'static Core,
        seen: Sighting,
        purpose: Purpose,
    ) -> bool {
        let mut state = self.state.lock();
        if let Some(seat) = state.idle.pop() {
            drop(state);
            self.assign_core(seat, core, || core.owner.revoke(seen));
            return true;
        }
        // The monitor will look again. It does so before a new thread has begun to run, too: one at a
        // time.
        if state.n_returning > 0 || state.starting {
            return true;
        }
        if !state.limit.admit(purpose) {
            self.warn_of_limit(state);
            return false;
        }
        state.starting = true;
        drop(state);
        // A core without a worker must not be: the new thread takes it when it is there.
        self.start(Some(Assignment::Take(core, seen))).is_ok()
    }

    /// For a section that is going to last: hands its core off to an idle spare; whether it has. Else
    /// it is left to the monitor, which sees to it that one is idle the next time (`provide`).
    pub(super) fn hand_off(&self, core: &'static Core, lease: &Lease) -> bool {
        let seat = self.state.lock().idle.pop();
        let Some(seat) = seat else {
            self.wanted.store(true, Ordering::Relaxed);
            return false;
        };
        self.assign_core(seat, core, || core.owner.release(lease))
    }

    /// For a worker that leaves (`bound`): gives its core to an idle spare, unless it `is_to_be_new`, or to
    /// one that is started for it; `false` if somebody is about to take the core, or has. The limit does
    /// not matter: there are as many threads afterwards as before, or one leaves soon.
    pub(super) fn replace(
        &'static self,
        core: &'static Core,
        lease: &'static Lease,
        is_to_be_new: bool,
    ) -> io::Result<bool> {
        let seat = if is_to_be_new { None } else { self.state.lock().idle.pop() };
        if let Some(seat) = seat {
            return Ok(self.assign_core(seat, core, || core.owner.release(lease)));
        }
        if !core.owner.release(lease) {
            return Ok(false);
        }
        self.state.lock().limit.add();
        self.start(Some(Assignment::Core(core))).map(|()| true).map_err(|(error, _)| {
            core.owner.take_back(lease);
            error
        })
    }

    /// Leaves a task, whose next run is to be without a core, to an idle spare, or to the next one that
    /// returns. Gives it back if there is none; then one is there the next time (`provide`).
    pub(super) fn run_apart(&self, task: Runnable) -> Option<Runnable> {
        let mut state = self.state.lock();
        // Those that return take one each.
        let is_room = state.n_apart < state.n_apart_max && state.n_returning <= state.apart.len();
        if is_room && state.idle.is_empty() {
            self.wanted.store(true, Ordering::Relaxed);
            return Some(task);
        }
        state.apart.push_back(task);
        if is_room {
            state.assign_apart();
        }
        None
    }

    /// For a run that has lost its core to a section: whether there is a place to go on in without one. None while the
    /// kernel refuses OS threads: then a core may wait for this one.
    pub(super) fn take_place(&self) -> bool {
        let mut state = self.state.lock();
        let is_room = state.n_back < self.n_workers && !state.limit.is_barred();
        state.n_back += usize::from(is_room);
        is_room
    }

    /// The run has ended, or blocks.
    pub(super) fn leave_place(&self) {
        self.state.lock().n_back -= 1;
    }

    /// A run without a core has ended. Its OS thread takes the next one, by `next`.
    pub(super) fn end_apart(&self) {
        self.state.lock().n_apart -= 1;
    }

    /// A run without a core has its OS thread for itself from now on (`bound`): another one takes the next.
    pub(super) fn bind_apart(&self) {
        let mut state = self.state.lock();
        state.n_apart -= 1;
        if !state.apart.is_empty() {
            self.next_apart(&mut state);
        }
    }

    /// Has an idle spare begin with those that wait for a run without a core, or sees to it that there is one.
    fn next_apart(&self, state: &mut State) {
        if !state.assign_apart() {
            self.wanted.store(true, Ordering::Relaxed);
        }
    }

    /// For the monitor, at each slow look: sees to those that wait for a run without a core where none has begun for
    /// long: one more may have an OS thread, or else, where there is none to be had, a core.
    pub(super) fn attend_apart(&self, now: Instant) -> Option<Runnable> {
        let mut state = self.state.lock();
        if state.apart.is_empty() {
            state.waits_apart_since = None;
            if state.n_apart < self.n_workers {
                // Places that were added stay for as long as the runs that hold the others last.
                state.n_apart_max = self.n_workers;
            }
            return None;
        }
        let since = *state.waits_apart_since.get_or_insert(now);
        if now.saturating_duration_since(since) < PATIENCE_APART {
            return None;
        }
        state.waits_apart_since = None;
        if state.n_apart < state.n_apart_max && state.idle.is_empty() {
            // There is no OS thread for it.
            return state.apart.pop_front();
        }
        state.n_apart_max = state.n_apart_max.max(state.n_apart + 1);
        self.next_apart(&mut state);
        None
    }

    /// For the monitor: starts the spare that a section has looked for in vain.
    pub(super) fn provide(&'static self) {
        if !self.wanted.load(Ordering::Relaxed) {
            return;
        }
        self.wanted.store(false, Ordering::Relaxed);
        let mut state = self.state.lock();
        let is_one_there = !state.idle.is_empty() || state.n_returning > 0;
        if is_one_there || !state.limit.admit(Purpose::Blocks) {
            return;
        }
        state.n_returning += 1;
        drop(state);
        if self.start(None).is_err() {
            self.state.lock().n_returning -= 1;
        }
    }

    /// Gives a spare out of the list `core`, if `take` has got it from its worker; whether it has.
    fn assign_core(
        &self,
        seat: *const Seat,
        core: &'static Core,
        take: impl FnOnce() -> bool,
    ) -> bool {
        let taken = take();
        if taken {
            // SAFETY: out of the list, the seat waits for an assignment.
            unsafe { (*seat).assign(Assignment::Core(core)) };
        } else {
            self.state.lock().idle.push(seat);
        }
        taken
    }

    /// Starts an OS thread that was admitted; gives the assignment back if that fails.
    fn start(
        &'static self,
        first: Option<Assignment>,
    ) -> Result<(), (io::Error, Option<Assignment>)> {
        let n = self.state.lock().limit.n_threads();
        let first = std::sync::Arc::new(Lock::new(first));
        let handed = std::sync::Arc::clone(&first);
        let main = move || {
            let first = handed.lock().take();
            drop(handed);
            self.register(matches!(first, Some(Assignment::Take(..))));
            let scheduler = super::get();
            if first.is_none_or(|first| scheduler.work(first)) {
                scheduler.serve_as_spare();
            }
        };
        super::start_os_thread(format!("sylvan-spare-{n}"), main).map(drop).map_err(|error| {
            let mut state = self.state.lock();
            state.limit.bar();
            let first = first.lock().take();
            if matches!(first, Some(Assignment::Take(..))) {
                state.starting = false;
            }
            let n = state.limit.n_threads();
            drop(state);
            self.warn_of_kernel(n, &error);
            (error, first)
        })
    }

    /// The calling OS thread has begun, a worker or a spare; to take a core, it may be.
    pub(super) fn register(&self, takes: bool) {
        let mut state = self.state.lock();
        state.threads.push(thread::id());
        state.limit.unbar();
        if takes {
            state.starting = false;
        }
    }

    /// The calling OS thread is no longer one of these.
    pub(super) fn deregister(&self) {
        self.state.lock().deregister();
    }

    /// The calling thread is through with its work, and about to ask for more. Once per assignment.
    pub(super) fn announce_return(&self) {
        let mut state = self.state.lock();
        state.n_returning += 1;
        state.any_returned = true;
    }

    /// What to do next; `None` after too long a time without anything: then the thread ends.
    pub(super) fn next(&'static self) -> Option<Assignment> {
        let seat = Seat { assignment: Lock::new(None), assigned: AtomicU32::new(0) };
        let mut state = self.state.lock();
        state.n_returning -= 1;
        if let Some(job) = state.jobs.pop_front() {
            return Some(Assignment::Job(job));
        }
        if let Some(task) = state.take_apart() {
            return Some(Assignment::Apart(task));
        }
        state.idle.push(&seat);
        let mut is_above = state.limit.is_exceeded();
        drop(state);
        let mut begin = Instant::now();
        loop {
            let most = if is_above { IDLE_MAX_ABOVE } else { IDLE_MAX };
            futex::wait(&seat.assigned, 0, Some(most.saturating_sub(begin.elapsed())));
            // Acquire pairs with the release in `assign`.
            if seat.assigned.load(Ordering::Acquire) != 0 {
                return seat.assignment.lock().take();
            }
            if thread::has_children().unwrap_or(true) {
                begin = Instant::now();
                continue;
            }
            let mut state = self.state.lock();
            let Some(at) = state.idle.iter().position(|idle| ptr::eq(*idle, &raw const seat))
            else {
                // Somebody has taken the seat out and is about to assign.
                continue;
            };
            is_above = state.limit.is_exceeded();
            if begin.elapsed() < if is_above { IDLE_MAX_ABOVE } else { IDLE_MAX } {
                continue;
            }
            state.idle.remove(at);
            // Under the lock, as is the look at the number when a job finds no thread: it is
            // left to this one, or sees one less.
            let job = state.jobs.pop_front();
            if job.is_none() {
                state.deregister();
            }
            return job.map(Assignment::Job);
        }
    }

    /// For the monitor: whether somebody waits for a thread who was refused one.
    pub(super) fn is_short(&self) -> bool {
        let state = self.state.lock();
        state.limit.is_met() || !state.jobs.is_empty() || !state.apart.is_empty()
    }

    /// For the monitor: all threads.
    pub(super) fn threads(&self) -> Vec<u32> {
        self.state.lock().threads.clone()
    }

    /// For the monitor: a survey has found that so many threads do not count, unless they are idle.
    /// Starts those that jobs wait for, as far as there is room.
    pub(super) fn survey(&'static self, n_uncounted: usize) {
        let mut state = self.state.lock();
        let n_uncounted = n_uncounted.saturating_sub(state.idle.len());
        state.limit.survey(n_uncounted);
        let any_returned = mem::take(&mut state.any_returned);
        drop(state);
        while let Some(job) = self.admit_job() {
            if let Err((_, Some(Assignment::Job(job)))) = self.start(Some(Assignment::Job(job))) {
                let mut state = self.state.lock();
                if let Some(job) = state.assign(job) {
                    state.jobs.push_front(job);
                }
            }
        }
        let mut state = self.state.lock();
        let declines = !any_returned && state.limit.is_barred();
        let declined = if declines { state.jobs.pop_front() } else { None };
        drop(state);
        if let Some(job) = declined {
            // SAFETY: whoever made the job keeps its data alive until it has finished, once.
            unsafe { (job.finish)(job.data) };
        }
    }

    /// The first job, if there is room for a thread that runs it.
    fn admit_job(&self) -> Option<Job> {
        let mut state = self.state.lock();
        // Those that return take one each.
        let waits = state.jobs.len() > state.n_returning;
        if waits && state.limit.admit(Purpose::Blocks) { state.jobs.pop_front() } else { None }
    }

    fn warn_of_limit(&self, state: Guard<'_, State>) {
        // There may be more by now, for what blocks for long.
        let (is_barred, n) = (state.limit.is_barred(), state.limit.max());
        drop(state);
        if !is_barred && !self.warned_of_limit.swap(true, Ordering::Relaxed) {
            report::say(format_args!(
                "sylvan: {n} OS threads are in use, as many as SYLVAN_MAX_THREADS allows: what computes waits, \
                 what blocks takes more after a while; raise it, or have fewer threads block at a time\n"
            ));
        }
    }

    fn warn_of_kernel(&self, n: usize, error: &io::Error) {
        if !self.warned_of_kernel.swap(true, Ordering::Relaxed) {
            report::say(format_args!(
                "sylvan: the system refuses an OS thread beside {n} others ({error}): what blocks may hold up the \
                 rest; see `ulimit -u`, `ulimit -v`, pids.max and vm.max_map_count\n"
            ));
        }
    }
}

impl State {
    /// Gives `job` to an idle spare; gives it back if there is none.
    fn assign(&mut self, job: Job) -> Option<Job> {
        let Some(seat) = self.idle.pop() else { return Some(job) };
        // SAFETY: out of the list, the seat waits for this assignment.
        unsafe { (*seat).assign(Assignment::Job(job)) };
        None
    }

    /// The next task that is to run without a core, if one more may.
    fn take_apart(&mut self) -> Option<Runnable> {
        let task = if self.n_apart < self.n_apart_max { self.apart.pop_front() } else { None };
        if task.is_some() {
            self.n_apart += 1;
            self.waits_apart_since = None;
        }
        task
    }

    /// Gives it to an idle spare; whether there is one.
    fn assign_apart(&mut self) -> bool {
        let Some(seat) = self.idle.pop() else { return false };
        match self.take_apart() {
            // SAFETY: out of the list, the seat waits for this assignment.
            Some(task) => unsafe { (*seat).assign(Assignment::Apart(task)) },
            None => self.idle.push(seat),
        }
        true
    }

    /// The calling OS thread leaves.
    fn deregister(&mut self) {
        self.limit.remove();
        let id = thread::id();
        if let Some(at) = self.threads.iter().position(|other| *other == id) {
            self.threads.swap_remove(at);
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
