//! Who puts on what: signal masks, and the clocks of threads, that go from one OS thread to another.
//!
//! `task::dress` says what there is to wear. The rule that makes signals go where POSIX wants them:
//!
//! *Once somebody in the process has changed a mask, an OS thread of the runtime either wears the mask of a
//! thread that lives and is its own at the moment, or is covered: it blocks all signals.*
//!
//! So a signal for the process finds the threads of the program and nobody else: those that run, that block
//! in the kernel, or that wait in `sigwait`, and ordinary OS threads. One for which only threads are open
//! that are parked, or wait for their turn, is left pending until one of them runs.
//!
//! ```text
//!             next one wears the same              thread ends (before anybody can hear of it)
//!            +--------------------+        +---------------------------------+
//!            v                    |        |                                 v
//!   WEARS ITS THREAD'S MASK -- run ends -- or nothing is at hand --------> COVERED <-- an OS thread begins,
//!            ^                    | the next one wears something else        |         the core is taken
//!            +--------------------+------------------------------------------+
//!                               its mask is put on: one system call
//! ```
//!
//! - From one run to the next in a relay: `relay` goes on only with a task that wears what the worker does.
//!   It lets go of the last one when it has entered the next, so the mask is that of either, all the time.
//! - Otherwise `between_runs` calls `end_run` before it lets go of the last one: the worker puts on what the next
//!   one wears, which it has found and nobody else has, or covers itself.
//! - A thread that ends does so itself, on its own stack, before its handle says DONE. So a thread that joins
//!   it may count on being the only one to get a signal.
//! - A thread that changes its mask does so for its OS thread and for itself, in one go.
//! - The monitor, and spares that are idle, are covered from their first instruction: new OS threads are
//!   started with all blocked. What their starter blocks besides they leave open as they begin.
//!
//! # While nobody has changed a mask
//!
//! Then all threads wear the same, and a worker keeps it on between runs and while it sleeps: there is nobody
//! that a signal had better gone to. What this saves are two system calls each time that there is nothing at
//! hand. The first one to change a mask says so (CHANGED) and then waits for those that have not seen it
//! (`cover_workers`). A worker looks at CHANGED after its lease says SCHEDULING. The other side looks at the
//! leases after it has set CHANGED. Between the two is a barrier. So the worker has seen it, or is found
//! between runs; then it is waited for until it begins another run, or is covered. One that sleeps is woken
//! for that.
//!
//! A process of one thread that changes its mask before the runtime starts, as servers do, does not count:
//! what it wears when the runtime starts is the first mask.
//!
//! # Where all are covered
//!
//! In a whole program (`cover_all`) green threads have masks of which the kernel hears nothing: FIRST is what
//! those wear that are nobody's, and all wear it for good. The layer above has the signals of its threads
//! delivered where that does no harm, never in the midst of the runtime. Whoever changes a mask there is
//! an OS thread, which concerns nobody else.
//!
//! # A thread's clock
//!
//! The kernel counts processor time by OS threads, and a green thread runs on many. From its first question
//! on it is attended, and its time is counted by runs: the worker's clock is read as each begins and
//! ends. A run that has lost its core, or is in a blocking section, goes on and counts; so does that of a
//! thread that is bound, which is its last.

use std::time::{Duration, Instant};

use super::{SCHEDULER, Scheduler};
use crate::current;
use crate::primitive::{AtomicBool, AtomicU32, Ordering};
use crate::sys::{barrier, futex, signal, thread};
use crate::task::Header;
#[cfg(target_os = "linux")]
use crate::task::dress;
use crate::task::dress::Dress;
use crate::task::lease::Lease;
use crate::task::rare::Clock;

/// Somebody in this process has changed a signal mask.
static CHANGED: AtomicBool = AtomicBool::new(false);

/// How long the first to change a mask waits for workers. Longer than any of them takes, and yet not for
/// ever: it may be a signal's handler that asks, on top of one of them.
const PATIENCE: Duration = Duration::from_millis(100);

/// Between looks at whether they are covered.
const PAUSE: Duration = Duration::from_micros(50);

/// Whether anybody has changed a mask.
#[inline]
pub(crate) fn any_changed() -> bool {
    // What is ordered by it is said in the header.
    CHANGED.load(Ordering::Relaxed)
}

/// All green threads are covered, in this process and in those that are forked from it.
static COVERS_ALL: AtomicBool = AtomicBool::new(false);

