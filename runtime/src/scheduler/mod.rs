//! The scheduler: cores, the workers that have them, and how tasks get from one to another.
//!
//! A *core* (`core`) has a run queue, an event loop and deadlines. A *worker* (`worker`) is an OS
//! thread that has a core and runs its tasks, one at a time, each until it parks, yields or ends.
//! There are as many cores as processors; a core is never without a worker for long.
//!
//! # Where a task goes that becomes runnable
//!
//! ARCHITECTURE.md has it in one picture, and the words.
//!
//! | who makes it so | where it goes |
//! |---|---|
//! | a green thread, in the shared mode, by spawning it | the global queue, or aside on its core |
//! | a green thread otherwise | the inbox of the core it runs on |
//! | a worker, from its event loop or deadlines | the local queue of the woken |
//! | any other OS thread | the global queue |
//! | anybody, for a task that is pinned (the shared mode) | the inbox of its core |
//!
//! A single task in the inbox wakes nobody: most often its waker parks next, and the task runs
//! right there, with its data in the cache. If the waker goes on instead, the next push to the
//! inbox or the monitor sees to it (`beside`).
//!
//! In the shared mode a thread stays with the core that starts it. Two that take turns are best off on
//! one: from core to core each turn wakes an OS thread, which takes hundreds of times as long as a
//! switch. But many that were all started by one are to spread. So the first that a thread spawns which
//! is alone on its core is laid *aside* there: that core starts it when it has nothing else to run. With
//! the second, or when the monitor comes by, it goes to the global queue, and others are woken.
//!
//! A thread whose calls never have to wait, since its socket is always ready or its file in memory, yields at
//! the next request, and after 32 calls (`yield_if_due`). It is queued with those that an event has woken: that
//! its event has come before it was waited for is no reason to have it wait for all that compute. When the
//! monitor asks for a look at the event loop, so does in the shared mode one that takes locks while it computes
//! (`step_aside`): there nobody takes its core.
//!
//! # Files
//!
//! | file | says |
//! |---|---|
//! | `owner` | who has a core (and `task::lease` how it is held) |
//! | `idle` | who sleeps and whom to wake |
//! | `crowd`, `census` | how many cores may be awake, and what that rests on |
//! | `next`, `fairness` | who is next |
//! | `worker`, `relay` | how one run follows another |
//! | `monitor`, `pace` | who looks after all of it, and how often |
//! | `beside` | what is done for those who wait for a core whose run lasts |
//! | `apart` | how the next runs of such a thread go on without a core, and runs after a section |
//! | `sections`, `habit` | which sections block, and which are going to |
//! | `watch` | what somebody is to be warned of |
//! | `usage` | what an OS thread has used of a processor |
//! | `spare`, `limit` | which OS threads can take over, and how many there may be |
//! | `bound` | which threads take an OS thread for themselves |
//! | `wardrobe` | which signal masks they put on |
//! | `record` | what of all this is recorded |
//! | `start` | how all begins |
//!
//! `inbox`, `queue` and `inject` hold tasks.

mod apart;
mod beside;
mod bound;
mod census;
mod core;
mod crowd;
mod fairness;
mod habit;
mod idle;
mod inbox;
mod inject;
mod interval;
mod limit;
mod monitor;
mod near;
mod next;
mod owner;
mod pace;
mod queue;
mod record;
mod relay;
mod sections;
mod spare;
mod start;
mod usage;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nobody tells of a mask"))]
pub(crate) mod wardrobe;
mod watch;
mod worker;

use std::io;
use std::mem::offset_of;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::time::{Duration, Instant};

use sylvan_sight::table;

use self::core::Core;
use self::habit::Habits;
use self::idle::Idle;
use self::inject::Inject;
use self::limit::Survey;
use self::near::Seats;
use self::owner::Leases;
use self::pace::Pace;
pub(crate) use self::record::record_end;
use self::record::record_section;
use self::spare::{Fate, Job, Spares};
pub(crate) use self::start::{Settings, prepare};
use self::watch::Watch;
use crate::attributes;
use crate::clock;
use crate::context::Switch;
use crate::context::tls::TlsMode;
use crate::current;
use crate::life::PerLife;
use crate::moment::Moment;
use crate::os_thread::{self, OsThread};
use crate::primitive::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use crate::reactor::{self, Interest};
use crate::report;
use crate::stack;
use crate::sys::{self, futex};
use crate::task::lease::Lease;
use crate::task::{Header, Runnable};
use crate::timer;
use crate::trace;