/// All green threads are to be covered, but for these signals. Before there is any.
#[cfg(target_os = "linux")]
pub(crate) fn cover_all(left_open: u64) {
    signal::leave_open(left_open);
    dress::cover(signal::cover());
    // Nobody else is there.
    COVERS_ALL.store(true, Ordering::Relaxed);
}

/// The runtime starts: the first mask is that of the calling thread, unless all are covered.
pub(super) fn init() {
    if COVERS_ALL.load(Ordering::Relaxed) {
        return;
    }
    if Dress::of(signal::mask()) != Some(Dress::FIRST) {
        // It has started before, in this process or in one that this was forked from.
        CHANGED.store(true, Ordering::Relaxed);
    }
}

/// The calling OS thread, which was started so and is the runtime's own, blocks what a cover does and no more.
pub(crate) fn begin_covered() {
    signal::set_mask(signal::cover());
}

/// Runs `f`, which is a part of a green thread, on an OS thread that is covered, with that thread's mask.
pub(super) fn in_the_name_of<T>(mask: u64, f: impl FnOnce() -> T) -> T {
    signal::set_mask(mask);
    let result = f();
    signal::set_mask(signal::cover());
    result
}

/// The worker, between runs, blocks all.
pub(super) fn cover(lease: &Lease) {
    if lease.wears() != Dress::COVERED {
        signal::set_mask(signal::cover());
        lease.set_wears(Dress::COVERED);
    }
}

/// The worker, which has this task, makes ready for its run.
#[cold]
pub(super) fn put_on(lease: &Lease, task: &Header) {
    let dress = task.dress.get().running();
    if let Some(mask) = dress.mask() {
        if lease.wears() != dress {
            signal::set_mask(mask);
            lease.set_wears(dress);
        }
        return;
    }
    let rare = task.rare().expect("who is attended has it");
    signal::set_mask(rare.mask.get());
    task.dress.set(Dress::IN_RUN);
    lease.set_wears(Dress::IN_RUN);
    if let Some(clock) = rare.clock.get() {
        rare.clock.set(Some(clock.started(thread::own_processor_time_ns())));
    }
}

/// The worker is about to let go of `last`, whose run has ended, but not its life (`end`); `found` is the
/// next, if it is known.
#[inline(always)]
pub(super) fn end_run(lease: &Lease, last: &Header, found: Option<&Header>) {
    if last.dress.get() == Dress::IN_RUN || any_changed() {
        change_after_run(lease, last, found);
    }
}

#[cold]
fn change_after_run(lease: &Lease, last: &Header, found: Option<&Header>) {
    if last.dress.get() == Dress::IN_RUN {
        last.dress.set(Dress::ATTENDED);
        let rare = last.rare().expect("who is attended has it");
        if let Some(clock) = rare.clock.get() {
            rare.clock.set(Some(clock.stopped(thread::own_processor_time_ns())));
        }
    }
    if any_changed() {
        match found {
            Some(next) => put_on(lease, next),
            None => cover(lease),
        }
    }
}

/// The calling thread ends, and its handle is about to say so: it blocks all.
#[inline]
pub(crate) fn end(task: &Header) {
    if any_changed() {
        cover_at_end(task);
    }
}

#[cold]
fn cover_at_end(task: &Header) {
    match task.lease.get() {
        Some(lease) => {
            cover(lease);
            task.dress.set(Dress::COVERED);
        }
        // Its OS thread ends, too, in a moment.
        None => signal::set_mask(signal::cover()),
    }
}

/// A thread that was just spawned, and is nobody else's yet, wears what its spawner does.
#[cold]
pub(crate) fn inherit(task: &Header) {
    let mask = match current::green() {
        Some(spawner) => mask_of(spawner),
        None => signal::mask(),
    };
    let dress = Dress::of(mask).unwrap_or_else(|| {
        // SAFETY: the caller has just made it.
        unsafe { task.rare_or_new() }.mask.set(mask);
        Dress::ATTENDED
    });
    task.dress.set(dress.unstarted());
}

/// The mask of the calling green thread.
pub(super) fn mask_of(task: &Header) -> u64 {
    let attended = || task.rare().expect("who is attended has it").mask.get();
    task.dress.get().mask().unwrap_or_else(attended)
}