pub(crate) struct Scheduler {
    cores: Box<[Core]>,
    inject: Inject,
    /// The same, of tasks that an event has woken for a core whose run lasts: see `beside`.
    woken: Inject,
    idle: Idle,
    spares: Spares,
    /// How often the monitor looks.
    pace: Pace,
    habits: Habits,
    leases: Leases,
    seats: Seats,
    /// Runs that last, if somebody wants to know.
    watch: Option<Watch>,
    tls_mode: TlsMode,
    /// The user has been told that there is no memory for stacks.
    warned_of_memory: AtomicBool,
}

pub(crate) static SCHEDULER: PerLife<Scheduler> = PerLife::new();

impl Scheduler {
    pub(crate) const LAYOUT: table::Scheduler = table::Scheduler {
        cores: offset_of!(Self, cores) as u64,
        inject: (offset_of!(Self, inject) + Inject::LIST_AT) as u64,
        woken: (offset_of!(Self, woken) + Inject::LIST_AT) as u64,
        apart: (offset_of!(Self, spares) + Spares::APART_AT) as u64,
    };
    pub(crate) const CORE: table::Core = Core::LAYOUT;
    pub(crate) const QUEUE: table::Queue = queue::Queue::LAYOUT;
}

/// The scheduler, once there is one in this life.
pub(crate) fn get() -> &'static Scheduler {
    SCHEDULER.get().expect("the runtime has started")
}

/// Sees to it that a task runs soon which has become runnable.
pub(crate) fn schedule(task: Runnable) {
    get().schedule(task);
}

/// The same, where the caller may be a worker that is at the queues of its core.
pub(crate) fn schedule_remote(task: Runnable) {
    get().schedule_remote(task);
}

/// Sees to it that a core that sleeps looks at its deadlines again.
pub(crate) fn wake_core(core: usize) {
    let scheduler = get();
    scheduler.wake(&scheduler.cores[core]);
}

/// Whether others are to do a core's work: it sleeps where not all may be awake, or its run lasts.
pub(crate) fn is_unattended(core: usize) -> bool {
    let scheduler = get();
    let asleep = &scheduler.cores[core].asleep;
    asleep.is_engaged() || scheduler.idle.are_enough_awake() && asleep.is_asleep()
}

/// The core that is near the peer of `fd`, for a green thread that runs on `core`: see [`near`].
pub(crate) fn near(core: u32, fd: BorrowedFd<'_>) -> Option<u32> {
    get().near(core, fd)
}

/// Ends the system call that the worker of a core waits in.
fn interrupt(core: usize) {
    if let Some(scheduler) = SCHEDULER.get() {
        sys::thread::interrupt(scheduler.cores[core].worker());
    }
}

/// For a call of `task` that had no need to wait: lets others run first, if this run has had its turn.
///
/// A thread whose peer always answers in time never has to wait. Where other programs want the processors,
/// too, many do: the kernel lets the peer in while it is being written to. Such a run would go on for
/// milliseconds while others wait for the core, and would be taken for one that computes. So its turn is over
/// at the next request, which is a read after a write, and after 32 calls. `None` stands for a blocking section.
#[inline]
pub(crate) fn yield_if_due(task: &Header, interest: Option<Interest>) {
    let core = get().core_of(task);
    if core.count_call(interest) && may_yield(task) {
        task.suspend(Switch::Ready);
    }
}

/// Whether a thread that has not asked to wait may be switched away from here.
#[cold]
fn may_yield(task: &Header) -> bool {
    let here = 0_u8;
    let here = (&raw const here).addr();
    let is_on = |stack: Range<usize>| stack.contains(&here);
    // It may have been bound by the call. One that has no core keeps nobody from one.
    task.lease.get().is_some_and(|lease| !lease.is_revoked())
        // A handler of a fault runs on a stack of the OS thread's, with a mask of its own.
        && task.class.is_some_and(|class| is_on(stack::usable(task.bottom.get(), class)))
        // While it unwinds, std counts panics in a thread-local, which may be the others', too.
        && !std::thread::panicking()
        // There the memory and the thread pointer are the parent's, and so is the worker.
        && !is_vfork_child()
}

/// Why who takes a lock goes the long way: some of the bits below. A hint: it orders nothing.
static PRESSED: AtomicU8 = AtomicU8::new(0);
/// Some thread has run for long in the shared mode, where nobody takes its core.
const LASTS: u8 = 1;
/// Owners of locks are noted (`owners`).
const NOTES: u8 = 2;