/// The calling thread has changed its mask to that.
pub(crate) fn changed(mask: u64) {
    if super::is_vfork_child() || COVERS_ALL.load(Ordering::Relaxed) {
        // It changes itself alone.
        return;
    }
    if let Some(task) = current::green() {
        let is_counted = task.rare().is_some_and(|rare| rare.clock.get().is_some());
        match Dress::of(mask) {
            Some(dress) if !is_counted => wear(task, dress),
            _ => attend(task, mask),
        }
    }
    let scheduler = SCHEDULER.get();
    if any_changed() || scheduler.is_none() && thread::is_only_one() {
        return;
    }
    CHANGED.store(true, Ordering::SeqCst);
    if let Some(scheduler) = scheduler {
        scheduler.cover_workers();
    }
}

/// The calling green thread, whose mask that is, is attended from now on.
fn attend(task: &Header, mask: u64) {
    // SAFETY: it is the caller.
    unsafe { task.rare_or_new() }.mask.set(mask);
    wear(task, Dress::IN_RUN);
}

/// Notes what the calling green thread and its worker wear.
fn wear(task: &Header, dress: Dress) {
    task.dress.set(dress);
    task.lease.get().expect("a task that calls is in a run").set_wears(dress);
}

/// The processor time of the calling thread, which was green when it asked first, and is bound now.
pub(crate) fn known_processor_time(task: &Header) -> Option<Duration> {
    let clock = task.rare()?.clock.get()?;
    Some(Duration::from_nanos(clock.at(thread::own_processor_time_ns())))
}

/// The processor time of the calling green thread, since it asked first.
pub(crate) fn processor_time(task: &Header) -> Duration {
    let now_ns = thread::own_processor_time_ns();
    let known = task.rare().and_then(|rare| rare.clock.get());
    let clock = known.unwrap_or_else(|| {
        let clock = Clock::new(now_ns);
        attend(task, mask_of(task));
        // SAFETY: it is the caller.
        unsafe { task.rare_or_new() }.clock.set(Some(clock));
        clock
    });
    Duration::from_nanos(clock.at(now_ns))
}

impl Scheduler {
    /// Waits until each worker that was between runs, and may not have seen CHANGED, is covered or in
    /// another run.
    fn cover_workers(&self) {
        // Pairs with the one in `Lease::stop`. Where there is none, or the kernel has refused it, the first
        // pause takes longer than what was stored before takes to arrive.
        let _ = barrier::heavy();
        pause();
        let begin = Instant::now();
        for lease in (0..).map_while(|n| self.leases.nth(n)) {
            let seen = lease.look();
            while seen.is_scheduling()
                && lease.look() == seen
                && lease.wears() != Dress::COVERED
                && begin.elapsed() < PATIENCE
            {
                self.cores.iter().for_each(|core| self.wake(core));
                pause();
            }
        }
    }
}

fn pause() {
    futex::wait(&AtomicU32::new(0), 0, Some(PAUSE));
}

#[cfg(all(test, not(sylvan_loom), target_os = "linux"))]
#[allow(clippy::disallowed_methods, reason = "the tests block OS threads on purpose")]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, Instant};

    use crate::scheduler::start_os_thread;
    use crate::sys::alert::Alert;
    use crate::sys::signal;

    #[test]
    fn an_alert_that_has_come_already_is_kept_while_its_thread_starts_another() {
        const LONG: Duration = Duration::from_secs(30);
        let alert = Alert::new();
        alert.open();
        alert.raise(Duration::ZERO);
        // Longer than the kernel takes to bring it.
        thread::sleep(Duration::from_millis(5));
        let (tell, told) = mpsc::channel();
        start_os_thread("starts".to_owned(), move || tell.send(()).unwrap()).unwrap();
        told.recv().unwrap();
        let begin = Instant::now();
        alert.wait(Some(LONG));
        assert!(begin.elapsed() < LONG, "it is lost");
    }

    #[test]
    fn a_thread_that_is_started_covered_blocks_nothing_else_that_its_starter_does() {
        // Nothing that a cover blocks, and nobody sends it here.
        let own = 1 << (libc::SIGFPE - 1);
        signal::block(own);
        let before = signal::mask();
        let (tell, told) = mpsc::channel();
        start_os_thread("starts".to_owned(), move || tell.send(signal::mask()).unwrap()).unwrap();
        let mask = told.recv().unwrap();
        // An emulator may have fewer signals than there are.
        let of_all = 1 << (libc::SIGTERM - 1) | 1 << (libc::SIGUSR1 - 1);
        assert_eq!((mask & own, mask & of_all), (0, of_all));
        assert_eq!(signal::mask(), before);
    }
}