/// Whether a thread that takes a lock is to go the long way: it should let others run first, if it has run for
/// long ([`step_aside`]), or note that it has the lock ([`note_owner`](crate::owners::note_owner)).
///
/// One load of a word that changes seldom. Never for the first reason where green threads have their own
/// thread-locals: there a thread that runs for long loses its core.
#[inline]
pub fn is_pressed() -> bool {
    PRESSED.load(Ordering::Relaxed) != 0
}

/// Owners of locks are noted from now on.
pub(crate) fn press_to_note() {
    PRESSED.fetch_or(NOTES, Ordering::Relaxed);
}

/// Lets others run first, if the calling green thread has run for long and that is a reason.
#[cold]
pub fn step_aside() {
    let is_due = PRESSED.load(Ordering::Relaxed) & LASTS != 0;
    if let Some(task) = current::green().filter(|_| is_due)
        && get().core_of(task).is_asked_to_look()
        && may_yield(task)
    {
        task.suspend(Switch::Yielded);
    }
}

/// A core that attends to its event loop now: `core` if it does, else another one.
pub(crate) fn attendant(core: Option<u32>) -> Option<u32> {
    let scheduler = SCHEDULER.get()?;
    let is_awake = |core: &&Core| !core.asleep.is_asleep();
    let same = core.map(|index| &scheduler.cores[index as usize]).filter(is_awake);
    let core = same.or_else(|| scheduler.cores.iter().find(is_awake))?;
    Some(core.index as u32)
}

/// In a child of a fork: the cores, and what was to run on them, are the parent's. `task` is who runs
/// here, if the runtime has started it: it is an ordinary thread from now on.
///
/// # Safety
///
/// The process has one thread, which is in none of the functions of this module.
pub(crate) unsafe fn forget(task: Option<&Header>) {
    if let Some(watch) = SCHEDULER.forget().and_then(|scheduler| scheduler.watch.as_ref()) {
        // A section that has forked ends there.
        // SAFETY: as the caller promises.
        unsafe { watch.forget_all() };
    }
    worker::forget();
    PRESSED.store(0, Ordering::Relaxed);
    if let Some(task) = task {
        // Its OS thread is a new one, and so is that one's clock.
        if let Some(rare) = task.rare() {
            rare.clock.set(None);
        }
        // As if it had been bound. There is no way back to its worker: see `fork`.
        task.core.store(sys::thread::id(), Ordering::Relaxed);
        task.lease.set(None);
        current::bind(task);
    }
}

/// Whether the caller is a child that shares the memory of a process where the runtime has started
/// (`vfork`).
pub(crate) fn is_vfork_child() -> bool {
    !reactor::is_this_process()
}

/// Starts one of the runtime's own OS threads. A panic there is a broken invariant: it ends the
/// process, for no green thread could go on.
pub(crate) fn start_os_thread(
    name: String,
    main: impl FnOnce() + Send + 'static,
) -> io::Result<OsThread> {
    let main = move || {
        wardrobe::begin_covered();
        attributes::inherit_from_runtime();
        if panic::catch_unwind(AssertUnwindSafe(main)).is_err() {
            report::fatal(format_args!("the scheduler has panicked"));
        }
    };
    os_thread::spawn(name, main)
}

/// Has one of the runtime's own OS threads call `f`, and waits for its result.
pub(crate) fn call_os_thread<T: Send + 'static>(
    name: &str,
    f: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    os_thread::call(|main| start_os_thread(name.to_owned(), main), f)
}

impl Scheduler {
    pub(crate) fn tls_mode(&self) -> TlsMode {
        self.tls_mode
    }

    pub(crate) fn n_cores(&self) -> usize {
        self.cores.len()
    }

    /// Whether it is that of a life before this one: of the process that this one was forked off.
    fn is_over(&self) -> bool {
        !SCHEDULER.get().is_some_and(|now| ptr::eq(now, self))
    }

    #[inline]
    fn core_of(&self, task: &Header) -> &Core {
        &self.cores[task.core.load(Ordering::Relaxed) as usize]
    }

    /// Wakes a sleeping core, if that is of use: there is something in a queue.
    // Never inlined: see the one rule of `context`.
    #[inline(never)]
    fn wake_one(&self) {
        if let Some(core) = self.idle.pick() {
            self.wake(&self.cores[core]);
        }
    }

    fn wake(&self, core: &Core) {
        if core.asleep.claim() {
            reactor::wake(core.index);
        }
    }

    /// Leaves a task to the core that it has to stay with.
    fn send_home(&self, task: Runnable) {
        let core = self.core_of(&task);
        core.inbox.push(task);
        self.wake(core);
    }

    /// Whether there is anything in the global queues.
    fn any_global(&self) -> bool {
        !self.inject.is_empty() || !self.woken.is_empty()
    }

    /// Puts a task where every core finds it.
    fn inject(&self, task: Runnable) {
        self.inject.push(task);
        self.wake_one();
    }

    /// Puts off a task that cannot start for want of memory: others go first, who may end and leave it their
    /// stack. Where there are none, its next try is a moment later.
    #[cold]
    fn put_off(&self, task: Runnable, error: &io::Error) {
        const MOMENT: Duration = Duration::from_millis(1);
        if !self.warned_of_memory.swap(true, Ordering::Relaxed) {
            report::say(format_args!(
                "sylvan: failed to guard a stack ({error}): threads that start wait for memory\n"
            ));
        }
        self.inject(task);
        futex::wait(&AtomicU32::new(0), 0, Some(MOMENT));
    }

    /// Moves what was laid aside on a core to the global queue; whether there was anything.
    fn inject_aside(&self, core: &Core) -> bool {
        // There is one at most.
        let (task, _) = core.aside.take_all();
        let any = task.is_some();
        if let Some(task) = task {
            self.inject(task);
        }
        any
    }

    /// For the monitor: whether any run lasts.
    fn press(&self, any_lasts: bool) {
        let is_due = any_lasts && self.tls_mode == TlsMode::Shared;
        if is_due != (PRESSED.load(Ordering::Relaxed) & LASTS != 0) {
            PRESSED.fetch_xor(LASTS, Ordering::Relaxed);
        }
    }

    /// For the monitor: whether anything waits for this core.
    fn is_awaited(&self, core: &Core) -> bool {
        self.tls_mode == TlsMode::Own
            && (core.has_queued()
                || core.has_overflow()
                || !core.inbox.is_empty()
                || self.any_global()
                || reactor::has_registrations(core.index)
                || timer::shard(core.index).is_awaited(clock::now_ns()))
    }

    /// For the monitor: how many runs go on that have lost their core.
    fn n_strays(&self) -> usize {
        (0..).map_while(|n| self.leases.nth(n)).filter(|lease| lease.is_stray()).count()
    }

    /// For the monitor: looks which OS threads count, where somebody was refused one.
    fn survey(&'static self, survey: &mut Survey, now: Instant) {
        if survey.is_due(now) && self.spares.is_short() {
            let n_uncounted = survey.count(self, self.spares.threads(), now);
            self.spares.survey(n_uncounted);
        }
    }

    /// For the monitor: tasks whose core is busy while another one sleeps, and may be awake.
    fn wake_for_stranded(&self) {
        for core in &self.cores {
            self.inject_aside(core);
        }
        let stranded = |core: &Core| core.has_queued() || !core.inbox.is_empty();
        let any = self.any_global() || self.cores.iter().any(stranded);
        if any && self.idle.any_sleeps() {
            self.wake_one();
        }
    }

    /// Runs `f`, which blocks, on behalf of a green thread.
    pub(crate) fn blocking<T: Send>(
        &'static self,
        task: &Header,
        f: impl FnOnce() -> T + Send,
    ) -> T {
        match self.tls_mode {
            TlsMode::Own => self.block_in_place(task, f),
            // Helpers have not the attributes of a worker that has changed its own.
            TlsMode::Shared if attributes::differ() => f(),
            TlsMode::Shared => crate::blocking::elsewhere(task, f, |run, finish, data| {
                let mask = wardrobe::mask_of(task);
                let job = Job { run, finish, data, mask };
                let fate = self.spares.run_job(job);
                if matches!(fate, Fate::Queued) {
                    self.pace.on_blocking();
                }
                !matches!(fate, Fate::Declined)
            }),
        }
    }

    /// Runs `f` right here. If that is going to last the core is handed off before, and else the monitor
    /// may take it meanwhile; then the task goes on without one, or queues (`apart`).
    fn block_in_place<T, F: FnOnce() -> T>(&'static self, task: &Header, f: F) -> T {
        /// Ends the section, also when `f` panics: then the thread goes on as if it had its core,
        /// and its worker finds out at the next switch.
        struct Section<'a> {
            scheduler: &'a Scheduler,
            task: &'a Header,
        }
        impl Section<'_> {
            /// Whether the core was kept; `None` if the thread was bound meanwhile.
            fn end(self) -> Option<bool> {
                let kept = self.is_over();
                std::mem::forget(self);
                kept
            }

            fn is_over(&self) -> Option<bool> {
                record_section(self.task, trace::Kind::SectionEnd);
                let kept = lease(self.task).map(Lease::end_section);
                if let Some(watch) = &self.scheduler.watch {
                    watch.end_section(self.task);
                }
                kept
            }
        }
        impl Drop for Section<'_> {
            fn drop(&mut self) {
                self.is_over();
            }
        }

        // Of the worker that runs it now: a function that parks may come back on another one.
        fn lease(task: &Header) -> Option<&'static Lease> {
            task.lease.get()
        }

        let begin = lease(task).expect("a green thread is in a run");
        let Some(has_core) = begin.begin_section() else { return f() };
        record_section(task, trace::Kind::Section);
        if let Some(watch) = &self.watch {
            watch.begin_section(task);
        }
        let section = Section { scheduler: self, task };
        if !has_core {
            // There is nobody to whom it matters how long this takes.
            let had_place = self.leave_place(begin);
            let result = f();
            if section.end() == Some(false) && had_place {
                self.go_on(task);
            }
            return result;
        }
        let habit = self.habits.of::<F>();
        let handed = habit.lasts() && self.spares.hand_off(self.core_of(task), begin);
        let handed_ns = handed.then(clock::now_ns);
        if handed {
            record_section(task, trace::Kind::HandOver);
        } else {
            self.pace.on_blocking();
        }
        let result = f();
        let Some(kept) = section.end() else { return result };
        match handed_ns {
            Some(handed_ns) => habit.note_handed_off(clock::now_ns().saturating_sub(handed_ns)),
            None => habit.note(kept),
        }
        if kept {
            yield_if_due(task, None);
        } else {
            if !handed {
                record_section(task, trace::Kind::HandOver);
            }
            self.go_on(task);
        }
        result
    }

    /// Sees to it that a task runs soon which has become runnable.
    // All but what happens most is in functions that this one ends with: so it has nothing to save.
    #[inline]
    fn schedule(&self, task: Runnable) {
        if trace::is_on() { self.schedule_seen(task) } else { self.schedule_now(task) }
    }

    /// `schedule` while anything is recorded.
    #[cold]
    #[inline(never)]
    fn schedule_seen(&self, task: Runnable) {
        record::record_ready(&task);
        self.schedule_now(task);
    }

    #[inline(always)]
    fn schedule_now(&self, task: Runnable) {
        let Some(waker) = current::green() else { return self.schedule_outside(task) };
        let core = if task.pinned.get() {
            self.core_of(&task)
        } else if self.tls_mode == TlsMode::Shared {
            return self.schedule_spawned(waker, task);
        } else {
            self.core_of(waker)
        };
        let first = core.inbox.push(task);
        // Asleep, in the own mode: the waker may have lost the core, whose new worker has nothing to do.
        if !core.asleep.attends() || !first {
            self.wake_for(core, first);
        }
    }

    /// `schedule` for an OS thread: a worker between runs, or any other.
    #[inline(never)]
    fn schedule_outside(&self, task: Runnable) {
        let is_its_own = |core: &&Core| match task.pinned.get() {
            true => ptr::eq(*core, self.core_of(&task)),
            false => self.tls_mode == TlsMode::Own,
        };
        match worker::core().filter(is_its_own) {
            // SAFETY: the calling worker has the core and is between runs.
            Some(core) => fairness::enqueue_woken(core, unsafe { core.local() }, task),
            None => {
                let _moment = Moment::begin_if(true);
                self.schedule_remote(task);
            }
        }
    }

    /// `schedule` where the caller has no core that the task could stay on.
    #[inline(never)]
    fn schedule_remote(&self, task: Runnable) {
        if task.pinned.get() {
            self.send_home(task);
        } else {
            self.inject(task);
        }
    }

    /// `schedule` for what a green thread has spawned in the shared mode. Nobody takes from the inbox of a
    /// core that computes in this mode, where an inbox holds pinned tasks.
    #[inline(never)]
    fn schedule_spawned(&self, spawner: &Header, task: Runnable) {
        let core = self.core_of(spawner);
        // It is in a run, so it is awake, and in this mode nobody takes it.
        if core.n_pinned() == 1 && core.aside.is_empty() {
            core.aside.push(task);
        } else {
            self.inject_aside(core);
            self.inject(task);
        }
    }

    /// A task has come to the inbox of this core. Wakes the core, if it is asleep; and in the own mode
    /// another one, if the task was not the first or the run lasts.
    #[inline(never)]
    fn wake_for(&self, core: &Core, first: bool) {
        self.wake(core);
        if (!first || core.asleep.is_engaged()) && self.tls_mode == TlsMode::Own {
            self.wake_one();
        }
    }
}
